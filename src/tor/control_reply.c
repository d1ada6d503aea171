/* SPDX-License-Identifier: ISC */
#include "tor/control_reply.h"

#include <assert.h>
#include <string.h>

void
control_reply_init(struct control_reply *r)
{
	*r = (struct control_reply){ .code = 0 };
	buffer_init(&r->bytes, CONTROL_REPLY_MAX_BYTES);
}

void
control_reply_finish(struct control_reply *r)
{
	buffer_finish(&r->bytes);
	control_reply_init(r);
}

static void
begin(struct control_reply *r)
{
	buffer_consume(&r->bytes, buffer_len(&r->bytes));
	r->code = 0;
	r->line_count = 0;
	r->complete = r->in_data = false;
}

static int
append(struct control_reply *r, struct slice text, struct error *err)
{
	if (buffer_len(&r->bytes) + text.len > CONTROL_REPLY_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "tor sent a reply of more than %d bytes", CONTROL_REPLY_MAX_BYTES);
	return buffer_append(&r->bytes, text.data, text.len, err);
}

static int
take_data_line(struct control_reply *r, struct slice line, struct error *err)
{
	struct control_reply_line *last = &r->lines[r->line_count - 1];
	if (slice_is(line, ".")) {
		r->in_data = false;
		return 0;
	}
	if (line.len > 0 && line.data[0] == '.')
		line = slice_of(line.data + 1, line.len - 1);
	bool first = last->data_at == 0;
	if (first)
		last->data_at = buffer_len(&r->bytes) + 1; /* 0 means none; the LF before the data is not part of it */
	if (append(r, slice_of("\n", 1), err) != 0 || append(r, line, err) != 0)
		return -1;
	last->data_len = buffer_len(&r->bytes) - last->data_at;
	return 0;
}

static bool
is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static int
take_line(struct control_reply *r, struct slice line, struct error *err)
{
	if (r->in_data)
		return take_data_line(r, line, err);
	const unsigned char *p = line.data;
	if (line.len < 4 || p[0] < '2' || p[0] > '6' || !is_digit(p[1]) || !is_digit(p[2]) ||
	    (p[3] != ' ' && p[3] != '-' && p[3] != '+'))
		return error_set(err, ERROR_PROTOCOL, "what answers on tor's control connection does not speak its protocol");
	unsigned code = (unsigned)(p[0] - '0') * 100 + (unsigned)(p[1] - '0') * 10 + (unsigned)(p[2] - '0');
	if (r->line_count > 0 && code != r->code)
		return error_set(err, ERROR_PROTOCOL, "tor sent a reply with two codes");
	if (r->line_count == CONTROL_REPLY_LINES_MAX)
		return error_set(err, ERROR_TOO_LARGE, "tor sent a reply of more than %d lines", CONTROL_REPLY_LINES_MAX);
	r->code = code;
	r->lines[r->line_count++] = (struct control_reply_line){ .text_at = buffer_len(&r->bytes), .text_len = line.len - 4 };
	r->complete = p[3] == ' ';
	r->in_data = p[3] == '+';
	return append(r, slice_of(p + 4, line.len - 4), err);
}

/* 1: a line stands at the front of input; 0: not yet; -1: it will never be one. */
static int
find_line(struct buffer *input, struct slice *line, struct error *err)
{
	const unsigned char *bytes = buffer_bytes(input);
	size_t len = buffer_len(input);
	if (len > CONTROL_REPLY_LINE_MAX_BYTES + 2)
		len = CONTROL_REPLY_LINE_MAX_BYTES + 2;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\0' || bytes[i] == '\n')
			return error_set(err, ERROR_PROTOCOL, "tor sent a malformed line on its control connection");
		if (bytes[i] != '\r')
			continue;
		if (i + 1 == len && len < CONTROL_REPLY_LINE_MAX_BYTES + 2)
			return 0;
		if (i + 1 == len)
			break;
		if (bytes[i + 1] != '\n')
			return error_set(err, ERROR_PROTOCOL, "tor sent a malformed line on its control connection");
		*line = slice_of(bytes, i);
		return 1;
	}
	if (len == CONTROL_REPLY_LINE_MAX_BYTES + 2)
		return error_set(err, ERROR_TOO_LARGE, "tor sent a line of more than %d bytes", CONTROL_REPLY_LINE_MAX_BYTES);
	return 0;
}

int
control_reply_take(struct control_reply *r, struct buffer *input, bool *complete, struct error *err)
{
	if (r->complete)
		begin(r);
	*complete = false;
	while (!r->complete) {
		struct slice line = { NULL, 0 };
		int found = find_line(input, &line, err);
		if (found <= 0)
			return found;
		if (take_line(r, line, err) != 0)
			return -1;
		buffer_consume(input, line.len + 2);
	}
	*complete = true;
	return 0;
}

bool
control_reply_is_event(const struct control_reply *r)
{
	return r->code / 100 == 6;
}

struct slice
control_reply_text(const struct control_reply *r, unsigned i)
{
	assert(i < r->line_count);
	return slice_of(buffer_bytes(&r->bytes) + r->lines[i].text_at, r->lines[i].text_len);
}

struct slice
control_reply_data(const struct control_reply *r, unsigned i)
{
	assert(i < r->line_count);
	return slice_of(buffer_bytes(&r->bytes) + r->lines[i].data_at, r->lines[i].data_len);
}

bool
control_reply_value(const struct control_reply *r, const char *key, struct slice *value)
{
	size_t len = strlen(key);
	for (unsigned i = 0; i < r->line_count; i++) {
		struct slice text = control_reply_text(r, i);
		if (text.len > len && memcmp(text.data, key, len) == 0 && text.data[len] == '=') {
			*value = slice_of(text.data + len + 1, text.len - len - 1);
			return true;
		}
	}
	return false;
}

bool
control_reply_next_word(struct slice *text, struct slice *word)
{
	size_t start = 0;
	while (start < text->len && text->data[start] == ' ')
		start++;
	size_t end = start;
	bool quoted = false;
	for (; end < text->len && (quoted || text->data[end] != ' '); end++) {
		if (text->data[end] == '"')
			quoted = !quoted;
		else if (quoted && text->data[end] == '\\' && end + 1 < text->len)
			end++;
	}
	*word = slice_of(text->data + start, end - start);
	*text = slice_of(text->data + end, text->len - end);
	return word->len > 0;
}

static void
unquote(struct slice value, char *out, size_t out_size)
{
	size_t len = 0;
	for (size_t i = 0; i < value.len && len + 1 < out_size; i++) {
		unsigned char c = value.data[i];
		if (c == '"')
			continue;
		if (c == '\\' && i + 1 < value.len)
			c = value.data[++i];
		out[len++] = c < ' ' || c == 0x7f ? ' ' : (char)c;
	}
	out[len] = '\0';
}

bool
control_reply_keyword(struct slice text, const char *key, char *out, size_t out_size)
{
	size_t len = strlen(key);
	struct slice word;
	while (control_reply_next_word(&text, &word))
		if (word.len > len && memcmp(word.data, key, len) == 0 && word.data[len] == '=') {
			unquote(slice_of(word.data + len + 1, word.len - len - 1), out, out_size);
			return true;
		}
	return false;
}
