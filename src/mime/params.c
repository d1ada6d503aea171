/* SPDX-License-Identifier: ISC */
#include "mime/params.h"

#include <stdint.h>
#include <string.h>

#define SECTIONS_MAX 32
#define NAME_MAX_BYTES 40

/* One parameter as it stands there. */
struct piece {
	char name[NAME_MAX_BYTES]; /* lower case, without "*0" and "*" */
	int section;               /* -1: in one piece */
	bool is_encoded;           /* "*" at the end: percent signs, charset and language */
	bool is_quoted, is_whole;  /* is_whole: the quoted string ended */
	struct slice value;        /* still with backslashes when quoted */
};

static bool
is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_token_char(unsigned char c)
{
	return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static size_t
skip_blanks_and_comments(struct slice text, size_t at)
{
	unsigned depth = 0;
	for (; at < text.len; at++) {
		unsigned char c = text.data[at];
		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			at++;
		else if (depth == 0 && !is_blank(c))
			break;
	}
	return at < text.len ? at : text.len;
}

struct slice
params_head(struct slice text)
{
	size_t start = skip_blanks_and_comments(text, 0), end = start;
	while (end < text.len && text.data[end] != ';' && text.data[end] != '(' && !is_blank(text.data[end]))
		end++;
	return slice_of(text.data + start, end - start);
}

/* Past the next ';' that stands in no quoted string. */
static size_t
skip_to_next(struct slice text, size_t at)
{
	bool in_quotes = false;
	for (; at < text.len; at++) {
		if (text.data[at] == '"')
			in_quotes = !in_quotes;
		else if (text.data[at] == '\\' && in_quotes)
			at++;
		else if (text.data[at] == ';' && !in_quotes)
			return at + 1;
	}
	return text.len;
}

/* "filename*0*": the name, the number of the piece, and whether it is encoded. */
static void
split_name(struct slice text, struct piece *p)
{
	const unsigned char *star = memchr(text.data, '*', text.len);
	size_t len = star == NULL ? text.len : (size_t)(star - text.data);
	p->section = -1;
	p->is_encoded = false;
	p->name[0] = '\0';
	if (len >= sizeof p->name)
		return;
	for (size_t i = 0; i < len; i++)
		p->name[i] = text.data[i] >= 'A' && text.data[i] <= 'Z' ? (char)(text.data[i] | 0x20) : (char)text.data[i];
	p->name[len] = '\0';
	if (star == NULL)
		return;
	size_t at = len + 1;
	for (p->section = at < text.len ? 0 : -1; at < text.len && text.data[at] >= '0' && text.data[at] <= '9'; at++)
		if (p->section < SECTIONS_MAX)
			p->section = p->section * 10 + (text.data[at] - '0');
	p->is_encoded = at == text.len ? p->section < 0 : text.data[at] == '*';
}

static size_t
read_quoted(struct slice text, size_t at, struct piece *p)
{
	size_t start = ++at;
	while (at < text.len && text.data[at] != '"')
		at += text.data[at] == '\\' ? 2 : 1;
	if (at > text.len)
		at = text.len;
	p->is_quoted = true;
	p->is_whole = at < text.len;
	p->value = slice_of(text.data + start, at - start);
	return p->is_whole ? at + 1 : at;
}

/* File names with spaces are often left without quotes. */
static size_t
read_bare(struct slice text, size_t at, struct piece *p)
{
	bool is_name = strcmp(p->name, "name") == 0 || strcmp(p->name, "filename") == 0;
	size_t start = at, end;
	while (at < text.len && text.data[at] != ';')
		at++;
	end = at;
	while (end > start && is_blank(text.data[end - 1]))
		end--;
	for (size_t i = start; i < end && !is_name; i++)
		if (is_blank(text.data[i]) || text.data[i] == '(')
			end = i;
	p->is_whole = end > start;
	for (size_t i = start; i < end; i++)
		p->is_whole = p->is_whole && is_token_char(text.data[i]);
	p->value = slice_of(text.data + start, end - start);
	return at;
}

/* Reads the parameter at *at, and moves on. false: there is none any more. */
static bool
next_piece(struct slice text, size_t *at, struct piece *p)
{
	for (;;) {
		size_t i = skip_blanks_and_comments(text, *at), start = i;
		if (i >= text.len)
			return false;
		while (i < text.len && text.data[i] != '=' && text.data[i] != ';' && !is_blank(text.data[i]))
			i++;
		*p = (struct piece){ 0 };
		split_name(slice_of(text.data + start, i - start), p);
		i = skip_blanks_and_comments(text, i);
		if (i < text.len && text.data[i] == '=') {
			i = skip_blanks_and_comments(text, i + 1);
			i = i < text.len && text.data[i] == '"' ? read_quoted(text, i, p) : read_bare(text, i, p);
			*at = skip_to_next(text, i);
			return true;
		}
		*at = skip_to_next(text, i);
	}
}

static int
hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes "charset'language'" off the front. The language tells the sender's, and goes. */
static struct slice
take_charset(struct slice value, struct param *out)
{
	const unsigned char *first = memchr(value.data, '\'', value.len);
	size_t len = first == NULL ? 0 : (size_t)(first - value.data);
	const unsigned char *second = first == NULL ? NULL : memchr(first + 1, '\'', value.len - len - 1);
	strcpy(out->charset, "utf-8");
	if (second == NULL)
		return value;
	bool is_known = len > 0 && len < sizeof out->charset;
	for (size_t i = 0; i < len; i++)
		is_known = is_known && is_token_char(value.data[i]) && value.data[i] != '*' && value.data[i] != '%';
	for (size_t i = 0; is_known && i < len; i++)
		out->charset[i] = value.data[i] >= 'A' && value.data[i] <= 'Z' ? (char)(value.data[i] | 0x20) : (char)value.data[i];
	if (is_known)
		out->charset[len] = '\0';
	len = (size_t)(second + 1 - value.data);
	return slice_of(second + 1, value.len - len);
}

static int
add_piece(const struct piece *p, struct param *out, struct error *err)
{
	struct slice v = p->value;
	if (p->is_encoded && p->section <= 0)
		v = take_charset(v, out);
	else if (p->is_encoded && out->charset[0] == '\0') /* "name*1*" behind "name*0": what was encoded has to stay so */
		strcpy(out->charset, "utf-8");
	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = v.data[i];
		if (p->is_quoted && c == '\\' && i + 1 < v.len && (v.data[i + 1] == '"' || v.data[i + 1] == '\\')) { /* else: C:\file */
			c = v.data[++i];
		} else if (p->is_encoded && c == '%' && i + 2 < v.len && hex_digit(v.data[i + 1]) >= 0 && hex_digit(v.data[i + 2]) >= 0) {
			c = (unsigned char)(hex_digit(v.data[i + 1]) * 16 + hex_digit(v.data[i + 2]));
			i += 2;
		}
		if (out->len == PARAMS_VALUE_MAX_BYTES)
			return error_set(err, ERROR_TOO_LARGE, "the parameter %s is longer than %d bytes", p->name, PARAMS_VALUE_MAX_BYTES);
		out->value[out->len++] = (char)c;
	}
	return 0;
}

