/* SPDX-License-Identifier: ISC */
#include "daemon/mail_content.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "ipc/channel.h"

#define IDLE_MS (30 * 1000)
#define START_MS (30 * 1000)  /* for content to be started */
#define ANSWER_MS (60 * 1000) /* for one request */
#define TRIES_MOST 2

struct request {
	struct request *next;
	uint64_t id;
	enum ipc_type type;
	union {
		struct ipc_prepare prepare;
		struct ipc_check check;
		struct ipc_compose_dsn compose;
		struct ipc_compose_note note;
	};
	unsigned char *list; /* owned: the ids, the failures or the text */
	struct body body;
	unsigned tries; /* times it was sent */
	bool is_sent;
	mail_content_done *done;
	void *context;
};

struct mail_content {
	struct loop *loop;
	size_t body_max_bytes;
	void (*need)(void *context);
	void *context;
	struct channel *channel;
	struct request *first, **last;
	size_t waiting;
	uint64_t next_id;
	bool is_called; /* the parent was asked */
	struct timer *timer; /* idle, starting or waiting for an answer */
	struct timer *pump;
};

static void on_message(void *context, struct ipc_message *m);
static void on_end(void *context, const struct error *err);
static const struct channel_events channel_events = { on_message, on_end };

static void
free_request(struct request *r)
{
	body_finish(&r->body);
	free(r->list);
	free(r);
}

/* Takes r out of the list and answers it. */
static void
answer(struct mail_content *c, struct request *r, const struct ipc_content_result *result, struct body *body)
{
	struct request **at = &c->first;
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (c->last == &r->next)
		c->last = at;
	c->waiting--;
	r->done(r->context, result, body);
	free_request(r);
}

/* ---- sending */

/* What comes in a file is to go into a file. */
static int
send_file(struct mail_content *c, const struct request *r, struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_PREPARE_INTO, .fd = -1, .prepare_into.request_id = r->id };
	if (file_open_unnamed(AT_FDCWD, &m.fd, err) != 0)
		return -1;
	int result = channel_send(c->channel, &m, err);
	file_close(&m.fd);
	return result;
}

static bool
send_request(struct mail_content *c, struct request *r)
{
	struct error err = { 0 };
	if (r->type == IPC_TYPE_PREPARE && r->body.file_bytes > 0 && send_file(c, r, &err) != 0)
		log_warn("%s", err.text); /* content will refuse the message for want of the file */
	struct ipc_message m = { .type = r->type, .fd = -1 };
	struct slice *inline_bytes;
	if (r->type == IPC_TYPE_PREPARE) {
		m.prepare = r->prepare;
		m.prepare.now_s = (uint64_t)clock_wall_s();
		inline_bytes = &m.prepare.body;
	} else if (r->type == IPC_TYPE_CHECK) {
		m.check = r->check;
		inline_bytes = &m.check.body;
	} else if (r->type == IPC_TYPE_COMPOSE_NOTE) {
		m.compose_note = r->note;
		inline_bytes = &m.compose_note.body;
	} else {
		m.compose_dsn = r->compose;
		m.compose_dsn.now_s = (uint64_t)clock_wall_s();
		inline_bytes = &m.compose_dsn.body;
	}
	if (body_attach(&r->body, &m, inline_bytes, &err) != 0 || channel_send(c->channel, &m, &err) != 0) {
		log_warn("cannot ask content: %s", err.text);
		return false;
	}
	r->is_sent = true;
	r->tries++;
	return true;
}

static void
on_pump(void *context)
{
	struct mail_content *c = context;
	size_t sent = 0, limit = MAIL_CONTENT_AT_ONCE;
	if (c->first == NULL) {
		if (c->channel != NULL)
			timer_start(c->timer, IDLE_MS);
		return;
	}
	if (c->channel == NULL) {
		if (!c->is_called) {
			c->is_called = true;
			c->need(c->context);
			timer_start(c->timer, START_MS);
		}
		return;
	}
	for (struct request *r = c->first; r != NULL; r = r->next) {
		sent += r->is_sent;
		if (r->tries > 0 && (!r->is_sent || r->tries > 1))
			limit = 1; /* it may be what content died of: alone, so that no other suffers for it */
	}
	for (struct request *r = c->first; r != NULL && sent < limit; r = r->next)
		if (!r->is_sent) {
			if (!send_request(c, r))
				break; /* the channel's end follows */
			sent++;
		}
	timer_start(c->timer, ANSWER_MS);
}

static void
add(struct mail_content *c, struct request *r, struct body *body, mail_content_done *done, void *context)
{
	r->id = ++c->next_id;
	r->body = *body;
	*body = BODY_EMPTY;
	r->done = done;
	r->context = context;
	*c->last = r;
	c->last = &r->next;
	c->waiting++;
	timer_start(c->pump, 0);
}

static unsigned char *
copy_of(struct slice s)
{
	unsigned char *copy = malloc(s.len + 1);
	assert(copy != NULL);
	memcpy(copy, s.data, s.len);
	return copy;
}

