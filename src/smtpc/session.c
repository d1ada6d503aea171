/* SPDX-License-Identifier: ISC */
#include "smtpc/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtpc/session_internal.h"
#include "smtpc/source.h"

#define INPUT_MAX_BYTES 8192
#define OUTPUT_MAX_BYTES (256 * 1024)
/* A body up to this size goes in the same flight as the recipients; a larger one waits for them, so that it is not sent
 * for nobody. smtorp/1 is for few round trips, so its line is drawn where one more hardly counts. */
#define ONE_FLIGHT_BYTES 49152
#define ONE_FLIGHT_SMTORP_BYTES (256 * 1024)

/* What smtorp/1 promises from the first byte. */
const struct reply_extensions session_smtorp_promises = {
	.pipelining = true, .chunking = true, .eight_bit_mime = true, .smtputf8 = true, .size = true,
};

static void
release(struct smtpc_session *s)
{
	stream_free(s->stream);
	timer_free(s->timeout);
	timer_free(s->whole);
	timer_free(s->soon);
	delivery_free(s->delivery);
	session_early_wipe(s);
	session_proof_wipe(s);
	buffer_finish(&s->card);
	free(s);
}

static void
enter(struct smtpc_session *s)
{
	assert(!s->busy);
	s->busy = true;
}

static void
leave(struct smtpc_session *s)
{
	s->busy = false;
	if (s->freed)
		release(s);
}

static void
end(struct smtpc_session *s, enum smtpc_end reason, unsigned code, const char *text)
{
	if (s->state == ENDED || s->freed)
		return;
	s->state = ENDED;
	stream_free(s->stream);
	s->stream = NULL;
	timer_stop(s->timeout);
	timer_stop(s->whole);
	timer_stop(s->soon);
	s->events->on_end(s->context, reason, code, text);
}

static void
send_line(struct smtpc_session *s, const char *verb, const char *argument)
{
	char line[256];
	int len = snprintf(line, sizeof line, "%s%s%s\r\n", verb, argument[0] == '\0' ? "" : " ", argument);
	assert(len > 0 && (size_t)len < sizeof line);
	stream_write(s->stream, line, (size_t)len, NULL); /* a failure is a closed connection: on_stream_end says so */
}

static void
quit(struct smtpc_session *s)
{
	send_line(s, "QUIT", "");
	s->state = QUITTING;
	/* The answer to QUIT tells nothing. */
	stream_finish(s->stream, SESSION_QUIT_MS / 2);
	session_wait_on(s);
}

static void
become_ready(struct smtpc_session *s)
{
	const struct smtpc_readiness readiness = { .is_tls = stream_is_tls(s->stream), .size_max_bytes = s->extensions.size_max_bytes };
	s->state = READY;
	if (s->wants_quit)
		quit(s);
	else
		s->events->on_ready(s->context, &readiness);
}

/* Before the peer has said anything. */
static void
offer_early(struct smtpc_session *s)
{
	const struct smtpc_readiness readiness = { .is_tls = true, .is_early = true };
	s->extensions = session_smtorp_promises;
	s->events->on_ready(s->context, &readiness);
}

/* ---- the message at hand */

static void
pump(struct smtpc_session *s)
{
	struct error err = { 0 };
	if (s->state != READY || s->delivery == NULL || s->refused_here ||
	    delivery_pump(s->delivery, s->stream, &err) == 0)
		return;
	/* A failure of the stream is told by on_stream_end. */
	if (err.code == ERROR_IO || err.code == ERROR_NO_MEMORY)
		timer_start(s->soon, 0);
}

static void
finish_delivery(struct smtpc_session *s)
{
	struct delivery *delivery = s->delivery;
	size_t count;
	const struct smtpc_result *results = delivery_results(delivery, &count);
	if (!s->refused_here)
		s->needs_reset = delivery_needs_reset(delivery);
	s->delivery = NULL; /* the callback may hand over the next */
	timer_stop(s->whole);
	s->events->on_delivered(s->context, results, count);
	delivery_free(delivery);
	if (!s->freed && s->state == READY && s->delivery == NULL && s->wants_quit)
		quit(s);
}

