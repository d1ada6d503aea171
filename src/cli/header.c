/* SPDX-License-Identifier: ISC */
#include "cli/header.h"

#include <string.h>
#include <strings.h>

#define ADDRESS_MAX_BYTES 1000
#define COMMENT_DEPTH_MAX 50

/* The line at the start of text with its end; false when it has none yet. */
static bool
cut_line(struct slice text, bool is_whole, struct slice *line)
{
	const unsigned char *lf = text.len > 0 ? memchr(text.data, '\n', text.len) : NULL;
	if (lf == NULL && !is_whole)
		return false;
	*line = slice_of(text.data, lf != NULL ? (size_t)(lf - text.data) + 1 : text.len);
	return true;
}

static bool
is_blank(struct slice line)
{
	return line.len == 0 || slice_is(line, "\n") || slice_is(line, "\r\n");
}

/* The length of the field name at the start of a line, 0 when there is none (RFC 5322 3.6.8, 4.5.8). */
static size_t
field_name_length(struct slice line)
{
	size_t len = 0, colon;
	while (len < line.len && line.data[len] > ' ' && line.data[len] < 0x7f && line.data[len] != ':')
		len++;
	for (colon = len; colon < line.len && (line.data[colon] == ' ' || line.data[colon] == '\t');)
		colon++;
	return colon < line.len && line.data[colon] == ':' ? len : 0;
}

static bool
is_folded(struct slice line)
{
	return line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t');
}

bool
header_find_end(struct slice text, bool is_whole, struct header_end *out)
{
	struct slice line;
	size_t at = 0;
	memset(out, 0, sizeof *out);
	while (cut_line(slice_of(text.data + at, text.len - at), is_whole, &line)) {
		if (at == 0 && line.len >= 5 && memcmp(line.data, "From ", 5) == 0)
			out->start = line.len;
		else if (is_blank(line)) {
			out->end = at + line.len;
			out->is_blank_missing = line.len == 0;
			return true;
		} else if (field_name_length(line) == 0 && !(at > out->start && is_folded(line))) {
			out->end = at;
			out->is_blank_missing = true;
			return true;
		}
		at += line.len;
	}
	return false;
}

struct collector {
	unsigned char bytes[ADDRESS_MAX_BYTES];
	size_t len;
};

struct list_parser {
	struct slice rest;
	struct collector plain, angle;
	bool in_angle, has_angle, is_gap, has_words;
	header_callback *callback;
	void *context;
};

static int
not_a_list(struct error *err)
{
	return error_set(err, ERROR_INVALID, "this is no list of addresses: write name@56-letters.onion, with commas between");
}

static int
append(struct list_parser *p, unsigned char c, struct error *err)
{
	struct collector *to = p->in_angle ? &p->angle : &p->plain;
	bool joins = c == '@' || c == '.' || (to->len > 0 && strchr("@.", to->bytes[to->len - 1]) != NULL);
	if (to->len == sizeof to->bytes)
		return error_set(err, ERROR_TOO_LARGE, "an address is longer than %d octets", ADDRESS_MAX_BYTES);
	if (!p->in_angle && p->is_gap && to->len > 0 && !joins)
		p->has_words = true; /* a display name, or rubbish */
	p->is_gap = false;
	to->bytes[to->len++] = c;
	return 0;
}

/* The whole of a quoted string or domain literal, kept as it is. */
static int
take_delimited(struct list_parser *p, unsigned char close, struct error *err)
{
	size_t i = 1;
	while (i < p->rest.len && p->rest.data[i] != close)
		i += p->rest.data[i] == '\\' ? 2 : 1;
	if (i >= p->rest.len)
		return not_a_list(err);
	for (size_t j = 0; j <= i; j++) {
		unsigned char c = p->rest.data[j];
		if (c == '\r' || c == '\n')
			continue; /* folded */
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return not_a_list(err);
		if (append(p, c, err) != 0)
			return -1;
	}
	p->rest = slice_of(p->rest.data + i + 1, p->rest.len - i - 1);
	return 0;
}

static int
skip_comment(struct list_parser *p, struct error *err)
{
	unsigned depth = 0;
	size_t i = 0;
	do {
		if (i >= p->rest.len || depth > COMMENT_DEPTH_MAX)
			return not_a_list(err);
		unsigned char c = p->rest.data[i];
		depth += c == '(';
		depth -= c == ')';
		i += c == '\\' ? 2 : 1;
	} while (depth > 0);
	if (i > p->rest.len)
		return not_a_list(err);
	p->rest = slice_of(p->rest.data + i, p->rest.len - i);
	p->is_gap = true;
	return 0;
}

static int
finish_address(struct list_parser *p, struct error *err)
{
	struct collector *found = p->has_angle ? &p->angle : &p->plain;
	if (!p->has_angle && p->has_words)
		return not_a_list(err);
	if (found->len > 0) {
		int result = p->callback(p->context, slice_of(found->bytes, found->len), err);
		if (result != 0)
			return result;
	}
	p->plain.len = p->angle.len = 0;
	p->has_angle = p->has_words = p->is_gap = false;
	return 0;
}

static int
take_character(struct list_parser *p, unsigned char c, struct error *err)
{
	p->rest = slice_of(p->rest.data + 1, p->rest.len - 1);
	switch (c) {
	case ' ': case '\t': case '\r': case '\n':
		p->is_gap = true;
		return 0;
	case '<':
		if (p->in_angle || p->has_angle)
			return not_a_list(err);
		p->in_angle = p->has_angle = true;
		return 0;
	case '>':
		if (!p->in_angle)
			return not_a_list(err);
		p->in_angle = false;
		return 0;
	case ':':
		if (p->in_angle)
			return append(p, c, err); /* a source route: the node refuses it */
		p->plain.len = 0; /* that was the name of a group */
		p->has_words = false;
		return 0;
	case ',': case ';':
		return p->in_angle ? append(p, c, err) : finish_address(p, err);
	default:
		if (c < ' ' || c == 0x7f)
			return not_a_list(err);
		return append(p, c, err);
	}
}

int
header_list(struct slice list, header_callback *callback, void *context, struct error *err)
{
	struct list_parser p = { .rest = list, .callback = callback, .context = context };
	while (p.rest.len > 0) {
		int result;
		unsigned char c = p.rest.data[0];
		if (c == '"')
			result = take_delimited(&p, '"', err);
		else if (c == '[')
			result = take_delimited(&p, ']', err);
		else if (c == '(')
			result = skip_comment(&p, err);
		else
			result = take_character(&p, c, err);
		if (result != 0)
			return result;
	}
	return p.in_angle ? not_a_list(err) : finish_address(&p, err);
}

int
header_addresses(struct slice header, const char *field, header_callback *callback, void *context, struct error *err)
{
	struct slice line, next;
	while (header.len > 0 && cut_line(header, true, &line)) {
		size_t len = line.len, name = field_name_length(line);
		while (len < header.len && cut_line(slice_of(header.data + len, header.len - len), true, &next) && is_folded(next))
			len += next.len;
		if (name == strlen(field) && strncasecmp((const char *)line.data, field, name) == 0) {
			const unsigned char *value = (const unsigned char *)memchr(line.data, ':', line.len) + 1;
			struct error why = { 0 };
			int result = header_list(slice_of(value, len - (size_t)(value - line.data)), callback, context, &why);
			if (result != 0)
				return error_set(err, why.code, "%s: %.200s", field, why.text);
		}
		header = slice_of(header.data + len, header.len - len);
	}
	return 0;
}
