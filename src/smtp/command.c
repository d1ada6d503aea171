/* SPDX-License-Identifier: ISC */
#include "smtp/command.h"

#include <stddef.h>

static const struct {
	const char *word;
	enum command_verb verb;
} verbs[] = {
	{ "EHLO", COMMAND_EHLO }, { "HELO", COMMAND_HELO }, { "MAIL", COMMAND_MAIL }, { "RCPT", COMMAND_RCPT },
	{ "DATA", COMMAND_DATA }, { "BDAT", COMMAND_BDAT }, { "RSET", COMMAND_RSET }, { "NOOP", COMMAND_NOOP },
	{ "VRFY", COMMAND_VRFY }, { "EXPN", COMMAND_EXPN }, { "HELP", COMMAND_HELP }, { "AUTH", COMMAND_AUTH },
	{ "STARTTLS", COMMAND_STARTTLS }, { "QUIT", COMMAND_QUIT }, { "CARD", COMMAND_CARD },
};

static bool
is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static struct slice
without_blanks(struct slice s)
{
	while (s.len > 0 && is_blank(s.data[0]))
		s = slice_of(s.data + 1, s.len - 1);
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

bool
command_next_word(struct slice *rest, struct slice *word)
{
	struct slice s = without_blanks(*rest);
	size_t len = 0;
	while (len < s.len && !is_blank(s.data[len]))
		len++;
	*word = slice_of(s.data, len);
	*rest = without_blanks(slice_of(s.data + len, s.len - len));
	return len > 0;
}

bool
command_parse(struct slice line, struct command *out)
{
	*out = (struct command){ .verb = COMMAND_UNKNOWN, .argument = slice_of("", 0) };
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] == '\0' || line.data[i] == '\r' || line.data[i] == '\n')
			return false;
	struct slice word;
	if (line.len == 0 || is_blank(line.data[0]) || !command_next_word(&line, &word))
		return true;
	out->argument = line;
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (slice_is_nocase(word, verbs[i].word))
			out->verb = verbs[i].verb;
	return true;
}

bool
command_is_hello_name(struct slice argument)
{
	if (argument.len == 0 || argument.len > 255)
		return false;
	for (size_t i = 0; i < argument.len; i++)
		if (argument.data[i] <= ' ' || argument.data[i] == 0x7f)
			return false;
	return true;
}

bool
command_parse_number(struct slice digits, uint64_t *out)
{
	uint64_t value = 0;
	if (digits.len == 0 || digits.len > 20)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9')
			return false;
		unsigned digit = digits.data[i] - '0';
		value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
	}
	*out = value;
	return true;
}

bool
command_parse_bdat(struct slice argument, uint64_t *chunk_bytes, bool *last)
{
	struct slice size, word;
	*last = false;
	if (!command_next_word(&argument, &size) || !command_parse_number(size, chunk_bytes))
		return false;
	if (!command_next_word(&argument, &word))
		return true;
	*last = slice_is_nocase(word, "LAST");
	return *last && argument.len == 0;
}
