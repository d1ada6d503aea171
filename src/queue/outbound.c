/* SPDX-License-Identifier: ISC
 *
 * The course of one session with a peer, and what its failures mean for the queue.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "queue/dispatch_internal.h"

#define WARM_MS (60 * 1000)
#define DIAL_MS (5 * 60 * 1000)     /* tor's and SMTP's own timeouts are shorter; this is for roles that hang */
#define DELIVER_MS (30 * 60 * 1000) /* likewise; and so much more for each MiB */
#define DELIVER_MS_FOR_MIB (2 * 60 * 1000)
#define QUIT_MS (60 * 1000)
#define LOST_MS 1000 /* in which news of tor's death would come */
#define READ_TRIES 3 /* a disk may fail for once */

static const char held[] = "This message is held, and nothing of it was sent: the server that answers has another TLS key than "
    "before. Somebody in possession of the onion's key, or in between, may answer in its place. Ask the person in another "
    "way; then see `smtorp peer list`, and `smtorp peer accept`.";

static struct queue *
queue_of(struct outbound *s)
{
	return mailstore_queue(s->dispatch->mailstore);
}

static int64_t
now_of(struct outbound *s)
{
	return mailstore_now_ms(s->dispatch->mailstore);
}

static void
let_go_of_item(struct outbound *s)
{
	queue_item_finish(&s->item);
}

void
outbound_release(struct outbound *s)
{
	let_go_of_item(s);
	timer_stop(s->timer);
	outbound_forget_card(s);
	s->state = OUTBOUND_FREE;
	s->is_early = false;
}

/* What was handed over early was for nobody: the session is as it was when it was being dialled. */
static void
take_back_early(struct outbound *s)
{
	if (!s->is_early)
		return;
	let_go_of_item(s);
	s->is_early = false;
	s->state = OUTBOUND_DIALLING;
}

/* ---- orders to the other roles */

bool
outbound_order_quit(struct outbound *s)
{
	struct ipc_message m = { .type = IPC_TYPE_SESSION_QUIT, .fd = -1 };
	m.session_quit.session_id = s->id;
	return s->dispatch->events->send_smtp(s->dispatch->context, &m);
}

void
outbound_cancel_dial(struct outbound *s)
{
	struct ipc_message m = { .type = IPC_TYPE_DIAL_CANCEL, .fd = -1 };
	m.dial_cancel.session_id = s->id;
	s->dispatch->events->send_tor(s->dispatch->context, &m);
}

void
outbound_quit(struct outbound *s)
{
	if (s->is_early)
		outbound_cancel_dial(s);
	s->is_early = false;
	outbound_order_quit(s);
	s->state = OUTBOUND_QUITTING;
	timer_start(s->timer, QUIT_MS);
}

void
outbound_dial(struct outbound *s, uint16_t port)
{
	struct dispatch *d = s->dispatch;
	struct ipc_message start = { .type = IPC_TYPE_SESSION_START, .fd = -1 };
	struct ipc_message m = { .type = IPC_TYPE_DIAL, .fd = -1 };
	struct session_kept resume = { .len = 0 };
	struct error err = { 0 };
	s->id = d->next_id++;
	s->port = port;
	s->state = OUTBOUND_DIALLING;
	s->size_max_bytes = 0;
	outbound_forget_card(s);
	if (dispatch_broke(d, outbound_find_resumable(s, &resume, &err), &err)) {
		outbound_release(s);
		return;
	}
	start.session_start.session_id = m.dial.session_id = s->id;
	memcpy(start.session_start.onion, s->onion, sizeof s->onion);
	memcpy(m.dial.onion, s->onion, sizeof s->onion);
	start.session_start.mode = port == PEERS_PORT_SMTORP ? SESSION_SMTORP : SESSION_SMTP;
	start.session_start.resume = slice_of(resume.bytes, resume.len);
	m.dial.port = port;
	timer_start(s->timer, DIAL_MS);
	bool is_sent = d->events->send_smtp(d->context, &start);
	explicit_bzero(&resume, sizeof resume);
	if (is_sent && d->events->send_tor(d->context, &m))
		return;
	outbound_release(s); /* a channel is gone: the owner says so soon */
	timer_start(d->look, DISPATCH_TOR_DOWN_MS);
}

