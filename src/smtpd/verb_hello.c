/* SPDX-License-Identifier: ISC
 *
 * EHLO and HELO (RFC 5321 section 4.1.1.1).
 */
#include "proof/session.h"
#include "smtpd/session.h"

/* Which extensions there are depends on the kind of listener and on TLS, on nothing else. */
static void
write_extensions(struct session *s)
{
	struct buffer *out = &s->out;
	buffer_printf(out, NULL, "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n", session_config(s)->hostname,
	    (unsigned long long)session_config(s)->message_max_bytes);
	if (verb_tls_is_offered(s))
		buffer_append_string(out, "250-STARTTLS\r\n", NULL);
	if (session_may_auth(s))
		buffer_append_string(out, "250-AUTH PLAIN LOGIN\r\n", NULL);
	if (verb_proof_is_offered(s))
		buffer_append_string(out, "250-AUTH " SESSION_PROOF_MECHANISM "\r\n", NULL);
	buffer_append_string(out, "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n", NULL);
}

void
verb_hello(struct session *s, enum command_verb verb, struct slice argument)
{
	if (!command_is_hello_name(argument)) {
		session_refuse(s, ANSWER_HELLO_SYNTAX);
		return;
	}
	transaction_reset(s);
	s->has_hello = true;
	if (verb == COMMAND_EHLO)
		write_extensions(s);
	else
		session_reply(s, ANSWER_HELO, session_config(s)->hostname);
}
