/* SPDX-License-Identifier: ISC */
#include "smtpd/session.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Both bound what a client costs that sends and does not read. */
#define INPUT_MAX_BYTES 32768
#define REPLIES_MAX_BYTES 65536
/* Replies that the client does not fetch: no further command is looked at. */
#define OUTPUT_PAUSE_BYTES 8192
#define OUTPUT_MAX_BYTES (OUTPUT_PAUSE_BYTES + REPLIES_MAX_BYTES)
/* The kernel's memory is no stranger's either: replies are short. */
#define KERNEL_MAX_BYTES 16384
#define PROGRESS_BYTES 16384 /* a piece of a message by which a session gets on */
#define GOODBYE_MS 5000

static void
flush_replies(struct session *s)
{
	size_t len = buffer_len(&s->out);
	if (len > 0 && stream_write(s->stream, buffer_bytes(&s->out), len, NULL) == 0)
		buffer_consume(&s->out, len);
	else
		buffer_finish(&s->out); /* the stream has ended; its on_end follows */
}

void
session_reply(struct session *s, enum answer which, const char *added)
{
	if (answer_write(&s->out, which, added, NULL) != 0)
		session_close(s); /* cannot be with OUTPUT_PAUSE_BYTES kept, but a lost reply would shift all others */
}

void
session_refuse(struct session *s, enum answer which)
{
	session_reply(s, which, NULL);
	if (++s->errors < SMTPD_ERRORS_MAX)
		return;
	session_reply(s, ANSWER_TOO_MANY_ERRORS, NULL);
	session_close(s);
}

void
session_close(struct session *s)
{
	if (s->mode == SESSION_CLOSING)
		return;
	s->mode = SESSION_CLOSING;
	transaction_reset(s);
	flush_replies(s);
	timer_stop(s->timer);
	stream_finish(s->stream, GOODBYE_MS);
}

void
session_await_tls(struct session *s)
{
	s->mode = SESSION_STARTING_TLS;
	timer_start(s->timer, SMTPD_TLS_MINUTES * s->server->minute_ms);
}

void
session_stop(struct session *s)
{
	s->is_stopping = true;
	if (s->mode == SESSION_CLOSING || s->mode == SESSION_WAITING)
		return;
	if (s->mode == SESSION_STARTING_TLS) {
		session_close(s);
		return;
	}
	session_reply(s, ANSWER_CLOSING, NULL);
	session_close(s);
}

/* Early data may be a copy of what was sent another time. A message that comes twice is dropped the second time; whatever else the command
 * would do waits until the client has finished the handshake: the stream offers it again then. */
static bool
must_wait(const struct session *s, struct slice line)
{
	static const char *const harmless[] = { "EHLO", "MAIL", "RCPT", "BDAT", "QUIT" };
	if (stream_early(s->stream) != STREAM_EARLY_READING)
		return false;
	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
		if (line.len >= 4 && strncasecmp((const char *)line.data, harmless[i], 4) == 0)
			return false;
	return true;
}

/* Takes one line off the input. false: none is there yet, or it was refused. */
static bool
take_line(struct session *s, struct buffer *in)
{
	struct slice all = slice_of(buffer_bytes(in), buffer_len(in));
	size_t most = all.len < COMMAND_LINE_MAX_BYTES ? all.len : COMMAND_LINE_MAX_BYTES;
	const unsigned char *lf = memchr(all.data, '\n', most);
	if (lf == NULL) {
		if (all.len < COMMAND_LINE_MAX_BYTES)
			return false;
		session_reply(s, ANSWER_LINE_TOO_LONG, NULL);
		session_close(s);
		return false;
	}
	size_t len = (size_t)(lf - (const unsigned char *)all.data);
	if (must_wait(s, slice_of(all.data, len))) {
		if (all.len == in->max) { /* what ends the handshake could not come in behind it */
			session_reply(s, ANSWER_CLOSING, NULL);
			session_close(s);
		}
		return false;
	}
	unsigned char line[COMMAND_LINE_MAX_BYTES]; /* a copy: verbs may look whether input is left */
	memcpy(line, all.data, len);
	buffer_consume(in, len + 1);
	timer_start(s->timer, fairness_patience_ms(s));
	if (len == 0 || line[len - 1] != '\r')
		session_refuse(s, ANSWER_NOT_A_LINE);
	else if (s->mode == SESSION_COMMAND)
		verb_obey(s, slice_of(line, len - 1));
	else
		verb_auth_answer(s, slice_of(line, len - 1));
	explicit_bzero(line, len); /* it may be a password */
	return true;
}

