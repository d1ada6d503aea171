/* SPDX-License-Identifier: ISC */
#include "smtp/envelope.h"

#include <ctype.h>

#include "smtp/command.h"
#include "smtp/xtext.h"

enum parameter { PARAMETER_SIZE = 1, PARAMETER_BODY = 2, PARAMETER_SMTPUTF8 = 4, PARAMETER_AUTH = 8 };

/* Takes keyword, colon and path off the front. Blanks behind the colon are not in the grammar, but common. */
static enum syntax_problem
take_path(struct slice *argument, const char *keyword, struct path *out)
{
	size_t len = strlen(keyword);
	if (argument->len < len || !slice_is_nocase(slice_of(argument->data, len), keyword))
		return SYNTAX_NO_PATH;
	while (len < argument->len && argument->data[len] == ' ')
		len++;
	*argument = slice_of(argument->data + len, argument->len - len);
	enum syntax_problem problem = path_parse(argument, out);
	if (problem == SYNTAX_OK && argument->len > 0 && argument->data[0] != ' ')
		return SYNTAX_NO_PATH;
	return problem;
}

/* esmtp-keyword ["=" esmtp-value] (RFC 5321 section 4.1.2); the value is NULL when there is no "=". */
static bool
split_parameter(struct slice word, struct slice *keyword, struct slice *value)
{
	size_t len = 0;
	while (len < word.len && word.data[len] < 0x80 && (isalnum(word.data[len]) || (len > 0 && word.data[len] == '-')))
		len++;
	*keyword = slice_of(word.data, len);
	*value = slice_of(NULL, 0);
	if (len == 0 || (len < word.len && word.data[len] != '='))
		return false;
	if (len == word.len)
		return true;
	*value = slice_of(word.data + len + 1, word.len - len - 1);
	for (size_t i = 0; i < value->len; i++)
		if (value->data[i] <= ' ' || value->data[i] == '=' || value->data[i] == 0x7f)
			return false;
	return value->len > 0;
}

static enum syntax_problem
take_body(struct slice value, struct envelope_mail *out)
{
	out->is_8bitmime = value.data != NULL && slice_is_nocase(value, "8BITMIME");
	return out->is_8bitmime || (value.data != NULL && slice_is_nocase(value, "7BIT")) ? SYNTAX_OK : SYNTAX_PARAMETER;
}

static enum syntax_problem
take_parameter(struct slice word, bool with_auth, unsigned *seen, struct envelope_mail *out)
{
	struct slice keyword, value;
	unsigned which = 0;
	enum syntax_problem problem = SYNTAX_OK;
	if (!split_parameter(word, &keyword, &value))
		return SYNTAX_PARAMETER;
	if (slice_is_nocase(keyword, "SIZE")) {
		which = PARAMETER_SIZE;
		if (!command_parse_number(value, &out->size_bytes))
			problem = SYNTAX_PARAMETER;
	} else if (slice_is_nocase(keyword, "BODY")) {
		which = PARAMETER_BODY;
		problem = take_body(value, out);
	} else if (slice_is_nocase(keyword, "SMTPUTF8")) {
		which = PARAMETER_SMTPUTF8;
		out->is_smtputf8 = true;
		if (value.data != NULL)
			problem = SYNTAX_PARAMETER;
	} else if (with_auth && slice_is_nocase(keyword, "AUTH")) {
		which = PARAMETER_AUTH;
		if (!xtext_is_valid(value))
			problem = SYNTAX_PARAMETER;
	} else {
		return SYNTAX_UNKNOWN_PARAMETER;
	}
	if ((*seen & which) != 0)
		return SYNTAX_PARAMETER;
	*seen |= which;
	return problem;
}

enum syntax_problem
envelope_parse_mail(struct slice argument, bool with_auth, struct envelope_mail *out)
{
	*out = (struct envelope_mail){ 0 };
	struct slice word;
	unsigned seen = 0;
	enum syntax_problem problem = take_path(&argument, "FROM:", &out->reverse_path);
	if (problem == SYNTAX_OK && !path_is_null(&out->reverse_path) && out->reverse_path.domain[0] == '\0')
		return SYNTAX_MAILBOX;
	while (problem == SYNTAX_OK && command_next_word(&argument, &word))
		problem = take_parameter(word, with_auth, &seen, out);
	if (problem == SYNTAX_OK && out->reverse_path.is_utf8 && !out->is_smtputf8)
		return SYNTAX_NEEDS_SMTPUTF8;
	return problem;
}

enum syntax_problem
envelope_parse_rcpt(struct slice argument, bool is_smtputf8, struct path *out)
{
	struct slice word, keyword, value;
	enum syntax_problem problem = take_path(&argument, "TO:", out);
	if (problem != SYNTAX_OK)
		return problem;
	if (path_is_null(out))
		return SYNTAX_MAILBOX;
	if (command_next_word(&argument, &word))
		return split_parameter(word, &keyword, &value) ? SYNTAX_UNKNOWN_PARAMETER : SYNTAX_PARAMETER;
	return out->is_utf8 && !is_smtputf8 ? SYNTAX_NEEDS_SMTPUTF8 : SYNTAX_OK;
}
