/* SPDX-License-Identifier: ISC */
#include "daemon/mail_waiting.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/mail_state.h"
#include "store/copies.h"

#define WAITING "Maildir/.Waiting"
#define DELIVERED "Maildir/.Delivered"
#define LOOK_MS 1000             /* from an event to the look at it, at least: */
#define LOOK_SHARE 20            /* looks take one part of so many of the time at most */
#define LOOK_MOST_MS (60 * 1000) /* without any event: what is slow becomes what waits */
#define PRUNE_MS (60 * 60 * 1000)
#define MESSAGES_MOST 1000       /* shown at a time, the oldest */
#define ITEMS_MOST 10000         /* looked at for it */
#define WHOLE_MAX_BYTES (1024 * 1024)   /* of a larger message the copy has only the header */
#define HEADER_BYTES IPC_BODY_INLINE_MAX
#define FAILURES_MOST 5          /* then a message that has arrived is not shown in Delivered */

/* A message that is to be in Waiting. */
struct shown {
	uint64_t body, first_item;
	uint64_t written; /* the look of the copy that was written last; 0: none */
	bool is_due;      /* it is to be written */
};

struct mail_waiting {
	struct mail_waiting_config config;
	struct mailstore *mailstore;
	struct dispatch *dispatch;
	struct mail_content *content;
	const struct mail_waiting_events *events;
	void *context;
	struct timer *timer;
	enum { REST, ENDED, WRITE } phase;
	bool is_soon, again; /* REST: a look is near; else: one more is wanted when this one is over */
	bool is_idle;        /* the queue was empty */
	int64_t interval_ms, pruned_ms;
	struct shown *shown; /* by body */
	size_t shown_count, at;
	struct copies copies; /* in Waiting, when it was last looked at */
	struct copies delivered; /* in Delivered, when is_unsure */
	bool is_unsure;          /* a copy may be in Delivered that the database does not know of: this process begins, or it failed */
	uint64_t body, look; /* what content composes now */
	uint64_t ended_after;
	unsigned failures;
	bool has_complained; /* in this look */
};

/* What happens to the folders is never more than a pity: their owner may have done anything to them. true: it failed. */
static bool
failed(int result, const struct error *err)
{
	if (result >= 0)
		return false;
	log_warn("the folders Waiting and Delivered: %s", err->text);
	return true;
}

static void
rest(struct mail_waiting *w)
{
	w->phase = REST;
	w->is_soon = w->again;
	timer_start(w->timer, w->again ? w->interval_ms : w->is_idle ? PRUNE_MS : LOOK_MOST_MS);
	w->again = false;
}

/* ---- composing */

static void on_composed(void *context, const struct ipc_message *answer, struct body *body);

/* *is_cut: it is too large to be copied whole. */
static int
size_up(struct mail_waiting *w, uint64_t body, uint64_t *bytes, bool *is_cut, struct error *err)
{
	if (queue_body_bytes(mailstore_queue(w->mailstore), body, bytes, err) != 0)
		return -1;
	*is_cut = *bytes > WHOLE_MAX_BYTES;
	return 0;
}

static int
compose(struct mail_waiting *w, uint64_t body, uint64_t bytes, bool is_cut, const char *mark, const struct buffer *text,
    struct error *err)
{
	struct body message = BODY_EMPTY;
	if (queue_load_body(mailstore_queue(w->mailstore), body, is_cut ? HEADER_BYTES : bytes, &message, err) != 0)
		return -1;
	w->body = body;
	if (ids_restore_body(mailstore_ids(w->mailstore), &message, err) != 0) {
		body_finish(&message);
		return -1;
	}
	mail_content_compose_note(w->content, mark, slice_of(buffer_bytes(text), buffer_len(text)), is_cut, &message, on_composed, w);
	body_finish(&message);
	return 0;
}

/* ---- Delivered */

/* The message is in Delivered, or will not be. */
static void
forget(struct mail_waiting *w, uint64_t body)
{
	struct error err = { 0 };
	w->failures = 0;
	if (failed(queue_forget_outcomes(mailstore_queue(w->mailstore), body, &err), &err)) {
		w->is_unsure = true;
		w->ended_after = body;
	}
	w->events->on_settled(w->context);
	timer_start(w->timer, 0);
}

