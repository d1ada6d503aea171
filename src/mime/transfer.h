/* SPDX-License-Identifier: ISC
 *
 * Undoing a Content-Transfer-Encoding (RFC 2045 section 6).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

/* Appends what a part's content stands for. header: the part's fields. Without the field, and for 7bit, 8bit and binary, it is the content as it
 * is. ERROR_INVALID for what is unknown, or there twice; ERROR_TOO_LARGE: more than the buffer may hold. library_init() first. */
int transfer_decode(struct slice header, struct slice content, struct buffer *out, struct error *err);
