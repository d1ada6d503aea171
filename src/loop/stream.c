/* SPDX-License-Identifier: ISC */
#include "loop/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/file.h"
#include "loop/stream_parts.h"

/* How often one stream may read before the others get their turn. */
#define READS_PER_TURN 4
/* What a peer may still send while we hang up, before we close in its face. */
#define LINGER_MAX_BYTES (1024 * 1024)

size_t
stream_buffered_bytes(const struct stream *s)
{
	return s->in.capacity + s->wire.capacity + s->out.capacity + s->early.capacity + (s->tls != NULL ? tlsconn_kept_bytes(s->tls) : 0);
}

static void
count_buffers(struct stream *s)
{
	size_t now = stream_buffered_bytes(s);
	loop_note_buffered(s->loop, s->counted_bytes, now);
	s->counted_bytes = now;
}

/* Not while the owner may be looking at it. */
static void
drop_input(struct stream *s)
{
	buffer_finish(&s->in);
	if (s->tls != NULL)
		tlsconn_drop_kept(s->tls);
	count_buffers(s);
}

static void
release(struct stream *s)
{
	loop_note_buffered(s->loop, s->counted_bytes, 0);
	loop_forget_round_call(&s->round);
	watch_free(s->readable);
	watch_free(s->writable);
	timer_free(s->give_up);
	tlsconn_free(s->tls);
	buffer_finish(&s->in);
	buffer_finish(&s->wire);
	buffer_finish(&s->out);
	buffer_finish(&s->early);
	file_close(&s->fd);
	free(s);
}

static bool
can_take_input(const struct stream *s)
{
	switch (s->state) {
	case OPEN:
		return !s->stalled && buffer_len(&s->in) < s->in.max;
	case FINISHING:
	case LINGERING:
		return !s->eof && s->dropped_bytes < LINGER_MAX_BYTES;
	case ENDED:
		break;
	}
	return false;
}

static void
enter(struct stream *s)
{
	assert(!s->busy);
	s->busy = true;
}

static void
leave(struct stream *s)
{
	s->busy = false;
	if (s->freed) {
		release(s);
		return;
	}
	if (s->state == FINISHING || s->state == LINGERING)
		drop_input(s);
	count_buffers(s);
	if (s->readable == NULL)
		return; /* not connected yet */
	watch_enable(s->readable, can_take_input(s));
	watch_enable(s->writable, s->blocked && s->state != ENDED);
}

/* ---- sending */

static int
encrypt(struct stream *s, struct error *err)
{
	while (tlsconn_is_ready(s->tls) && buffer_len(&s->out) > 0 && buffer_len(&s->wire) < STREAM_SEND_STEP_BYTES) {
		size_t len = buffer_len(&s->out);
		if (len > STREAM_SEND_STEP_BYTES)
			len = STREAM_SEND_STEP_BYTES;
		if (tlsconn_write(s->tls, buffer_bytes(&s->out), len, err) != 0)
			return -1;
		buffer_consume(&s->out, len);
	}
	return 0;
}

static void
drop_output(struct stream *s)
{
	buffer_finish(&s->out);
	buffer_finish(&s->early);
	buffer_finish(&s->wire);
	s->blocked = false;
	s->undrained = false;
}

/* Sends until there is nothing more or the kernel is full. -1: the stream cannot go on. */
static int
flush(struct stream *s, struct error *err)
{
	s->blocked = false;
	for (;;) {
		if (s->tls != NULL && encrypt(s, err) != 0)
			return -1;
		size_t len = buffer_len(&s->wire);
		if (len == 0 || s->fd < 0)
			return 0;
		ssize_t n = send(s->fd, buffer_bytes(&s->wire), len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
			/* The peer hung up, but its last words may still wait to be read: reading finds the end. */
			s->broken = true;
			drop_output(s);
			return 0;
		}
		if (n < 0 && errno != EAGAIN)
			return error_set_errno(err, errno, "cannot send");
		if (n > 0)
			buffer_consume(&s->wire, (size_t)n);
		if (n < 0 || (size_t)n < len) {
			s->blocked = true;
			return 0;
		}
	}
}

