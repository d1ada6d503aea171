/* SPDX-License-Identifier: ISC
 *
 * What can be wrong with the argument of MAIL and RCPT. The words for each are the server's.
 */
#pragma once

enum syntax_problem {
	SYNTAX_OK,
	SYNTAX_NO_PATH,           /* not "FROM:<...>" or "TO:<...>" */
	SYNTAX_MAILBOX,           /* not local-part "@" domain (RFC 5321 section 4.1.2, RFC 6531 section 3.3) */
	SYNTAX_SOURCE_ROUTE,      /* "@a,@b:c@d": obsolete, refused */
	SYNTAX_ADDRESS_LITERAL,   /* "user@[...]" */
	SYNTAX_LOCAL_PART_LENGTH, /* over 64 octets (section 4.5.3.1.1) */
	SYNTAX_DOMAIN_LENGTH,     /* over 255 octets, or a label over 63 */
	SYNTAX_NEEDS_SMTPUTF8,    /* octets >= 0x80 without the SMTPUTF8 parameter of MAIL */
	SYNTAX_PARAMETER,         /* malformed, given twice, or with a value that there is not */
	SYNTAX_UNKNOWN_PARAMETER, /* 555 in RFC 5321 section 4.1.1.11 */
};
