/* SPDX-License-Identifier: ISC */
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

static const struct stream_events server_events = { on_server_input, NULL, on_server_tls, on_server_end };

/* ---- the client and what it reports */

enum { FREE_ON_READY = 1, FREE_ON_DELIVERED, FREE_ON_END };

static struct {
	struct smtpc_session *session;
	const struct smtpc_message *messages; /* handed over as soon as possible */
	size_t message_count;
	bool quits; /* when there are no more messages */
	void (*on_ready)(void);
	int free_on;
	int ready, delivered, ended;
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
on_ready(void *context, bool tls, uint64_t size_max_bytes)
{
	(void)context;
	client.ready++;
	client.tls = tls;
	client.size_max_bytes = size_max_bytes;
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

static const struct smtpc_session_events client_events = { on_ready, on_delivered, on_end };

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
	client.session = smtpc_session_new(loop, fds[0], mode, client_context, OWN, PEER, &client_events, NULL);
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

/* ---- the opening */

static void
an_old_server_is_spoken_to_step_by_step(void **state)
{
	(void)state;
	static const struct line script[] = {
		GREETING,
		{ EHLO, "502 5.5.1 what?\r\n", PLAINLY },
		{ "HELO " OWN "\r\n", "250 hello\r\n", PLAINLY },
		{ MAIL "\r\n", "250 ok\r\n", PLAINLY },
		{ BOB, "250 ok\r\n", PLAINLY },
		{ CAROL, "550 5.1.1 no carol here\r\n", PLAINLY },
		{ "DATA\r\n", "354 go\r\n", PLAINLY },
		{ "Subject: x\r\n\r\n..\r\nhi\r\n.\r\n", "250 2.0.0 taken\r\n", PLAINLY },
		{ MAIL "\r\n", "452 4.3.1 full\r\n", PLAINLY },
		{ "QUIT\r\n", "221 bye\r\n", THEN_CLOSE },
		LAST,
	};
	struct smtpc_message messages[] = { message_of(2, 0, "Subject: x\r\n\r\n.\r\nhi\r\n"), message_of(1, 0, "x\r\n") };
	run_in_pieces(SMTPC_SMTP, script, messages, 2, true,
	    "250 2.0.0 taken\n550 5.1.1 no carol here\n452 4.3.1 full\n");
	assert_int_equal(client.reason, SMTPC_END_QUIT);
	assert_false(client.tls);
}

static void
everything_that_is_offered_is_used(void **state)
{
	(void)state;
	static const struct line script[] = {
		GREETING,
		{ EHLO, "250-peer\r\n250-STARTTLS\r\n250-SIZE 1\r\n250 CHUNKING\r\n", PLAINLY },
		{ "STARTTLS\r\n", "220 go\r\n", THEN_TLS },
		{ EHLO, "250-peer\r\n250-SIZE 1000\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n", PLAINLY },
		{ MAIL " SIZE=7 BODY=8BITMIME SMTPUTF8\r\n" BOB CAROL "BDAT 7 LAST\r\n.\r\n\xc3\xbc\r\n",
		  "250 ok\r\n250 ok\r\n250 ok\r\n250 2.6.0 done\r\n", PLAINLY },
		{ MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\na\r\n", "250 ok\r\n250 ok\r\n250 again\r\n", PLAINLY },
		{ "QUIT\r\n", "221 bye\r\n", THEN_CLOSE },
		LAST,
	};
	struct smtpc_message messages[] = { message_of(2, SMTPC_8BIT | SMTPC_SMTPUTF8, ".\r\n\xc3\xbc\r\n"),
		message_of(1, 0, "a\r\n") };
	run_in_pieces(SMTPC_SMTP, script, messages, 2, true, "250 2.6.0 done\n250 2.6.0 done\n250  again\n");
	assert_true(client.tls);
	assert_true(client.size_max_bytes == 1000);
}

static void
smtorp_goes_in_one_flight(void **state)
{
	(void)state;
	static const struct line script[] = {
		{ EHLO MAIL "\r\n" BOB "BDAT 3 LAST\r\na\r\n",
		  "220 peer ESMTP\r\n250-peer\r\n250 SIZE 1000\r\n250 ok\r\n250 ok\r\n250 2.0.0 done\r\n", PLAINLY },
		{ MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\nb\r\n", "250 ok\r\n550 5.1.1 gone\r\n503 5.5.1 nobody\r\n", PLAINLY },
		{ "RSET\r\n" MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\nc\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n", PLAINLY },
		{ "QUIT\r\n", "221 bye\r\n", THEN_CLOSE },
		LAST,
	};
	struct smtpc_message messages[] = { message_of(1, 0, "a\r\n"), message_of(1, 0, "b\r\n"), message_of(1, 0, "c\r\n") };
	server.alpn = TLS_ALPN_SMTORP;
	run_in_pieces(SMTPC_SMTORP, script, messages, 3, true, "250 2.0.0 done\n550 5.1.1 gone\n250  ok\n");
	assert_true(client.tls);
}

static void
smtorp_takes_the_greeting_when_it_comes(void **state)
{
	(void)state;
	static const struct line script[] = {
		GREETING,
		{ EHLO MAIL "\r\n" BOB "BDAT 3 LAST\r\na\r\n", "250 peer\r\n250 ok\r\n250 ok\r\n250 done\r\n", PLAINLY },
		{ "QUIT\r\n", "", THEN_CLOSE },
		LAST,
	};
	struct smtpc_message message = message_of(1, 0, "a\r\n");
	server.alpn = TLS_ALPN_SMTORP;
	server.speaks_on_tls = true;
	run_in_pieces(SMTPC_SMTORP, script, &message, 1, true, "250  done\n");
}

static void
without_the_alpn_no_mail_is_sent_on_465(void **state)
{
	(void)state;
	static const struct line script[] = { LAST };
	struct smtpc_message message = message_of(1, 0, "a\r\n");
	run_in_pieces(SMTPC_SMTORP, script, &message, 1, true, "");
	assert_int_equal(client.reason, SMTPC_END_NOT_SMTORP);
	assert_int_equal(client.ready, 0);
}

static void
no_tls_on_465_is_not_smtorp(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(send(fds[1], "220 plain\r\n", 11, 0), 11);
	client.session = smtpc_session_new(loop, fds[0], SMTPC_SMTORP, client_context, OWN, PEER, &client_events, NULL);
	loop_run(loop);
	assert_int_equal(client.reason, SMTPC_END_NOT_SMTORP);
	close(fds[1]);
}

/* A session that gets nowhere: what the server says and how it ends. */
static void
the_opening_can_go_wrong_in_many_ways(void **state)
{
	(void)state;
	static const struct {
		struct line script[5];
		enum smtpc_end reason;
		unsigned code;
		const char *text;
	} table[] = {
		{ { { NULL, "554 5.7.1 go\x1b[1m away\r\n", PLAINLY }, LAST }, SMTPC_END_REFUSED, 554, "go?[1m away" },
		{ { { NULL, "421 busy\r\n", THEN_CLOSE }, LAST }, SMTPC_END_REFUSED, 421, "busy" },
		{ { { NULL, "", THEN_CLOSE }, LAST }, SMTPC_END_LOST, 0, NULL },
		{ { { NULL, "SSH-2.0-x\r\n", PLAINLY }, LAST }, SMTPC_END_PROTOCOL, 0, NULL },
		{ { { NULL, "250 hello\r\n", PLAINLY }, LAST }, SMTPC_END_PROTOCOL, 250, NULL },
		{ { GREETING, { EHLO, "450 later\r\n", PLAINLY }, LAST }, SMTPC_END_REFUSED, 450, "later" },
		{ { GREETING, { EHLO, "500 a\r\n", PLAINLY }, { "HELO " OWN "\r\n", "500 b\r\n", PLAINLY }, LAST },
		  SMTPC_END_REFUSED, 500, "b" },
		{ { GREETING, { EHLO, "250-x\r\n250 STARTTLS\r\n", PLAINLY },
		    { "STARTTLS\r\n", "220 go\r\n250 injected\r\n", PLAINLY }, LAST }, SMTPC_END_PROTOCOL, 0, NULL },
		{ { GREETING, { EHLO, "250-x\r\n250 STARTTLS\r\n", PLAINLY },
		    { "STARTTLS\r\n", "220 go\r\n2", PLAINLY }, LAST }, SMTPC_END_PROTOCOL, 0, NULL },
		{ { GREETING, { EHLO, "250 x\r\n250 unasked\r\n", PLAINLY }, LAST }, SMTPC_END_PROTOCOL, 250, NULL },
		{ { GREETING, { EHLO, "250 x\r\n421 4.3.2 closing\r\n", PLAINLY }, LAST }, SMTPC_END_REFUSED, 421, "closing" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		memset(&client, 0, sizeof client);
		run(SMTPC_SMTP, table[i].script, NULL, 0);
		assert_int_equal(client.reason, table[i].reason);
		assert_int_equal(client.end_code, table[i].code);
		if (table[i].text != NULL)
			assert_string_equal(client.end_text, table[i].text);
	}
}

static void
a_refused_starttls_does_not_matter(void **state)
{
	(void)state;
	static const struct line script[] = {
		GREETING,
		{ EHLO, "250-x\r\n250 STARTTLS\r\n", PLAINLY },
		{ "STARTTLS\r\n", "454 not now\r\n", PLAINLY },
		{ "QUIT\r\n", "", THEN_CLOSE },
		LAST,
	};
	client.quits = true;
	run(SMTPC_SMTP, script, NULL, 0);
	assert_int_equal(client.ready, 1);
	assert_false(client.tls);
	assert_int_equal(client.reason, SMTPC_END_QUIT);
}

/* ---- transactions */

#define OPEN(extensions) GREETING, { EHLO, "250-x\r\n" extensions, PLAINLY }
#define QUIT { "QUIT\r\n", "", THEN_CLOSE }, LAST

static void
refusals_are_told_for_each_recipient(void **state)
{
	(void)state;
	static const struct {
		struct line script[8];
		const char *results;
	} table[] = {
		/* one after the other */
		{ { OPEN("250 x\r\n"), { MAIL "\r\n", "550 5.7.1 no\r\n", PLAINLY }, QUIT }, "550 5.7.1 no\n550 5.7.1 no\n" },
		{ { OPEN("250 x\r\n"), { MAIL "\r\n", "250 ok\r\n", PLAINLY }, { BOB, "550 a\r\n", PLAINLY },
		    { CAROL, "450 b\r\n", PLAINLY }, QUIT }, "550  a\n450  b\n" },
		{ { OPEN("250 x\r\n"), { MAIL "\r\n", "250 ok\r\n", PLAINLY }, { BOB, "550 a\r\n", PLAINLY },
		    { CAROL, "250 b\r\n", PLAINLY }, { "DATA\r\n", "451 c\r\n", PLAINLY }, QUIT }, "550  a\n451  c\n" },
		/* PIPELINING with DATA */
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "250 m\r\n550 a\r\n551 b\r\n554 none\r\n", PLAINLY }, QUIT },
		  "550  a\n551  b\n" },
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "250 m\r\n550 a\r\n551 b\r\n354 go\r\n", PLAINLY },
		    { ".\r\n", "554 none\r\n", PLAINLY }, QUIT }, "550  a\n551  b\n" },
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "250 m\r\n550 a\r\n551 b\r\n354 go\r\n", PLAINLY },
		    { ".\r\n", "250 whatever\r\n", PLAINLY }, QUIT }, "550  a\n551  b\n" },
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "552 big\r\n503 a\r\n503 b\r\n503 c\r\n", PLAINLY }, QUIT },
		  "552  big\n552  big\n" },
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "552 big\r\n503 a\r\n503 b\r\n354 c\r\n", PLAINLY },
		    { ".\r\n", "503 none\r\n", PLAINLY }, QUIT }, "552  big\n552  big\n" },
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "250 m\r\n550 a\r\n250 b\r\n354 go\r\n", PLAINLY },
		    { "x\r\n.\r\n", "554 5.6.0 spam\r\n", PLAINLY }, QUIT }, "550  a\n554 5.6.0 spam\n" },
		/* PIPELINING with BDAT */
		{ { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"), { MAIL "\r\n" BOB CAROL "BDAT 3 LAST\r\nx\r\n",
		    "250 m\r\n550 a\r\n551 b\r\n503 c\r\n", PLAINLY }, QUIT }, "550  a\n551  b\n" },
		{ { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"), { MAIL "\r\n" BOB CAROL "BDAT 3 LAST\r\nx\r\n",
		    "550 m\r\n503 a\r\n503 b\r\n503 c\r\n", PLAINLY }, QUIT }, "550  m\n550  m\n" },
		{ { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"), { MAIL "\r\n" BOB CAROL "BDAT 3 LAST\r\nx\r\n",
		    "250 m\r\n550 a\r\n250 b\r\n452 c\r\n", PLAINLY }, QUIT }, "550  a\n452  c\n" },
		/* CHUNKING alone: nothing is sent for nobody */
		{ { OPEN("250 CHUNKING\r\n"), { MAIL "\r\n", "250 ok\r\n", PLAINLY }, { BOB, "550 a\r\n", PLAINLY },
		    { CAROL, "450 b\r\n", PLAINLY }, QUIT }, "550  a\n450  b\n" },
	};
	struct smtpc_message message = message_of(2, 0, "x\r\n");
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		run_in_pieces(SMTPC_SMTP, table[i].script, &message, 1, true, table[i].results);
		assert_int_equal(client.reason, SMTPC_END_QUIT);
	}
}

