/* SPDX-License-Identifier: ISC
 *
 * What the tests of client sessions share: a server that follows a script, a client that reports.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/stream.h"
#include "loop/test_certificate.h"
#include "smtpc/session.h"

/* Not every test needs everything of this. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"

#define DEADLINE_MS 20000
#define OWN "ownownownownownownownownownownownownownownownownownowno.onion"
#define PEER "peerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeer.onion"

/* ---- a server that follows a script: it answers only when exactly what it expects has come */

struct line {
	const char *expect; /* NULL: speaks first */
	const char *reply;
	enum { PLAINLY, THEN_TLS, THEN_CLOSE } and_then;
};

static struct {
	const struct line *next;
	struct stream *stream;
	const char *alpn;
	bool speaks_on_tls;
	bool was_early; /* something came before the client had finished the handshake */
	unsigned long skipped; /* bytes taken of a body that the script does not name */
	unsigned long skip;
} server;

static struct loop *loop;
static struct timer *deadline;
static struct tls_context *server_context, *client_context;

static void
server_say(const struct line *line)
{
	if (line->reply[0] != '\0')
		assert_int_equal(stream_write(server.stream, line->reply, strlen(line->reply), NULL), 0);
	if (line->and_then == THEN_TLS)
		assert_int_equal(stream_start_tls_server(server.stream, server_context, server.alpn, NULL), 0);
	else if (line->and_then == THEN_CLOSE)
		stream_finish(server.stream, DEADLINE_MS);
}

static void
server_speak_first(void)
{
	if (server.next->reply != NULL && server.next->expect == NULL)
		server_say(server.next++);
}

static void
on_server_input(void *context)
{
	(void)context;
	struct buffer *in = stream_input(server.stream);
	server.was_early = server.was_early || stream_early(server.stream) == STREAM_EARLY_READING;
	const char *expect = server.next->expect;
	if (expect == NULL) {
		fail_msg("unexpected: %.*s", (int)buffer_len(in), (const char *)buffer_bytes(in));
		return;
	}
	size_t len = strlen(expect), there = buffer_len(in);
	if (memcmp(buffer_bytes(in), expect, there < len ? there : len) != 0 || there > len)
		fail_msg("expected: %s\ncame: %.*s", expect, (int)there, (const char *)buffer_bytes(in));
	if (there < len)
		return;
	buffer_consume(in, len);
	server_say(server.next++);
}

static void
on_server_tls(void *context)
{
	(void)context;
	if (server.speaks_on_tls)
		server_speak_first();
}

static void
on_server_end(void *context, const struct error *err)
{
	(void)context;
	(void)err;
}

static const struct stream_events server_events = { on_server_input, NULL, on_server_tls, on_server_end, NULL };

/* ---- the client and what it reports */

enum { FREE_ON_READY = 1, FREE_ON_DELIVERED, FREE_ON_END };

static struct {
	struct smtpc_session *session;
	const struct smtpc_message *messages; /* handed over as soon as possible */
	size_t message_count;
	bool quits; /* when there are no more messages */
	void (*on_ready)(void);
	int free_on;
	int ready, early, delivered, ended;
	bool tls;
	uint64_t size_max_bytes;
	char results[2000]; /* "code enhanced text\n" for each */
	enum smtpc_end reason;
	unsigned end_code;
	char end_text[SMTPC_TEXT_MAX + 1];
} client;

static void
deliver_next(void)
{
	struct error err = { 0 };
	if (client.message_count == 0) {
		if (client.quits)
			smtpc_session_quit(client.session);
		return;
	}
	client.message_count--;
	assert_int_equal(smtpc_session_deliver(client.session, client.messages++, &err), 0);
	assert_int_equal(smtpc_session_deliver(client.session, client.messages - 1, &err), -1);
	assert_int_equal(err.code, ERROR_BUSY);
}

static void
free_when(int when)
{
	if (client.free_on != when)
		return;
	smtpc_session_free(client.session);
	client.session = NULL;
	loop_stop(loop);
}

static void
on_ready(void *context, const struct smtpc_readiness *readiness)
{
	(void)context;
	client.ready++;
	client.tls = readiness->is_tls;
	client.early += readiness->is_early;
	client.size_max_bytes = readiness->size_max_bytes;
	if (client.on_ready != NULL)
		client.on_ready();
	deliver_next();
	free_when(FREE_ON_READY);
}

static void
on_delivered(void *context, const struct smtpc_result *results, size_t count)
{
	(void)context;
	client.delivered++;
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(client.results);
		snprintf(client.results + used, sizeof client.results - used, "%u %.*s %.*s\n", results[i].code,
		    (int)results[i].enhanced.len, (const char *)results[i].enhanced.data, (int)results[i].text.len,
		    (const char *)results[i].text.data);
	}
	deliver_next();
	free_when(FREE_ON_DELIVERED);
}

static void
on_end(void *context, enum smtpc_end reason, unsigned code, const char *text)
{
	(void)context;
	client.ended++;
	client.reason = reason;
	client.end_code = code;
	snprintf(client.end_text, sizeof client.end_text, "%s", text);
	loop_stop(loop);
	free_when(FREE_ON_END);
}

/* What is to be gone on with; kept from session to session. */
static unsigned char ticket[TLS_SESSION_MAX_BYTES];
static size_t ticket_len;
static bool uses_ticket;

