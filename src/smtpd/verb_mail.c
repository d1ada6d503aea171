/* SPDX-License-Identifier: ISC
 *
 * MAIL and RCPT (RFC 5321 sections 4.1.1.2 and 4.1.1.3).
 */
#include <stdio.h>

#include "ipc/pack.h"
#include "smtp/envelope.h"
#include "smtpd/session.h"

static enum answer
syntax_answer(enum syntax_problem problem, enum answer no_path, enum answer bad_mailbox)
{
	switch (problem) {
	case SYNTAX_OK:
		break;
	case SYNTAX_NO_PATH:
		return no_path;
	case SYNTAX_MAILBOX:
		return bad_mailbox;
	case SYNTAX_SOURCE_ROUTE:
		return ANSWER_SOURCE_ROUTE;
	case SYNTAX_ADDRESS_LITERAL:
		return ANSWER_ADDRESS_LITERAL;
	case SYNTAX_LOCAL_PART_LENGTH:
		return ANSWER_LOCAL_PART_LENGTH;
	case SYNTAX_DOMAIN_LENGTH:
		return ANSWER_DOMAIN_LENGTH;
	case SYNTAX_NEEDS_SMTPUTF8:
		return ANSWER_NEEDS_SMTPUTF8;
	case SYNTAX_PARAMETER:
		return ANSWER_BAD_PARAMETER;
	case SYNTAX_UNKNOWN_PARAMETER:
		return ANSWER_UNKNOWN_PARAMETER;
	}
	return ANSWER_OK;
}

static enum answer
verdict_answer(enum smtpd_verdict verdict, enum answer accepted)
{
	switch (verdict) {
	case SMTPD_ACCEPT:
		return accepted;
	case SMTPD_NO_MAILBOX:
		return ANSWER_NO_MAILBOX;
	case SMTPD_FOREIGN:
		return ANSWER_FOREIGN;
	case SMTPD_NOT_ONION:
		return ANSWER_NOT_ONION;
	case SMTPD_BAD_ADDRESS:
		return ANSWER_BAD_ADDRESS;
	case SMTPD_NOT_SENDER:
		return ANSWER_NOT_SENDER;
	case SMTPD_NO_IDENTITY:
		return ANSWER_NO_IDENTITY;
	case SMTPD_TRY_LATER:
		break;
	}
	return ANSWER_TRY_LATER;
}

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
		answer = syntax_answer(envelope_parse_mail(argument, session_may_auth(s), &mail), ANSWER_MAIL_SYNTAX,
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
	session_reply(s, verdict_answer(verdict, ANSWER_SENDER_OK), text[0] != '\0' ? text : mailbox);
}

/* A recipient that is well-formed and not one too many. */
static void
decide_recipient(struct session *s, const struct path *path)
{
	struct transaction *t = s->transaction;
	char mailbox[PATH_MAILBOX_MAX + 1], text[ERROR_TEXT_MAX] = "";
	path_format(path, mailbox);
	struct smtpd_question question = { .kind = session_config(s)->kind, .login = s->login,
		.reverse_path = t->reverse_path, .path = path, .mailbox = mailbox, .text = text };
	enum smtpd_verdict verdict = s->server->events->on_recipient(s->server->context, &question);
	if (verdict == SMTPD_ACCEPT && pack_string(&t->recipients, slice_of_string(mailbox), NULL) != 0)
		verdict = SMTPD_TRY_LATER;
	if (verdict == SMTPD_ACCEPT) {
		t->recipient_count++;
		t->has_utf8_address |= path->is_utf8;
	}
	session_reply(s, verdict_answer(verdict, ANSWER_RECIPIENT_OK), text[0] != '\0' ? text : mailbox);
	if (verdict != SMTPD_ACCEPT && ++s->refused >= SMTPD_REFUSED_MAX) {
		session_reply(s, ANSWER_TOO_MANY_ERRORS, NULL);
		session_close(s);
	}
}

void
verb_rcpt(struct session *s, struct slice argument)
{
	struct path path;
	struct transaction *t = s->transaction;
	if (t == NULL || t->has_begun) {
		session_refuse(s, t == NULL ? ANSWER_NO_MAIL : ANSWER_CHUNKS_BEGUN);
		return;
	}
	enum syntax_problem problem = envelope_parse_rcpt(argument, t->is_smtputf8, &path);
	bool is_onion_side = session_config(s)->kind == SMTPD_ONION || session_config(s)->kind == SMTPD_SMTORP;
	if (problem == SYNTAX_ADDRESS_LITERAL && is_onion_side)
		session_refuse(s, ANSWER_FOREIGN); /* as any other domain that is not this onion */
	else if (problem != SYNTAX_OK)
		session_refuse(s, syntax_answer(problem, ANSWER_RCPT_SYNTAX, ANSWER_BAD_RECIPIENT));
	else if (t->recipient_count == SMTPD_RECIPIENTS_MAX)
		session_reply(s, ANSWER_TOO_MANY_RECIPIENTS, NULL);
	else
		decide_recipient(s, &path);
}
