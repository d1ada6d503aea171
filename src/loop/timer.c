/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/round.h"

#define TIMER_DELAY_MAX_MS (INT64_C(400) * 24 * 3600 * 1000)
/* libevent's clock stands still while a laptop sleeps, ours does not: long delays are waited for in steps, so that
 * what became due during the sleep is late by one step at most. */
#define TIMER_STEP_MS INT64_C(60000)

struct timer {
	struct event event;
	int64_t due_ms;
	loop_callback *callback;
	void *context;
};

static void
timer_add(struct timer *timer, int64_t delay_ms)
{
	if (delay_ms > TIMER_STEP_MS)
		delay_ms = TIMER_STEP_MS;
	struct timeval delay = { .tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000 };
	int result = event_add(&timer->event, &delay);
	assert(result == 0);
}

static void
on_due(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct timer *timer = context;
	/* More than a step, or some milliseconds early: libevent's clock is coarse and cached for the round. */
	int64_t left_ms = timer->due_ms - clock_monotonic_ms();
	if (left_ms > 0)
		timer_add(timer, left_ms);
	else
		timer->callback(timer->context);
}

struct timer *
timer_new(struct loop *loop, loop_callback *callback, void *context)
{
	struct timer *timer = calloc(1, sizeof *timer);
	assert(timer != NULL);
	timer->callback = callback;
	timer->context = context;
	int result = event_assign(&timer->event, loop_base(loop), -1, 0, on_due, timer);
	assert(result == 0);
	return timer;
}

void
timer_start(struct timer *timer, int64_t delay_ms)
{
	if (delay_ms < 0)
		delay_ms = 0;
	if (delay_ms > TIMER_DELAY_MAX_MS)
		delay_ms = TIMER_DELAY_MAX_MS;
	timer->due_ms = clock_monotonic_ms() + delay_ms;
	timer_add(timer, delay_ms);
}

void
timer_stop(struct timer *timer)
{
	event_del(&timer->event);
}

bool
timer_is_running(const struct timer *timer)
{
	return event_pending(&timer->event, EV_TIMEOUT, NULL) != 0;
}

void
timer_free(struct timer *timer)
{
	if (timer == NULL)
		return;
	event_del(&timer->event);
	free(timer);
}
