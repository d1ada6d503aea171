/* SPDX-License-Identifier: ISC
 *
 * EHLO, HELO (RFC 5321 section 4.1.1.1) and STARTTLS (RFC 3207).
 */
#include <stdlib.h>

#include "smtpd/session.h"

static bool
offers_starttls(const struct session *s)
{
	enum smtpd_kind kind = session_config(s)->kind;
	return (kind == SMTPD_ONION || kind == SMTPD_SUBMISSION) && session_config(s)->tls != NULL &&
	       !stream_is_tls(s->stream);
}

/* Which extensions there are depends on the kind of listener and on TLS, on nothing else. */
static void
write_extensions(struct session *s)
{
	struct buffer *out = &s->out;
	buffer_printf(out, NULL, "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n", session_config(s)->hostname,
	    (unsigned long long)session_config(s)->message_max_bytes);
	if (offers_starttls(s))
		buffer_append_string(out, "250-STARTTLS\r\n", NULL);
	if (session_may_auth(s))
		buffer_append_string(out, "250-AUTH PLAIN LOGIN\r\n", NULL);
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

void
verb_starttls(struct session *s, struct slice argument)
{
	if (stream_is_tls(s->stream)) {
		session_refuse(s, ANSWER_HAVE_TLS);
	} else if (!offers_starttls(s)) {
		session_refuse(s, ANSWER_NOT_IMPLEMENTED);
	} else if (argument.len > 0) {
		session_refuse(s, ANSWER_NO_ARGUMENT);
	} else if (buffer_len(stream_input(s->stream)) > 0) {
		/* Somebody in between may have written it, hoping that it is taken for what comes inside TLS. */
		session_reply(s, ANSWER_PLAIN_BEHIND_STARTTLS, NULL);
		session_close(s);
	} else {
		session_reply(s, ANSWER_READY_FOR_TLS, NULL);
		size_t len = buffer_len(&s->out);
		bool is_fine = stream_write(s->stream, buffer_bytes(&s->out), len, NULL) == 0;
		buffer_finish(&s->out);
		if (is_fine && stream_start_tls_server(s->stream, session_config(s)->tls, NULL, NULL) == 0)
			s->mode = SESSION_STARTING_TLS;
		else
			session_close(s);
	}
}

/* What was said before counts no more (RFC 3207 section 4.2). On ports that begin with TLS it is time for the greeting. */
void
verb_on_tls(struct session *s)
{
	if (s->mode != SESSION_STARTING_TLS)
		return;
	transaction_reset(s);
	s->has_hello = false;
	free(s->login);
	s->login = NULL;
	s->mode = SESSION_COMMAND;
	enum smtpd_kind kind = session_config(s)->kind;
	if (kind == SMTPD_SMTORP || kind == SMTPD_SUBMISSIONS)
		session_reply(s, ANSWER_GREETING, session_config(s)->hostname);
	session_run(s);
}
