/* SPDX-License-Identifier: ISC
 *
 * The data of DATA (RFC 5321 section 4.5.2): a dot is put before each line that begins with one. In steps, so
 * that a large body needs no second copy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct dot_encoder {
	bool in_line; /* something came since the last CRLF */
	bool after_cr;
};

/* Takes bytes from the front of *body and fills out with at most out_size (>= 2) bytes; returns how many. */
size_t dot_encode(struct dot_encoder *encoder, struct slice *body, unsigned char *out, size_t out_size);

/* What ends the data: ".CRLF", with a CRLF before it when the last line has none. */
const char *dot_end(const struct dot_encoder *encoder);

/* Is every CR followed by LF, and does every LF follow a CR? What is not like that must not be sent: receivers differ
 * in what they take for the end of a line, and a second message could be hidden in the first. In pieces: *after_cr is
 * false before the first, and must be false after the last. */
bool dot_has_only_crlf(struct slice piece, bool *after_cr);