static void
on_ticket(void *context, struct slice session)
{
	(void)context;
	assert_true(session.len <= sizeof ticket);
	memcpy(ticket, session.data, session.len);
	ticket_len = session.len;
}

static const struct smtpc_session_events client_events = { on_ready, on_delivered, on_end, on_ticket, NULL };
static const struct smtpc_session_events *test_events = &client_events;

static void
on_deadline(void *context)
{
	(void)context;
	loop_stop(loop);
	fail_msg("nothing happened for too long");
}

static int
start(void **state)
{
	(void)state;
	struct error err;
	loop = loop_new();
	deadline = timer_new(loop, on_deadline, NULL);
	timer_start(deadline, DEADLINE_MS);
	memset(&client, 0, sizeof client);
	memset(&server, 0, sizeof server);
	return tls_context_new_server(slice_of_string(test_certificate_pem), slice_of_string(test_key_pem),
	    &server_context, &err) != 0 || tls_context_new_client(&client_context, &err) != 0;
}

static int
finish(void **state)
{
	(void)state;
	smtpc_session_free(client.session);
	stream_free(server.stream);
	tls_context_free(server_context);
	tls_context_free(client_context);
	timer_free(deadline);
	loop_free(loop);
	return 0;
}

/* ---- a transport that hands on a few bytes at a time */

static size_t relay_step; /* 0: a direct connection */

struct relay {
	int from, to;
	struct watch *watch;
};

static void
on_relay(void *context)
{
	struct relay *relay = context;
	char bytes[4096];
	ssize_t n = recv(relay->from, bytes, relay_step, 0);
	if (n > 0)
		n = send(relay->to, bytes, (size_t)n, MSG_NOSIGNAL);
	if (n <= 0) {
		shutdown(relay->to, SHUT_WR);
		watch_enable(relay->watch, false);
	}
}

static void
connect_through_relay(int *left, int *right, struct relay relays[2])
{
	int a[2], b[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, b), 0);
	relays[0] = (struct relay){ a[1], b[1], NULL };
	relays[1] = (struct relay){ b[1], a[1], NULL };
	for (int i = 0; i < 2; i++) {
		relays[i].watch = watch_new(loop, relays[i].from, WATCH_READ, on_relay, &relays[i]);
		watch_enable(relays[i].watch, true);
	}
	*left = a[0];
	*right = b[0];
}

static inline struct smtpc_session *
open_session(int fd, enum smtpc_mode mode)
{
	const struct smtpc_peer peer = { mode, client_context, OWN, PEER, slice_of(ticket, uses_ticket ? ticket_len : 0) };
	return smtpc_session_new(loop, fd, &peer, test_events, NULL);
}

/* Runs one session to its end. */
static void
run(enum smtpc_mode mode, const struct line *script, const struct smtpc_message *messages, size_t message_count)
{
	int fds[2];
	struct relay relays[2] = { { 0 } };
	if (relay_step > 0)
		connect_through_relay(&fds[0], &fds[1], relays);
	else
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	client.messages = messages;
	client.message_count = message_count;
	server.next = script;
	server.stream = stream_new(loop, fds[1], 1 << 20, 1 << 20, &server_events, NULL);
	if (mode == SMTPC_SMTORP)
		assert_int_equal(stream_start_tls_server(server.stream, server_context, server.alpn, NULL), 0);
	else
		server_speak_first();
	client.session = open_session(fds[0], mode);
	loop_run(loop);
	for (int i = 0; i < 2 && relay_step > 0; i++) {
		watch_free(relays[i].watch);
		close(relays[i].from);
	}
	smtpc_session_free(client.session);
	stream_free(server.stream);
	client.session = NULL;
	server.stream = NULL;
}

/* The same whatever the size of the pieces that arrive. */
static void
run_in_pieces(enum smtpc_mode mode, const struct line *script, const struct smtpc_message *messages, size_t message_count,
    bool quits, const char *results)
{
	static const size_t steps[] = { 0, 1, 3 };
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		relay_step = steps[i];
		memset(&client, 0, sizeof client);
		client.quits = quits;
		run(mode, script, messages, message_count);
		assert_string_equal(client.results, results);
		assert_int_equal(client.ended, 1);
	}
	relay_step = 0;
}

static const struct slice bob_and_carol[] = {
	{ (const unsigned char *)"bob@" PEER, sizeof PEER - 1 + 4 },
	{ (const unsigned char *)"carol@" PEER, sizeof PEER - 1 + 6 },
};

static struct smtpc_message
message_of(size_t recipients, unsigned flags, const char *body)
{
	return (struct smtpc_message){ .reverse_path = slice_of_string("alice@" OWN), .recipients = bob_and_carol,
		.recipient_count = recipients, .flags = flags, .body = slice_of_string(body) };
}

#define GREETING { NULL, "220 peer ESMTP\r\n", PLAINLY }
#define MAIL "MAIL FROM:<alice@" OWN ">"
#define BOB "RCPT TO:<bob@" PEER ">\r\n"
#define CAROL "RCPT TO:<carol@" PEER ">\r\n"
#define EHLO "EHLO " OWN "\r\n"
#define LAST { NULL, NULL, PLAINLY }
#define OPEN(extensions) GREETING, { EHLO, "250-x\r\n" extensions, PLAINLY }
#define QUIT { "QUIT\r\n", "", THEN_CLOSE }, LAST

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)
