/* SPDX-License-Identifier: ISC */
#include "smtpc/dot.h"

#include <assert.h>
#include <string.h>

size_t
dot_encode(struct dot_encoder *encoder, struct slice *body, unsigned char *out, size_t out_size)
{
	const unsigned char *in = body->data, *in_end = in + body->len;
	size_t used = 0;
	assert(out_size >= 2);
	while (in < in_end && out_size - used >= 2) {
		if (!encoder->in_line && *in == '.')
			out[used++] = '.';
		/* up to the end of this line, or as much as there is room for */
		size_t len = (size_t)(in_end - in);
		if (len > out_size - used)
			len = out_size - used;
		const unsigned char *newline = memchr(in, '\n', len);
		if (newline != NULL)
			len = (size_t)(newline - in) + 1;
		memcpy(out + used, in, len);
		bool has_cr = len >= 2 ? in[len - 2] == '\r' : encoder->after_cr;
		encoder->in_line = newline == NULL || !has_cr;
		encoder->after_cr = in[len - 1] == '\r';
		in += len;
		used += len;
	}
	*body = slice_of(in, (size_t)(in_end - in));
	return used;
}

const char *
dot_end(const struct dot_encoder *encoder)
{
	return encoder->in_line ? "\r\n.\r\n" : ".\r\n";
}

bool
dot_has_only_crlf(struct slice piece, bool *after_cr)
{
	const unsigned char *at = piece.data, *end = at + piece.len;
	if (at < end && *after_cr && *at++ != '\n')
		return false;
	*after_cr = *after_cr && piece.len == 0;
	while (at < end) {
		const unsigned char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = newline == NULL ? (size_t)(end - at) : (size_t)(newline - at);
		const unsigned char *cr = memchr(at, '\r', len);
		if (newline == NULL) {
			*after_cr = cr == end - 1;
			return cr == NULL || *after_cr;
		}
		if (cr == NULL || cr != newline - 1)
			return false;
		at = newline + 1;
	}
	return true;
}
