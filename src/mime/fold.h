/* SPDX-License-Identifier: ISC
 *
 * One way of folding header fields (RFC 5322 2.2.3), so that line breaks do not tell which program wrote them. A white space
 * with a line break in it becomes one space; white space within a line is what somebody typed and stays.
 *
 * Folding what was folded here changes nothing.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define FOLD_LINE_BYTES 76 /* where there is a space to break at */

/* Appends the value of a field, in one line and without white space at its ends. */
int fold_flatten(struct slice value, struct buffer *out, struct error *err);

/* Appends "Name: flat", broken at single spaces, with CRLF at the end. No line is longer than 998 bytes when none was
 * before fold_flatten(). */
int fold_write(const char *name, struct slice flat, struct buffer *out, struct error *err);
