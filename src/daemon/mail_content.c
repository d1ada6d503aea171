/* SPDX-License-Identifier: ISC */
#include "daemon/mail_content.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
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
	struct ipc_message ask;
	uint32_t date_step_s; /* of SEAL */
	unsigned char *list; /* owned: the ids, the keys, the failures or the text */
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
answer(struct mail_content *c, struct request *r, const struct ipc_message *message, struct body *body)
{
	struct request **at = &c->first;
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (c->last == &r->next)
		c->last = at;
	c->waiting--;
	r->done(r->context, message, body);
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

/* Where a request has its body; NULL: it comes without one. */
static struct slice *
body_of(struct ipc_message *m)
{
	switch (m->type) {
	case IPC_TYPE_PREPARE:
		return &m->prepare.body;
	case IPC_TYPE_SEAL:
		return &m->seal.body;
	case IPC_TYPE_CHECK:
		return &m->check.body;
	case IPC_TYPE_OPEN:
		return &m->open.body;
	case IPC_TYPE_COMPOSE_NOTE:
		return &m->compose_note.body;
	case IPC_TYPE_COMPOSE_CARD:
	case IPC_TYPE_CHECK_CARD:
		return NULL;
	default:
		return &m->compose_dsn.body;
	}
}

static void
set_time(struct ipc_message *m, uint32_t date_step_s)
{
	uint64_t now_s = (uint64_t)clock_wall_s();
	if (m->type == IPC_TYPE_PREPARE)
		m->prepare.now_s = now_s;
	else if (m->type == IPC_TYPE_SEAL)
		m->seal.now_s = date_step_s > 0 ? now_s - now_s % date_step_s : now_s;
	else if (m->type == IPC_TYPE_COMPOSE_DSN)
		m->compose_dsn.now_s = now_s;
}

static bool
send_request(struct mail_content *c, struct request *r)
{
	struct error err = { 0 };
	struct ipc_message m = r->ask;
	bool is_made = m.type == IPC_TYPE_PREPARE || m.type == IPC_TYPE_SEAL;
	if (is_made && r->body.file_bytes > 0 && send_file(c, r, &err) != 0)
		log_warn("%s", err.text); /* content will refuse the message for want of the file */
	set_time(&m, r->date_step_s);
	struct slice *inline_bytes = body_of(&m);
	if ((inline_bytes != NULL && body_attach(&r->body, &m, inline_bytes, &err) != 0) || channel_send(c->channel, &m, &err) != 0) {
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

/* A request of that type. list: what it brings besides its body, which is copied. */
static struct request *
new_request(struct mail_content *c, enum ipc_type type, struct slice list, mail_content_done *done, void *context)
{
	struct request *r = calloc(1, sizeof *r);
	assert(r != NULL);
	*r = (struct request){ .id = ++c->next_id, .ask = { .type = type, .fd = -1 }, .body = BODY_EMPTY, .done = done, .context = context };
	r->list = malloc(list.len + 1);
	assert(r->list != NULL);
	memcpy(r->list, list.data, list.len);
	return r;
}

static void
add(struct mail_content *c, struct request *r, struct body *body)
{
	r->body = *body;
	*body = BODY_EMPTY;
	*c->last = r;
	c->last = &r->next;
	c->waiting++;
	timer_start(c->pump, 0);
}

#define PUT(to, from) snprintf(to, sizeof (to), "%s", from)

void
mail_content_prepare(struct mail_content *c, const struct mail_content_message *message, struct body *body,
    mail_content_done *done, void *context)
{
	struct request *r = new_request(c, IPC_TYPE_PREPARE, message->ids, done, context);
	struct ipc_prepare *m = &r->ask.prepare;
	PUT(m->local_part, message->local_part);
	PUT(m->onion, message->onion);
	PUT(m->to, message->to);
	PUT(m->id_letters, message->id_letters);
	m->date_step_s = message->date_step_s;
	m->ids = slice_of(r->list, message->ids.len);
	m->request_id = r->id;
	add(c, r, body);
}

void
mail_content_seal(struct mail_content *c, const struct mail_content_seal *seal, struct body *body, mail_content_done *done, void *context)
{
	struct request *r = new_request(c, IPC_TYPE_SEAL, seal->keys, done, context);
	struct ipc_seal *m = &r->ask.seal;
	PUT(m->local_part, seal->local_part);
	PUT(m->onion, seal->onion);
	PUT(m->to, seal->to);
	m->how = (uint8_t)seal->how;
	r->date_step_s = seal->date_step_s;
	m->keys = slice_of(r->list, seal->keys.len);
	m->request_id = r->id;
	add(c, r, body);
}

void
mail_content_check(struct mail_content *c, const char *onion, struct body *body, mail_content_done *done, void *context)
{
	struct request *r = new_request(c, IPC_TYPE_CHECK, slice_of("", 0), done, context);
	PUT(r->ask.check.onion, onion);
	r->ask.check.request_id = r->id;
	add(c, r, body);
}

void
mail_content_open(struct mail_content *c, const char *onion, const char *sender, struct slice keys, struct body *body,
    mail_content_done *done, void *context)
{
	struct request *r = new_request(c, IPC_TYPE_OPEN, keys, done, context);
	struct ipc_open *m = &r->ask.open;
	PUT(m->onion, onion);
	PUT(m->sender, sender);
	m->keys = slice_of(r->list, keys.len);
	m->request_id = r->id;
	add(c, r, body);
}

void
mail_content_compose_note(struct mail_content *c, const char *mark, struct slice text, bool is_cut, struct body *body,
    mail_content_done *done, void *context)
{
	struct request *r = new_request(c, IPC_TYPE_COMPOSE_NOTE, text, done, context);
	struct ipc_compose_note *m = &r->ask.compose_note;
	PUT(m->mark, mark);
	m->is_cut = is_cut;
	m->text = slice_of(r->list, text.len);
	m->request_id = r->id;
	add(c, r, body);
}

void
mail_content_compose_dsn(struct mail_content *c, const struct mail_content_dsn *dsn, struct body *body,
    mail_content_done *done, void *context)
{
	struct request *r = new_request(c, IPC_TYPE_COMPOSE_DSN, dsn->failures, done, context);
	struct ipc_compose_dsn *m = &r->ask.compose_dsn;
	PUT(m->onion, dsn->onion);
	PUT(m->recipient, dsn->recipient);
	m->arrival_s = (uint64_t)dsn->arrival_s;
	m->will_end_s = (uint64_t)dsn->will_end_s;
	m->failures = slice_of(r->list, dsn->failures.len);
	m->request_id = r->id;
	add(c, r, body);
}

void
mail_content_compose_card(struct mail_content *c, const struct ipc_compose_card *card, mail_content_done *done, void *context)
{
	struct request *r = new_request(c, IPC_TYPE_COMPOSE_CARD, slice_of("", 0), done, context);
	r->ask.compose_card = *card;
	r->ask.compose_card.request_id = r->id;
	add(c, r, &(struct body){ .fd = -1 });
}

void
mail_content_check_card(struct mail_content *c, struct slice text, mail_content_done *done, void *context)
{
	struct request *r = new_request(c, IPC_TYPE_CHECK_CARD, text, done, context);
	r->ask.check_card.text = slice_of(r->list, text.len);
	r->ask.check_card.request_id = r->id;
	add(c, r, &(struct body){ .fd = -1 });
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

/* Which request a message answers, and where it has its body. 0: it answers none. */
static uint64_t
answered_by(const struct ipc_message *m, enum ipc_type asked, struct slice *inline_bytes)
{
	*inline_bytes = slice_of("", 0);
	if (m->type == IPC_TYPE_CHECKED)
		return asked == IPC_TYPE_CHECK ? m->checked.request_id : 0;
	if (m->type == IPC_TYPE_OPENED) {
		*inline_bytes = m->opened.body;
		return asked == IPC_TYPE_OPEN ? m->opened.request_id : 0;
	}
	*inline_bytes = m->content_result.body;
	return asked == IPC_TYPE_CHECK || asked == IPC_TYPE_OPEN ? 0 : m->content_result.request_id;
}

static void
on_message(void *context, struct ipc_message *m)
{
	struct mail_content *c = context;
	struct error err = { 0 };
	struct body body = BODY_EMPTY;
	struct slice inline_bytes;
	struct request *r = c->first;
	while (r != NULL && (!r->is_sent || answered_by(m, r->ask.type, &inline_bytes) != r->id))
		r = r->next;
	if (r == NULL)
		return;
	if (body_take_any(m, inline_bytes, c->body_max_bytes, &body, &err) != 0) {
		log_error("%s", err.text);
		answer(c, r, NULL, NULL);
	} else {
		answer(c, r, m, &body);
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
