/* SPDX-License-Identifier: ISC
 *
 * content@ID looks who wrote a message that came in, in memory or in a file (proof/onionsig.h).
 */
#pragma once

#include "ipc/body.h"
#include "proof/onionsig.h"

/* Judges a message that came in for the onion `to`. What cannot be read at all proves nothing: ONIONSIG_WRONG. -1: ERROR_IO, ERROR_NO_MEMORY. */
int content_check(const struct body *message, const char *to, enum onionsig_verdict *verdict, struct address *sender, struct error *why,
    struct error *err);
