/* SPDX-License-Identifier: ISC */
#include "cli/doctor_talk.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "loop/stream.h"
#include "tor/dial.h"
#include "tor/endpoint.h"

#define DIAL_MS 60000      /* as the node's own dials: longer waits for what tor has given up (tor/dialer.h) */
#define DIAL_TRIES 3
#define RENEGOTIATION_MS 20000 /* who does not answer that at all refuses it */
#define IN_MAX 65536
#define OUT_MAX (1024 * 1024)
#define LINE_MAX 2048
#define ISOLATION_LETTERS 32

struct talk {
	struct loop *loop;
	struct stream *stream;
	struct timer *timer;
	struct buffer in, heard;
	struct error end; /* code ERROR_NONE: the connection stands */
	bool is_late;     /* the timer has fired */
	bool has_tls;     /* the handshake has finished */
};

/* ---- connecting */

struct dialling {
	struct loop *loop;
	struct dial *dial;
	struct endpoint tor;
	int fd;
	enum socks_result result;
	struct error err;
};

static void
on_wanted(void *context)
{
	struct dialling *d = context;
	int fd = endpoint_connect(&d->tor);
	dial_take(d->dial, fd, errno);
}

static void
on_connected(void *context, int fd, size_t flight_sent_bytes)
{
	struct dialling *d = context;
	(void)flight_sent_bytes;
	d->fd = fd;
	loop_stop(d->loop);
}

static void
on_refused(void *context, enum socks_result result)
{
	struct dialling *d = context;
	d->result = result;
	error_set(&d->err, result == SOCKS_REFUSED ? ERROR_NOT_FOUND : ERROR_UNREACHABLE, "%s", socks_result_text(result));
	loop_stop(d->loop);
}

static void
on_broken(void *context, const struct error *err)
{
	struct dialling *d = context;
	d->err = *err;
	loop_stop(d->loop);
}

/* -1: not this time. */
static int
dial(struct loop *loop, const char *tor, const char *onion, uint16_t port, struct error *err)
{
	static const struct dial_events events = { on_wanted, on_connected, on_refused, on_broken };
	struct dialling d = { .loop = loop, .fd = -1 };
	char isolation[ISOLATION_LETTERS + 1]; /* nobody has used such a circuit before, as with a stranger */
	if (endpoint_parse(tor, &d.tor, err) != 0)
		return -1;
	random_name(isolation, sizeof isolation);
	d.dial = dial_new(loop, slice_of_string(isolation), slice_of_string(onion), port, clock_monotonic_ms() + DIAL_MS, &events, &d);
	loop_run(loop);
	dial_free(d.dial);
	if (d.fd < 0 && err != NULL)
		*err = d.err;
	return d.fd;
}

/* ---- the stream's events */

/* What does not fit stays in the stream, which then reads no more. */
static void
on_input(void *context)
{
	struct talk *t = context;
	struct buffer *in = stream_input(t->stream);
	size_t len = buffer_len(in), room = IN_MAX - buffer_len(&t->in);
	if (len > room)
		len = room;
	size_t kept = TALK_HEARD_MAX - buffer_len(&t->heard);
	buffer_append(&t->heard, buffer_bytes(in), len < kept ? len : kept, NULL);
	if (buffer_append(&t->in, buffer_bytes(in), len, NULL) == 0)
		buffer_consume(in, len);
	loop_stop(t->loop);
}

static void
on_tls(void *context)
{
	struct talk *t = context;
	t->has_tls = true;
	loop_stop(t->loop);
}

static void
on_end(void *context, const struct error *err)
{
	struct talk *t = context;
	t->end = *err;
	loop_stop(t->loop);
}

static void
on_timer(void *context)
{
	struct talk *t = context;
	t->is_late = true;
	loop_stop(t->loop);
}

/* ---- */

