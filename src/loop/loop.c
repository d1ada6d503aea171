/* SPDX-License-Identifier: ISC */
#include "loop/loop.h"

#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/log.h"
#include "loop/round.h"

#define SIGNALS_MAX 16

struct signal_watch {
	struct event event;
	loop_callback *callback;
	void *context;
};

struct loop {
	struct event_base *base;
	bool stopped;
	struct round_call calls; /* head of a ring: at the end of this round */
	struct signal_watch signals[SIGNALS_MAX];
	size_t signal_count;
	size_t buffered_bytes, buffered_most_bytes;
	unsigned handshakes; /* in this round */
	unsigned char scratch[LOOP_SCRATCH_BYTES];
};

static void
ring_init(struct round_call *head)
{
	head->next = head->previous = head;
}

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof *loop);
	struct event_config *config = event_config_new();
	assert(loop != NULL && config != NULL);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (loop->base == NULL) {
		log_error("the kernel gives no epoll descriptor");
		abort();
	}
	ring_init(&loop->calls);
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	for (size_t i = 0; i < loop->signal_count; i++)
		event_del(&loop->signals[i].event);
	event_base_free(loop->base);
	free(loop);
}

void
loop_at_round_end(struct loop *loop, struct round_call *call)
{
	if (call->next != NULL)
		return;
	call->next = &loop->calls;
	call->previous = loop->calls.previous;
	call->previous->next = call;
	loop->calls.previous = call;
}

void
loop_forget_round_call(struct round_call *call)
{
	if (call->next == NULL)
		return;
	call->previous->next = call->next;
	call->next->previous = call->previous;
	call->next = call->previous = NULL;
}

struct event_base *
loop_base(struct loop *loop)
{
	return loop->base;
}

unsigned char *
loop_scratch(struct loop *loop)
{
	return loop->scratch;
}

bool
loop_may_handshake(const struct loop *loop)
{
	return loop->handshakes < LOOP_HANDSHAKES_PER_ROUND;
}

void
loop_note_handshake(struct loop *loop)
{
	loop->handshakes++;
}

void
loop_note_buffered(struct loop *loop, size_t before, size_t now)
{
	assert(before <= loop->buffered_bytes);
	loop->buffered_bytes = loop->buffered_bytes - before + now;
}

size_t
loop_buffered_bytes(const struct loop *loop)
{
	return loop->buffered_bytes;
}

void
loop_bound_buffers(struct loop *loop, size_t most_bytes)
{
	loop->buffered_most_bytes = most_bytes;
}

bool
loop_may_buffer(const struct loop *loop)
{
	return loop->buffered_most_bytes == 0 || loop->buffered_bytes <= loop->buffered_most_bytes;
}

static bool
ring_is_empty(const struct round_call *head)
{
	return head->next == head;
}

/* Calls what waits now; what is added meanwhile waits for the next round, so that nobody can keep the loop here. */
static void
end_round(struct loop *loop)
{
	struct round_call now;
	if (ring_is_empty(&loop->calls))
		return;
	now = loop->calls;
	now.next->previous = now.previous->next = &now;
	ring_init(&loop->calls);
	while (!ring_is_empty(&now)) {
		struct round_call *call = now.next;
		loop_forget_round_call(call);
		call->callback(call->context);
	}
}

void
loop_run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped) {
		int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
		if (!ring_is_empty(&loop->calls))
			flags |= EVLOOP_NONBLOCK;
		int result = event_base_loop(loop->base, flags);
		assert(result == 0); /* epoll itself failed: nothing sensible can follow */
		end_round(loop);
		loop->handshakes = 0;
	}
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
	event_base_loopbreak(loop->base);
}

static void
on_signal(evutil_socket_t signal_number, short what, void *context)
{
	(void)signal_number;
	(void)what;
	struct signal_watch *signal = context;
	signal->callback(signal->context);
}

void
loop_on_signal(struct loop *loop, int signal_number, loop_callback *callback, void *context)
{
	assert(loop->signal_count < SIGNALS_MAX);
	struct signal_watch *signal = &loop->signals[loop->signal_count++];
	signal->callback = callback;
	signal->context = context;
	int result = event_assign(&signal->event, loop->base, signal_number, EV_SIGNAL | EV_PERSIST, on_signal, signal);
	assert(result == 0);
	result = event_add(&signal->event, NULL);
	assert(result == 0);
}