static void
take_delivery_reply(struct smtpc_session *s, const struct reply *reply)
{
	struct error err = { 0 };
	switch (delivery_take_reply(s->delivery, reply, &err)) {
	case DELIVERY_GOES_ON:
		pump(s);
		break;
	case DELIVERY_DONE:
		finish_delivery(s);
		break;
	case DELIVERY_CUT:
		s->wants_quit = true; /* no other message now */
		finish_delivery(s);
		end(s, SMTPC_END_REFUSED, reply->code, reply->text);
		break;
	case DELIVERY_BROKEN:
		end(s, SMTPC_END_PROTOCOL, reply->code, err.text);
		break;
	}
}

void
session_open(struct smtpc_session *s)
{
	if (s->ehlo_sent)
		return;
	s->ehlo_sent = s->ehlo_due = true;
	send_line(s, "EHLO", s->own_onion);
	if (s->proof[0] == '\0')
		return;
	s->auth_due = true;
	send_line(s, "AUTH", s->proof);
}

/* Writes what comes first, or all of it. */
static int
begin_delivery(struct smtpc_session *s, size_t body_bytes, struct error *err)
{
	timer_start(s->whole, session_transaction_ms(body_bytes));
	if (s->state == EARLY)
		return session_early_begin(s, body_bytes, err);
	session_open(s);
	pump(s);
	return 0;
}

int
smtpc_session_deliver(struct smtpc_session *s, const struct smtpc_message *message, struct error *err)
{
	if (s->state == QUITTING || s->state == ENDED || s->wants_quit)
		return error_set(err, ERROR_CLOSED, "the session is closed");
	if ((s->state != READY && s->state != EARLY) || s->delivery != NULL || s->card_due)
		return error_set(err, ERROR_BUSY, "the session is not ready for a message");
	struct delivery_rules rules = {
		.pipelining = s->extensions.pipelining,
		.chunking = s->extensions.chunking,
		.size = s->extensions.size,
		.waits_for_recipients =
		    source_len(message) > (s->peer.mode == SMTPC_SMTP ? ONE_FLIGHT_BYTES : ONE_FLIGHT_SMTORP_BYTES),
		.resets_first = s->needs_reset,
	};
	int is_clean = source_has_only_crlf(message, err);
	if (is_clean < 0 || delivery_new(message, &rules, &s->delivery, err) != 0)
		return -1;
	s->refused_here = delivery_refuse_unfit(s->delivery, message, is_clean, &s->extensions);
	if (s->refused_here && s->state == READY) {
		timer_start(s->soon, 0);
		return 0;
	}
	int result = begin_delivery(s, source_len(message), err);
	if (result != 0) {
		delivery_free(s->delivery);
		s->delivery = NULL;
	}
	session_wait_on(s);
	return result;
}

/* ---- greeting, EHLO, STARTTLS */

/* A reply that is no success in the opening: the session is over. */
static bool
is_refused(struct smtpc_session *s, const struct reply *reply, unsigned wanted)
{
	if (reply->code == wanted)
		return false;
	if (reply->code >= 400)
		end(s, SMTPC_END_REFUSED, reply->code, reply->text);
	else
		end(s, SMTPC_END_PROTOCOL, reply->code, "the server does not greet as SMTP servers do");
	return true;
}

static void
say_hello(struct smtpc_session *s)
{
	memset(&s->extensions, 0, sizeof s->extensions);
	s->ehlo_sent = true;
	s->state = WAITS_FOR_EHLO;
	send_line(s, "EHLO", s->own_onion);
}

