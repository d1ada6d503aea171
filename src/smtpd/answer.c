/* SPDX-License-Identifier: ISC */
#include "smtpd/answer.h"

#include <stdbool.h>
#include <string.h>

#define TEXT_MAX 480 /* so that the line stays within the 512 octets of RFC 5321 section 4.5.3.1.5 */

static const struct {
	unsigned code;
	const char *enhanced;
	const char *text;
} answers[ANSWER_COUNT] = {
#define ANSWER_ROW(NAME, code, enhanced, text) { code, enhanced, text },
	ANSWERS(ANSWER_ROW)
#undef ANSWER_ROW
};

static void
append_printable(char *out, size_t *len, const char *text)
{
	for (; *text != '\0' && *len < TEXT_MAX; text++)
		out[(*len)++] = (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
	out[*len] = '\0';
}

static int
write_line(struct buffer *out, unsigned code, const char *enhanced, const char *text, struct error *err)
{
	return buffer_printf(out, err, "%u %s%s%s\r\n", code, enhanced, enhanced[0] != '\0' ? " " : "", text);
}

int
answer_write(struct buffer *out, enum answer which, const char *added, struct error *err)
{
	char text[TEXT_MAX + 1] = "";
	size_t len = 0;
	const char *pattern = answers[which].text, *place = strstr(pattern, "%s");
	if (place == NULL)
		return write_line(out, answers[which].code, answers[which].enhanced, pattern, err);
	memcpy(text, pattern, (size_t)(place - pattern));
	len = (size_t)(place - pattern);
	append_printable(text, &len, added != NULL ? added : "");
	append_printable(text, &len, place + 2);
	return write_line(out, answers[which].code, answers[which].enhanced, text, err);
}

int
answer_write_free(struct buffer *out, unsigned code, const char *enhanced, const char *text, struct error *err)
{
	char printable[TEXT_MAX + 1] = "", status[16] = "";
	size_t len = 0;
	bool is_final = code >= 200 && code <= 599 && code / 100 != 3;
	append_printable(printable, &len, text);
	if (is_final && strlen(enhanced) < sizeof status && enhanced[0] == (char)('0' + code / 100) &&
	    strspn(enhanced, "0123456789.") == strlen(enhanced))
		strcpy(status, enhanced);
	return write_line(out, is_final ? code : 451, is_final ? status : "4.3.0", printable, err);
}

enum answer
answer_to_syntax(enum syntax_problem problem, enum answer no_path, enum answer bad_mailbox)
{
	switch (problem) {
	case SYNTAX_OK:
		break;
	case SYNTAX_NO_PATH:
		return no_path;
	case SYNTAX_MAILBOX:
		return bad_mailbox;
	case SYNTAX_SOURCE_ROUTE:
		return ANSWER_SOURCE_ROUTE;
	case SYNTAX_ADDRESS_LITERAL:
		return ANSWER_ADDRESS_LITERAL;
	case SYNTAX_LOCAL_PART_LENGTH:
		return ANSWER_LOCAL_PART_LENGTH;
	case SYNTAX_DOMAIN_LENGTH:
		return ANSWER_DOMAIN_LENGTH;
	case SYNTAX_NEEDS_SMTPUTF8:
		return ANSWER_NEEDS_SMTPUTF8;
	case SYNTAX_PARAMETER:
		return ANSWER_BAD_PARAMETER;
	case SYNTAX_UNKNOWN_PARAMETER:
		return ANSWER_UNKNOWN_PARAMETER;
	}
	return ANSWER_OK;
}

enum answer
answer_to_verdict(enum smtpd_verdict verdict, enum answer accepted)
{
	switch (verdict) {
	case SMTPD_ACCEPT:
		return accepted;
	case SMTPD_NO_MAILBOX:
		return ANSWER_NO_MAILBOX;
	case SMTPD_FOREIGN:
		return ANSWER_FOREIGN;
	case SMTPD_NOT_ONION:
		return ANSWER_NOT_ONION;
	case SMTPD_BAD_ADDRESS:
		return ANSWER_BAD_ADDRESS;
	case SMTPD_NOT_SENDER:
		return ANSWER_NOT_SENDER;
	case SMTPD_NO_IDENTITY:
		return ANSWER_NO_IDENTITY;
	case SMTPD_TRY_LATER:
		break;
	}
	return ANSWER_TRY_LATER;
}