static void
a_message_that_the_server_cannot_take_is_refused_here(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 SIZE 10\r\n"),
		{ MAIL " SIZE=10\r\n" BOB "DATA\r\n", "250 a\r\n250 b\r\n354 c\r\n", PLAINLY },
		{ "12345678\r\n.\r\n", "250 done\r\n", PLAINLY }, QUIT };
	struct smtpc_message messages[] = {
		message_of(2, SMTPC_8BIT, "x\r\n"), message_of(1, SMTPC_SMTPUTF8, "x\r\n"), message_of(1, 0, "123456789\r\n"),
		message_of(1, 0, "a\nb\r\n"), message_of(1, 0, "12345678\r\n"),
	};
	client.quits = true;
	run(SMTPC_SMTP, script, messages, 5);
	assert_int_equal(client.delivered, 5);
	static const char *const starts[] = { "554 5.6.3 ", "554 5.6.3 ", "550 5.6.7 ", "552 5.3.4 ", "554 5.6.0 ", "250 " };
	const char *at = client.results;
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		assert_memory_equal(at, starts[i], strlen(starts[i]));
		at = strchr(at, '\n') + 1;
	}
}

static void
try_bad_addresses(void)
{
	static const char *const bad[] = { "bob@x.onion>\r\nRSET", "bob@x.onion\n", "bob@x.onion> SIZE=1", "<bob@x.onion", "",
		"\"bob@x.onion", "b\xc3\xbc" "b@x.onion" };
	struct error err = { 0 };
	struct smtpc_message message;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct slice recipient = slice_of_string(bad[i]);
		message = message_of(1, 0, "x\r\n");
		message.recipients = &recipient;
		assert_int_equal(smtpc_session_deliver(client.session, &message, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
	message = message_of(1, 0, "x\r\n");
	message.reverse_path = slice_of_string("a\r\nQUIT");
	assert_int_equal(smtpc_session_deliver(client.session, &message, &err), -1);
}

static void
addresses_cannot_smuggle_commands(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250 x\r\n"), QUIT };
	client.on_ready = try_bad_addresses;
	client.quits = true;
	run(SMTPC_SMTP, script, NULL, 0);
	assert_int_equal(client.reason, SMTPC_END_QUIT);
	assert_int_equal(client.ready, 1);
}

static void
a_lost_reply_leaves_the_message_unknown(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"),
		{ MAIL "\r\n" BOB "BDAT 3 LAST\r\nx\r\n", "250 a\r\n250 b\r\n", THEN_CLOSE }, LAST };
	struct smtpc_message message = message_of(1, 0, "x\r\n");
	run_in_pieces(SMTPC_SMTP, script, &message, 1, false, "");
	assert_int_equal(client.reason, SMTPC_END_LOST);
}

static void
a_421_ends_the_session(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"),
		{ MAIL "\r\n" BOB "BDAT 3 LAST\r\nx\r\n", "250 a\r\n421 4.3.0 going down\r\n", THEN_CLOSE }, LAST };
	struct smtpc_message message = message_of(1, 0, "x\r\n");
	run_in_pieces(SMTPC_SMTP, script, &message, 1, false, "");
	assert_int_equal(client.reason, SMTPC_END_REFUSED);
	assert_int_equal(client.end_code, 421);
	assert_string_equal(client.end_text, "going down");
}