int
talk_open(struct loop *loop, const char *tor, const char *onion, uint16_t port, struct talk **out, struct error *err)
{
	static const struct stream_events events = { on_input, NULL, on_tls, on_end, NULL };
	int fd = -1;
	for (unsigned tries = 0; fd < 0 && tries < DIAL_TRIES; tries++) {
		fd = dial(loop, tor, onion, port, err);
		if (fd < 0 && err->code == ERROR_NOT_FOUND)
			break;
	}
	if (fd < 0)
		return -1;
	struct talk *t = calloc(1, sizeof *t);
	if (t == NULL) {
		file_close(&fd);
		return error_set(err, ERROR_NO_MEMORY, "not enough memory");
	}
	t->loop = loop;
	buffer_init(&t->in, IN_MAX);
	buffer_init(&t->heard, TALK_HEARD_MAX);
	t->timer = timer_new(loop, on_timer, t);
	t->stream = stream_new(loop, fd, IN_MAX, OUT_MAX, &events, t);
	*out = t;
	return 0;
}

void
talk_free(struct talk *t)
{
	if (t == NULL)
		return;
	stream_free(t->stream);
	timer_free(t->timer);
	buffer_finish(&t->in);
	buffer_finish(&t->heard);
	free(t);
}

static void
begin_waiting(struct talk *t, int64_t timeout_ms)
{
	t->is_late = false;
	timer_start(t->timer, timeout_ms);
}

/* Lets the loop run until something happened. -1: nothing will, or the time is up. */
static int
wait_more(struct talk *t, struct error *err)
{
	if (t->end.code != ERROR_NONE) {
		if (err != NULL)
			*err = t->end;
		return -1;
	}
	if (t->is_late)
		return error_set(err, ERROR_TIMEOUT, "it said nothing more");
	loop_run(t->loop);
	return 0;
}

int
talk_start_tls(struct talk *t, struct tls_context *context, const char *alpn, struct error *err)
{
	int result = 0;
	if (buffer_len(&t->in) > 0)
		return error_set(err, ERROR_PROTOCOL, "it said more in plain text than it should have before TLS");
	if (stream_start_tls_client(t->stream, context, NULL, alpn, err) != 0)
		return -1;
	begin_waiting(t, TALK_REPLY_MS);
	while (result == 0 && !t->has_tls)
		result = wait_more(t, err);
	timer_stop(t->timer);
	return result;
}

bool
talk_renegotiate(struct talk *t)
{
	t->has_tls = false;
	begin_waiting(t, RENEGOTIATION_MS);
	int result = stream_renegotiate(t->stream, NULL);
	while (result == 0 && !t->has_tls)
		result = wait_more(t, NULL);
	timer_stop(t->timer);
	return t->has_tls;
}

bool
talk_is_tls(const struct talk *t)
{
	return t->has_tls;
}

struct stream *
talk_stream(struct talk *t)
{
	return t->stream;
}

int
talk_send(struct talk *t, struct slice bytes, struct error *err)
{
	return stream_write(t->stream, bytes.data, bytes.len, err);
}

int
talk_reply(struct talk *t, struct reply *reply, int64_t timeout_ms, struct error *err)
{
	int result = -1;
	reply_init(reply);
	begin_waiting(t, timeout_ms);
	for (;;) {
		struct slice in = slice_of(buffer_bytes(&t->in), buffer_len(&t->in));
		enum reply_progress progress = reply_take(reply, &in, err);
		buffer_consume(&t->in, buffer_len(&t->in) - in.len);
		if (t->end.code == ERROR_NONE)
			stream_resume_input(t->stream);
		if (progress == REPLY_COMPLETE)
			result = 0;
		if (progress == REPLY_COMPLETE || progress == REPLY_MALFORMED ||
		    (progress == REPLY_NEEDS_MORE && wait_more(t, err) != 0))
			break;
	}
	timer_stop(t->timer);
	return result;
}

int
talk_ask(struct talk *t, struct reply *reply, struct error *err, const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line, sizeof line - 2, format, args);
	va_end(args);
	assert(len >= 0 && (size_t)len < sizeof line - 2);
	memcpy(line + len, "\r\n", 2);
	if (talk_send(t, slice_of(line, (size_t)len + 2), err) != 0)
		return -1;
	return talk_reply(t, reply, TALK_REPLY_MS, err);
}

struct slice
talk_heard(const struct talk *t)
{
	return slice_of(buffer_bytes(&t->heard), buffer_len(&t->heard));
}
