/* SPDX-License-Identifier: ISC
 *
 * Command lines of SMTP (RFC 5321 section 4.1.1, RFC 3030, RFC 3207, RFC 4954): verb and argument, and the arguments
 * that are not paths. What comes in is a stranger's; what is malformed is an ordinary result.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define COMMAND_LINE_MAX_BYTES 4096 /* with CRLF; RFC 5321 asks for 512 and more for each extension */

enum command_verb {
	COMMAND_UNKNOWN, /* a word that is no verb of ours, or no word at all */
	COMMAND_EHLO,
	COMMAND_HELO,
	COMMAND_MAIL,
	COMMAND_RCPT,
	COMMAND_DATA,
	COMMAND_BDAT,
	COMMAND_RSET,
	COMMAND_NOOP,
	COMMAND_VRFY,
	COMMAND_EXPN,
	COMMAND_HELP,
	COMMAND_STARTTLS,
	COMMAND_AUTH,
	COMMAND_CARD, /* of smtorp/1: doc/spec/transport.md */
	COMMAND_QUIT,
};

struct command {
	enum command_verb verb;
	struct slice argument; /* without the blanks around it; borrowed from the line */
};

/* What one line is, without its CRLF. false: NUL, CR or LF is in it, so it is no command line at all. */
bool command_parse(struct slice line, struct command *out);

/* "name" of EHLO and HELO: a domain, an address literal or anything printable that could be a name (at most 255
 * octets, no blank). Clients say strange things here and nothing hangs on it. */
bool command_is_hello_name(struct slice argument);

/* Decimal digits only, at most 20. false for anything else; a number over UINT64_MAX becomes UINT64_MAX, which is over
 * every limit there is. */
bool command_parse_number(struct slice digits, uint64_t *out);

/* "SIZE [LAST]" of BDAT (RFC 3030 section 2). false when malformed: then nobody knows how many octets follow. */
bool command_parse_bdat(struct slice argument, uint64_t *chunk_bytes, bool *last);

/* Takes the first word (up to a blank) off *rest, together with the blanks behind it. false when nothing is left. */
bool command_next_word(struct slice *rest, struct slice *word);
