/* SPDX-License-Identifier: ISC */
#include "daemon/mail_bounce.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define AGAIN_MS (60 * 1000)
#define FAILURES_WITH_BODY 3 /* then the message itself is left out, in case that content cannot read it */

struct mail_bounce {
	char onion[IPC_ONION_MAX + 1];
	struct mailstore *mailstore;
	struct mail_content *content;
	void (*on_appended)(void *context);
	void *context;
	struct timer *again;
	struct queue_bounce at_hand; /* content composes it */
	bool is_composing;
	uint64_t passed_over; /* items up to this one wait for the timer */
	unsigned failures;
};

static void
on_again(void *context)
{
	struct mail_bounce *b = context;
	b->passed_over = 0;
	mail_bounce_look(b);
}

static void
pass_over(struct mail_bounce *b, const char *why)
{
	log_warn("cannot write a bounce now: %s", why);
	b->passed_over = b->at_hand.item;
	b->failures++;
	timer_start(b->again, AGAIN_MS);
}

static void
on_composed(void *context, const struct ipc_content_result *result, struct body *body)
{
	struct mail_bounce *b = context;
	struct error err = { 0 };
	b->is_composing = false;
	if (result == NULL || result->code != 250 || body->bytes.len == 0) {
		pass_over(b, result == NULL ? "content is not there" : result->text);
	} else {
		struct record r = { .type = RECORD_BOUNCE, .flags = result->flags, .arrival_ms = clock_wall_ms(),
			.reverse_path = slice_of_string(""), .item = b->at_hand.item,
			.positions = slice_of(buffer_bytes(&b->at_hand.positions), buffer_len(&b->at_hand.positions)) };
		if (mailstore_bounce(b->mailstore, &r, body->bytes, &err) != 0)
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
	if (b->failures < FAILURES_WITH_BODY &&
	    queue_load_body(mailstore_queue(b->mailstore), b->at_hand.body, b->at_hand.body_bytes, &body, &err) != 0)
		log_error("%s; its bounce comes without it", err.text);
	struct mail_content_dsn dsn = { b->onion, b->at_hand.reverse_path, b->at_hand.arrival_s,
		slice_of(buffer_bytes(&b->at_hand.failures), buffer_len(&b->at_hand.failures)) };
	b->is_composing = true;
	mail_content_compose_dsn(b->content, &dsn, &body, on_composed, b);
}

void
mail_bounce_look(struct mail_bounce *b)
{
	struct error err = { 0 };
	if (b->is_composing || mailstore_has_bounce(b->mailstore))
		return;
	int found = queue_next_bounce(mailstore_queue(b->mailstore), b->passed_over, &b->at_hand, &err);
	if (found == 1)
		compose(b);
	else if (found < 0) {
		log_error("%s", err.text);
		timer_start(b->again, AGAIN_MS);
	}
}

struct mail_bounce *
mail_bounce_new(struct loop *loop, const char *onion, struct mailstore *mailstore, struct mail_content *content,
    void (*on_appended)(void *context), void *context)
{
	struct mail_bounce *b = calloc(1, sizeof *b);
	assert(b != NULL);
	*b = (struct mail_bounce){ .mailstore = mailstore, .content = content, .on_appended = on_appended,
		.context = context };
	strncpy(b->onion, onion, sizeof b->onion - 1);
	b->again = timer_new(loop, on_again, b);
	return b;
}

void
mail_bounce_free(struct mail_bounce *b)
{
	if (b == NULL)
		return;
	queue_bounce_finish(&b->at_hand);
	timer_free(b->again);
	free(b);
}
