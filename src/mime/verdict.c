/* SPDX-License-Identifier: ISC */
#include "mime/verdict.h"

#include <string.h>

/* The next line with its end; empty behind the last one, and for the empty line that ends a header. */
static struct slice
next_line(struct slice rest)
{
	const unsigned char *newline = rest.len > 0 ? memchr(rest.data, '\n', rest.len) : NULL;
	size_t len = newline == NULL ? rest.len : (size_t)(newline - rest.data) + 1;
	bool is_empty = (len == 1 && rest.data[0] == '\n') || (len == 2 && rest.data[0] == '\r' && rest.data[1] == '\n');
	return slice_of(rest.data, is_empty ? 0 : len);
}

static struct slice
behind(struct slice rest, size_t len)
{
	return slice_of(rest.data + len, rest.len - len);
}

static bool
is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

/* Whether a line begins a field of that name (RFC 5322 4.5 lets white space stand before the colon). */
static bool
begins(struct slice line, const char *name)
{
	size_t at = strlen(name);
	if (line.len <= at || strncasecmp((const char *)line.data, name, at) != 0)
		return false;
	while (at < line.len && is_blank(line.data[at]))
		at++;
	return at < line.len && line.data[at] == ':';
}

static bool
has_onion(struct slice line)
{
	for (size_t i = 0; i + 5 <= line.len; i++)
		if (strncasecmp((const char *)line.data + i, "onion", 5) == 0)
			return true;
	return false;
}

bool
verdict_is_asked_for(struct slice header)
{
	struct slice line;
	bool is_from = false;
	for (; (line = next_line(header)).len > 0; header = behind(header, line.len)) {
		if (!is_blank(line.data[0]))
			is_from = begins(line, "From");
		if ((is_from && has_onion(line)) || begins(line, "Onion-Signature"))
			return true;
	}
	return false;
}

bool
verdict_header_ends(struct slice text)
{
	struct slice line;
	for (; (line = next_line(text)).len > 0; text = behind(text, line.len))
		;
	return text.len > 0;
}

size_t
verdict_drop(unsigned char *text, size_t len)
{
	struct slice rest = slice_of(text, len), line;
	unsigned char *out = text;
	bool is_dropped = false;
	for (; (line = next_line(rest)).len > 0; rest = behind(rest, line.len)) {
		if (!is_blank(line.data[0]))
			is_dropped = begins(line, VERDICT_FIELD);
		if (is_dropped)
			continue;
		memmove(out, line.data, line.len);
		out += line.len;
	}
	memmove(out, rest.data, rest.len);
	return (size_t)(out - text) + rest.len;
}