/* ---- handing over messages */

void
outbound_refuse_item(struct outbound *s, const struct queue_item *item, const struct pack_result *why)
{
	struct error err = { 0 };
	struct buffer results;
	buffer_init(&results, item->recipient_count * (ERROR_TEXT_MAX + 64));
	int result = 0;
	for (size_t i = 0; i < item->recipient_count && result == 0; i++)
		result = pack_result(&results, why, &err);
	if (result == 0)
		result = queue_result(queue_of(s), s->onion, item, slice_of(buffer_bytes(&results), buffer_len(&results)),
		    now_of(s), random_u64(), &err);
	buffer_finish(&results);
	if (!dispatch_broke(s->dispatch, result, &err))
		s->dispatch->events->on_result(s->dispatch->context);
}

/* The frozen bytes. A message that the disk has lost is reported; it must not keep all others from going. */
static int
load_body(struct outbound *s, const struct queue_item *item, struct body *body, struct error *err)
{
	static const struct pack_result lost = { .code = 554, .enhanced = { (const unsigned char *)"5.3.0", 5 },
		.text = { (const unsigned char *)"the message was damaged on the sender's disk", 44 } };
	for (int i = 0; i < READ_TRIES; i++) {
		if (queue_open_body(queue_of(s), item->body, item->body_bytes, body, err) == 0)
			return 0;
		if (err->code != ERROR_IO)
			break;
	}
	if (err->code != ERROR_NOT_FOUND && err->code != ERROR_IO)
		return -1;
	log_error("a queued message cannot be read, its sender is told: %s", err->text);
	outbound_refuse_item(s, item, &lost);
	return 1;
}

/* Moves the item into the session, if it can go. */
static void
hand_over(struct outbound *s, struct queue_item *item)
{
	struct dispatch *d = s->dispatch;
	struct error err = { 0 };
	struct body body = BODY_EMPTY;
	struct buffer recipients;
	struct ipc_message m = { .type = IPC_TYPE_DELIVER, .fd = -1 };
	buffer_init(&recipients, IPC_RECIPIENTS_MAX);
	int result = load_body(s, item, &body, &err);
	if (result == 0)
		result = outbound_pack_for_wire(s, item, &recipients, &err);
	if (result == 0)
		result = body_attach(&body, &m, &m.deliver.body, &err);
	if (result == 0) {
		m.deliver.session_id = s->id;
		m.deliver.turn = s->turn;
		m.deliver.delivery_id = item->id;
		memcpy(m.deliver.reverse_path, item->reverse_path, sizeof m.deliver.reverse_path);
		m.deliver.recipients = slice_of(buffer_bytes(&recipients), buffer_len(&recipients));
		m.deliver.flags = item->flags;
		if (d->events->send_smtp(d->context, &m)) {
			s->item = *item;
			*item = (struct queue_item){ 0 };
			s->state = OUTBOUND_DELIVERING;
			timer_start(s->timer, DELIVER_MS + (int64_t)(s->item.body_bytes >> 20) * DELIVER_MS_FOR_MIB);
		}
	}
	body_finish(&body);
	buffer_finish(&recipients);
	dispatch_broke(d, result, &err);
}

/* Hands the item over if the session's key is the one for it. false: the queue has changed; look at it again. */
static bool
hand_over_if_it_fits(struct outbound *s, struct queue_item *item)
{
	struct error err = { 0 };
	switch (outbound_check_item(s, item, &err)) {
	case OUTBOUND_ITEM_FITS:
		hand_over(s, item);
		break;
	case OUTBOUND_REFUSED_SOME:
		s->dispatch->events->on_result(s->dispatch->context);
		return false;
	case OUTBOUND_KEY_IS_OLD:
		outbound_quit(s); /* a new session will show whose key it has */
		break;
	case OUTBOUND_CHECK_FAILED:
		dispatch_broke(s->dispatch, -1, &err);
		break;
	}
	return true;
}

/* How long a warm session sleeps: until the next message for it is due, or until it has been warm for long enough. */
static void
sleep_warm(struct outbound *s)
{
	struct error err = { 0 };
	int64_t now_ms = now_of(s), due_ms;
	int64_t until_ms = s->warm_until_ms;
	int found = queue_next_due(queue_of(s), s->onion, &due_ms, &err);
	if (dispatch_broke(s->dispatch, found, &err))
		return;
	if (found == 1 && due_ms > now_ms && due_ms < until_ms)
		until_ms = due_ms;
	timer_start(s->timer, until_ms > now_ms ? until_ms - now_ms : 0);
}

