/* SPDX-License-Identifier: ISC */
#include "card/vcard.h"

#include <string.h>

#include "base/utf8.h"

/* How much of the text stands in a line with that room: whole characters. */
static size_t
piece_of(struct slice text, size_t room)
{
	size_t len = text.len < room ? text.len : room;
	while (len < text.len && len > 0 && (text.data[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static int
fold(struct slice line, struct buffer *out, struct error *err)
{
	size_t room = VCARD_LINE_MAX;
	do {
		size_t len = piece_of(line, room);
		if ((room < VCARD_LINE_MAX && buffer_append(out, " ", 1, err) != 0) || buffer_append(out, line.data, len, err) != 0 ||
		    buffer_append(out, "\r\n", 2, err) != 0)
			return -1;
		line = slice_of(line.data + len, line.len - len);
		room = VCARD_LINE_MAX - 1;
	} while (line.len > 0);
	return 0;
}

int
vcard_write(const char *name, struct slice value, struct buffer *out, struct buffer *plain, struct error *err)
{
	size_t before = buffer_len(plain);
	if (buffer_printf(plain, err, "%s:", name) != 0 || buffer_append(plain, value.data, value.len, err) != 0)
		return -1;
	struct slice line = slice_of(buffer_bytes(plain) + before, buffer_len(plain) - before);
	if (!utf8_is_line(line))
		return error_set(err, ERROR_INVALID, "a card cannot hold control characters, or what is not UTF-8");
	return fold(line, out, err) == 0 ? buffer_append(plain, "\r\n", 2, err) : -1;
}

int
vcard_escape(struct slice text, struct buffer *out, struct error *err)
{
	for (size_t i = 0; i < text.len; i++) {
		bool is_special = text.data[i] == '\\' || text.data[i] == ',' || text.data[i] == ';';
		if ((is_special && buffer_append(out, "\\", 1, err) != 0) || buffer_append(out, text.data + i, 1, err) != 0)
			return -1;
	}
	return 0;
}

int
vcard_unescape(struct slice value, char *out, size_t room, struct error *err)
{
	size_t len = 0;
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = value.data[i];
		if (c == '\\') {
			if (++i == value.len || strchr("\\,;:", value.data[i]) == NULL)
				return error_set(err, ERROR_INVALID, "the card has a line that cannot be read");
			c = value.data[i];
		}
		if (len + 1 >= room)
			return error_set(err, ERROR_TOO_LARGE, "the card has a name of more than %zu octets", room - 1);
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return 0;
}

int
vcard_unfold(struct slice text, struct buffer *plain, struct error *err)
{
	for (bool is_first = true; text.len > 0; is_first = false) {
		const unsigned char *end = memchr(text.data, '\n', text.len);
		size_t whole = end == NULL ? text.len : (size_t)(end - text.data) + 1, len = end == NULL ? text.len : whole - 1;
		struct slice line = slice_of(text.data, end != NULL && len > 0 && text.data[len - 1] == '\r' ? len - 1 : len);
		bool is_more = line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t');
		if (is_more)
			line = slice_of(line.data + 1, line.len - 1);
		if (line.len == 0 || (is_more && is_first))
			return error_set(err, ERROR_INVALID, "the card has an empty line, or begins with half a line");
		if ((!is_more && !is_first && buffer_append(plain, "\r\n", 2, err) != 0) || buffer_append(plain, line.data, line.len, err) != 0)
			return -1;
		text = slice_of(text.data + whole, text.len - whole);
	}
	return buffer_append(plain, "\r\n", 2, err);
}

int
vcard_next(struct slice *plain, struct slice *name, struct slice *value, struct slice *line, struct error *err)
{
	if (plain->len == 0)
		return 0;
	const unsigned char *end = memmem(plain->data, plain->len, "\r\n", 2);
	if (end == NULL)
		return error_set(err, ERROR_INVALID, "the card breaks off");
	size_t len = (size_t)(end - plain->data);
	const unsigned char *colon = memchr(plain->data, ':', len);
	if (colon == NULL || !utf8_is_line(slice_of(plain->data, len)))
		return error_set(err, ERROR_INVALID, "the card has a line that cannot be read");
	*name = slice_of(plain->data, (size_t)(colon - plain->data));
	*value = slice_of(colon + 1, len - name->len - 1);
	*line = slice_of(plain->data, len + 2);
	*plain = slice_of(plain->data + len + 2, plain->len - len - 2);
	return 1;
}
