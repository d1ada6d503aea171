/* SPDX-License-Identifier: ISC */
#include "tor/dial.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"

#define CONNECT_AGAIN_MS 100 /* tor's backlog is full */

struct dial {
	struct loop *loop;
	int64_t deadline_ms;
	const struct dial_events *events;
	void *context;
	struct socks socks;
	size_t sent;                     /* of the present request */
	struct buffer flight;            /* goes out behind the last one */
	size_t flight_sent;
	int fd;
	struct watch *readable, *writable;
	bool is_waiting;                 /* for dial_take() */
	struct timer *timer;             /* to ask (again) for a connection; then: the deadline */
};

static void
broken(struct dial *d, const struct error *err)
{
	if (d->readable != NULL)
		watch_enable(d->readable, false);
	if (d->writable != NULL)
		watch_enable(d->writable, false);
	timer_stop(d->timer);
	d->events->on_broken(d->context, err);
}

/* Sends what is left of the bytes. 1: all is out; 0: the kernel takes no more now. */
static int
send_rest(struct dial *d, struct slice bytes, size_t *sent, struct error *err)
{
	while (*sent < bytes.len) {
		ssize_t n = send(d->fd, bytes.data + *sent, bytes.len - *sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_set_errno(err, errno, "the connection to tor's SOCKS socket broke");
		if (n > 0)
			*sent += (size_t)n;
	}
	return 1;
}

static int
send_request(struct dial *d, struct error *err)
{
	struct slice flight = slice_of(buffer_bytes(&d->flight), buffer_len(&d->flight));
	int all = send_rest(d, socks_output(&d->socks), &d->sent, err);
	if (all == 1 && socks_is_connecting(&d->socks))
		all = send_rest(d, flight, &d->flight_sent, err);
	if (all < 0)
		return -1;
	watch_enable(d->writable, all == 0);
	return 0;
}

static void
on_writable(void *context)
{
	struct dial *d = context;
	struct error err = { 0 };
	if (send_request(d, &err) != 0)
		broken(d, &err);
}

static void
finish(struct dial *d)
{
	enum socks_result result = socks_result(&d->socks);
	watch_free(d->readable);
	watch_free(d->writable);
	d->readable = d->writable = NULL;
	timer_stop(d->timer);
	if (result != SOCKS_SUCCEEDED) {
		d->events->on_refused(d->context, result);
		return;
	}
	int fd = d->fd;
	d->fd = -1;
	d->events->on_connected(d->context, fd, d->flight_sent);
}

/* 1: go on reading; 0: nothing more now; -1: broken. */
static int
read_reply(struct dial *d, struct error *err)
{
	unsigned char bytes[sizeof d->socks.reply];
	bool stepped;
	ssize_t n = recv(d->fd, bytes, socks_wants(&d->socks), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return error_set_errno(err, errno, "the connection to tor's SOCKS socket broke");
	if (n == 0)
		return error_set(err, ERROR_CLOSED, "tor closed the connection without saying why; it is tried again");
	if (socks_take(&d->socks, bytes, (size_t)n, &stepped, err) != 0)
		return -1;
	if (stepped) {
		d->sent = 0;
		if (send_request(d, err) != 0)
			return -1;
	}
	return 1;
}

static void
on_readable(void *context)
{
	struct dial *d = context;
	struct error err = { 0 };
	int going;
	do
		going = read_reply(d, &err);
	while (going == 1 && !socks_is_done(&d->socks));
	if (going < 0)
		broken(d, &err);
	else if (socks_is_done(&d->socks))
		finish(d);
}

static void
on_timer(void *context)
{
	struct dial *d = context;
	struct error err = { 0 };
	int64_t left_ms = d->deadline_ms - clock_monotonic_ms();
	if (left_ms <= 0) {
		error_set(&err, ERROR_TIMEOUT, "the onion service could not be reached in time; it is tried again");
		broken(d, &err);
		return;
	}
	timer_start(d->timer, left_ms);
	if (d->fd < 0 && !d->is_waiting) {
		d->is_waiting = true;
		d->events->on_wanted(d->context);
	}
}

static void
ask_again(struct dial *d)
{
	int64_t left_ms = d->deadline_ms - clock_monotonic_ms();
	timer_start(d->timer, left_ms < 0 ? 0 : left_ms < CONNECT_AGAIN_MS ? left_ms : CONNECT_AGAIN_MS);
}

void
dial_take(struct dial *d, int fd, int errnum)
{
	struct error err = { 0 };
	assert(d->is_waiting && d->fd < 0);
	d->is_waiting = false;
	if (fd < 0 && (errnum == EAGAIN || errnum == EINTR)) {
		ask_again(d);
		return;
	}
	if (fd < 0) {
		error_set_errno(&err, errnum, "cannot connect to tor's SOCKS socket");
		if (errnum == ENOENT || errnum == ECONNREFUSED)
			err.code = ERROR_UNREACHABLE;
		broken(d, &err);
		return;
	}
	d->fd = fd;
	d->readable = watch_new(d->loop, d->fd, WATCH_READ, on_readable, d);
	d->writable = watch_new(d->loop, d->fd, WATCH_WRITE, on_writable, d);
	watch_enable(d->readable, true);
	watch_enable(d->writable, true);
}

void
dial_set_flight(struct dial *d, struct slice bytes)
{
	struct error err = { 0 };
	if (buffer_len(&d->flight) > 0 || buffer_append(&d->flight, bytes.data, bytes.len, NULL) != 0)
		return;
	if (d->writable != NULL && socks_is_connecting(&d->socks) && send_request(d, &err) != 0)
		broken(d, &err);
}

struct dial *
dial_new(struct loop *loop, struct slice isolation, struct slice host, uint16_t port, int64_t deadline_ms,
    const struct dial_events *events, void *context)
{
	struct dial *d = calloc(1, sizeof *d);
	assert(d != NULL);
	*d = (struct dial){ .loop = loop, .deadline_ms = deadline_ms, .events = events, .context = context, .fd = -1 };
	int failed = socks_init(&d->socks, slice_of_string(SOCKS_TOR_USERNAME), isolation, host, port, NULL);
	assert(failed == 0);
	(void)failed;
	buffer_init(&d->flight, DIAL_FLIGHT_MAX_BYTES);
	d->timer = timer_new(loop, on_timer, d);
	timer_start(d->timer, 0);
	return d;
}

void
dial_free(struct dial *d)
{
	if (d == NULL)
		return;
	if (d->readable != NULL)
		watch_free(d->readable);
	if (d->writable != NULL)
		watch_free(d->writable);
	timer_free(d->timer);
	buffer_finish(&d->flight);
	file_close(&d->fd);
	free(d);
}
