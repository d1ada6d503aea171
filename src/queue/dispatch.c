/* SPDX-License-Identifier: ISC */
#include "queue/dispatch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/random.h"
#include "queue/dispatch_internal.h"

#define LOOK_MOST_MS (60 * 60 * 1000)
#define PROVED_SPREAD_MS 5000

static void on_look(void *context);
/* ---- the object */

struct dispatch *
dispatch_new(struct loop *loop, struct mailstore *mailstore, int64_t stagger_ms, const struct dispatch_events *events,
    void *context)
{
	struct dispatch *d = calloc(1, sizeof *d);
	assert(d != NULL);
	*d = (struct dispatch){ .loop = loop, .mailstore = mailstore, .stagger_ms = stagger_ms, .events = events,
		.context = context };
	d->next_id = random_u64(); /* so that no session of a process before this one has the same */
	d->look = timer_new(loop, on_look, d);
	d->resumable = sessions_open();
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++) {
		d->sessions[i].dispatch = d;
		d->sessions[i].timer = timer_new(loop, outbound_on_timer, &d->sessions[i]);
	}
	return d;
}

void
dispatch_free(struct dispatch *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++) {
		outbound_release(&d->sessions[i]);
		timer_free(d->sessions[i].timer);
	}
	timer_free(d->look);
	sessions_free(d->resumable);
	free(d);
}

int64_t
dispatch_stagger_ms(const struct dispatch *d)
{
	return schedule_stagger_ms(d->stagger_ms, random_u64());
}

/* true: it failed, and the owner knows. */
bool
dispatch_broke(struct dispatch *d, int result, const struct error *err)
{
	if (result >= 0)
		return false;
	if (error_is_temporary(err) && !database_is_lost(err) && !d->is_broken) {
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

static bool
may_dial(const struct dispatch *d)
{
	return d->has_tor && d->has_smtp && !d->is_stopped && !d->is_broken;
}

/* ---- looking for work */

/* What is_out() goes by. */
struct places {
	const struct dispatch *dispatch;
	unsigned dials, doubtful;
};

static struct places
count_places(const struct dispatch *d)
{
	struct places places = { .dispatch = d };
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++)
		if (d->sessions[i].state == OUTBOUND_DIALLING) {
			places.dials++;
			places.doubtful += d->sessions[i].is_doubtful;
		}
	return places;
}

/* A peer that is not to be dialled now: it has a session, or there are enough of its kind. */
static bool
is_out(void *context, const struct peer *peer)
{
	const struct places *places = context;
	const struct dispatch *d = places->dispatch;
	if (peer->is_doubtful && places->doubtful >= DISPATCH_DIALS_DOUBTFUL_MAX)
		return true;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++)
		if (d->sessions[i].state != OUTBOUND_FREE && strcmp(d->sessions[i].onion, peer->onion) == 0)
			return true;
	return false;
}

static struct outbound *
find(struct dispatch *d, enum outbound_state state)
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

/* Fails all that waits for an onion to which nothing may go any more. 1, 0 or -1. */
int
dispatch_close(struct dispatch *d, const char *onion, struct error *err)
{
	struct pack_result why;
	int result = d->events->is_closed(d->context, onion, &why, err);
	if (result != 1)
		return result;
	if (queue_fail_all(mailstore_queue(d->mailstore), onion, &why, err) != 0)
		return -1;
	d->events->on_result(d->context);
	return 1;
}

static void
dial_what_is_due(struct dispatch *d)
{
	struct error err = { 0 };
	struct peer peer;
	while (may_dial(d)) {
		struct places places = count_places(d);
		int64_t now_ms = mailstore_now_ms(d->mailstore);
		if (places.dials >= DISPATCH_DIALS_MAX)
			return; /* the end of any brings us back here */
		int found = peers_next(queue_peers(mailstore_queue(d->mailstore)), now_ms, is_out, &places, &peer, &err);
		if (dispatch_broke(d, found, &err) || found == 0)
			return;
		int64_t due_ms = peer.due_ms > d->paused_until_ms ? peer.due_ms : d->paused_until_ms;
		if (due_ms > now_ms) {
			wait_for(d, due_ms - now_ms);
			return;
		}
		int closed = dispatch_close(d, peer.onion, &err);
		if (dispatch_broke(d, closed, &err))
			return;
		if (closed == 1)
			continue;
		struct outbound *s = find(d, OUTBOUND_FREE);
		if (s == NULL) {
			s = find(d, OUTBOUND_WARM); /* its end brings us back here */
			if (s != NULL)
				outbound_quit(s);
			return;
		}
		memcpy(s->onion, peer.onion, sizeof s->onion);
		s->is_doubtful = peer.is_doubtful;
		outbound_dial(s, peer.port);
	}
}

static void
on_look(void *context)
{
	struct dispatch *d = context;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX && !d->is_broken; i++)
		if (d->sessions[i].state == OUTBOUND_WARM)
			outbound_go_on(&d->sessions[i]);
	dial_what_is_due(d);
}

void
dispatch_wake(struct dispatch *d)
{
	timer_start(d->look, 0);
}

/* ---- from the owner */

static struct outbound *
by_id(struct dispatch *d, uint64_t id)
{
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++)
		if (d->sessions[i].state != OUTBOUND_FREE && d->sessions[i].id == id)
			return &d->sessions[i];
	return NULL;
}

