/* SPDX-License-Identifier: ISC */
#include "queue/dispatch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/random.h"

#define WARM_MS (60 * 1000)
#define DIAL_MS (5 * 60 * 1000)     /* tor's and SMTP's own timeouts are shorter; this is for roles that hang */
#define DELIVER_MS (60 * 60 * 1000)
#define QUIT_MS (60 * 1000)
#define TOR_DOWN_MS (2 * 1000)      /* tor says it is not ready: ask again */
#define LOOK_MOST_MS (60 * 60 * 1000)

enum state {
	FREE,
	DIALLING,   /* SESSION_START and DIAL sent */
	WARM,       /* ready, nothing at hand */
	DELIVERING, /* DELIVER sent */
	QUITTING,   /* SESSION_QUIT sent */
};

struct session {
	struct dispatch *dispatch;
	enum state state;
	uint64_t id;
	char onion[IPC_ONION_MAX + 1];
	uint16_t port;
	uint64_t size_max_bytes;
	int64_t warm_until_ms;  /* WARM: queue clock */
	struct queue_item item; /* DELIVERING */
	struct timer *timer;
};

struct dispatch {
	struct loop *loop;
	struct mailstore *mailstore;
	const struct dispatch_events *events;
	void *context;
	struct session sessions[DISPATCH_SESSIONS_MAX];
	struct timer *look;     /* when the next peer is due, or at once */
	int64_t paused_until_ms; /* queue clock: tor was not ready */
	uint64_t next_id;
	uint64_t bytes_at_hand;
	bool has_postponed; /* a session waits until bytes_at_hand has room */
	bool has_tor, has_smtp, is_stopped, is_broken;
};

static void on_look(void *context);
static void on_session_timer(void *context);
static void go_on(struct session *s);

/* ---- the object */

struct dispatch *
dispatch_new(struct loop *loop, struct mailstore *mailstore, const struct dispatch_events *events, void *context)
{
	struct dispatch *d = calloc(1, sizeof *d);
	assert(d != NULL);
	*d = (struct dispatch){ .loop = loop, .mailstore = mailstore, .events = events, .context = context };
	d->next_id = random_u64(); /* so that no session of a process before this one has the same */
	d->look = timer_new(loop, on_look, d);
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++) {
		d->sessions[i].dispatch = d;
		d->sessions[i].timer = timer_new(loop, on_session_timer, &d->sessions[i]);
	}
	return d;
}

static void
let_go_of_item(struct session *s)
{
	struct dispatch *d = s->dispatch;
	if (s->state == DELIVERING)
		d->bytes_at_hand -= s->item.body_bytes;
	queue_item_finish(&s->item);
	if (d->has_postponed && !d->is_stopped) {
		d->has_postponed = false;
		timer_start(d->look, 0);
	}
}

static void
release(struct session *s)
{
	let_go_of_item(s);
	timer_stop(s->timer);
	s->state = FREE;
}

void
dispatch_free(struct dispatch *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++) {
		release(&d->sessions[i]);
		timer_free(d->sessions[i].timer);
	}
	timer_free(d->look);
	free(d);
}

/* true: it failed, and the owner knows. */
static bool
broke(struct dispatch *d, int result, const struct error *err)
{
	if (result >= 0)
		return false;
	if (error_is_temporary(err) && err->code != ERROR_IO && !d->is_broken) {
		log_warn("%s", err->text);
		timer_start(d->look, 5000);
		return true;
	}
	if (!d->is_broken) {
		d->is_broken = true;
		d->events->on_broken(d->context, err);
	}
	return true;
}

static struct queue *
queue_of(struct session *s)
{
	return mailstore_queue(s->dispatch->mailstore);
}

static int64_t
now_of(struct session *s)
{
	return mailstore_now_ms(s->dispatch->mailstore);
}

static bool
may_dial(const struct dispatch *d)
{
	return d->has_tor && d->has_smtp && !d->is_stopped && !d->is_broken;
}