/* A message must keep coming: the timer moves only when a good piece of it has. */
static bool
take_content(struct session *s, struct buffer *in, bool (*take)(struct session *, struct buffer *))
{
	size_t before = buffer_len(in);
	bool has_more = take(s, in);
	s->progress_bytes += (unsigned)(before - buffer_len(in));
	bool gets_on = s->progress_bytes >= PROGRESS_BYTES;
	if (gets_on) {
		s->progress_bytes %= PROGRESS_BYTES;
		fairness_note_progress(s);
	}
	if (s->mode == SESSION_COMMAND || (gets_on && (s->mode == SESSION_DATA || s->mode == SESSION_CHUNK)))
		timer_start(s->timer, fairness_patience_ms(s));
	return has_more;
}

/* One step. false: it needs more input, or somebody else's answer. */
static bool
step(struct session *s)
{
	struct buffer *in = stream_input(s->stream);
	switch (s->mode) {
	case SESSION_COMMAND:
	case SESSION_AUTH_PLAIN:
	case SESSION_AUTH_LOGIN:
	case SESSION_AUTH_PASSWORD:
		return take_line(s, in);
	case SESSION_DATA:
		return take_content(s, in, verb_data_take);
	case SESSION_CHUNK:
		return take_content(s, in, verb_bdat_take);
	case SESSION_PAUSING:
	case SESSION_WAITING:
	case SESSION_STARTING_TLS:
	case SESSION_CLOSING:
		break;
	}
	return false;
}

void
session_run(struct session *s)
{
	if (s->is_running)
		return;
	s->is_running = true;
	while (stream_output_len(s->stream) + buffer_len(&s->out) < OUTPUT_PAUSE_BYTES && step(s))
		;
	s->is_running = false;
	/* While the owner thinks about a message the replies before it wait too: one flight back for one flight in. */
	if (s->mode != SESSION_WAITING)
		flush_replies(s);
	if (loop_buffered_bytes(s->server->loop) > SMTPD_BUFFERS_MAX_BYTES && !timer_is_running(s->server->relief))
		timer_start(s->server->relief, 0);
}

static void
on_input(void *context)
{
	session_run(context);
}

static void
on_drained(void *context)
{
	struct session *s = context;
	if (buffer_len(stream_input(s->stream)) > 0)
		stream_resume_input(s->stream);
}

static void
on_tls(void *context)
{
	verb_tls_on_handshake(context);
}

static void
on_end(void *context, const struct error *err)
{
	(void)err;
	session_free(context);
}

static void
on_timeout(void *context)
{
	struct session *s = context;
	if (s->is_evicted) {
		session_free(s);
		return;
	}
	if (s->mode == SESSION_STARTING_TLS) {
		session_close(s);
		return;
	}
	if (s->mode == SESSION_PAUSING) {
		verb_auth_resume(s);
		return;
	}
	if (s->mode == SESSION_WAITING) {
		session_reply(s, ANSWER_TRY_LATER, NULL);
		s->transaction_id = 0; /* an answer that comes later finds nobody */
	}
	session_reply(s, ANSWER_TIMEOUT, NULL);
	session_close(s);
}

struct session *
session_new(struct smtpd_listener *listener, int fd, unsigned slot)
{
	static const struct stream_events events = { on_input, on_drained, on_tls, on_end, NULL };
	struct smtpd *server = listener->server;
	struct session *s = calloc(1, sizeof *s);
	if (s == NULL) {
		close(fd);
		return NULL;
	}
	*s = (struct session){ .server = server, .listener = listener, .slot = slot, .mode = SESSION_COMMAND };
	buffer_init(&s->out, REPLIES_MAX_BYTES);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ KERNEL_MAX_BYTES }, sizeof(int));
	s->stream = stream_new(server->loop, fd, INPUT_MAX_BYTES, OUTPUT_MAX_BYTES, &events, s);
	s->timer = timer_new(server->loop, on_timeout, s);
	fairness_note_progress(s);
	timer_start(s->timer, SMTPD_TIMEOUT_MINUTES * server->minute_ms);
	listener->sessions++;
	bool tls_at_once = listener->config.kind == SMTPD_SMTORP || listener->config.kind == SMTPD_SUBMISSIONS;
	if (tls_at_once) {
		session_await_tls(s);
		if (stream_start_tls_server(s->stream, listener->config.tls,
		        listener->config.kind == SMTPD_SMTORP ? TLS_ALPN_SMTORP : NULL, NULL) != 0)
			session_close(s);
	} else {
		session_reply(s, ANSWER_GREETING, listener->config.hostname);
		flush_replies(s);
	}
	return s;
}

void
session_free(struct session *s)
{
	assert(!s->is_running);
	s->listener->sessions--;
	s->listener->leaving -= s->is_evicted;
	transaction_reset(s);
	if (s->credentials != NULL)
		sasl_wipe(s->credentials);
	free(s->credentials);
	free(s->login);
	buffer_finish(&s->out);
	timer_free(s->timer);
	stream_free(s->stream);
	smtpd_forget(s);
	free(s);
}