static void
end(struct stream *s, const struct error *err)
{
	if (s->state == ENDED || s->freed)
		return;
	if (s->state == OPEN && !s->broken)
		flush(s, NULL); /* a TLS alert, or a reply to somebody who has only shut down his side */
	s->state = ENDED;
	drop_output(s);
	loop_forget_round_call(&s->round);
	if (s->give_up != NULL)
		timer_stop(s->give_up);
	/* Closed now: the other side should not have to wait until the owner frees the stream. */
	if (s->readable != NULL) {
		watch_enable(s->readable, false);
		watch_enable(s->writable, false);
	}
	file_close(&s->fd);
	s->events->on_end(s->context, err);
}

static void
end_closed(struct stream *s)
{
	struct error err;
	error_set(&err, ERROR_CLOSED, "the other side closed the connection");
	end(s, &err);
}

static void
hang_up(struct stream *s)
{
	s->state = LINGERING;
	if (s->eof || s->broken || s->dropped_bytes >= LINGER_MAX_BYTES || shutdown(s->fd, SHUT_WR) != 0)
		end_closed(s);
}

static bool
is_early(const struct stream *s)
{
	return s->tls != NULL && tlsconn_is_early(s->tls);
}

static void
send_and_report(struct stream *s)
{
	struct error err;
	if (s->state != OPEN && s->state != FINISHING)
		return;
	if (s->readable == NULL) { /* not connected yet: what was written waits */
		if (s->state == FINISHING)
			end_closed(s);
		return;
	}
	if (!s->broken && flush(s, &err) != 0) {
		end(s, &err);
		return;
	}
	if (buffer_len(&s->wire) > 0)
		return;
	if (s->state == FINISHING) {
		if (is_early(s) && !s->broken && !s->eof)
			return; /* he gets his ticket and our goodbye when he has finished the handshake */
		if (s->tls != NULL && tlsconn_is_ready(s->tls) && !s->broken) {
			tlsconn_close(s->tls);
			if (flush(s, &err) == 0 && s->blocked)
				return;
		}
		hang_up(s);
	} else if (s->undrained && buffer_len(&s->out) == 0) {
		s->undrained = false;
		if (s->events->on_drained != NULL)
			s->events->on_drained(s->context);
	}
}

static void
on_writable(void *context)
{
	struct stream *s = context;
	enter(s);
	send_and_report(s);
	leave(s);
}

/* ---- receiving */

static void
offer(struct stream *s)
{
	if (s->state == OPEN && !s->freed && buffer_len(&s->in) > 0)
		s->events->on_input(s->context);
}

/* Goes on with the handshake. As tlsconn_handshake(). */
static int
go_on_with_handshake(struct stream *s, struct error *err)
{
	bool was_ready = tlsconn_is_ready(s->tls);
	size_t to_say = buffer_len(&s->wire);
	int result = tlsconn_handshake(s->tls, &s->in, err);
	if (!was_ready && buffer_len(&s->wire) > to_say)
		loop_note_handshake(s->loop); /* keys were agreed and signed with, not only bytes gathered */
	if (result != 1 || was_ready)
		return result;
	s->took_early = s->sent_early && tlsconn_took_early(s->tls);
	if (s->took_early)
		buffer_finish(&s->early);
	if (s->events->on_tls != NULL)
		s->events->on_tls(s->context);
	return 1;
}

static void
report_session(struct stream *s)
{
	struct buffer *session = tlsconn_session(s->tls);
	if (s->state == OPEN && !s->freed && buffer_len(session) > 0 && s->events->on_session != NULL)
		s->events->on_session(s->context, slice_of(buffer_bytes(session), buffer_len(session)));
	tlsconn_forget_session(s->tls);
}