static void
take_ehlo_reply(struct smtpc_session *s, const struct reply *reply)
{
	if (reply->code >= 500) {
		s->state = WAITS_FOR_HELO;
		send_line(s, "HELO", s->own_onion);
	} else if (is_refused(s, reply, 250)) {
		return;
	} else if (s->extensions.starttls && !stream_is_tls(s->stream)) {
		s->state = WAITS_FOR_STARTTLS;
		send_line(s, "STARTTLS", "");
	} else {
		become_ready(s);
	}
}

static void
take_starttls_reply(struct smtpc_session *s, const struct reply *reply)
{
	struct error err = { 0 };
	if (reply->code >= 400) {
		become_ready(s); /* the onion service encrypts and authenticates already */
	} else if (!is_refused(s, reply, 220)) {
		s->state = WAITS_FOR_TLS;
		if (stream_start_tls_client(s->stream, s->peer.tls, s->peer_onion, NULL, &err) != 0)
			end(s, SMTPC_END_PROTOCOL, 0, err.text);
	}
}

/* In smtorp/1 the greeting and EHLO are answered while the first message is on its way. */
static bool
take_opening_reply(struct smtpc_session *s, const struct reply *reply)
{
	if (s->greeting_due) {
		s->greeting_due = false;
		is_refused(s, reply, 220);
		return true;
	}
	if (s->ehlo_due) {
		s->ehlo_due = false;
		is_refused(s, reply, 250);
		return true;
	}
	if (s->auth_due) { /* proved or not: the message goes on */
		session_proof_answered(s);
		return true;
	}
	if (s->card_due) {
		session_card_answered(s, reply);
		return true;
	}
	return false;
}

static size_t
replies_due(const struct smtpc_session *s)
{
	if (s->state != READY)
		return s->state <= WAITS_FOR_STARTTLS;
	return (size_t)s->greeting_due + s->ehlo_due + s->auth_due + s->card_due + (s->delivery == NULL ? 0 : delivery_replies_due(s->delivery));
}

static void
take_reply(struct smtpc_session *s, const struct reply *reply)
{
	if (reply->code == 421) { /* may come at any time: RFC 5321 section 3.8 */
		end(s, SMTPC_END_REFUSED, 421, reply->text);
		return;
	}
	if (s->unasked && s->state <= READY) {
		end(s, SMTPC_END_PROTOCOL, reply->code, "the server answers what was not asked");
		return;
	}
	switch (s->state) {
	case WAITS_FOR_GREETING:
		if (!is_refused(s, reply, 220))
			say_hello(s);
		break;
	case WAITS_FOR_EHLO:
		take_ehlo_reply(s, reply);
		break;
	case WAITS_FOR_HELO:
		if (!is_refused(s, reply, 250))
			become_ready(s);
		break;
	case WAITS_FOR_STARTTLS:
		take_starttls_reply(s, reply);
		break;
	case READY:
		if (!take_opening_reply(s, reply))
			take_delivery_reply(s, reply);
		break;
	case WAITS_FOR_TLS:
	case EARLY:
	case EARLY_TLS:
	case WAITS_FOR_PROOF:
	case QUITTING:
	case ENDED:
		break;
	}
	if (!s->freed)
		session_wait_on(s);
}

/* ---- from the stream */

/* One line of a reply, or what is there of it. */
static void
take_line(struct smtpc_session *s, size_t *due)
{
	struct buffer *in = stream_input(s->stream);
	struct slice bytes = slice_of(buffer_bytes(in), buffer_len(in));
	struct error err = { 0 };
	bool is_ehlo = s->state == WAITS_FOR_EHLO || (s->state == READY && !s->greeting_due && s->ehlo_due);
	if (s->reply.line_count == 0 && s->reply.line_len == 0 && *due == 0)
		s->unasked = true;
	enum reply_progress progress = reply_take(&s->reply, &bytes, &err);
	/* Taken before it is acted upon: what stands behind a 220 to STARTTLS must be found by stream_start_tls_client(). */
	buffer_consume(in, buffer_len(in) - bytes.len);
	if (progress == REPLY_MALFORMED)
		end(s, SMTPC_END_PROTOCOL, 0, err.text);
	if (progress == REPLY_MALFORMED || progress == REPLY_NEEDS_MORE)
		return;
	if (is_ehlo && s->reply.code == 250 && s->reply.line_count > 1)
		reply_take_extension(&s->extensions, reply_line(&s->reply));
	if (s->state == READY && s->card_due && !s->greeting_due && !s->ehlo_due && !s->auth_due)
		session_card_take_line(s);
	if (progress == REPLY_COMPLETE) {
		*due -= *due > 0;
		take_reply(s, &s->reply);
		reply_init(&s->reply);
		s->unasked = false;
	}
}

