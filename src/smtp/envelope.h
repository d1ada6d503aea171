/* SPDX-License-Identifier: ISC
 *
 * The arguments of MAIL and RCPT: path and parameters (RFC 5321 section 4.1.1.2 and 4.1.1.3; SIZE of RFC 1870, BODY of
 * RFC 6152, SMTPUTF8 of RFC 6531, AUTH of RFC 4954 section 5).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "smtp/path.h"

struct envelope_mail {
	struct path reverse_path;
	uint64_t size_bytes; /* declared by SIZE; 0 when it was not; UINT64_MAX for more than fits */
	bool is_8bitmime;
	bool is_smtputf8;
};

/* "FROM:<...> [parameters]". with_auth: AUTH= is known here (RFC 4954 wants servers that offer AUTH to take it); its
 * value is checked and forgotten. */
enum syntax_problem envelope_parse_mail(struct slice argument, bool with_auth, struct envelope_mail *out);

/* "TO:<...> [parameters]". No parameter is known. The null path is SYNTAX_MAILBOX here. */
enum syntax_problem envelope_parse_rcpt(struct slice argument, bool is_smtputf8, struct path *out);