bool
dispatch_on_message(struct dispatch *d, const struct ipc_message *m)
{
	struct outbound *s;
	if (d->is_broken)
		return true;
	switch (m->type) {
	case IPC_TYPE_DIAL_FAILED:
		if ((s = by_id(d, m->dial_failed.session_id)) != NULL)
			outbound_on_dial_failed(s, &m->dial_failed);
		return true;
	case IPC_TYPE_SESSION_READY:
		if ((s = by_id(d, m->session_ready.session_id)) != NULL)
			outbound_on_ready(s, &m->session_ready);
		return true;
	case IPC_TYPE_SESSION_TICKET:
		if ((s = by_id(d, m->session_ticket.session_id)) != NULL)
			outbound_on_ticket(s, &m->session_ticket);
		return true;
	case IPC_TYPE_CARD_FETCHED:
		if ((s = by_id(d, m->card_fetched.session_id)) != NULL)
			outbound_on_card(s, &m->card_fetched);
		return true;
	case IPC_TYPE_DELIVERED:
		if ((s = by_id(d, m->delivered.session_id)) != NULL)
			outbound_on_delivered(s, &m->delivered);
		return true;
	case IPC_TYPE_SESSION_END:
		if ((s = by_id(d, m->session_end.session_id)) != NULL)
			outbound_on_end(s, &m->session_end);
		return true;
	default:
		return false;
	}
}

void
dispatch_readied(struct dispatch *d, uint64_t item, enum dispatch_readied readied, const char *text)
{
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX && !d->is_broken; i++)
		if (d->sessions[i].state == OUTBOUND_READYING && d->sessions[i].item.id == item)
			outbound_on_readied(&d->sessions[i], readied, text);
}

void
dispatch_set_tor(struct dispatch *d, bool is_there)
{
	d->has_tor = false;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++) {
		struct outbound *each = &d->sessions[i];
		bool is_begun = each->state == OUTBOUND_DIALLING || each->is_early;
		if (is_begun)
			outbound_order_quit(each);
		if (is_begun || each->state == OUTBOUND_LOST)
			outbound_release(each); /* no fault of the peer's */
	}
	d->has_tor = is_there;
	d->paused_until_ms = mailstore_now_ms(d->mailstore) + dispatch_stagger_ms(d);
	dispatch_wake(d);
}

void
dispatch_retry_all(struct dispatch *d)
{
	d->paused_until_ms = mailstore_now_ms(d->mailstore) + dispatch_stagger_ms(d);
	dispatch_wake(d);
}

void
dispatch_network(struct dispatch *d)
{
	struct error err = { 0 };
	if (dispatch_broke(d, queue_retry_network(mailstore_queue(d->mailstore), mailstore_now_ms(d->mailstore), &err), &err))
		return;
	d->paused_until_ms = 0;
	dispatch_wake(d);
}

static void
look_at(struct dispatch *d, const char *onion, int64_t after_ms)
{
	struct error err = { 0 };
	if (onion[0] == '\0' || d->is_broken)
		return;
	int64_t at_ms = mailstore_now_ms(d->mailstore) + after_ms;
	if (!dispatch_broke(d, queue_retry_proved(mailstore_queue(d->mailstore), onion, at_ms, &err), &err))
		dispatch_wake(d);
}

void
dispatch_proved(struct dispatch *d, const char *onion)
{
	look_at(d, onion, (int64_t)random_below(PROVED_SPREAD_MS));
}

void
dispatch_closed(struct dispatch *d, const char *onion)
{
	look_at(d, onion, 0);
}

void
dispatch_set_smtp(struct dispatch *d, bool is_there)
{
	d->has_smtp = false;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX && !d->is_broken; i++) {
		struct outbound *s = &d->sessions[i];
		if (s->state == OUTBOUND_DIALLING || s->is_early)
			outbound_cancel_dial(s);
		outbound_defer(s); /* perhaps this message is what it died of */
		outbound_release(s);
	}
	d->has_smtp = is_there;
	dispatch_wake(d);
}

enum ipc_wait_reason
dispatch_reason(const struct dispatch *d, const char *onion, uint64_t item)
{
	enum ipc_wait_reason otherwise = d->has_tor && !d->is_tor_down ? WAIT_REASON_NEW : WAIT_REASON_TOR_DOWN;
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++) {
		const struct outbound *s = &d->sessions[i];
		if (s->state == OUTBOUND_FREE || strcmp(s->onion, onion) != 0)
			continue;
		if (s->item.id == item)
			return WAIT_REASON_DELIVERING;
		if (s->state == OUTBOUND_DIALLING && otherwise == WAIT_REASON_NEW)
			return WAIT_REASON_DIALLING;
	}
	return otherwise;
}

bool
dispatch_is_delivering(const struct dispatch *d, uint64_t item)
{
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++)
		if (d->sessions[i].state != OUTBOUND_FREE && d->sessions[i].item.id == item)
			return true;
	return false;
}

void
dispatch_stop(struct dispatch *d)
{
	d->is_stopped = true;
	timer_stop(d->look);
	for (size_t i = 0; i < DISPATCH_SESSIONS_MAX; i++)
		if (d->sessions[i].state == OUTBOUND_WARM)
			outbound_quit(&d->sessions[i]);
}