/* ---- orders to the other roles */

static bool
order_quit(struct session *s)
{
	struct ipc_message m = { .type = IPC_TYPE_SESSION_QUIT, .fd = -1 };
	m.session_quit.session_id = s->id;
	return s->dispatch->events->send_smtp(s->dispatch->context, &m);
}

static void
cancel_dial(struct session *s)
{
	struct ipc_message m = { .type = IPC_TYPE_DIAL_CANCEL, .fd = -1 };
	m.dial_cancel.session_id = s->id;
	s->dispatch->events->send_tor(s->dispatch->context, &m);
}

static void
quit(struct session *s)
{
	order_quit(s);
	s->state = QUITTING;
	timer_start(s->timer, QUIT_MS);
}

static void
dial(struct session *s, uint16_t port)
{
	struct dispatch *d = s->dispatch;
	struct ipc_message start = { .type = IPC_TYPE_SESSION_START, .fd = -1 };
	struct ipc_message m = { .type = IPC_TYPE_DIAL, .fd = -1 };
	s->id = d->next_id++;
	s->port = port;
	s->state = DIALLING;
	s->size_max_bytes = 0;
	start.session_start.session_id = m.dial.session_id = s->id;
	memcpy(start.session_start.onion, s->onion, sizeof s->onion);
	memcpy(m.dial.onion, s->onion, sizeof s->onion);
	start.session_start.mode = port == PEERS_PORT_SMTORP ? SESSION_SMTORP : SESSION_SMTP;
	m.dial.port = port;
	timer_start(s->timer, DIAL_MS);
	if (d->events->send_smtp(d->context, &start) && d->events->send_tor(d->context, &m))
		return;
	release(s); /* a channel is gone: the owner says so soon */
	timer_start(d->look, TOR_DOWN_MS);
}

/* ---- looking for work */

static bool
is_busy(void *context, const char *onion)
{
	struct dispatch *d = context;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++)
		if (d->sessions[i].state != FREE && strcmp(d->sessions[i].onion, onion) == 0)
			return true;
	return false;
}

static struct session *
find(struct dispatch *d, enum state state)
{
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++)
		if (d->sessions[i].state == state)
			return &d->sessions[i];
	return NULL;
}

static void
wait_for(struct dispatch *d, int64_t ms)
{
	timer_start(d->look, ms < 1 ? 1 : ms > LOOK_MOST_MS ? LOOK_MOST_MS : ms);
}

static void
dial_what_is_due(struct dispatch *d)
{
	struct error err = { 0 };
	struct peer peer;
	while (may_dial(d)) {
		int64_t now_ms = mailstore_now_ms(d->mailstore);
		int found = peers_next(queue_peers(mailstore_queue(d->mailstore)), now_ms, is_busy, d, &peer, &err);
		if (broke(d, found, &err) || found == 0)
			return;
		int64_t due_ms = peer.due_ms > d->paused_until_ms ? peer.due_ms : d->paused_until_ms;
		if (due_ms > now_ms) {
			wait_for(d, due_ms - now_ms);
			return;
		}
		struct session *s = find(d, FREE);
		if (s == NULL) {
			s = find(d, WARM); /* its end brings us back here */
			if (s != NULL)
				quit(s);
			return;
		}
		memcpy(s->onion, peer.onion, sizeof s->onion);
		dial(s, peer.port);
	}
}

static void
on_look(void *context)
{
	struct dispatch *d = context;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX && !d->is_broken; i++)
		if (d->sessions[i].state == WARM)
			go_on(&d->sessions[i]);
	dial_what_is_due(d);
}

void
dispatch_wake(struct dispatch *d)
{
	timer_start(d->look, 0);
}

/* ---- handing over messages */

