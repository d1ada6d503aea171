/* SPDX-License-Identifier: ISC */
#include "smtp/path.h"

#include <ctype.h>
#include <stdio.h>

/* Length of the UTF-8 character at the front of s (RFC 3629: shortest form, no surrogates, at most U+10FFFF); 0 for
 * ASCII and for what is no UTF-8. */
static size_t
utf8_len(struct slice s)
{
	if (s.len == 0 || s.data[0] < 0xc2 || s.data[0] > 0xf4)
		return 0;
	size_t len = s.data[0] < 0xe0 ? 2 : s.data[0] < 0xf0 ? 3 : 4;
	if (s.len < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s.data[i] & 0xc0) != 0x80)
			return 0;
	bool is_overlong = (s.data[0] == 0xe0 && s.data[1] < 0xa0) || (s.data[0] == 0xf0 && s.data[1] < 0x90);
	bool is_surrogate = s.data[0] == 0xed && s.data[1] >= 0xa0;
	bool is_too_high = s.data[0] == 0xf4 && s.data[1] >= 0x90;
	return is_overlong || is_surrogate || is_too_high ? 0 : len;
}

static bool
is_alnum(unsigned char c)
{
	return c < 0x80 && isalnum(c);
}

static bool
is_atext(unsigned char c)
{
	return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Takes one character off the front of *s and appends it to out: an ASCII one that the caller has approved, or UTF-8. */
static enum syntax_problem
take_character(struct slice *s, bool ascii_is_fine, struct path *out, size_t *len)
{
	size_t taken = s->data[0] < 0x80 ? (ascii_is_fine ? 1 : 0) : utf8_len(*s);
	if (taken == 0)
		return SYNTAX_MAILBOX;
	if (*len + taken > PATH_LOCAL_PART_MAX)
		return SYNTAX_LOCAL_PART_LENGTH;
	out->is_utf8 |= taken > 1;
	memcpy(out->local_part + *len, s->data, taken);
	*len += taken;
	*s = slice_of(s->data + taken, s->len - taken);
	return SYNTAX_OK;
}

/* Quoted-string (RFC 5321 section 4.1.2); *s begins with the quote. */
static enum syntax_problem
take_quoted(struct slice *s, struct path *out, size_t *len)
{
	*s = slice_of(s->data + 1, s->len - 1);
	while (s->len > 0 && s->data[0] != '"') {
		bool is_escaped = s->data[0] == '\\';
		if (is_escaped)
			*s = slice_of(s->data + 1, s->len - 1);
		if (s->len == 0 || (is_escaped && s->data[0] >= 0x80))
			return SYNTAX_MAILBOX;
		enum syntax_problem problem = take_character(s, s->data[0] >= ' ' && s->data[0] < 0x7f, out, len);
		if (problem != SYNTAX_OK)
			return problem;
	}
	if (s->len == 0 || *len == 0)
		return SYNTAX_MAILBOX;
	*s = slice_of(s->data + 1, s->len - 1);
	return SYNTAX_OK;
}

/* Dot-string: atoms with single dots between them. */
static enum syntax_problem
take_dot_string(struct slice *s, struct path *out, size_t *len)
{
	bool is_after_dot = true;
	while (s->len > 0 && s->data[0] != '@') {
		bool is_dot = s->data[0] == '.';
		if (is_dot && is_after_dot)
			return SYNTAX_MAILBOX;
		enum syntax_problem problem = take_character(s, is_dot || is_atext(s->data[0]), out, len);
		if (problem != SYNTAX_OK)
			return problem;
		is_after_dot = is_dot;
	}
	return is_after_dot ? SYNTAX_MAILBOX : SYNTAX_OK;
}

/* One label: letters, digits and hyphens inside, or UTF-8 (U-labels are not checked further). */
static enum syntax_problem
check_label(struct slice label, struct path *out)
{
	if (label.len == 0 || label.data[0] == '-' || label.data[label.len - 1] == '-')
		return SYNTAX_MAILBOX;
	bool is_ascii = true;
	for (size_t at = 0, taken; at < label.len; at += taken) {
		taken = is_alnum(label.data[at]) || label.data[at] == '-'
		            ? 1 : utf8_len(slice_of(label.data + at, label.len - at));
		if (taken == 0)
			return SYNTAX_MAILBOX;
		is_ascii &= taken == 1;
	}
	out->is_utf8 |= !is_ascii;
	return is_ascii && label.len > 63 ? SYNTAX_DOMAIN_LENGTH : SYNTAX_OK;
}

static enum syntax_problem
parse_domain(struct slice domain, struct path *out)
{
	if (domain.len > 0 && domain.data[0] == '[')
		return SYNTAX_ADDRESS_LITERAL;
	if (domain.len > PATH_DOMAIN_MAX)
		return SYNTAX_DOMAIN_LENGTH;
	for (size_t at = 0; at <= domain.len; ) {
		size_t len = 0;
		while (at + len < domain.len && domain.data[at + len] != '.')
			len++;
		enum syntax_problem problem = check_label(slice_of(domain.data + at, len), out);
		if (problem != SYNTAX_OK)
			return problem;
		at += len + 1;
	}
	memcpy(out->domain, domain.data, domain.len);
	return SYNTAX_OK;
}

enum syntax_problem
path_parse_mailbox(struct slice text, struct path *out)
{
	*out = (struct path){ 0 };
	if (text.len == 0)
		return SYNTAX_OK;
	if (text.data[0] == '@')
		return SYNTAX_SOURCE_ROUTE;
	struct slice rest = text;
	size_t len = 0;
	enum syntax_problem problem = text.data[0] == '"' ? take_quoted(&rest, out, &len)
	                                                  : take_dot_string(&rest, out, &len);
	if (problem != SYNTAX_OK)
		return problem;
	if (text.len - rest.len > PATH_LOCAL_PART_MAX)
		return SYNTAX_LOCAL_PART_LENGTH; /* section 4.5.3.1.1 counts it with its quotes */
	if (rest.len == 0)
		return slice_is_nocase(text, "postmaster") ? SYNTAX_OK : SYNTAX_MAILBOX;
	if (rest.data[0] != '@')
		return SYNTAX_MAILBOX;
	return parse_domain(slice_of(rest.data + 1, rest.len - 1), out);
}

/* Where the closing bracket is; one inside a quoted local part does not count. */
static size_t
find_close(struct slice s)
{
	bool is_quoted = false;
	size_t at = 1;
	for (; at < s.len; at++) {
		if (s.data[at] == '\\' && is_quoted)
			at++;
		else if (s.data[at] == '"')
			is_quoted = !is_quoted;
		else if (s.data[at] == '>' && !is_quoted)
			return at;
	}
	return 0;
}

enum syntax_problem
path_parse(struct slice *rest, struct path *out)
{
	*out = (struct path){ 0 };
	if (rest->len == 0 || rest->data[0] != '<')
		return SYNTAX_NO_PATH;
	size_t close = find_close(*rest);
	if (close == 0)
		return SYNTAX_NO_PATH;
	struct slice text = slice_of(rest->data + 1, close - 1);
	*rest = slice_of(rest->data + close + 1, rest->len - close - 1);
	return path_parse_mailbox(text, out);
}

static bool
needs_quotes(const char *local_part)
{
	bool is_after_dot = true;
	for (const char *p = local_part; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '.' ? is_after_dot : c < 0x80 && !is_atext(c))
			return true;
		is_after_dot = c == '.';
	}
	return is_after_dot;
}

void
path_format(const struct path *path, char out[PATH_MAILBOX_MAX + 1])
{
	bool is_quoted = needs_quotes(path->local_part);
	size_t len = 0;
	out[0] = '\0';
	if (path_is_null(path))
		return;
	if (is_quoted)
		out[len++] = '"';
	for (const char *p = path->local_part; *p != '\0'; p++) {
		if (is_quoted && (*p == '"' || *p == '\\'))
			out[len++] = '\\';
		out[len++] = *p;
	}
	if (is_quoted)
		out[len++] = '"';
	out[len] = '\0';
	if (path->domain[0] != '\0')
		snprintf(out + len, PATH_MAILBOX_MAX + 1 - len, "@%s", path->domain);
}