static void
replies_before_commands_end_the_session(void **state)
{
	(void)state;
	static const struct line scripts[][5] = {
		{ { NULL, "220 x\r\n250 y\r\n", PLAINLY }, LAST },
		{ OPEN("250 x\r\n250 unasked\r\n"), LAST },
		{ OPEN("250 x\r\n2"), { MAIL "\r\n", "50 a\r\n", PLAINLY }, LAST }, /* begun too early */
		{ OPEN("250 x\r\n"), { MAIL "\r\n", "250 a\r\n250 b\r\n", PLAINLY }, LAST },
		{ OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"),
		  { MAIL "\r\n" BOB "BDAT 3 LAST\r\nx\r\n", "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", PLAINLY }, LAST },
	};
	struct smtpc_message message = message_of(1, 0, "x\r\n");
	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		memset(&client, 0, sizeof client);
		run(SMTPC_SMTP, scripts[i], &message, 1);
		assert_int_equal(client.reason, SMTPC_END_PROTOCOL);
		assert_int_equal(client.delivered, i == 4);
	}
}

static void
quitting_before_it_is_ready_just_closes(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	client.session = smtpc_session_new(loop, fds[0], SMTPC_SMTP, client_context, OWN, PEER, &client_events, NULL);
	smtpc_session_quit(client.session);
	assert_int_equal(client.ended, 0);
	loop_run(loop);
	assert_int_equal(client.reason, SMTPC_END_QUIT);
	char byte;
	assert_int_equal(recv(fds[1], &byte, 1, 0), 0);
	close(fds[1]);
}

