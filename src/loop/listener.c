/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/log.h"
#include "loop/loop.h"

/* How many connections are taken before other events get their turn. */
#define ACCEPTS_PER_TURN 16
#define RETRY_MS 1000

struct listener {
	int fd;
	struct watch *readable;
	struct timer *retry; /* runs while descriptors or memory are short */
	bool paused;
	bool *freed; /* set while callbacks run: where to tell the accepting loop that the listener is gone */
	listener_callback *callback;
	void *context;
};

static void
update(struct listener *listener)
{
	watch_enable(listener->readable, !listener->paused && !timer_is_running(listener->retry));
}

static void
on_retry(void *context)
{
	update(context);
}

static void
on_readable(void *context)
{
	struct listener *listener = context;
	bool freed = false;
	listener->freed = &freed;
	for (int i = 0; i < ACCEPTS_PER_TURN && !listener->paused; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			listener->callback(listener->context, fd);
			if (freed)
				return;
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			/* The connection stays in the backlog and the socket readable: asking again at once would spin. */
			log_warn("cannot accept a connection: %s; trying again in a second", strerror(errno));
			timer_start(listener->retry, RETRY_MS);
			update(listener);
		}
		break;
	}
	listener->freed = NULL;
}

struct listener *
listener_new(struct loop *loop, int listening_fd, listener_callback *callback, void *context)
{
	struct listener *listener = calloc(1, sizeof *listener);
	assert(listener != NULL);
	fcntl(listening_fd, F_SETFL, fcntl(listening_fd, F_GETFL) | O_NONBLOCK);
	listener->fd = listening_fd;
	listener->callback = callback;
	listener->context = context;
	listener->readable = watch_new(loop, listening_fd, WATCH_READ, on_readable, listener);
	listener->retry = timer_new(loop, on_retry, listener);
	update(listener);
	return listener;
}

void
listener_pause(struct listener *listener, bool paused)
{
	listener->paused = paused;
	update(listener);
}

void
listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	if (listener->freed != NULL)
		*listener->freed = true;
	watch_free(listener->readable);
	timer_free(listener->retry);
	file_close(&listener->fd);
	free(listener);
}
