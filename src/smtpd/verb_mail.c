/* SPDX-License-Identifier: ISC
 *
 * MAIL (RFC 5321 section 4.1.1.2).
 */
#include <stdio.h>

#include "smtp/envelope.h"
#include "smtpd/session.h"

/* What stands in the way of MAIL, before its argument is looked at. ANSWER_OK: nothing. */
static enum answer
check_order(const struct session *s)
{
	if (session_config(s)->require_tls && !stream_is_tls(s->stream))
		return ANSWER_NEEDS_TLS;
	if (!s->has_hello)
		return ANSWER_SAY_HELLO;
	if (session_is_submission(s) && s->login == NULL)
		return ANSWER_NEEDS_AUTH;
	return s->transaction != NULL ? ANSWER_NESTED_MAIL : ANSWER_OK;
}

void
verb_mail(struct session *s, struct slice argument)
{
	struct envelope_mail mail;
	char mailbox[PATH_MAILBOX_MAX + 1], text[ERROR_TEXT_MAX] = "";
	enum answer answer = check_order(s);
	if (answer == ANSWER_OK)
		answer = answer_to_syntax(envelope_parse_mail(argument, session_may_auth(s), &mail), ANSWER_MAIL_SYNTAX,
		    ANSWER_BAD_SENDER);
	if (answer == ANSWER_OK && mail.size_bytes > session_config(s)->message_max_bytes)
		answer = ANSWER_TOO_LARGE;
	if (answer != ANSWER_OK) {
		session_refuse(s, answer);
		return;
	}
	path_format(&mail.reverse_path, mailbox);
	struct smtpd_question question = { .kind = session_config(s)->kind, .login = s->login,
		.path = &mail.reverse_path, .mailbox = mailbox, .text = text };
	enum smtpd_verdict verdict = s->server->events->on_sender(s->server->context, &question);
	if (verdict == SMTPD_ACCEPT && (s->transaction = transaction_new(s)) == NULL)
		verdict = SMTPD_TRY_LATER;
	if (verdict == SMTPD_ACCEPT) {
		snprintf(s->transaction->reverse_path, sizeof s->transaction->reverse_path, "%s", mailbox);
		s->transaction->is_smtputf8 = mail.is_smtputf8;
		s->transaction->has_utf8_address = mail.reverse_path.is_utf8;
	}
	session_reply(s, answer_to_verdict(verdict, ANSWER_SENDER_OK), text[0] != '\0' ? text : mailbox);
}
