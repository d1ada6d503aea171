/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "loop/round.h"

struct watch {
	struct event event;
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

void
watch_enable(struct watch *watch, bool enabled)
{
	if (watch->enabled == enabled)
		return;
	watch->enabled = enabled;
	int result = enabled ? event_add(&watch->event, NULL) : event_del(&watch->event);
	assert(result == 0);
}

void
watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	event_del(&watch->event);
	free(watch);
}