/* The session is ready: the next message, or warmth. */
void
outbound_go_on(struct outbound *s)
{
	static const struct pack_result too_large = { .code = 552, .enhanced = { (const unsigned char *)"5.3.4", 5 },
		.text = { (const unsigned char *)"the message is larger than the recipient's server takes", 55 } };
	struct dispatch *d = s->dispatch;
	struct error err = { 0 };
	struct queue_item item;
	if (s->state != OUTBOUND_WARM)
		s->warm_until_ms = now_of(s) + WARM_MS;
	s->state = OUTBOUND_WARM;
	if (!s->is_early && dispatch_broke(d, dispatch_close(d, s->onion, &err), &err)) /* since it was dialled, perhaps */
		return;
	for (uint64_t last = 0; s->state == OUTBOUND_WARM && !d->is_broken;) {
		int found = d->is_stopped ? 0 : queue_next_item(queue_of(s), s->onion, now_of(s), &item, &err);
		if (dispatch_broke(d, found, &err))
			return;
		if (found == 0 || item.id == last) { /* the same again: it could not be handed over */
			queue_item_finish(&item);
			break;
		}
		last = item.id;
		if ((item.flags & BODY_WAITS) != 0 && !s->is_early)
			outbound_make_ready(s, &item);
		else if ((item.flags & BODY_WAITS) != 0)
			outbound_quit(s); /* nothing can go early, so a session without that begins in its place */
		else if (s->size_max_bytes != 0 && item.body_bytes > s->size_max_bytes)
			outbound_refuse_item(s, &item, &too_large);
		else
			last = hand_over_if_it_fits(s, &item) ? last : 0;
		queue_item_finish(&item);
	}
	if (s->state == OUTBOUND_WARM && s->card_is_later)
		outbound_quit(s); /* the next try needs another session */
	else if (s->state == OUTBOUND_WARM)
		sleep_warm(s);
}

/* ---- what went wrong */

/* The peer as a whole: due again by the schedule, or given up for a status of class 5. code: of the peer's own reply, 0 when
 * the words are ours. */
static void
peer_failed(struct outbound *s, enum ipc_wait_reason reason, unsigned code, const char *enhanced, const char *text)
{
	struct error err = { 0 };
	struct pack_result why = { code, slice_of_string(enhanced), slice_of_string(text) };
	struct dispatch *d = s->dispatch;
	int result = enhanced[0] == '5'
	    ? queue_fail_all(queue_of(s), s->onion, &why, &err)
	    : queue_peer_failed(queue_of(s), s->onion, reason, &why, now_of(s), random_u64(), &err);
	outbound_release(s);
	if (!dispatch_broke(d, result, &err))
		d->events->on_result(d->context);
	dispatch_wake(d);
}

/* The message at hand: nobody knows whether it arrived. */
void
outbound_defer(struct outbound *s)
{
	struct error err = { 0 };
	if (s->item.id == 0)
		return;
	int result = queue_result(queue_of(s), s->onion, &s->item, slice_of("", 0), now_of(s), random_u64(), &err);
	if (!dispatch_broke(s->dispatch, result, &err))
		s->dispatch->events->on_result(s->dispatch->context);
}

/* Nobody's fault: tried again as soon as it can be. */
static void
drop(struct outbound *s)
{
	outbound_release(s);
	dispatch_wake(s->dispatch);
}

