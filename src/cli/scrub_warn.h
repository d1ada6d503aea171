/* SPDX-License-Identifier: ISC
 *
 * What the node leaves as it is although it may tell something: the content of attachments, by their types.
 */
#pragma once

#include "base/slice.h"

/* What to say of a part with this header field ("Content-Type: image/jpeg; ..."), NULL for nothing. */
const char *scrub_warn_about(struct slice field);
