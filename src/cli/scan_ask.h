/* SPDX-License-Identifier: ISC
 *
 * Has smtorp-scan look for a QR code in a picture, which this process does not look into.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define SCAN_TEXT_MAX_BYTES 16384

bool scan_is_picture(struct slice bytes);

/* What the code holds, appended. ERROR_NOT_FOUND with the scanner's own words; ERROR_IO: it is not there, or died. */
int scan_ask(struct slice picture, struct buffer *out, struct error *err);