static void
pass_over(struct mail_waiting *w, uint64_t body)
{
	if (++w->failures >= FAILURES_MOST) {
		forget(w, body);
		return;
	}
	w->ended_after = body;
	w->again = true; /* the next look comes to it again */
	timer_start(w->timer, 0);
}

static int
deliver(struct mail_waiting *w, uint64_t body, struct error *err)
{
	char mark[MAIL_STATE_MARK_MAX];
	struct buffer text;
	uint64_t bytes;
	bool is_cut;
	if (copies_find(&w->delivered, body) != NULL) {
		forget(w, body);
		return 0;
	}
	if (size_up(w, body, &bytes, &is_cut, err) != 0)
		return -1;
	buffer_init(&text, IPC_RECIPIENTS_MAX);
	int result = mail_state_say_ended(mailstore_queue(w->mailstore), body, bytes, is_cut, mark, &text, err);
	if (result == 0)
		result = compose(w, body, bytes, is_cut, mark, &text, err);
	buffer_finish(&text);
	return result;
}

/* Goes on with the next message that has arrived. false: there is none. */
static bool
next_ended(struct mail_waiting *w)
{
	struct error err = { 0 };
	uint64_t body = 0;
	int found = queue_next_ended(mailstore_queue(w->mailstore), w->ended_after, &body, &err);
	if (failed(found, &err) || found == 0)
		return false;
	if (w->config.keep_delivered_s == 0)
		forget(w, body);
	else if (failed(deliver(w, body, &err), &err))
		pass_over(w, body);
	return true;
}

static void
prune(struct mail_waiting *w)
{
	struct error err = { 0 };
	struct copies copies;
	int64_t now_ms = clock_monotonic_ms(), before_s = clock_wall_s() - w->config.keep_delivered_s;
	if (w->pruned_ms != 0 && now_ms - w->pruned_ms < PRUNE_MS)
		return;
	w->pruned_ms = now_ms;
	if (failed(copies_scan(AT_FDCWD, DELIVERED, &copies, &err), &err))
		return;
	for (size_t i = 0; i < copies.count; i++)
		if (copies.list[i].time_s < before_s || w->config.keep_delivered_s == 0)
			failed(copies_remove(AT_FDCWD, DELIVERED, &copies.list[i], &err), &err);
	copies_finish(&copies);
}

/* ---- Waiting: what is to be there */

struct looking {
	struct mail_waiting *w;
	struct mail_state state;
	struct shown *list;
	size_t count, items;
	int64_t now_ms;
	struct error *err;
	int result;
};