static void
refuse_too_large(struct session *s, struct queue_item *item)
{
	struct error err = { 0 };
	struct buffer results;
	struct pack_result r = { 552, slice_of_string("5.3.4"),
		slice_of_string("the message is larger than the recipient's server takes") };
	buffer_init(&results, IPC_RECIPIENTS_MAX);
	int result = 0;
	for (size_t i = 0; i < item->recipient_count && result == 0; i++)
		result = pack_result(&results, &r, &err);
	if (result == 0)
		result = queue_result(queue_of(s), s->onion, item, slice_of(buffer_bytes(&results), buffer_len(&results)),
		    now_of(s), random_u64(), &err);
	buffer_finish(&results);
	if (!broke(s->dispatch, result, &err))
		s->dispatch->events->on_result(s->dispatch->context);
}

/* Moves the item into the session. */
static void
hand_over(struct session *s, struct queue_item *item)
{
	struct dispatch *d = s->dispatch;
	struct error err = { 0 };
	struct body body = BODY_EMPTY;
	struct ipc_message m = { .type = IPC_TYPE_DELIVER, .fd = -1 };
	int result = queue_load_body(queue_of(s), item->body, item->body_bytes, &body, &err);
	if (result == 0)
		result = body_attach(&body, &m, &m.deliver.body, &err);
	if (result == 0) {
		m.deliver.session_id = s->id;
		m.deliver.delivery_id = item->id;
		memcpy(m.deliver.reverse_path, item->reverse_path, sizeof m.deliver.reverse_path);
		m.deliver.recipients = slice_of(buffer_bytes(&item->recipients), buffer_len(&item->recipients));
		m.deliver.flags = item->flags;
		if (d->events->send_smtp(d->context, &m)) {
			d->bytes_at_hand += item->body_bytes;
			s->item = *item;
			*item = (struct queue_item){ 0 };
			s->state = DELIVERING;
			timer_start(s->timer, DELIVER_MS);
		}
	}
	body_finish(&body);
	broke(d, result, &err);
}

/* How long a warm session sleeps: until the next message for it is due, or until it has been warm for long enough. */
static void
sleep_warm(struct session *s)
{
	struct error err = { 0 };
	int64_t now_ms = now_of(s), due_ms;
	int64_t until_ms = s->warm_until_ms;
	int found = queue_next_due(queue_of(s), s->onion, &due_ms, &err);
	if (broke(s->dispatch, found, &err))
		return;
	if (found == 1 && due_ms > now_ms && due_ms < until_ms)
		until_ms = due_ms;
	timer_start(s->timer, until_ms > now_ms ? until_ms - now_ms : 0);
}

/* The session is ready: the next message, or warmth. */
static void
go_on(struct session *s)
{
	struct dispatch *d = s->dispatch;
	struct error err = { 0 };
	struct queue_item item;
	if (s->state != WARM)
		s->warm_until_ms = now_of(s) + WARM_MS;
	s->state = WARM;
	for (bool again = true; again && s->state == WARM && !d->is_broken;) {
		int found = d->is_stopped ? 0 : queue_next_item(queue_of(s), s->onion, now_of(s), &item, &err);
		if (broke(d, found, &err))
			return;
		if (found == 0)
			break;
		again = false;
		if (s->size_max_bytes != 0 && item.body_bytes > s->size_max_bytes) {
			refuse_too_large(s, &item);
			again = true;
		} else if (d->bytes_at_hand == 0 || d->bytes_at_hand + item.body_bytes <= DISPATCH_BYTES_MAX) {
			hand_over(s, &item);
		} else {
			d->has_postponed = true;
		}
		queue_item_finish(&item);
	}
	if (s->state == WARM)
		sleep_warm(s);
}

/* ---- what went wrong */

/* The peer as a whole: due again by the schedule. */
static void
peer_failed(struct session *s, unsigned code, const char *enhanced, const char *text)
{
	struct error err = { 0 };
	struct pack_result why = { code, slice_of_string(enhanced), slice_of_string(text) };
	struct dispatch *d = s->dispatch;
	int result = code >= 500
	    ? queue_fail_all(queue_of(s), s->onion, &why, &err)
	    : queue_peer_failed(queue_of(s), s->onion, &why, now_of(s), random_u64(), &err);
	release(s);
	if (!broke(d, result, &err))
		d->events->on_result(d->context);
	dispatch_wake(d);
}