/* Lets TLS work on what it was fed; offers what came out. */
static void
take_tls(struct stream *s)
{
	struct error err;
	size_t before = buffer_len(&s->in);
	int result = go_on_with_handshake(s, &err);
	loop_at_round_end(s->loop, &s->round); /* there may be bytes to send */
	s->stalled = false;
	while (result == 1 && s->state == OPEN && !s->freed) {
		bool was_early = tlsconn_is_early(s->tls);
		result = tlsconn_read(s->tls, &s->in, &err);
		s->stalled = result == 0;
		report_session(s);
		/* What was left there because it was early is offered again. */
		if (buffer_len(&s->in) > before || (was_early && !tlsconn_is_early(s->tls)))
			offer(s);
		if (!s->stalled || s->state != OPEN || s->freed || buffer_len(&s->in) == s->in.max)
			break;
		before = buffer_len(&s->in);
		result = 1; /* the owner has made room */
	}
	struct error keep_err;
	bool kept = s->freed || tlsconn_keep(s->tls, &keep_err) == 0;
	if (result < 0 && err.code == ERROR_CLOSED && s->state == FINISHING)
		s->eof = true; /* he said his last words, and may still listen to ours */
	else if (result < 0)
		end(s, &err);
	else if (!kept)
		end(s, &keep_err);
}

/* Of who has got all answers to his early data, the end of the handshake is still awaited. */
static void
take_end_of_early(struct stream *s, const unsigned char *bytes, size_t len)
{
	struct error err;
	tlsconn_feed(s->tls, bytes, len);
	int result = tlsconn_read(s->tls, &s->in, &err);
	buffer_finish(&s->in);
	if (result < 0 || tlsconn_keep(s->tls, &err) != 0)
		s->eof = true;
	loop_at_round_end(s->loop, &s->round);
}

static void
take(struct stream *s, const unsigned char *bytes, size_t len)
{
	struct error err;
	if (s->state != OPEN) {
		s->dropped_bytes += len;
		if (s->state == FINISHING && is_early(s))
			take_end_of_early(s, bytes, len);
		if (s->state == LINGERING && s->dropped_bytes >= LINGER_MAX_BYTES)
			end_closed(s);
	} else if (s->tls != NULL) {
		tlsconn_feed(s->tls, bytes, len);
		take_tls(s);
	} else if (buffer_append(&s->in, bytes, len, &err) != 0) {
		end(s, &err);
	} else {
		offer(s);
	}
}

static void
take_end(struct stream *s)
{
	if (s->state == FINISHING)
		s->eof = true; /* he may still be reading */
	else
		end_closed(s);
}

static void
on_readable(void *context)
{
	struct stream *s = context;
	bool is_handshake = s->tls != NULL && !tlsconn_is_ready(s->tls);
	if (s->state == OPEN && ((is_handshake && !loop_may_handshake(s->loop)) || !loop_may_buffer(s->loop)))
		return; /* the bytes wait for the next round, in which the watch fires again */
	enter(s);
	for (int i = 0; i < READS_PER_TURN && !s->freed && can_take_input(s); i++) {
		unsigned char *scratch = loop_scratch(s->loop);
		size_t wanted = LOOP_SCRATCH_BYTES;
		if (s->state == OPEN && s->tls == NULL && wanted > s->in.max - buffer_len(&s->in))
			wanted = s->in.max - buffer_len(&s->in);
		bool is_plain = s->tls == NULL;
		ssize_t n = recv(s->fd, scratch, wanted, MSG_DONTWAIT);
		if (n > 0) {
			take(s, scratch, (size_t)n);
			if (is_plain)
				explicit_bzero(scratch, (size_t)n); /* it may have been a password or a key */
		} else if (n == 0)
			take_end(s);
		else if (errno != EAGAIN && errno != EINTR) {
			struct error err;
			error_set_errno(&err, errno, "the connection broke");
			end(s, &err);
		}
		if (n < (ssize_t)wanted)
			break; /* that was all: another call would only say so */
	}
	leave(s);
}