void
outbound_on_timer(void *context)
{
	struct outbound *s = context;
	switch (s->state) {
	case OUTBOUND_WARM:
		if (now_of(s) >= s->warm_until_ms)
			outbound_quit(s);
		else
			outbound_go_on(s);
		break;
	case OUTBOUND_DIALLING:
		outbound_cancel_dial(s);
		outbound_order_quit(s);
		peer_failed(s, WAIT_REASON_TIMEOUT, 0, "4.4.1", "no connection within five minutes");
		break;
	case OUTBOUND_FETCHING:
	case OUTBOUND_READYING:
	case OUTBOUND_DELIVERING:
		if (s->is_early)
			outbound_cancel_dial(s);
		outbound_order_quit(s);
		outbound_defer(s);
		peer_failed(s, WAIT_REASON_TIMEOUT, 0, "4.4.2", "the recipient's server is too slow");
		break;
	case OUTBOUND_LOST:
		if (!s->dispatch->has_tor) {
			drop(s); /* tor died, and all its connections with it */
			break;
		}
		outbound_defer(s);
		peer_failed(s, WAIT_REASON_LOST, 0, "4.4.2", "the connection to the recipient's server broke");
		break;
	case OUTBOUND_QUITTING:
	case OUTBOUND_FREE:
		drop(s);
		break;
	}
}

static const char *
text_or(const char *text, const char *otherwise)
{
	return text[0] != '\0' ? text : otherwise;
}

static enum ipc_wait_reason
reason_of(enum ipc_dial_reason reason)
{
	static const enum ipc_wait_reason reasons[] = {
		[DIAL_REASON_OTHER] = WAIT_REASON_OTHER,
		[DIAL_REASON_NO_DESCRIPTOR] = WAIT_REASON_NO_DESCRIPTOR,
		[DIAL_REASON_OFFLINE] = WAIT_REASON_OFFLINE,
		[DIAL_REASON_RENDEZVOUS] = WAIT_REASON_RENDEZVOUS,
		[DIAL_REASON_AUTHORIZATION] = WAIT_REASON_AUTHORIZATION,
		[DIAL_REASON_BAD_ADDRESS] = WAIT_REASON_BAD_ADDRESS,
		[DIAL_REASON_PORT_REFUSED] = WAIT_REASON_PORT_REFUSED,
		[DIAL_REASON_TIMEOUT] = WAIT_REASON_TIMEOUT,
		[DIAL_REASON_TOR_DOWN] = WAIT_REASON_TOR_DOWN,
	};
	return reason < sizeof reasons / sizeof *reasons ? reasons[reason] : WAIT_REASON_OTHER;
}

void
outbound_on_dial_failed(struct outbound *s, const struct ipc_dial_failed *f)
{
	struct dispatch *d = s->dispatch;
	struct error err = { 0 };
	take_back_early(s);
	if (s->state != OUTBOUND_DIALLING)
		return;
	enum ipc_wait_reason reason = reason_of((enum ipc_dial_reason)f->reason);
	d->is_tor_down = f->reason == DIAL_REASON_TOR_DOWN;
	outbound_order_quit(s); /* it waits for a connection that does not come */
	switch ((enum ipc_dial_reason)f->reason) {
	case DIAL_REASON_TOR_DOWN:
		d->paused_until_ms = now_of(s) + random_jitter_ms(DISPATCH_TOR_DOWN_MS, 25) + dispatch_stagger_ms(d);
		drop(s);
		return;
	case DIAL_REASON_PORT_REFUSED:
		if (s->port == PEERS_PORT_SMTORP) {
			outbound_dial(s, PEERS_PORT_SMTP);
			return;
		}
		if (dispatch_broke(d, peers_forget_port(queue_peers(queue_of(s)), s->onion, &err), &err))
			return;
		peer_failed(s, reason, 0, "4.4.1", "the recipient's onion service takes no mail");
		return;
	case DIAL_REASON_BAD_ADDRESS:
		peer_failed(s, reason, 0, "5.1.2", text_or(f->text, "there can be no such onion service"));
		return;
	case DIAL_REASON_AUTHORIZATION:
		peer_failed(s, reason, 0, "4.7.0",
		    text_or(f->text, "the recipient's onion service wants a key that we do not have"));
		return;
	case DIAL_REASON_OTHER:
	case DIAL_REASON_NO_DESCRIPTOR:
	case DIAL_REASON_OFFLINE:
	case DIAL_REASON_RENDEZVOUS:
	case DIAL_REASON_TIMEOUT:
		break;
	}
	peer_failed(s, reason, 0, reason == WAIT_REASON_NO_DESCRIPTOR ? "4.4.4" : "4.4.1",
	    text_or(f->text, "the recipient's onion service cannot be reached now"));
}