/* The message at hand: nobody knows whether it arrived. */
static void
defer_item(struct session *s)
{
	struct error err = { 0 };
	if (s->state != DELIVERING)
		return;
	int result = queue_result(queue_of(s), s->onion, &s->item, slice_of("", 0), now_of(s), random_u64(), &err);
	if (!broke(s->dispatch, result, &err))
		s->dispatch->events->on_result(s->dispatch->context);
}

/* Nobody's fault: tried again as soon as it can be. */
static void
drop(struct session *s)
{
	release(s);
	dispatch_wake(s->dispatch);
}

static void
on_session_timer(void *context)
{
	struct session *s = context;
	switch (s->state) {
	case WARM:
		if (now_of(s) >= s->warm_until_ms)
			quit(s);
		else
			go_on(s);
		break;
	case DIALLING:
		cancel_dial(s);
		order_quit(s);
		peer_failed(s, 451, "4.4.1", "no connection within five minutes");
		break;
	case DELIVERING:
		order_quit(s);
		defer_item(s);
		peer_failed(s, 451, "4.4.2", "no answer within an hour");
		break;
	case QUITTING:
	case FREE:
		drop(s);
		break;
	}
}

static const char *
text_or(const char *text, const char *otherwise)
{
	return text[0] != '\0' ? text : otherwise;
}

static void
on_dial_failed(struct session *s, const struct ipc_dial_failed *f)
{
	struct dispatch *d = s->dispatch;
	struct error err = { 0 };
	if (s->state != DIALLING)
		return;
	order_quit(s); /* it waits for a connection that does not come */
	switch ((enum ipc_dial_reason)f->reason) {
	case DIAL_REASON_TOR_DOWN:
		d->paused_until_ms = now_of(s) + random_jitter_ms(TOR_DOWN_MS, 25);
		drop(s);
		return;
	case DIAL_REASON_PORT_REFUSED:
		if (s->port == PEERS_PORT_SMTORP) {
			dial(s, PEERS_PORT_SMTP);
			return;
		}
		if (broke(d, peers_forget_port(queue_peers(queue_of(s)), s->onion, &err), &err))
			return;
		peer_failed(s, 451, "4.4.1", "the recipient's onion service takes no mail");
		return;
	case DIAL_REASON_BAD_ADDRESS:
		peer_failed(s, 550, "5.1.2", text_or(f->text, "there can be no such onion service"));
		return;
	case DIAL_REASON_AUTHORIZATION:
		peer_failed(s, 451, "4.7.0", text_or(f->text, "the recipient's onion service needs an authorisation key that we do not have"));
		return;
	case DIAL_REASON_OTHER:
	case DIAL_REASON_NO_DESCRIPTOR:
	case DIAL_REASON_OFFLINE:
	case DIAL_REASON_RENDEZVOUS:
	case DIAL_REASON_TIMEOUT:
		break;
	}
	peer_failed(s, 451, "4.4.1", text_or(f->text, "the recipient's onion service cannot be reached now"));
}

static void
on_ready(struct session *s, const struct ipc_session_ready *r)
{
	struct error err = { 0 };
	if (s->state != DIALLING)
		return;
	s->size_max_bytes = r->size_max_bytes;
	if (!broke(s->dispatch, peers_reached(queue_peers(queue_of(s)), s->onion, s->port, now_of(s), &err), &err))
		go_on(s);
}