static void
on_round_end(void *context)
{
	struct stream *s = context;
	enter(s);
	if (s->resume) {
		s->resume = false;
		offer(s);
		if (s->state == OPEN && !s->freed && s->stalled && buffer_len(&s->in) < s->in.max)
			take_tls(s);
	}
	if (!s->freed)
		send_and_report(s);
	leave(s);
}

/* ---- the owner's side */

struct stream *
stream_new(struct loop *loop, int fd, size_t input_max_bytes, size_t output_max_bytes,
    const struct stream_events *events, void *context)
{
	struct stream *s = calloc(1, sizeof *s);
	assert(s != NULL && input_max_bytes > 0);
	*s = (struct stream){ .loop = loop, .fd = -1, .events = events, .context = context,
		.output_max_bytes = output_max_bytes, .round = { .callback = on_round_end, .context = s } };
	buffer_init(&s->in, input_max_bytes);
	buffer_init(&s->wire, output_max_bytes);
	if (fd >= 0)
		stream_connect(s, fd, 0);
	return s;
}

void
stream_connect(struct stream *s, int fd, size_t sent_bytes)
{
	assert(s->readable == NULL && sent_bytes <= buffer_len(&s->wire));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	s->fd = fd;
	buffer_consume(&s->wire, sent_bytes);
	s->readable = watch_new(s->loop, fd, WATCH_READ, on_readable, s);
	s->writable = watch_new(s->loop, fd, WATCH_WRITE, on_writable, s);
	watch_enable(s->readable, true);
	loop_at_round_end(s->loop, &s->round);
}

struct slice
stream_first_flight(const struct stream *s)
{
	return s->readable == NULL ? slice_of(buffer_bytes(&s->wire), buffer_len(&s->wire)) : slice_of(NULL, 0);
}

void
stream_free(struct stream *s)
{
	if (s == NULL)
		return;
	s->freed = true;
	if (!s->busy)
		release(s);
}

struct buffer *
stream_input(struct stream *s)
{
	return &s->in;
}

void
stream_resume_input(struct stream *s)
{
	if (s->state != OPEN)
		return;
	s->resume = true;
	loop_at_round_end(s->loop, &s->round);
}

int
stream_write(struct stream *s, const void *bytes, size_t len, struct error *err)
{
	if (s->state != OPEN || s->broken)
		return error_set(err, ERROR_CLOSED, "the connection is closed");
	if (buffer_append(s->tls != NULL ? &s->out : &s->wire, bytes, len, err) != 0)
		return -1;
	s->undrained = true;
	count_buffers(s);
	/* Not sent at once: what several calls write goes out together at the end of the round. */
	if (!s->blocked)
		loop_at_round_end(s->loop, &s->round);
	return 0;
}

size_t
stream_output_len(const struct stream *s)
{
	return buffer_len(&s->wire) + buffer_len(&s->out);
}

static void
on_give_up(void *context)
{
	struct stream *s = context;
	struct error err;
	enter(s);
	if (s->state == FINISHING)
		error_set(&err, ERROR_TIMEOUT, "the other side does not take what was sent");
	else
		error_set(&err, ERROR_CLOSED, "the other side did not close the connection");
	end(s, &err);
	leave(s);
}

void
stream_finish(struct stream *s, int64_t timeout_ms)
{
	if (s->state != OPEN)
		return;
	s->state = FINISHING;
	if (!s->busy)
		drop_input(s);
	if (s->tls != NULL && !tlsconn_is_ready(s->tls))
		buffer_finish(&s->out); /* the handshake will not finish any more */
	s->give_up = timer_new(s->loop, on_give_up, s);
	timer_start(s->give_up, timeout_ms);
	loop_at_round_end(s->loop, &s->round);
}