/* The first one with that name and number; when encoded_only, only such a one. */
static bool
find_piece(struct slice text, const char *name, int section, bool encoded_only, struct piece *out)
{
	size_t at = skip_to_next(text, 0);
	while (next_piece(text, &at, out))
		if (strcmp(out->name, name) == 0 && out->section == section && (!encoded_only || out->is_encoded))
			return true;
	return false;
}

static size_t
count_pieces(struct slice text, const char *name)
{
	struct piece p;
	size_t at = skip_to_next(text, 0), count = 0;
	while (next_piece(text, &at, &p))
		count += strcmp(p.name, name) == 0;
	return count;
}

int
params_find(struct slice text, const char *name, struct param *out, struct error *err)
{
	struct piece p;
	*out = (struct param){ 0 };
	if (text.len > PARAMS_TEXT_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "a field of the content is longer than %d bytes", PARAMS_TEXT_MAX_BYTES);
	size_t count = count_pieces(text, name);
	if (count == 0)
		return 0;
	if (find_piece(text, name, -1, true, &p))
		return add_piece(&p, out, err) == 0 ? 1 : -1;
	for (int section = 0; section < SECTIONS_MAX && find_piece(text, name, section, false, &p); section++)
		if (add_piece(&p, out, err) != 0)
			return -1;
	if (out->len > 0)
		return 1;
	if (!find_piece(text, name, -1, false, &p))
		return 0;
	out->is_plain = count == 1 && p.is_whole;
	return add_piece(&p, out, err) == 0 ? 1 : -1;
}

/* Whether '/' and '\\' are always these, and not the second half of something else. */
static bool
is_ascii_like(const char *charset)
{
	return charset[0] == '\0' || strcmp(charset, "utf-8") == 0 || strcmp(charset, "us-ascii") == 0 ||
	    strncmp(charset, "iso-8859-", 9) == 0 || strncmp(charset, "windows-125", 11) == 0 || strncmp(charset, "koi8-", 5) == 0;
}

void
params_strip_path(struct param *p)
{
	size_t start = 0;
	if (!is_ascii_like(p->charset))
		return;
	for (size_t i = 0; i < p->len; i++)
		if (p->value[i] == '/' || p->value[i] == '\\')
			start = i + 1;
	memmove(p->value, p->value + start, p->len - start);
	p->len -= start;
}

static int
write_encoded(const char *name, const struct param *p, struct buffer *out, struct error *err)
{
	if (buffer_printf(out, err, "%s*=%s''", name, p->charset) != 0)
		return -1;
	for (size_t i = 0; i < p->len; i++) {
		unsigned char c = (unsigned char)p->value[i];
		bool is_itself = is_token_char(c) && strchr("*'%", c) == NULL;
		if (buffer_printf(out, err, is_itself ? "%c" : "%%%02X", c) != 0)
			return -1;
	}
	return 0;
}

int
params_write(const char *name, const struct param *p, struct buffer *out, struct error *err)
{
	bool is_ascii = true, is_token = p->len > 0;
	for (size_t i = 0; i < p->len; i++) {
		unsigned char c = (unsigned char)p->value[i];
		is_ascii = is_ascii && c >= ' ' && c < 0x7f;
		is_token = is_token && is_token_char(c);
	}
	if (p->charset[0] != '\0' && (!is_ascii || !is_ascii_like(p->charset)))
		return write_encoded(name, p, out, err);
	if (is_token)
		return buffer_printf(out, err, "%s=%.*s", name, (int)p->len, p->value);
	if (buffer_printf(out, err, "%s=\"", name) != 0)
		return -1;
	for (size_t i = 0; i < p->len; i++) {
		bool is_special = p->value[i] == '"' || p->value[i] == '\\';
		if ((is_special && buffer_append(out, "\\", 1, err) != 0) || buffer_append(out, p->value + i, 1, err) != 0)
			return -1;
	}
	return buffer_append(out, "\"", 1, err);
}
