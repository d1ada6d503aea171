/* SPDX-License-Identifier: ISC
 *
 * A message on its way into DATA (RFC 5321 4.5.2): every end of line becomes CRLF, whether it was LF, CRLF or a lone
 * CR, and a dot at the start of a line is doubled. Takes the message in any pieces.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

struct wire {
	bool is_inside_line;
	bool was_cr; /* the line was ended already: a following LF belongs to it */
};

/* Appends to out, at most three times as much as piece has. */
int wire_append(struct wire *w, struct slice piece, struct buffer *out, struct error *err);

/* Ends the last line and the message: ".\r\n". */
int wire_finish(struct wire *w, struct buffer *out, struct error *err);
