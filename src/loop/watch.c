/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "loop/round.h"

#define RETRY_MS 100

struct watch {
	struct event event;
	struct event *retry; /* NULL: never needed until now */
	bool enabled;
	loop_callback *callback;
	void *context;
};

static void
on_ready(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct watch *watch = context;
	watch->callback(watch->context);
}

struct watch *
watch_new(struct loop *loop, int fd, enum watch_kind kind, loop_callback *callback, void *context)
{
	struct watch *watch = calloc(1, sizeof *watch);
	assert(watch != NULL);
	watch->callback = callback;
	watch->context = context;
	short what = (kind == WATCH_READ ? EV_READ : EV_WRITE) | EV_PERSIST;
	int result = event_assign(&watch->event, loop_base(loop), fd, what, on_ready, watch);
	assert(result == 0);
	return watch;
}

static void on_retry(evutil_socket_t fd, short what, void *context);

/* The kernel may be short of memory, or of room for watches, which many processes share: that passes. */
static void
add(struct watch *watch)
{
	static const struct timeval pause = { .tv_usec = RETRY_MS * 1000 };
	if (event_add(&watch->event, NULL) == 0)
		return;
	if (watch->retry == NULL)
		watch->retry = event_new(event_get_base(&watch->event), -1, 0, on_retry, watch);
	assert(watch->retry != NULL);
	int result = event_add(watch->retry, &pause);
	assert(result == 0);
}

static void
on_retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	add(context);
}

void
watch_enable(struct watch *watch, bool enabled)
{
	if (watch->enabled == enabled)
		return;
	watch->enabled = enabled;
	if (enabled) {
		add(watch);
		return;
	}
	int result = event_del(&watch->event);
	assert(result == 0);
	if (watch->retry != NULL)
		event_del(watch->retry);
}

void
watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	event_del(&watch->event);
	if (watch->retry != NULL)
		event_free(watch->retry);
	free(watch);
}