void
mail_content_prepare(struct mail_content *c, const struct mail_content_message *message, struct body *body,
    mail_content_done *done, void *context)
{
	struct request *r = calloc(1, sizeof *r);
	assert(r != NULL);
	r->list = copy_of(message->ids);
	r->type = IPC_TYPE_PREPARE;
	strncpy(r->prepare.local_part, message->local_part, sizeof r->prepare.local_part - 1);
	strncpy(r->prepare.onion, message->onion, sizeof r->prepare.onion - 1);
	strncpy(r->prepare.to, message->to, sizeof r->prepare.to - 1);
	strncpy(r->prepare.id_letters, message->id_letters, sizeof r->prepare.id_letters - 1);
	r->prepare.date_step_s = message->date_step_s;
	r->prepare.ids = slice_of(r->list, message->ids.len);
	add(c, r, body, done, context);
	r->prepare.request_id = r->id;
}

void
mail_content_check(struct mail_content *c, const char *onion, struct body *body, mail_content_done *done, void *context)
{
	struct request *r = calloc(1, sizeof *r);
	assert(r != NULL);
	r->type = IPC_TYPE_CHECK;
	strncpy(r->check.onion, onion, sizeof r->check.onion - 1);
	add(c, r, body, done, context);
	r->check.request_id = r->id;
}

void
mail_content_compose_note(struct mail_content *c, const char *mark, struct slice text, bool is_cut, struct body *body,
    mail_content_done *done, void *context)
{
	struct request *r = calloc(1, sizeof *r);
	assert(r != NULL);
	r->list = copy_of(text);
	r->type = IPC_TYPE_COMPOSE_NOTE;
	strncpy(r->note.mark, mark, sizeof r->note.mark - 1);
	r->note.is_cut = is_cut;
	r->note.text = slice_of(r->list, text.len);
	add(c, r, body, done, context);
	r->note.request_id = r->id;
}

void
mail_content_compose_dsn(struct mail_content *c, const struct mail_content_dsn *dsn, struct body *body,
    mail_content_done *done, void *context)
{
	struct request *r = calloc(1, sizeof *r);
	assert(r != NULL);
	r->list = copy_of(dsn->failures);
	r->type = IPC_TYPE_COMPOSE_DSN;
	strncpy(r->compose.onion, dsn->onion, sizeof r->compose.onion - 1);
	strncpy(r->compose.recipient, dsn->recipient, sizeof r->compose.recipient - 1);
	r->compose.arrival_s = (uint64_t)dsn->arrival_s;
	r->compose.will_end_s = (uint64_t)dsn->will_end_s;
	r->compose.failures = slice_of(r->list, dsn->failures.len);
	add(c, r, body, done, context);
	r->compose.request_id = r->id;
}

/* ---- the channel */

static void
lose_channel(struct mail_content *c)
{
	channel_free(c->channel);
	c->channel = NULL;
	c->is_called = false;
	timer_stop(c->timer);
	for (struct request *r = c->first, *next; r != NULL; r = next) {
		next = r->next;
		if (!r->is_sent)
			continue;
		r->is_sent = false;
		if (r->tries >= TRIES_MOST) {
			log_error("content died twice of one message, which is refused");
			answer(c, r, NULL, NULL);
		}
	}
	timer_start(c->pump, 0);
}

static void
on_end(void *context, const struct error *err)
{
	struct mail_content *c = context;
	if (c->first != NULL)
		log_warn("%s with requests open", err->text);
	lose_channel(c);
}

static void
on_message(void *context, struct ipc_message *m)
{
	struct mail_content *c = context;
	struct error err = { 0 };
	struct body body = BODY_EMPTY;
	struct request *r = c->first;
	while (r != NULL && (!r->is_sent || r->id != m->content_result.request_id))
		r = r->next;
	if (r == NULL)
		return;
	if (body_take_any(m, m->content_result.body, c->body_max_bytes, &body, &err) != 0) {
		log_error("%s", err.text);
		answer(c, r, NULL, NULL);
	} else {
		answer(c, r, &m->content_result, &body);
	}
	body_finish(&body);
	timer_start(c->pump, 0);
}

static void
on_timer(void *context)
{
	struct mail_content *c = context;
	if (c->first == NULL || c->channel != NULL) {
		if (c->first != NULL)
			log_warn("content gives no answer");
		lose_channel(c); /* closing it ends an idle content role, and one that hangs is left to the parent */
		return;
	}
	log_error("no content role was started");
	c->is_called = false;
	while (c->first != NULL)
		answer(c, c->first, NULL, NULL);
}

void
mail_content_set_peer(struct mail_content *c, int fd)
{
	if (c->channel != NULL)
		lose_channel(c);
	c->channel = channel_new(c->loop, fd, ROLE_MAIL, ROLE_CONTENT, &channel_events, c);
	c->is_called = false;
	timer_start(c->pump, 0);
}

size_t
mail_content_waiting(const struct mail_content *c)
{
	return c->waiting;
}

struct mail_content *
mail_content_new(struct loop *loop, size_t body_max_bytes, void (*need)(void *context), void *context)
{
	struct mail_content *c = calloc(1, sizeof *c);
	assert(c != NULL);
	*c = (struct mail_content){ .loop = loop, .body_max_bytes = body_max_bytes, .need = need, .context = context };
	c->last = &c->first;
	c->timer = timer_new(loop, on_timer, c);
	c->pump = timer_new(loop, on_pump, c);
	return c;
}

void
mail_content_free(struct mail_content *c)
{
	if (c == NULL)
		return;
	channel_free(c->channel);
	while (c->first != NULL) {
		struct request *r = c->first;
		c->first = r->next;
		free_request(r);
	}
	timer_free(c->timer);
	timer_free(c->pump);
	free(c);
}
