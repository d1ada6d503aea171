/* SPDX-License-Identifier: ISC
 *
 * STARTTLS (RFC 3207), and TLS from the first byte.
 */
#include <stdlib.h>

#include "smtpd/session.h"

bool
verb_tls_is_offered(const struct session *s)
{
	enum smtpd_kind kind = session_config(s)->kind;
	return (kind == SMTPD_ONION || kind == SMTPD_SUBMISSION) && session_config(s)->tls != NULL &&
	       !stream_is_tls(s->stream);
}

void
verb_tls(struct session *s, struct slice argument)
{
	if (stream_is_tls(s->stream)) {
		session_refuse(s, ANSWER_HAVE_TLS);
	} else if (!verb_tls_is_offered(s)) {
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
			session_await_tls(s);
		else
			session_close(s);
	}
}

/* What was said before counts no more (RFC 3207 section 4.2). On ports that begin with TLS it is time for the greeting. */
void
verb_tls_on_handshake(struct session *s)
{
	if (s->mode != SESSION_STARTING_TLS)
		return;
	fairness_note_progress(s);
	timer_start(s->timer, SMTPD_TIMEOUT_MINUTES * s->server->minute_ms);
	transaction_reset(s);
	s->has_hello = false;
	free(s->login);
	s->login = NULL;
	verb_proof_on_handshake(s);
	s->mode = SESSION_COMMAND;
	enum smtpd_kind kind = session_config(s)->kind;
	if (kind == SMTPD_SMTORP || kind == SMTPD_SUBMISSIONS)
		session_reply(s, ANSWER_GREETING, session_config(s)->hostname);
	session_run(s);
}