static void
on_delivered(struct session *s, const struct ipc_delivered *r)
{
	struct dispatch *d = s->dispatch;
	struct error err = { 0 };
	if (s->state != DELIVERING || r->delivery_id != s->item.id)
		return;
	int result = queue_result(queue_of(s), s->onion, &s->item, r->results, now_of(s), random_u64(), &err);
	let_go_of_item(s);
	s->state = QUITTING; /* nothing is at hand; go_on() makes it WARM */
	if (broke(d, result, &err))
		return;
	d->events->on_result(d->context);
	go_on(s);
}

static void
on_end(struct session *s, const struct ipc_session_end *e)
{
	bool is_early = s->state == DIALLING;
	if (s->state == WARM || s->state == QUITTING) {
		drop(s);
		return;
	}
	if (is_early && e->reason == SESSION_END_NOT_SMTORP && s->port == PEERS_PORT_SMTORP) {
		dial(s, PEERS_PORT_SMTP);
		return;
	}
	if (is_early)
		cancel_dial(s);
	if (!s->dispatch->has_tor && e->reason == SESSION_END_LOST) {
		drop(s); /* tor died, and all its connections with it */
		return;
	}
	defer_item(s);
	switch ((enum ipc_end_reason)e->reason) {
	case SESSION_END_REFUSED:
		peer_failed(s, e->code >= 500 && is_early ? e->code : 451, e->code >= 500 && is_early ? "5.3.2" : "4.3.2",
		    text_or(e->text, "the recipient's server refused the session"));
		return;
	case SESSION_END_PROTOCOL:
		peer_failed(s, 451, "4.5.0", text_or(e->text, "the recipient's server does not speak SMTP as it must"));
		return;
	case SESSION_END_QUIT:
	case SESSION_END_LOST:
	case SESSION_END_NOT_SMTORP:
	case SESSION_END_TIMEOUT:
		break;
	}
	peer_failed(s, 451, "4.4.2", text_or(e->text, "the connection to the recipient's server broke"));
}

/* ---- from the owner */

static struct session *
by_id(struct dispatch *d, uint64_t id)
{
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++)
		if (d->sessions[i].state != FREE && d->sessions[i].id == id)
			return &d->sessions[i];
	return NULL;
}

bool
dispatch_on_message(struct dispatch *d, const struct ipc_message *m)
{
	struct session *s;
	if (d->is_broken)
		return true;
	switch (m->type) {
	case IPC_TYPE_DIAL_FAILED:
		if ((s = by_id(d, m->dial_failed.session_id)) != NULL)
			on_dial_failed(s, &m->dial_failed);
		return true;
	case IPC_TYPE_SESSION_READY:
		if ((s = by_id(d, m->session_ready.session_id)) != NULL)
			on_ready(s, &m->session_ready);
		return true;
	case IPC_TYPE_DELIVERED:
		if ((s = by_id(d, m->delivered.session_id)) != NULL)
			on_delivered(s, &m->delivered);
		return true;
	case IPC_TYPE_SESSION_END:
		if ((s = by_id(d, m->session_end.session_id)) != NULL)
			on_end(s, &m->session_end);
		return true;
	default:
		return false;
	}
}

void
dispatch_set_tor(struct dispatch *d, bool is_there)
{
	d->has_tor = false;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++)
		if (d->sessions[i].state == DIALLING) {
			order_quit(&d->sessions[i]);
			release(&d->sessions[i]);
		}
	d->has_tor = is_there;
	d->paused_until_ms = 0;
	dispatch_wake(d);
}

void
dispatch_set_smtp(struct dispatch *d, bool is_there)
{
	d->has_smtp = false;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX && !d->is_broken; i++) {
		struct session *s = &d->sessions[i];
		if (s->state == DIALLING)
			cancel_dial(s);
		defer_item(s); /* perhaps this message is what it died of */
		release(s);
	}
	d->has_smtp = is_there;
	dispatch_wake(d);
}

void
dispatch_stop(struct dispatch *d)
{
	d->is_stopped = true;
	timer_stop(d->look);
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++)
		if (d->sessions[i].state == WARM)
			quit(&d->sessions[i]);
}
