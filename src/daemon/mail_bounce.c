/* SPDX-License-Identifier: ISC */
#include "daemon/mail_bounce.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/mail_delay.h"

#define AGAIN_MS (60 * 1000)
#define LATE_LOOK_MOST_MS (60 * 60 * 1000) /* the queue clock may be ahead of the loop's after a suspend */
#define HEADER_BYTES IPC_BODY_INLINE_MAX /* of the message: more of its header is not used */
#define FAILURES_WITH_BODY 3 /* then the message itself is left out, in case that content cannot read it */

struct mail_bounce {
	struct mail_bounce_config config;
	struct mailstore *mailstore;
	struct mail_content *content;
	void (*on_appended)(void *context);
	void *context;
	struct timer *again, *late;
	struct queue_bounce at_hand; /* content composes it */
	bool is_composing;
	bool is_delay; /* that is what is at hand: of a whole message, not of an item's recipients */
	uint64_t passed_over, delays_passed_over; /* items up to these wait for the timer */
	unsigned failures;
};

static void
on_again(void *context)
{
	struct mail_bounce *b = context;
	b->passed_over = b->delays_passed_over = 0;
	mail_bounce_look(b);
}

static void
pass_over(struct mail_bounce *b, const char *why)
{
	log_warn("cannot write a notification now: %s", why);
	*(b->is_delay ? &b->delays_passed_over : &b->passed_over) = b->at_hand.item;
	b->failures++;
	timer_start(b->again, AGAIN_MS);
}

static void
on_composed(void *context, const struct ipc_message *answer, struct body *body)
{
	const struct ipc_content_result *result = answer == NULL ? NULL : &answer->content_result;
	struct mail_bounce *b = context;
	struct error err = { 0 };
	b->is_composing = false;
	if (result == NULL || result->code != 250 || body_len(body) == 0) {
		pass_over(b, result == NULL ? "content is not there" : result->text);
	} else {
		struct record r = { .type = b->is_delay ? RECORD_DELAY : RECORD_BOUNCE, .flags = result->flags,
			.arrival_ms = clock_wall_ms(), .reverse_path = slice_of_string(""),
			.item = b->is_delay ? b->at_hand.body : b->at_hand.item,
			.positions = slice_of(buffer_bytes(&b->at_hand.positions), buffer_len(&b->at_hand.positions)) };
		if (mailstore_bounce(b->mailstore, &r, body, &err) != 0)
			pass_over(b, err.text);
		else
			b->failures = 0;
		b->on_appended(b->context); /* a broken journal shows at the commit */
	}
	queue_bounce_finish(&b->at_hand);
	mail_bounce_look(b);
}

static void
compose(struct mail_bounce *b)
{
	struct error err = { 0 };
	struct body body = BODY_EMPTY;
	uint64_t bytes = b->at_hand.body_bytes < HEADER_BYTES ? b->at_hand.body_bytes : HEADER_BYTES;
	if (b->failures < FAILURES_WITH_BODY &&
	    queue_load_body(mailstore_queue(b->mailstore), b->at_hand.body, bytes, &body, &err) != 0)
		log_error("%s; its notification comes without it", err.text);
	if (ids_restore_body(mailstore_ids(b->mailstore), &body, &err) != 0)
		log_error("%s; a notification stands beside its thread", err.text);
	int64_t left_ms = b->at_hand.arrival_ms + b->config.expire_ms - mailstore_now_ms(b->mailstore);
	struct mail_content_dsn dsn = { b->config.onion, b->at_hand.reverse_path, b->at_hand.arrival_s,
		b->is_delay ? clock_wall_s() + (left_ms > 0 ? left_ms / 1000 : 0) : 0,
		slice_of(buffer_bytes(&b->at_hand.failures), buffer_len(&b->at_hand.failures)) };
	b->is_composing = true;
	mail_content_compose_dsn(b->content, &dsn, &body, on_composed, b);
}

/* 1: something is at hand. */
static int
find(struct mail_bounce *b, struct error *err)
{
	int64_t next_ms = MAIL_DELAY_NEVER, now_ms = mailstore_now_ms(b->mailstore);
	struct queue *queue = mailstore_queue(b->mailstore);
	b->is_delay = false;
	int found = queue_next_bounce(queue, b->passed_over, &b->at_hand, err);
	if (found != 0 || b->config.delay_ms == 0 || timer_is_running(b->late)) /* what came later is not late earlier */
		return found;
	b->is_delay = true;
	found = mail_delay_find(queue, b->delays_passed_over, now_ms, b->config.delay_ms, &b->at_hand, &next_ms, err);
	if (found == 0 && next_ms != MAIL_DELAY_NEVER)
		timer_start(b->late, next_ms - now_ms < LATE_LOOK_MOST_MS ? next_ms - now_ms : LATE_LOOK_MOST_MS);
	return found;
}

void
mail_bounce_look(struct mail_bounce *b)
{
	struct error err = { 0 };
	if (b->is_composing || mailstore_has_bounce(b->mailstore))
		return;
	int found = find(b, &err);
	if (found == 1)
		compose(b);
	else if (found < 0) {
		log_error("%s", err.text);
		timer_start(b->again, AGAIN_MS);
	}
}

static void
on_late(void *context)
{
	mail_bounce_look(context);
}

struct mail_bounce *
mail_bounce_new(struct loop *loop, const struct mail_bounce_config *config, struct mailstore *mailstore,
    struct mail_content *content, void (*on_appended)(void *context), void *context)
{
	struct mail_bounce *b = calloc(1, sizeof *b);
	assert(b != NULL);
	*b = (struct mail_bounce){ .config = *config, .mailstore = mailstore, .content = content, .on_appended = on_appended,
		.context = context };
	b->again = timer_new(loop, on_again, b);
	b->late = timer_new(loop, on_late, b);
	return b;
}

void
mail_bounce_free(struct mail_bounce *b)
{
	if (b == NULL)
		return;
	queue_bounce_finish(&b->at_hand);
	timer_free(b->again);
	timer_free(b->late);
	free(b);
}