static const struct shown *
find_shown(const struct mail_waiting *w, uint64_t body)
{
	for (size_t low = 0, high = w->shown_count; low < high;) {
		size_t middle = low + (high - low) / 2;
		if (w->shown[middle].body == body)
			return &w->shown[middle];
		if (w->shown[middle].body < body)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The copy of the message that is right, or that was written last and is gone, because its owner does not want to see it. */
static bool
is_up_to_date(const struct looking *l, struct shown *out)
{
	const struct shown *before = find_shown(l->w, l->state.body);
	const struct copy *copy = copies_find(&l->w->copies, l->state.body), *end = l->w->copies.list + l->w->copies.count;
	out->written = before != NULL ? before->written : 0;
	for (; copy != NULL && copy < end && copy->body == l->state.body; copy++) {
		if (copy->look != 0)
			out->written = copy->look;
		if (copy->look != 0 && (l->state.is_transient || mail_state_is_shown(&l->state, copy->look, l->now_ms)))
			return true;
	}
	return out->written != 0 && copies_find(&l->w->copies, l->state.body) == NULL &&
	    (l->state.is_transient || mail_state_is_shown(&l->state, out->written, l->now_ms));
}

static void
end_message(struct looking *l)
{
	struct mail_state *s = &l->state;
	if (s->body != 0 && s->waiting > 0 && s->has_waited && l->count < MESSAGES_MOST) {
		l->result = mail_state_end(s, mailstore_queue(l->w->mailstore), l->err);
		struct shown *shown = &l->list[l->count++];
		*shown = (struct shown){ .body = s->body, .first_item = s->first_item };
		shown->is_due = l->result == 0 && !is_up_to_date(l, shown);
	}
	mail_state_finish(s);
}

static bool
take_row(void *context, const struct queue_row *row)
{
	struct looking *l = context;
	if (!mail_state_add(&l->state, row, l->w->dispatch, l->now_ms)) {
		end_message(l);
		mail_state_add(&l->state, row, l->w->dispatch, l->now_ms);
	}
	l->items++;
	return l->result == 0 && l->count < MESSAGES_MOST && l->items < ITEMS_MOST;
}

/* Removes the copies of messages that are not to be there, and all but one of each that is not due. */
static void
remove_others(struct mail_waiting *w)
{
	struct error err = { 0 };
	uint64_t kept = 0;
	for (size_t i = 0; i < w->copies.count; i++) {
		const struct copy *copy = &w->copies.list[i];
		const struct shown *shown = find_shown(w, copy->body);
		bool is_kept = shown != NULL && copy->body != kept && (shown->is_due || copy->look == shown->written);
		if (is_kept && !shown->is_due)
			kept = copy->body;
		if (!is_kept)
			failed(copies_remove(AT_FDCWD, WAITING, copy, &err), &err);
	}
}

/* Finds out what is to be written, and removes what is to go. */
static int
look(struct mail_waiting *w, struct error *err)
{
	struct looking l = { .w = w, .now_ms = mailstore_now_ms(w->mailstore), .err = err };
	copies_finish(&w->copies);
	if (failed(copies_scan(AT_FDCWD, WAITING, &w->copies, err), err)) {
		w->at = w->shown_count;
		return 0;
	}
	l.list = calloc(MESSAGES_MOST, sizeof *l.list);
	assert(l.list != NULL);
	if (queue_look(mailstore_queue(w->mailstore), 0, true, take_row, &l, err) != 0)
		l.result = -1;
	end_message(&l);
	if (l.result == 0) {
		free(w->shown);
		w->shown = l.list;
		w->shown_count = l.count;
		w->at = 0;
		w->has_complained = false;
		w->is_idle = l.items == 0;
		remove_others(w);
	} else {
		free(l.list);
	}
	return l.result;
}

/* ---- Waiting: writing it */

struct one {
	struct mail_waiting *w;
	struct mail_state state;
};

static bool
take_one(void *context, const struct queue_row *row)
{
	struct one *one = context;
	return mail_state_add(&one->state, row, one->w->dispatch, mailstore_now_ms(one->w->mailstore));
}

/* 1: content composes it; 0: it needs no copy any more. */
static int
write_copy(struct mail_waiting *w, const struct shown *shown, struct error *err)
{
	struct one one = { .w = w };
	struct queue *queue = mailstore_queue(w->mailstore);
	char mark[MAIL_STATE_MARK_MAX];
	struct buffer text;
	uint64_t bytes;
	bool is_cut;
	int64_t now_ms = mailstore_now_ms(w->mailstore);
	int result = queue_look(queue, shown->first_item - 1, true, take_one, &one, err);
	buffer_init(&text, IPC_RECIPIENTS_MAX);
	if (result == 0 && one.state.body == shown->body && one.state.waiting > 0) {
		result = mail_state_end(&one.state, queue, err);
		if (result == 0)
			result = size_up(w, shown->body, &bytes, &is_cut, err);
		if (result == 0) {
			w->look = mail_state_is_soon(&one.state, now_ms) ? one.state.look_soon : one.state.look_exact;
			mail_state_say(&one.state, now_ms, w->config.expire_ms, is_cut, mark, &text);
			result = compose(w, shown->body, bytes, is_cut, mark, &text, err) == 0 ? 1 : -1;
		}
	}
	buffer_finish(&text);
	mail_state_finish(&one.state);
	return result;
}

/* Goes on with the next copy. false: there is none to be written. */
static bool
next_copy(struct mail_waiting *w)
{
	for (; w->at < w->shown_count; w->at++) {
		struct error err = { 0 };
		int result = w->shown[w->at].is_due ? write_copy(w, &w->shown[w->at], &err) : 0;
		if (result == 1)
			return true;
		if (result < 0 && !w->has_complained)
			w->has_complained = failed(result, &err); /* of a damaged disk once is enough */
	}
	return false;
}

/* Removes the copies of a message that were there before this one. */
static void
replace(struct mail_waiting *w, struct shown *shown)
{
	struct error err = { 0 };
	const struct copy *end = w->copies.list + w->copies.count;
	shown->written = w->look;
	shown->is_due = false;
	for (const struct copy *copy = copies_find(&w->copies, w->body); copy != NULL && copy < end && copy->body == w->body; copy++)
		failed(copies_remove(AT_FDCWD, WAITING, copy, &err), &err);
}

static void
on_composed(void *context, const struct ipc_message *answer, struct body *body)
{
	const struct ipc_content_result *result = answer == NULL ? NULL : &answer->content_result;
	struct mail_waiting *w = context;
	struct error err = { 0 };
	bool is_ended = w->phase == ENDED;
	int written = -1;
	if (result == NULL || result->code != 250)
		error_set(&err, ERROR_INVALID, "%s", result == NULL ? "content is not there" : result->text);
	else
		written = copies_write(AT_FDCWD, is_ended ? DELIVERED : WAITING, w->body, is_ended ? 1 : w->look, clock_wall_s(),
		    body->bytes, &err);
	failed(written, &err);
	if (is_ended && written != 0) {
		pass_over(w, w->body);
	} else if (is_ended) {
		forget(w, w->body);
	} else {
		if (written == 0)
			replace(w, &w->shown[w->at++]);
		else
			w->at = w->shown_count; /* perhaps the disk is full; the next look tries again */
		timer_start(w->timer, 0);
	}
}

/* ---- a look, step by step */

static void
on_timer(void *context)
{
	struct mail_waiting *w = context;
	struct error err = { 0 };
	if (w->phase == REST) {
		w->phase = ENDED;
		w->ended_after = 0;
		if (w->is_unsure)
			w->is_unsure = failed(copies_scan(AT_FDCWD, DELIVERED, &w->delivered, &err), &err);
		prune(w);
	}
	if (w->phase == ENDED) {
		if (next_ended(w))
			return;
		copies_finish(&w->delivered);
		int64_t began_ms = clock_monotonic_ms();
		int result = look(w, &err);
		int64_t interval_ms = (clock_monotonic_ms() - began_ms) * LOOK_SHARE;
		w->interval_ms = interval_ms < LOOK_MS ? LOOK_MS : interval_ms < LOOK_MOST_MS ? interval_ms : LOOK_MOST_MS;
		w->phase = WRITE;
		if (failed(result, &err)) {
			rest(w);
			return;
		}
	}
	if (!next_copy(w))
		rest(w);
}

void
mail_waiting_look(struct mail_waiting *w)
{
	if (w->phase != REST) {
		w->again = true;
	} else if (!w->is_soon) {
		w->is_soon = true;
		timer_start(w->timer, w->interval_ms);
	}
}

void
mail_waiting_expect(struct mail_waiting *w)
{
	if (w->phase != REST || w->is_soon || !w->is_idle)
		return;
	w->is_idle = false;
	timer_start(w->timer, LOOK_MOST_MS);
}

struct mail_waiting *
mail_waiting_new(struct loop *loop, const struct mail_waiting_config *config, struct mailstore *mailstore,
    struct dispatch *dispatch, struct mail_content *content, const struct mail_waiting_events *events, void *context)
{
	struct mail_waiting *w = calloc(1, sizeof *w);
	assert(w != NULL);
	*w = (struct mail_waiting){ .config = *config, .mailstore = mailstore, .dispatch = dispatch, .content = content,
		.events = events, .context = context, .interval_ms = LOOK_MS, .is_unsure = true };
	w->timer = timer_new(loop, on_timer, w);
	mail_waiting_look(w);
	return w;
}

void
mail_waiting_free(struct mail_waiting *w)
{
	if (w == NULL)
		return;
	timer_free(w->timer);
	copies_finish(&w->copies);
	copies_finish(&w->delivered);
	free(w->shown);
	free(w);
}