static void
a_session_may_be_freed_in_each_callback(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"),
		{ MAIL "\r\n" BOB "BDAT 3 LAST\r\nx\r\n", "250 a\r\n250 b\r\n250 c\r\n421 bye\r\n", PLAINLY }, LAST };
	struct smtpc_message message = message_of(1, 0, "x\r\n");
	for (int when = FREE_ON_READY; when <= FREE_ON_END; when++) {
		memset(&client, 0, sizeof client);
		client.free_on = when;
		run(SMTPC_SMTP, script, &message, 1);
		assert_int_equal(client.ready, 1);
		assert_int_equal(client.delivered, when >= FREE_ON_DELIVERED);
		assert_int_equal(client.ended, when == FREE_ON_END);
	}
}

/* ---- large bodies */

static size_t body_taken, body_wanted;
static const char *early_reply; /* sent after the first bytes of the body */

static void
on_large_input(void *context)
{
	struct buffer *in = stream_input(server.stream);
	if (server.next->reply != NULL) {
		const char *expect = server.next->expect;
		size_t len = strlen(expect);
		if (buffer_len(in) < len)
			return;
		assert_memory_equal(buffer_bytes(in), expect, len);
		buffer_consume(in, len);
		server_say(server.next++);
		if (buffer_len(in) > 0)
			on_large_input(context);
		return;
	}
	body_taken += buffer_len(in);
	buffer_consume(in, buffer_len(in));
	if (early_reply != NULL) {
		stream_write(server.stream, early_reply, strlen(early_reply), NULL);
		stream_finish(server.stream, DEADLINE_MS);
		early_reply = NULL;
	} else if (body_taken == body_wanted) {
		stream_write(server.stream, "250 whole\r\n", 11, NULL);
	}
}

