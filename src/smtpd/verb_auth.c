/* SPDX-License-Identifier: ISC
 *
 * AUTH PLAIN and LOGIN (RFC 4954), on submission only. Onions prove themselves in verb_proof.c.
 */
#include <stdlib.h>
#include <string.h>

#include "smtpd/session.h"

static void
end_exchange(struct session *s)
{
	s->mode = SESSION_COMMAND;
	if (s->credentials != NULL)
		sasl_wipe(s->credentials);
	free(s->credentials);
	s->credentials = NULL;
}

static void
refuse_try(struct session *s, enum answer which)
{
	end_exchange(s);
	session_reply(s, which, NULL);
	if (++s->login_tries < SMTPD_LOGIN_TRIES_MAX)
		return;
	session_reply(s, ANSWER_TOO_MANY_ERRORS, NULL);
	session_close(s);
}

static void
check(struct session *s)
{
	struct sasl_credentials *c = s->credentials;
	bool is_right = s->server->events->on_login(s->server->context, c->login,
	    slice_of(c->password, c->password_len));
	char *login = is_right ? strdup(c->login) : NULL;
	if (!is_right) {
		refuse_try(s, ANSWER_AUTH_WRONG);
		return;
	}
	end_exchange(s);
	s->login = login;
	fairness_note_progress(s);
	session_reply(s, login != NULL ? ANSWER_AUTH_OK : ANSWER_TRY_LATER, NULL);
}

/* Wrong passwords before make it slow, whoever said them: so they cannot be guessed in many sessions either. */
static void
check_in_time(struct session *s)
{
	const struct smtpd_events *events = s->server->events;
	int64_t pause_ms = events->login_pause_ms == NULL ? 0 : events->login_pause_ms(s->server->context, s->credentials->login);
	if (pause_ms <= 0) {
		check(s);
		return;
	}
	s->mode = SESSION_PAUSING;
	timer_start(s->timer, pause_ms);
}

void
verb_auth_resume(struct session *s)
{
	check(s);
	if (s->mode == SESSION_CLOSING)
		return;
	timer_start(s->timer, fairness_patience_ms(s));
	session_run(s);
	stream_resume_input(s->stream);
}

static void
take_plain(struct session *s, struct slice base64)
{
	if (sasl_decode_plain(base64, s->credentials))
		check_in_time(s);
	else
		refuse_try(s, ANSWER_AUTH_MALFORMED);
}

static void
take_login(struct session *s, struct slice base64)
{
	if (!sasl_decode_login(base64, s->credentials)) {
		refuse_try(s, ANSWER_AUTH_MALFORMED);
		return;
	}
	s->mode = SESSION_AUTH_PASSWORD;
	session_reply(s, ANSWER_AUTH_CONTINUE, "UGFzc3dvcmQ6"); /* "Password:" */
}

static void
begin(struct session *s, struct slice mechanism, struct slice initial)
{
	bool is_plain = slice_is_nocase(mechanism, "PLAIN");
	if (!is_plain && !slice_is_nocase(mechanism, "LOGIN")) {
		session_refuse(s, ANSWER_AUTH_MECHANISM);
		return;
	}
	s->credentials = calloc(1, sizeof *s->credentials);
	if (s->credentials == NULL) {
		session_reply(s, ANSWER_TRY_LATER, NULL);
		return;
	}
	s->mode = is_plain ? SESSION_AUTH_PLAIN : SESSION_AUTH_LOGIN;
	if (initial.len > 0)
		verb_auth_answer(s, initial);
	else
		session_reply(s, ANSWER_AUTH_CONTINUE, is_plain ? "" : "VXNlcm5hbWU6"); /* "Username:" */
}

void
verb_auth(struct session *s, struct slice argument)
{
	if (verb_proof_is_offered(s)) {
		verb_proof(s, argument);
		return;
	}
	struct slice mechanism, initial;
	command_next_word(&argument, &mechanism);
	command_next_word(&argument, &initial);
	if (!session_is_submission(s))
		session_refuse(s, ANSWER_NOT_IMPLEMENTED);
	else if (!session_may_auth(s))
		session_refuse(s, ANSWER_AUTH_NEEDS_TLS);
	else if (!s->has_hello)
		session_refuse(s, ANSWER_SAY_HELLO);
	else if (s->login != NULL)
		session_refuse(s, ANSWER_AUTH_AGAIN);
	else if (argument.len > 0)
		session_refuse(s, ANSWER_AUTH_MALFORMED);
	else
		begin(s, mechanism, initial);
}

void
verb_auth_answer(struct session *s, struct slice line)
{
	if (slice_is(line, "*")) {
		refuse_try(s, ANSWER_AUTH_CANCELLED);
		return;
	}
	switch (s->mode) {
	case SESSION_AUTH_PLAIN:
		take_plain(s, line);
		break;
	case SESSION_AUTH_LOGIN:
		take_login(s, line);
		break;
	case SESSION_AUTH_PASSWORD:
		if (sasl_decode_password(line, s->credentials))
			check_in_time(s);
		else
			refuse_try(s, ANSWER_AUTH_MALFORMED);
		break;
	default:
		break;
	}
}
