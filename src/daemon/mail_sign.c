/* SPDX-License-Identifier: ISC */
#include "daemon/mail_sign.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ipc/channel.h"

#define PATIENCE_MS (20 * 1000) /* for the role to be started again */

struct question {
	struct question *next;
	uint64_t id;
	uint8_t purpose;
	unsigned char digest[IPC_DIGEST_BYTES];
	mail_sign_done *done;
	void *context;
};

struct mail_sign {
	struct loop *loop;
	struct channel *channel;
	struct question *first, **last; /* in the order in which they were asked, and are answered */
	uint64_t next_id;
	struct timer *patience;
};

static void
answer_first(struct mail_sign *s, const unsigned char *signature)
{
	struct question *q = s->first;
	s->first = q->next;
	if (s->first == NULL)
		s->last = &s->first;
	timer_stop(s->patience);
	if (s->first != NULL)
		timer_start(s->patience, PATIENCE_MS);
	q->done(q->context, signature);
	free(q);
}

static void
send(struct mail_sign *s, const struct question *q)
{
	const struct ipc_message m = { .type = IPC_TYPE_SIGN, .fd = -1, .sign = { .request_id = q->id, .context = q->purpose,
		.digest = slice_of(q->digest, sizeof q->digest) } };
	if (s->channel != NULL)
		channel_send(s->channel, &m, NULL); /* when it is gone, on_end() says so */
}

static void
on_message(void *context, struct ipc_message *m)
{
	struct mail_sign *s = context;
	if (m->type != IPC_TYPE_SIGNED || s->first == NULL || m->signed_.request_id != s->first->id)
		return;
	answer_first(s, m->signed_.signature.len == IPC_SIGNATURE_BYTES ? m->signed_.signature.data : NULL);
}

static void
on_end(void *context, const struct error *err)
{
	struct mail_sign *s = context;
	if (err->code != ERROR_CLOSED)
		log_warn("sign: %s", err->text);
	channel_free(s->channel);
	s->channel = NULL;
}

static void
on_impatient(void *context)
{
	struct mail_sign *s = context;
	log_error("nobody signs: the role for that does not answer");
	while (s->first != NULL)
		answer_first(s, NULL);
}

void
mail_sign_set_peer(struct mail_sign *s, int fd)
{
	static const struct channel_events events = { on_message, on_end };
	channel_free(s->channel);
	s->channel = channel_new(s->loop, fd, ROLE_MAIL, ROLE_SIGN, &events, s);
	for (const struct question *q = s->first; q != NULL; q = q->next)
		send(s, q);
}

void
mail_sign_ask(struct mail_sign *s, unsigned purpose, const unsigned char digest[IPC_DIGEST_BYTES], mail_sign_done *done, void *context)
{
	struct question *q = calloc(1, sizeof *q);
	assert(q != NULL);
	*q = (struct question){ .id = ++s->next_id, .purpose = (uint8_t)purpose, .done = done, .context = context };
	memcpy(q->digest, digest, sizeof q->digest);
	if (s->first == NULL)
		timer_start(s->patience, PATIENCE_MS);
	*s->last = q;
	s->last = &q->next;
	send(s, q);
}

struct mail_sign *
mail_sign_new(struct loop *loop)
{
	struct mail_sign *s = calloc(1, sizeof *s);
	assert(s != NULL);
	s->loop = loop;
	s->last = &s->first;
	s->patience = timer_new(loop, on_impatient, s);
	return s;
}

void
mail_sign_free(struct mail_sign *s)
{
	if (s == NULL)
		return;
	channel_free(s->channel);
	while (s->first != NULL) {
		struct question *q = s->first;
		s->first = q->next;
		free(q);
	}
	timer_free(s->patience);
	free(s);
}