static void
on_input(void *context)
{
	struct smtpc_session *s = context;
	if (s->state == WAITS_FOR_PROOF)
		return;
	/* Replies that came together can only answer what was asked before they came. */
	size_t due = replies_due(s);
	enter(s);
	while (s->state != ENDED && !s->freed && buffer_len(stream_input(s->stream)) > 0)
		take_line(s, &due);
	leave(s);
}

static void
on_drained(void *context)
{
	struct smtpc_session *s = context;
	enter(s);
	pump(s);
	session_wait_on(s);
	leave(s);
}

static void
on_smtorp(struct smtpc_session *s)
{
	bool is_early = s->state == EARLY_TLS;
	s->extensions = session_smtorp_promises;
	s->greeting_due = true;
	s->state = READY;
	if (is_early && session_early_finish(s)) {
		session_proof_skip(s);
		if (s->refused_here)
			timer_start(s->soon, 0);
		pump(s);
		return;
	}
	/* Whoever this is, he may have another key than the one that the message was meant for: its owner is to look at it first. */
	delivery_free(s->delivery);
	s->delivery = NULL;
	s->ehlo_sent = s->ehlo_due = false;
	timer_stop(s->whole);
	if (!session_proof_ask(s))
		become_ready(s);
}

static void
on_tls(void *context)
{
	struct smtpc_session *s = context;
	enter(s);
	if (s->peer.mode == SMTPC_SMTP)
		say_hello(s);
	else if (stream_alpn(s->stream) == NULL)
		end(s, SMTPC_END_NOT_SMTORP, 0, "the server does not speak " TLS_ALPN_SMTORP);
	else
		on_smtorp(s);
	if (!s->freed)
		session_wait_on(s);
	leave(s);
}

static void
on_stream_end(void *context, const struct error *err)
{
	struct smtpc_session *s = context;
	enter(s);
	if (s->state == QUITTING)
		end(s, SMTPC_END_QUIT, 0, "");
	else if (err->code != ERROR_PROTOCOL)
		end(s, SMTPC_END_LOST, 0, err->text);
	else if ((s->state == WAITS_FOR_TLS || s->state == EARLY_TLS) && s->peer.mode == SMTPC_SMTORP)
		end(s, SMTPC_END_NOT_SMTORP, 0, err->text); /* RFC 7301 lets a server refuse an ALPN like that */
	else
		end(s, SMTPC_END_PROTOCOL, 0, err->text);
	leave(s);
}

static void
on_timeout(void *context)
{
	struct smtpc_session *s = context;
	enter(s);
	end(s, s->state == QUITTING ? SMTPC_END_QUIT : SMTPC_END_TIMEOUT, 0, "the server does not answer");
	leave(s);
}

static void
on_whole(void *context)
{
	struct smtpc_session *s = context;
	enter(s);
	end(s, SMTPC_END_TIMEOUT, 0, "the server is too slow");
	leave(s);
}

static void
go_on_with_proof(struct smtpc_session *s)
{
	stream_resume_input(s->stream);
	become_ready(s);
}

