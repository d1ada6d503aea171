/* SPDX-License-Identifier: ISC
 *
 * RCPT (RFC 5321 section 4.1.1.3).
 */
#include "ipc/pack.h"
#include "smtp/envelope.h"
#include "smtpd/session.h"

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
		if (t->recipient_count++ == 0 && s->tries++ < SMTPD_TRIES_MAX)
			fairness_note_progress(s);
		t->has_utf8_address |= path->is_utf8;
	}
	session_reply(s, answer_to_verdict(verdict, ANSWER_RECIPIENT_OK), text[0] != '\0' ? text : mailbox);
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
		session_refuse(s, answer_to_syntax(problem, ANSWER_RCPT_SYNTAX, ANSWER_BAD_RECIPIENT));
	else if (t->recipient_count == SMTPD_RECIPIENTS_MAX)
		session_reply(s, ANSWER_TOO_MANY_RECIPIENTS, NULL);
	else
		decide_recipient(s, &path);
}
