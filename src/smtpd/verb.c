/* SPDX-License-Identifier: ISC */
#include "smtpd/session.h"

static void
noop(struct session *s, struct slice argument)
{
	(void)argument; /* RFC 5321 section 4.1.1.9 allows one */
	session_reply(s, ANSWER_OK, NULL);
}

static void
rset(struct session *s, struct slice argument)
{
	if (argument.len > 0) {
		session_refuse(s, ANSWER_NO_ARGUMENT);
		return;
	}
	transaction_reset(s);
	session_reply(s, ANSWER_OK, NULL);
}

static void
vrfy(struct session *s, struct slice argument)
{
	if (argument.len == 0)
		session_refuse(s, ANSWER_HELLO_SYNTAX);
	else
		session_reply(s, ANSWER_VRFY, NULL);
}

static void
help(struct session *s, struct slice argument)
{
	(void)argument;
	session_reply(s, ANSWER_HELP, NULL);
}

static void
quit(struct session *s, struct slice argument)
{
	if (argument.len > 0) {
		session_refuse(s, ANSWER_NO_ARGUMENT);
		return;
	}
	session_reply(s, ANSWER_BYE, NULL);
	session_close(s);
}

static void
expn(struct session *s, struct slice argument)
{
	(void)argument;
	session_refuse(s, ANSWER_NOT_IMPLEMENTED);
}

static void
unknown(struct session *s, struct slice argument)
{
	(void)argument;
	session_refuse(s, ANSWER_UNKNOWN_COMMAND);
}

void
verb_obey(struct session *s, struct slice line)
{
	static void (*const verbs[])(struct session *, struct slice) = {
		[COMMAND_UNKNOWN] = unknown, [COMMAND_MAIL] = verb_mail, [COMMAND_RCPT] = verb_rcpt,
		[COMMAND_DATA] = verb_data, [COMMAND_BDAT] = verb_bdat, [COMMAND_RSET] = rset, [COMMAND_NOOP] = noop,
		[COMMAND_VRFY] = vrfy, [COMMAND_EXPN] = expn, [COMMAND_HELP] = help, [COMMAND_AUTH] = verb_auth,
		[COMMAND_STARTTLS] = verb_tls, [COMMAND_CARD] = verb_card, [COMMAND_QUIT] = quit,
	};
	struct command command;
	if (!command_parse(line, &command)) {
		session_refuse(s, ANSWER_NOT_A_LINE);
		return;
	}
	if (command.verb != COMMAND_BDAT && ++s->commands > SMTPD_COMMANDS_MAX) {
		session_reply(s, ANSWER_TOO_MANY_COMMANDS, NULL);
		session_close(s);
	} else if (command.verb == COMMAND_EHLO || command.verb == COMMAND_HELO) {
		verb_hello(s, command.verb, command.argument);
	} else {
		verbs[command.verb](s, command.argument);
	}
}