static void
on_soon(void *context)
{
	struct smtpc_session *s = context;
	enter(s);
	if (s->refused_here && s->delivery != NULL)
		finish_delivery(s);
	else if (s->state == EARLY && !s->wants_quit)
		offer_early(s);
	else if (s->state == WAITS_FOR_PROOF && !s->wants_quit)
		go_on_with_proof(s);
	else if (s->delivery != NULL)
		end(s, SMTPC_END_LOST, 0, "the message could not be read to its end");
	else if (s->wants_quit && s->state < READY)
		end(s, SMTPC_END_QUIT, 0, "");
	if (!s->freed)
		session_wait_on(s);
	leave(s);
}

/* ---- the owner's side */

static void
on_session(void *context, struct slice session)
{
	struct smtpc_session *s = context;
	enter(s);
	if (s->peer.mode == SMTPC_SMTORP && s->events->on_ticket != NULL)
		session_proof_on_ticket(s, session);
	leave(s);
}

struct smtpc_session *
smtpc_session_new(struct loop *loop, int fd, const struct smtpc_peer *peer, const struct smtpc_session_events *events, void *context)
{
	static const struct stream_events stream_events = { on_input, on_drained, on_tls, on_stream_end, on_session };
	struct smtpc_session *s = calloc(1, sizeof *s);
	assert(s != NULL && strlen(peer->own_onion) <= SESSION_ONION_MAX && strlen(peer->onion) <= SESSION_ONION_MAX);
	s->peer = *peer;
	s->events = events;
	s->context = context;
	s->is_connected = fd >= 0;
	strcpy(s->own_onion, peer->own_onion);
	strcpy(s->peer_onion, peer->onion);
	reply_init(&s->reply);
	s->stream = stream_new(loop, fd, INPUT_MAX_BYTES, OUTPUT_MAX_BYTES, &stream_events, s);
	s->timeout = timer_new(loop, on_timeout, s);
	s->whole = timer_new(loop, on_whole, s);
	s->soon = timer_new(loop, on_soon, s);
	if (peer->mode == SMTPC_SMTORP && session_early_prepare(s, peer->resume)) {
		s->state = EARLY;
		timer_start(s->soon, 0);
	} else if (peer->mode == SMTPC_SMTORP) {
		/* A failure here (no memory) ends as a handshake that does not finish. */
		s->state = WAITS_FOR_TLS;
		stream_start_tls_client(s->stream, peer->tls, s->peer_onion, TLS_ALPN_SMTORP, NULL);
	}
	session_wait_on(s);
	return s;
}

bool
smtpc_session_is_early(const struct smtpc_session *s)
{
	return s->state == EARLY;
}

struct slice
smtpc_session_first_flight(const struct smtpc_session *s)
{
	return s->state == ENDED ? slice_of(NULL, 0) : stream_first_flight(s->stream);
}

void
smtpc_session_connect(struct smtpc_session *s, int fd, size_t sent_bytes)
{
	s->is_connected = true;
	stream_connect(s->stream, fd, sent_bytes);
	session_wait_on(s);
}

int
smtpc_session_key_hash(const struct smtpc_session *s, unsigned char hash[32], struct error *err)
{
	if (s->stream == NULL)
		return error_set(err, ERROR_CLOSED, "the session is closed");
	if (s->state == EARLY || s->state == EARLY_TLS) {
		memcpy(hash, s->resume_key, sizeof s->resume_key);
		return 0;
	}
	return stream_peer_key_hash(s->stream, hash, err);
}

void
smtpc_session_quit(struct smtpc_session *s)
{
	if (s->wants_quit || s->state == QUITTING || s->state == ENDED)
		return;
	s->wants_quit = true;
	if (s->state < READY && s->delivery == NULL)
		timer_start(s->soon, 0); /* nothing has begun that would need a QUIT */
	else if (s->delivery == NULL)
		quit(s);
}

void
smtpc_session_free(struct smtpc_session *s)
{
	if (s == NULL)
		return;
	s->freed = true;
	if (!s->busy)
		release(s);
}
