/* SPDX-License-Identifier: ISC */
#include "cli/wire.h"

int
wire_append(struct wire *w, struct slice piece, struct buffer *out, struct error *err)
{
	size_t n = 0;
	if (piece.len == 0)
		return 0;
	unsigned char *room = buffer_reserve(out, piece.len * 3, err);
	if (room == NULL)
		return -1;
	for (size_t i = 0; i < piece.len; i++) {
		unsigned char c = piece.data[i];
		if (c == '\n' && w->was_cr) {
			w->was_cr = false;
			continue;
		}
		w->was_cr = c == '\r';
		if (c == '\r' || c == '\n') {
			room[n++] = '\r';
			room[n++] = '\n';
			w->is_inside_line = false;
			continue;
		}
		if (c == '.' && !w->is_inside_line)
			room[n++] = '.';
		room[n++] = c;
		w->is_inside_line = true;
	}
	buffer_commit(out, n);
	return 0;
}

int
wire_finish(struct wire *w, struct buffer *out, struct error *err)
{
	return buffer_append_string(out, w->is_inside_line ? "\r\n.\r\n" : ".\r\n", err);
}
