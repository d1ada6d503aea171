/* SPDX-License-Identifier: ISC
 *
 * Every reply of the server: one table, so that one glance shows that none names a program, a machine or a date, and that
 * the same case has the same bytes everywhere.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "smtp/syntax.h"
#include "smtpd/smtpd.h"

/* A(NAME, code, enhanced status code (RFC 3463) or "", text); "%s" in a text stands for what the caller adds. */
#define ANSWERS(A) \
	A(GREETING, 220, "", "%s ESMTP") \
	A(HELO, 250, "", "%s") \
	A(OK, 250, "2.0.0", "OK") \
	A(SENDER_OK, 250, "2.1.0", "OK") \
	A(RECIPIENT_OK, 250, "2.1.5", "OK") \
	A(CHUNK_OK, 250, "2.0.0", "OK") \
	A(GO_AHEAD, 354, "", "End with <CRLF>.<CRLF>") \
	A(READY_FOR_TLS, 220, "2.0.0", "Ready to start TLS") \
	A(VRFY, 252, "2.5.2", "Send mail to find out") \
	A(HELP, 214, "2.0.0", "See RFC 5321") \
	A(BYE, 221, "2.0.0", "Bye") \
	A(AUTH_CONTINUE, 334, "", "%s") \
	A(AUTH_OK, 235, "2.7.0", "Authenticated") \
	A(TOO_MANY_SESSIONS, 421, "4.3.2", "Too many connections, try again later") \
	A(TOO_MANY_ERRORS, 421, "4.7.0", "Too many errors") \
	A(TOO_MANY_COMMANDS, 421, "4.7.0", "Too many commands") \
	A(TIMEOUT, 421, "4.4.2", "Timeout") \
	A(CLOSING, 421, "4.3.2", "Closing, try again later") \
	A(TRY_LATER, 451, "4.3.0", "Try again later") \
	A(NO_SPACE, 452, "4.3.1", "No space now, try again later") \
	A(TOO_MANY_RECIPIENTS, 452, "4.5.3", "Too many recipients, send these in another transaction") \
	A(NOT_A_LINE, 500, "5.5.2", "A command ends with CRLF and holds no other CR, LF or NUL") \
	A(LINE_TOO_LONG, 500, "5.5.2", "Line too long") \
	A(UNKNOWN_COMMAND, 500, "5.5.2", "Unknown command") \
	A(NOT_IMPLEMENTED, 502, "5.5.1", "Not available") \
	A(HELLO_SYNTAX, 501, "5.5.4", "A name is missing") \
	A(NO_ARGUMENT, 501, "5.5.4", "No argument is allowed here") \
	A(MAIL_SYNTAX, 501, "5.5.4", "Write MAIL FROM:<address>") \
	A(RCPT_SYNTAX, 501, "5.5.4", "Write RCPT TO:<address>") \
	A(BDAT_SYNTAX, 501, "5.5.4", "Write BDAT size or BDAT size LAST") \
	A(BAD_PARAMETER, 501, "5.5.4", "A parameter is malformed") \
	A(UNKNOWN_PARAMETER, 555, "5.5.4", "A parameter is not known here") \
	A(BAD_SENDER, 501, "5.1.7", "The sender's address is malformed") \
	A(BAD_RECIPIENT, 501, "5.1.3", "The recipient's address is malformed") \
	A(SOURCE_ROUTE, 501, "5.1.3", "Source routes are not accepted") \
	A(ADDRESS_LITERAL, 501, "5.1.3", "Address literals are not accepted") \
	A(LOCAL_PART_LENGTH, 501, "5.1.3", "The part before the @ is longer than 64 octets") \
	A(DOMAIN_LENGTH, 501, "5.1.3", "The domain is too long") \
	A(NEEDS_SMTPUTF8, 553, "5.6.7", "This address needs the SMTPUTF8 parameter of MAIL") \
	A(SAY_HELLO, 503, "5.5.1", "Say EHLO first") \
	A(NESTED_MAIL, 503, "5.5.1", "A transaction has begun already") \
	A(NO_MAIL, 503, "5.5.1", "Say MAIL first") \
	A(NO_RECIPIENTS, 503, "5.5.1", "No valid recipients") \
	A(CHUNKS_BEGUN, 503, "5.5.1", "The message has begun already") \
	A(CHUNK_FAILED, 503, "5.5.1", "A chunk has failed, say RSET") \
	A(CARD_AGAIN, 503, "5.5.1", "You have the card") \
	A(HAVE_TLS, 503, "5.5.1", "TLS is on already") \
	A(PLAIN_BEHIND_STARTTLS, 501, "5.5.1", "Nothing may follow STARTTLS before TLS") \
	A(NEEDS_TLS, 530, "5.7.0", "Say STARTTLS first") \
	A(NEEDS_AUTH, 530, "5.7.0", "Authentication is required") \
	A(AUTH_NEEDS_TLS, 538, "5.7.11", "Say STARTTLS first") \
	A(AUTH_MECHANISM, 504, "5.5.4", "Only PLAIN and LOGIN are available") \
	A(AUTH_AGAIN, 503, "5.5.1", "Authenticated already") \
	A(AUTH_CANCELLED, 501, "5.7.0", "Authentication was cancelled") \
	A(AUTH_MALFORMED, 501, "5.5.2", "The answer is malformed") \
	A(AUTH_WRONG, 535, "5.7.8", "Login or password is wrong") \
	A(PROOF_MECHANISM, 504, "5.5.4", "Only SMTORP-ONION is available") \
	A(PROOF_AGAIN, 503, "5.5.1", "One proof in a session, before MAIL") \
	A(PROOF_WRONG, 535, "5.7.8", "This proves nothing here") \
	A(NO_MAILBOX, 550, "5.1.1", "No such mailbox here") \
	A(FOREIGN, 550, "5.7.1", "Mail for other domains is not taken here") \
	A(NOT_ONION, 550, "5.7.1", \
	    "%s: only .onion addresses can be reached from here; send this recipient's copy with your ordinary mail account") \
	A(BAD_ADDRESS, 550, "5.1.3", "%s") \
	A(NOT_SENDER, 550, "5.7.1", "Send as %s: that is the address of this login") \
	A(NO_IDENTITY, 550, "5.7.1", "%s is not an address of yours here") \
	A(TOO_LARGE, 552, "5.3.4", "The message is too large") \
	A(MALFORMED, 554, "5.6.0", "The message holds a CR or LF alone, or NUL: lines end with CRLF")

#define ANSWER_ENUM(NAME, code, enhanced, text) ANSWER_##NAME,
enum answer { ANSWERS(ANSWER_ENUM) ANSWER_COUNT };
#undef ANSWER_ENUM

/* Appends the whole line. added (may be NULL) replaces "%s"; what is not printable in it becomes '?'. ERROR_TOO_LARGE. */
int answer_write(struct buffer *out, enum answer which, const char *added, struct error *err);

/* A reply that somebody else has chosen. A code that is no final reply becomes 451. */
int answer_write_free(struct buffer *out, unsigned code, const char *enhanced, const char *text, struct error *err);

/* The answer to an argument of MAIL or RCPT that is wrong; no_path and bad_mailbox are the verb's own. SYNTAX_OK:
 * ANSWER_OK. */
enum answer answer_to_syntax(enum syntax_problem problem, enum answer no_path, enum answer bad_mailbox);

/* The answer to a sender or recipient that the owner has decided about. */
enum answer answer_to_verdict(enum smtpd_verdict verdict, enum answer accepted);
