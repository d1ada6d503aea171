/* SPDX-License-Identifier: ISC */
#include "mime/fold.h"

#include <stdbool.h>
#include <string.h>

#include "mime/header.h"

static bool
is_white(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int
fold_flatten(struct slice value, struct buffer *out, struct error *err)
{
	size_t at = 0, end = value.len;
	while (at < end && is_white(value.data[at]))
		at++;
	while (end > at && is_white(value.data[end - 1]))
		end--;
	while (at < end) {
		size_t word = at;
		while (word < end && !is_white(value.data[word]))
			word++;
		size_t next = word;
		bool is_folded = false;
		while (next < end && is_white(value.data[next])) {
			is_folded = is_folded || value.data[next] == '\n';
			next++;
		}
		if (buffer_append(out, value.data + at, (is_folded ? word : next) - at, err) != 0 ||
		    (is_folded && buffer_append(out, " ", 1, err) != 0))
			return -1;
		at = next;
	}
	return 0;
}

/* The bytes up to the next place to break at, or to the end. */
static size_t
piece_length(struct slice text)
{
	for (size_t i = 1; i + 1 < text.len; i++)
		if (text.data[i] == ' ' && !is_white(text.data[i - 1]) && !is_white(text.data[i + 1]))
			return i;
	return text.len;
}

int
fold_write(const char *name, struct slice flat, struct buffer *out, struct error *err)
{
	size_t column = strlen(name) + 1;
	bool is_first = true;
	if (buffer_append_string(out, name, err) != 0 || buffer_append(out, ":", 1, err) != 0)
		return -1;
	while (flat.len > 0) {
		size_t len = piece_length(flat);
		size_t most = is_first ? HEADER_LINE_MAX_BYTES : FOLD_LINE_BYTES;
		if (column + 1 + len > most) {
			if (buffer_append(out, "\r\n", 2, err) != 0)
				return -1;
			column = 0;
		}
		if (buffer_append(out, " ", 1, err) != 0 || buffer_append(out, flat.data, len, err) != 0)
			return -1;
		column += 1 + len;
		is_first = false;
		len += len < flat.len; /* the space */
		flat = slice_of(flat.data + len, flat.len - len);
	}
	return buffer_append(out, "\r\n", 2, err);
}