static const struct stream_events large_events = { on_large_input, NULL, NULL, on_server_end };

static char *
large_body(size_t len)
{
	char *body = malloc(len);
	assert_non_null(body);
	for (size_t i = 0; i < len; i += 64) {
		memset(body + i, 'x', 62);
		memcpy(body + i + 62, "\r\n", 2);
	}
	return body;
}

static void
run_large(const struct line *script, size_t len)
{
	int fds[2];
	char *body = large_body(len);
	struct smtpc_message message = { .reverse_path = slice_of_string("alice@" OWN), .recipients = bob_and_carol,
		.recipient_count = 1, .body = slice_of(body, len) };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	client.messages = &message;
	client.message_count = 1;
	server.next = script;
	server.stream = stream_new(loop, fds[1], 100000, 100000, &large_events, NULL);
	server_speak_first();
	client.session = smtpc_session_new(loop, fds[0], SMTPC_SMTP, client_context, OWN, PEER, &client_events, NULL);
	loop_run(loop);
	free(body);
}

static void
a_large_body_waits_for_its_recipients(void **state)
{
	(void)state;
	enum { LEN = 64 * 400000 };
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"), { MAIL "\r\n" BOB, "250 a\r\n250 b\r\n", PLAINLY },
		{ "BDAT 25600000 LAST\r\n", "", PLAINLY }, LAST };
	body_taken = 0;
	body_wanted = LEN;
	client.quits = true;
	run_large(script, LEN);
	assert_string_equal(client.results, "250  whole\n");
	assert_int_equal(body_taken, LEN + 6); /* QUIT */
}

