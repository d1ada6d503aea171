/* SPDX-License-Identifier: ISC */
#include "mime/lines.h"

#include <string.h>

/* Without branches inside, so that the compiler takes many bytes at a time. */
static void
look_at(const unsigned char *line, size_t len, unsigned char *all_bits, bool *has_cr, bool *has_nul)
{
	unsigned char bits = 0, cr = 0, nul = 0;
	for (size_t i = 0; i < len; i++) {
		bits |= line[i];
		cr |= line[i] == '\r';
		nul |= line[i] == '\0';
	}
	*all_bits |= bits;
	*has_cr = cr != 0;
	*has_nul = nul != 0;
}

int
lines_check(struct slice text, struct lines_facts *facts, struct error *err)
{
	*facts = (struct lines_facts){ .ends_with_crlf = true };
	return lines_check_more(text, facts, err);
}

int
lines_check_more(struct slice text, struct lines_facts *facts, struct error *err)
{
	unsigned char all_bits = 0;
	for (size_t at = 0; at < text.len;) {
		const unsigned char *line = text.data + at;
		const unsigned char *newline = memchr(line, '\n', text.len - at);
		size_t len = newline == NULL ? text.len - at : (size_t)(newline - line);
		bool has_cr, has_nul;
		size_t number = ++facts->lines;
		at += len + 1;
		if (newline == NULL) {
			facts->ends_with_crlf = false;
		} else if (len == 0 || line[len - 1] != '\r') {
			return error_set(err, ERROR_INVALID, "line %zu of the text ends in a bare LF: lines must end in CRLF", number);
		} else {
			len--;
		}
		look_at(line, len, &all_bits, &has_cr, &has_nul);
		if (has_cr)
			return error_set(err, ERROR_INVALID, "line %zu of the text holds a bare CR: lines must end in CRLF", number);
		if (has_nul)
			return error_set(err, ERROR_INVALID, "line %zu of the text holds a NUL byte: send binary parts as base64", number);
		if (len > LINES_LENGTH_MAX_BYTES)
			return error_set(err, ERROR_INVALID, "line %zu of the text has more than %d bytes, which mail servers would break: "
			    "have the mail program send quoted-printable or base64", number, LINES_LENGTH_MAX_BYTES);
	}
	facts->has_8bit = facts->has_8bit || (all_bits & 0x80) != 0;
	return 0;
}
