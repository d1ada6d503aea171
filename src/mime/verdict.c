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
has_word(struct slice line, const char *word)
{
	size_t len = strlen(word);
	for (size_t i = 0; i + len <= line.len; i++)
		if (strncasecmp((const char *)line.data + i, word, len) == 0)
			return true;
	return false;
}

bool
verdict_is_asked_for(struct slice header)
{
	struct slice line;
	bool is_from = false, is_type = false;
	for (; (line = next_line(header)).len > 0; header = behind(header, line.len)) {
		if (!is_blank(line.data[0])) {
			is_from = begins(line, "From");
			is_type = begins(line, "Content-Type");
		}
		if ((is_from && has_word(line, "onion")) || begins(line, "Onion-Signature") ||
		    (is_type && (has_word(line, "multipart/encrypted") || has_word(line, "multipart/signed"))))
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
	bool is_dropped = true; /* a first line that goes on with a field, of which there is none: it would go on with the line above, ours */
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

static void
end_name(struct verdict_scan *s)
{
	struct slice name = slice_of(s->name, s->name_len);
	s->is_named = true;
	s->matched = 0;
	s->word = slice_is_nocase(name, "From") ? "onion" : slice_is_nocase(name, "Content-Type") ? "multipart/" : NULL;
	s->is_asked_for = s->is_asked_for || slice_is_nocase(name, "Onion-Signature");
	s->has_verdict = s->has_verdict || slice_is_nocase(name, VERDICT_FIELD);
}

/* One octet that does not end a line. */
static void
take(struct verdict_scan *s, unsigned char c)
{
	unsigned char lower = c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
	if (s->column == 0 && !is_blank(c)) { /* a new field */
		s->name_len = 0;
		s->is_named = false;
		s->word = NULL;
	}
	s->column++;
	if (!s->is_named && c == ':')
		end_name(s);
	else if (!s->is_named && !is_blank(c) && s->name_len == VERDICT_NAME_MAX)
		s->is_named = true; /* it is none that is looked for */
	else if (!s->is_named && !is_blank(c))
		s->name[s->name_len++] = (char)c;
	if (s->word == NULL)
		return;
	s->matched = lower == (unsigned char)s->word[s->matched] ? s->matched + 1 : lower == (unsigned char)s->word[0];
	s->is_asked_for = s->is_asked_for || s->word[s->matched] == '\0';
	if (s->word[s->matched] == '\0')
		s->matched = 0;
}

void
verdict_scan_update(struct verdict_scan *s, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	for (size_t i = 0; i < len && !s->has_ended; i++)
		if (at[i] != '\n') {
			take(s, at[i]);
			s->has_cr = s->column == 1 && at[i] == '\r';
		} else {
			s->has_ended = s->column == 0 || (s->column == 1 && s->has_cr);
			s->column = 0;
		}
}