static void
a_large_body_is_not_sent_for_nobody(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"), { MAIL "\r\n" BOB, "250 a\r\n550 b\r\n", PLAINLY },
		{ "QUIT\r\n", "", THEN_CLOSE }, LAST };
	body_taken = 0;
	client.quits = true;
	run_large(script, 64 * 4000);
	assert_string_equal(client.results, "550  b\n");
	assert_int_equal(body_taken, 0);
}

static void
a_server_may_interrupt_a_large_body(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250 SIZE\r\n"), { MAIL " SIZE=6400000\r\n", "250 a\r\n", PLAINLY },
		{ BOB, "250 b\r\n", PLAINLY }, { "DATA\r\n", "354 c\r\n", PLAINLY }, LAST };
	body_taken = 0;
	early_reply = "552 5.2.2 full\r\n";
	client.quits = true;
	run_large(script, 6400000);
	assert_string_equal(client.results, "552 5.2.2 full\n");
	assert_int_equal(client.reason, SMTPC_END_REFUSED);
}

/* ---- silence */

static void
silence_ends_a_session_in_every_phase(void **state)
{
	(void)state;
	static const struct line scripts[][7] = {
		{ { NULL, "22", PLAINLY }, LAST },
		{ GREETING, { EHLO, "250-x\r\n", PLAINLY }, LAST },
		{ GREETING, { EHLO, "500 x\r\n", PLAINLY }, { "HELO " OWN "\r\n", "", PLAINLY }, LAST },
		{ OPEN("250 STARTTLS\r\n"), { "STARTTLS\r\n", "", PLAINLY }, LAST },
		{ OPEN("250 x\r\n"), { MAIL "\r\n", "", PLAINLY }, LAST },
		{ OPEN("250 x\r\n"), { MAIL "\r\n", "250 a\r\n", PLAINLY }, { BOB, "", PLAINLY }, LAST },
		{ OPEN("250-CHUNKING\r\n250 PIPELINING\r\n"), { MAIL "\r\n" BOB "BDAT 3 LAST\r\nx\r\n", "250 a\r\n250 b\r\n", PLAINLY },
		  LAST },
	};
	struct smtpc_message message = message_of(1, 0, "x\r\n");
	smtpc_session_set_minute_ms(10);
	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		memset(&client, 0, sizeof client);
		run(SMTPC_SMTP, scripts[i], &message, 1);
		assert_int_equal(client.reason, SMTPC_END_TIMEOUT);
		assert_int_equal(client.delivered, 0);
	}
	smtpc_session_set_minute_ms(60000);
}

