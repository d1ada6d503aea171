/* SPDX-License-Identifier: ISC */
#include "smtp/reply.h"

#include <assert.h>
#include <string.h>

void
reply_init(struct reply *reply)
{
	memset(reply, 0, sizeof *reply);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- printable text */

/* The length of the UTF-8 character at s (RFC 3629), 0 when there is none; *out is the character. */
static size_t
decode_utf8(const unsigned char *s, size_t len, uint32_t *out)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t need = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	if (need == 0 || need > len)
		return 0;
	if (need == 1) {
		*out = s[0];
		return 1;
	}
	uint32_t c = s[0] & (0x7fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < smallest[need] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*out = c;
	return need;
}

static bool
is_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	/* line and paragraph separators, bidirectional controls, invisible marks */
	return !((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	    c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff));
}

size_t
reply_make_printable(char *out, size_t out_size, struct slice bytes)
{
	size_t used = 0;
	assert(out_size >= 1);
	for (size_t at = 0; at < bytes.len;) {
		uint32_t c = 0;
		size_t len = decode_utf8(bytes.data + at, bytes.len - at, &c);
		bool good = len > 0 && is_printable(c);
		size_t room = good ? len : 1;
		if (used + room + 1 > out_size)
			break;
		if (good)
			memcpy(out + used, bytes.data + at, len);
		else
			out[used] = c == '\t' ? ' ' : '?';
		used += room;
		at += len > 0 ? len : 1;
	}
	out[used] = '\0';
	return used;
}

/* ---- lines */

/* "5.1.1 " at the start of text, of the class of code; its length without what follows, else 0. */
static size_t
enhanced_len(struct slice text, unsigned code)
{
	size_t at = 1;
	if (text.len == 0 || text.data[0] != '0' + code / 100)
		return 0;
	for (int part = 0; part < 2; part++) {
		if (at >= text.len || text.data[at++] != '.')
			return 0;
		size_t digits = 0;
		while (at < text.len && is_digit((char)text.data[at])) {
			at++;
			digits++;
		}
		if (digits < 1 || digits > 3)
			return 0;
	}
	return at == text.len || text.data[at] == ' ' ? at : 0;
}

static void
add_text(struct reply *reply, struct slice text)
{
	size_t len = enhanced_len(text, reply->code);
	if (len > 0) {
		if (reply->enhanced[0] == '\0') {
			memcpy(reply->enhanced, text.data, len);
			reply->enhanced[len] = '\0';
		}
		len += len < text.len; /* the space */
		text = slice_of(text.data + len, text.len - len);
	}
	if (text.len == 0)
		return;
	if (reply->text_len > 0 && reply->text_len < REPLY_TEXT_MAX)
		reply->text[reply->text_len++] = ' ';
	reply->text_len += reply_make_printable(reply->text + reply->text_len,
	    sizeof reply->text - reply->text_len, text);
}

static enum reply_progress
end_line(struct reply *reply, struct error *err)
{
	const char *line = reply->line;
	if (reply->line_len > 0 && line[reply->line_len - 1] == '\r')
		reply->line_len--;
	size_t len = reply->line_len;
	if (len < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]) ||
	    (len > 3 && line[3] != ' ' && line[3] != '-')) {
		error_set(err, ERROR_PROTOCOL, "the server's answer is no SMTP reply");
		return REPLY_MALFORMED;
	}
	unsigned code = (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 + (unsigned)(line[2] - '0');
	if (reply->line_count > 0 && code != reply->code) {
		error_set(err, ERROR_PROTOCOL, "the server's reply changes its code from %u to %u", reply->code, code);
		return REPLY_MALFORMED;
	}
	if (++reply->line_count > REPLY_LINES_MAX) {
		error_set(err, ERROR_PROTOCOL, "the server's reply has more than %d lines", REPLY_LINES_MAX);
		return REPLY_MALFORMED;
	}
	reply->code = code;
	reply->line_is_whole = true;
	add_text(reply, reply_line(reply));
	return len > 3 && line[3] == '-' ? REPLY_LINE : REPLY_COMPLETE;
}

enum reply_progress
reply_take(struct reply *reply, struct slice *input, struct error *err)
{
	if (input->len == 0)
		return REPLY_NEEDS_MORE;
	if (reply->line_is_whole) {
		reply->line_is_whole = false;
		reply->line_len = 0;
	}
	const unsigned char *newline = memchr(input->data, '\n', input->len);
	size_t len = newline == NULL ? input->len : (size_t)(newline - input->data);
	if (len > sizeof reply->line - reply->line_len) {
		error_set(err, ERROR_PROTOCOL, "the server sent a line of more than %d octets", REPLY_LINE_MAX);
		return REPLY_MALFORMED;
	}
	memcpy(reply->line + reply->line_len, input->data, len);
	reply->line_len += len;
	len += newline != NULL;
	*input = slice_of(input->data + len, input->len - len);
	return newline == NULL ? REPLY_NEEDS_MORE : end_line(reply, err);
}

struct slice
reply_line(const struct reply *reply)
{
	size_t skip = reply->line_len < 4 ? reply->line_len : 4;
	return slice_of(reply->line + skip, reply->line_len - skip);
}

/* ---- EHLO */

static void
take_size(struct reply_extensions *extensions, struct slice parameter)
{
	uint64_t size = 0;
	extensions->size = true;
	extensions->size_max_bytes = 0;
	if (parameter.len == 0 || parameter.len > 20) /* RFC 1870: up to 20 digits */
		return;
	for (size_t i = 0; i < parameter.len; i++) {
		unsigned digit = parameter.data[i] - (unsigned)'0';
		if (digit > 9)
			return;
		if (size > (UINT64_MAX - digit) / 10)
			return; /* more than anybody has: no limit */
		size = size * 10 + digit;
	}
	extensions->size_max_bytes = size;
}

void
reply_take_extension(struct reply_extensions *extensions, struct slice line)
{
	size_t len = 0;
	while (len < line.len && line.data[len] != ' ')
		len++;
	struct slice keyword = slice_of(line.data, len);
	if (slice_is_nocase(keyword, "PIPELINING"))
		extensions->pipelining = true;
	else if (slice_is_nocase(keyword, "CHUNKING"))
		extensions->chunking = true;
	else if (slice_is_nocase(keyword, "8BITMIME"))
		extensions->eight_bit_mime = true;
	else if (slice_is_nocase(keyword, "SMTPUTF8"))
		extensions->smtputf8 = true;
	else if (slice_is_nocase(keyword, "STARTTLS"))
		extensions->starttls = true;
	else if (slice_is_nocase(keyword, "SIZE"))
		take_size(extensions, len < line.len ? slice_of(line.data + len + 1, line.len - len - 1) :
		    slice_of(line.data, 0));
}
