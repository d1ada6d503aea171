/* SPDX-License-Identifier: ISC */
#include "cli/rawjson.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* s begins with a quote: how many bytes up to the one that ends it. Most of what is skipped is in texts. */
static size_t
skip_text(struct slice s)
{
	const unsigned char *at = s.data + 1, *end = s.data + s.len, *quote;
	while (at < end && (quote = memchr(at, '"', (size_t)(end - at))) != NULL) {
		const unsigned char *before = quote;
		while (before > s.data + 1 && before[-1] == '\\')
			before--;
		at = quote + 1;
		if ((quote - before) % 2 == 0)
			return (size_t)(at - s.data);
	}
	return s.len;
}

/* How many bytes the value takes that s begins with. */
static size_t
skip_value(struct slice s)
{
	size_t at = 0, depth = 0;
	while (at < s.len) {
		unsigned char c = s.data[at];
		if (depth == 0 && at > 0 && (c == ',' || c == ']' || c == '}'))
			break;
		if (c == '"') {
			at += skip_text(slice_of(s.data + at, s.len - at));
		} else {
			depth += c == '[' || c == '{';
			depth -= (c == ']' || c == '}') && depth > 0;
			at++;
		}
		if (depth == 0 && (c == '"' || c == ']' || c == '}'))
			break;
	}
	return at;
}

/* Takes what opens or separates. */
static bool
take_mark(struct slice *rest, unsigned char opening)
{
	if (rest->len < 2 || (rest->data[0] != opening && rest->data[0] != ','))
		return false;
	*rest = slice_of(rest->data + 1, rest->len - 1);
	return true;
}

bool
rawjson_next_element(struct slice *rest, struct slice *value)
{
	if (!take_mark(rest, '[') || rest->data[0] == ']')
		return false;
	size_t len = skip_value(*rest);
	*value = slice_of(rest->data, len);
	*rest = slice_of(rest->data + len, rest->len - len);
	return true;
}

bool
rawjson_next_member(struct slice *rest, struct slice *name, struct slice *value)
{
	if (!take_mark(rest, '{') || rest->data[0] != '"')
		return false;
	size_t len = skip_text(*rest);
	if (len < 2 || len + 1 >= rest->len || rest->data[len] != ':')
		return false;
	*name = slice_of(rest->data + 1, len - 2);
	*rest = slice_of(rest->data + len + 1, rest->len - len - 1);
	len = skip_value(*rest);
	*value = slice_of(rest->data, len);
	*rest = slice_of(rest->data + len, rest->len - len);
	return true;
}

struct slice
rawjson_member(struct slice object, const char *name)
{
	struct slice each, value;
	while (rawjson_next_member(&object, &each, &value))
		if (slice_is(each, name))
			return value;
	return slice_of("", 0);
}

/* What \uXXXX stands for below U+0080, which is all that our node writes so. */
static char
of_hex(const unsigned char *digits)
{
	char copy[5] = { (char)digits[0], (char)digits[1], (char)digits[2], (char)digits[3] }, *end;
	unsigned long code = strtoul(copy, &end, 16);
	return *end == '\0' && code >= 0x20 && code < 0x7f ? (char)code : '?';
}

static char
unescape(struct slice text, size_t *at)
{
	static const char codes[] = "nrtbf";
	unsigned char c = text.data[(*at)++];
	if (c == 'u' && text.len - *at >= 4) {
		*at += 4;
		return of_hex(text.data + *at - 4);
	}
	return c != '\0' && strchr(codes, c) != NULL ? ' ' : (char)c;
}

void
rawjson_text(struct slice value, char *out, size_t size)
{
	size_t used = 0;
	bool is_text = value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"';
	struct slice text = is_text ? slice_of(value.data + 1, value.len - 2) : slice_of("", 0);
	for (size_t at = 0; at < text.len && used + 1 < size;) {
		char c = (char)text.data[at++];
		out[used++] = c == '\\' && at < text.len ? unescape(text, &at) : c;
	}
	out[used] = '\0';
}

long long
rawjson_number(struct slice value, long long otherwise)
{
	char copy[24], *end;
	if (value.len == 0 || value.len >= sizeof copy)
		return otherwise;
	memcpy(copy, value.data, value.len);
	copy[value.len] = '\0';
	long long number = strtoll(copy, &end, 10);
	return *end == '\0' ? number : otherwise;
}