static void
a_tls_handshake_does_not_take_for_ever(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	smtpc_session_set_minute_ms(10);
	client.session = smtpc_session_new(loop, fds[0], SMTPC_SMTORP, client_context, OWN, PEER, &client_events, NULL);
	loop_run(loop);
	smtpc_session_set_minute_ms(60000);
	assert_int_equal(client.reason, SMTPC_END_TIMEOUT);
	close(fds[1]);
}

static void
leave_it(void *context)
{
	if (server.next->reply != NULL)
		on_server_input(context); /* then nothing is taken any more */
}

static void
a_server_that_stops_reading_is_given_up(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250 x\r\n"), { MAIL "\r\n", "250 a\r\n", PLAINLY }, { BOB, "250 b\r\n", PLAINLY },
		{ "DATA\r\n", "354 c\r\n", PLAINLY }, LAST };
	static const struct stream_events events = { leave_it, NULL, NULL, on_server_end };
	enum { LEN = 64 * 40000 };
	int fds[2];
	char *body = large_body(LEN);
	struct smtpc_message message = { .reverse_path = slice_of_string("alice@" OWN), .recipients = bob_and_carol,
		.recipient_count = 1, .body = slice_of(body, LEN) };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	client.messages = &message;
	client.message_count = 1;
	server.next = script;
	server.stream = stream_new(loop, fds[1], 1000, 1000, &events, NULL);
	server_speak_first();
	smtpc_session_set_minute_ms(10);
	client.session = smtpc_session_new(loop, fds[0], SMTPC_SMTP, client_context, OWN, PEER, &client_events, NULL);
	loop_run(loop);
	smtpc_session_set_minute_ms(60000);
	assert_int_equal(client.reason, SMTPC_END_TIMEOUT);
	assert_int_equal(client.delivered, 0);
	free(body);
}

/* An idle session is the owner's to end, so no clock runs. */
static void
on_enough(void *context)
{
	(void)context;
	loop_stop(loop);
}

static void
an_idle_session_is_kept(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	static const struct line script[] = { OPEN("250 x\r\n"), LAST };
	server.next = script;
	server.stream = stream_new(loop, fds[1], 1000, 1000, &server_events, NULL);
	server_speak_first();
	smtpc_session_set_minute_ms(10);
	client.session = smtpc_session_new(loop, fds[0], SMTPC_SMTP, client_context, OWN, PEER, &client_events, NULL);
	struct timer *enough = timer_new(loop, on_enough, NULL);
	timer_start(enough, 300);
	loop_run(loop);
	timer_free(enough);
	smtpc_session_set_minute_ms(60000);
	assert_int_equal(client.ready, 1);
	assert_int_equal(client.ended, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_old_server_is_spoken_to_step_by_step),
		TEST(everything_that_is_offered_is_used),
		TEST(smtorp_goes_in_one_flight),
		TEST(smtorp_takes_the_greeting_when_it_comes),
		TEST(without_the_alpn_no_mail_is_sent_on_465),
		TEST(no_tls_on_465_is_not_smtorp),
		TEST(the_opening_can_go_wrong_in_many_ways),
		TEST(a_refused_starttls_does_not_matter),
		TEST(refusals_are_told_for_each_recipient),
		TEST(a_message_that_the_server_cannot_take_is_refused_here),
		TEST(addresses_cannot_smuggle_commands),
		TEST(a_lost_reply_leaves_the_message_unknown),
		TEST(a_421_ends_the_session),
		TEST(replies_before_commands_end_the_session),
		TEST(quitting_before_it_is_ready_just_closes),
		TEST(a_session_may_be_freed_in_each_callback),
		TEST(a_large_body_waits_for_its_recipients),
		TEST(a_large_body_is_not_sent_for_nobody),
		TEST(a_server_may_interrupt_a_large_body),
		TEST(silence_ends_a_session_in_every_phase),
		TEST(a_tls_handshake_does_not_take_for_ever),
		TEST(a_server_that_stops_reading_is_given_up),
		TEST(an_idle_session_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
