/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/clock.h"
#include "ipc/messages.h"
#include "smtpd/session.h"

/* The serial number stands above the slot in a transaction's id, so that a slot's earlier transactions are told apart. */
#define SLOT_BITS 24

static int
open_file(void *context)
{
	const struct session *s = context;
	const struct smtpd *server = s->server;
	if (server->events->on_large == NULL)
		return -1;
	return server->events->on_large(server->context, session_config(s)->kind, s->login, s->transaction->reverse_path);
}

static bool
free_some(void *context, enum spool_room room)
{
	return fairness_free_spool(context, room);
}

struct transaction *
transaction_new(struct session *s)
{
	struct transaction *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	*t = (struct transaction){ .problem = ANSWER_OK, .scan = DATA_SCAN_START, .decoder = DATA_DECODER_START };
	buffer_init(&t->recipients, IPC_RECIPIENTS_MAX);
	spool_init(&t->spool, session_config(s)->message_max_bytes, &s->server->budget);
	t->spool.open_file = open_file;
	t->spool.free_some = free_some;
	t->spool.context = s;
	return t;
}

void
transaction_begin_content(struct session *s)
{
	if (s->transaction->has_begun)
		return;
	s->transaction->has_begun = true;
	s->transaction->begun_ms = clock_monotonic_ms();
}

void
transaction_reset(struct session *s)
{
	struct transaction *t = s->transaction;
	if (t == NULL)
		return;
	buffer_finish(&t->recipients);
	spool_finish(&t->spool);
	free(t);
	s->transaction = NULL;
}

static void
refuse_content(struct transaction *t, enum answer problem)
{
	if (t->problem == ANSWER_OK)
		t->problem = problem;
	spool_finish(&t->spool);
}

void
transaction_take(struct session *s, struct slice content)
{
	struct transaction *t = s->transaction;
	struct error err = { 0 };
	t->content_bytes += content.len;
	if (t->problem != ANSWER_OK)
		return;
	data_scan(&t->scan, content);
	if (t->scan.is_malformed)
		refuse_content(t, ANSWER_MALFORMED);
	else if (spool_append(&t->spool, content, &err) != 0)
		refuse_content(t, err.code == ERROR_TOO_LARGE ? ANSWER_TOO_LARGE : ANSWER_NO_SPACE);
}

bool
transaction_is_flood(const struct session *s, uint64_t more_bytes)
{
	uint64_t most = session_config(s)->message_max_bytes * 2 + 1024 * 1024;
	uint64_t seen = s->transaction != NULL ? s->transaction->content_bytes : 0;
	return more_bytes > most || seen > most - more_bytes;
}

void
session_ask_owner(struct session *s)
{
	s->transaction_id = ++s->server->serial << SLOT_BITS | s->slot;
	s->mode = SESSION_WAITING;
	s->depends_on = NULL;
	timer_start(s->timer, SMTPD_TIMEOUT_MINUTES * s->server->minute_ms);
}

static void
ask_owner(struct session *s)
{
	struct transaction *t = s->transaction;
	struct smtpd_message message = { .kind = session_config(s)->kind, .login = s->login, .proved = s->proved,
		.reverse_path = t->reverse_path,
		.recipients = slice_of(buffer_bytes(&t->recipients), buffer_len(&t->recipients)),
		.has_8bit = t->scan.has_8bit, .is_smtputf8 = t->has_utf8_address || t->scan.has_8bit_header };
	if (spool_seal(&t->spool, &message.body, &message.fd, NULL) != 0) {
		session_reply(s, ANSWER_NO_SPACE, NULL);
		transaction_reset(s);
		return;
	}
	session_ask_owner(s);
	message.transaction_id = s->transaction_id;
	const void *depends_on = s->server->events->on_message(s->server->context, &message);
	transaction_reset(s); /* the message is the owner's now, also when it is answered already */
	if (s->mode == SESSION_WAITING)
		s->depends_on = depends_on;
}

void
transaction_complete(struct session *s)
{
	struct transaction *t = s->transaction;
	data_scan_end(&t->scan);
	if (t->problem == ANSWER_OK && (t->scan.is_malformed || t->decoder.is_malformed))
		refuse_content(t, ANSWER_MALFORMED);
	s->mode = SESSION_COMMAND;
	if (t->problem == ANSWER_OK) {
		ask_owner(s);
		return;
	}
	session_reply(s, t->problem, NULL);
	transaction_reset(s);
}