/* It takes mail. */
static bool
note_reached(struct outbound *s)
{
	struct error err = { 0 };
	s->is_early = false;
	s->dispatch->is_tor_down = false;
	dispatch_wake(s->dispatch); /* one dial less */
	return !dispatch_broke(s->dispatch, peers_reached(queue_peers(queue_of(s)), s->onion, s->port, now_of(s), &err), &err);
}

void
outbound_on_ready(struct outbound *s, const struct ipc_session_ready *r)
{
	struct error err = { 0 };
	take_back_early(s);
	if (s->state != OUTBOUND_DIALLING)
		return;
	s->turn = r->turn;
	s->size_max_bytes = r->size_max_bytes;
	outbound_set_key(s, r->key);
	if (s->port == PEERS_PORT_SMTORP)
		sessions_forget(s->dispatch->resumable, s->onion); /* a ticket is used once, and a new one comes */
	int is_wrong = outbound_has_wrong_key(s, &err);
	if (dispatch_broke(s->dispatch, is_wrong, &err))
		return;
	if (is_wrong == 1) {
		outbound_order_quit(s);
		peer_failed(s, WAIT_REASON_KEY, 0, "4.7.5", held);
		return;
	}
	s->is_early = r->early != 0;
	if (s->is_early || note_reached(s))
		outbound_go_on(s);
}

void
outbound_on_ticket(struct outbound *s, const struct ipc_session_ticket *t)
{
	if (s->port == PEERS_PORT_SMTORP && s->key[0] != '\0' && s->state != OUTBOUND_DIALLING && s->state != OUTBOUND_LOST)
		sessions_keep(s->dispatch->resumable, s->onion, s->key, t->resume, clock_wall_s());
}

void
outbound_on_delivered(struct outbound *s, const struct ipc_delivered *r)
{
	struct dispatch *d = s->dispatch;
	struct error err = { 0 };
	if (s->state != OUTBOUND_DELIVERING || r->delivery_id != s->item.id)
		return;
	if (s->is_early && !note_reached(s))
		return;
	int result = queue_result(queue_of(s), s->onion, &s->item, r->results, now_of(s), random_u64(), &err);
	let_go_of_item(s);
	if (dispatch_broke(d, result, &err)) {
		outbound_quit(s); /* the result is lost: it will be delivered again, and dropped there */
		return;
	}
	d->events->on_result(d->context);
	outbound_go_on(s);
}

void
outbound_on_end(struct outbound *s, const struct ipc_session_end *e)
{
	if (s->is_early && (s->state == OUTBOUND_WARM || e->reason == SESSION_END_NOT_SMTORP))
		take_back_early(s);
	bool is_begun = s->state == OUTBOUND_DIALLING || s->is_early;
	if (s->state == OUTBOUND_WARM || s->state == OUTBOUND_QUITTING) {
		drop(s);
		return;
	}
	if (is_begun && e->reason == SESSION_END_NOT_SMTORP && s->port == PEERS_PORT_SMTORP) {
		outbound_dial(s, PEERS_PORT_SMTP);
		return;
	}
	if (is_begun)
		outbound_cancel_dial(s);
	if (e->reason == SESSION_END_LOST) {
		s->state = OUTBOUND_LOST;
		s->is_early = false;
		timer_start(s->timer, s->dispatch->has_tor ? LOST_MS : 0);
		return;
	}
	outbound_defer(s);
	switch ((enum ipc_end_reason)e->reason) {
	case SESSION_END_REFUSED:
		/* Temporary also when it was 554: what is said before there was a message is about none of those that wait. They are
		 * given up by age, and the bounce quotes it. */
		peer_failed(s, WAIT_REASON_REFUSED, e->code, "4.3.2", text_or(e->text, "the recipient's server refused the session"));
		return;
	case SESSION_END_PROTOCOL:
		peer_failed(s, WAIT_REASON_PROTOCOL, 0, "4.5.0", text_or(e->text, "the recipient's server does not speak SMTP as it must"));
		return;
	case SESSION_END_QUIT:
	case SESSION_END_LOST: /* was seen to above */
	case SESSION_END_NOT_SMTORP:
	case SESSION_END_TIMEOUT:
		break;
	}
	peer_failed(s, e->reason == SESSION_END_TIMEOUT ? WAIT_REASON_TIMEOUT : WAIT_REASON_LOST, 0, "4.4.2",
	    text_or(e->text, "the connection to the recipient's server broke"));
}
