/* SPDX-License-Identifier: ISC */
#include "smtpc/test_session.h"

#include <sys/mman.h>

#include "base/file.h"

/* ---- large bodies */

static size_t body_taken, body_wanted;
static const char *early_reply; /* sent after the first bytes of the body */
static size_t cut_after_bytes;
static struct timer *cutter; /* fires once when so much of the body has come */

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
	if (cutter != NULL && body_taken >= cut_after_bytes) {
		timer_start(cutter, 0);
		cutter = NULL;
	}
	buffer_consume(in, buffer_len(in));
	if (early_reply != NULL) {
		stream_write(server.stream, early_reply, strlen(early_reply), NULL);
		stream_finish(server.stream, DEADLINE_MS);
		early_reply = NULL;
	} else if (body_taken == body_wanted) {
		stream_write(server.stream, "250 whole\r\n", 11, NULL);
	}
}

static const struct stream_events large_events = { on_large_input, NULL, NULL, on_server_end, NULL };

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

static bool is_in_file;

/* The body in a file. */
static int
file_of(const char *body, size_t len)
{
	int fd = memfd_create("body", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, body, len), (ssize_t)len);
	return fd;
}

static void
run_large(enum smtpc_mode mode, const struct line *script, size_t len)
{
	int fds[2];
	char *body = large_body(len);
	struct smtpc_message message = { .reverse_path = slice_of_string("alice@" OWN), .recipients = bob_and_carol,
		.recipient_count = 1, .body = slice_of(body, len) };
	struct smtpc_file file = { is_in_file ? file_of(body, len) : -1, len };
	if (is_in_file) {
		message.body = slice_of("", 0);
		message.file = &file;
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	client.messages = &message;
	client.message_count = 1;
	server.next = script;
	server.stream = stream_new(loop, fds[1], 100000, 100000, &large_events, NULL);
	if (mode == SMTPC_SMTORP)
		assert_int_equal(stream_start_tls_server(server.stream, server_context, TLS_ALPN_SMTORP, NULL), 0);
	else
		server_speak_first();
	client.session = open_session(fds[0], mode);
	loop_run(loop);
	file_close(&file.fd);
	free(body);
}

/* Between two sessions of one test. */
static void
forget_session(void)
{
	smtpc_session_free(client.session);
	stream_free(server.stream);
	memset(&client, 0, sizeof client);
	server.stream = NULL;
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
	run_large(SMTPC_SMTP, script, LEN);
	assert_string_equal(client.results, "250  whole\n");
	assert_int_equal(body_taken, LEN + 6); /* QUIT */
}

static void
a_body_may_be_in_a_file(void **state)
{
	is_in_file = true;
	a_large_body_waits_for_its_recipients(state);
	is_in_file = false;
}

/* Its file is cut while it is sent: the session breaks off, and nobody takes the half for the whole. */
static void
cut_it(void *context)
{
	const int *fd = context;
	assert_int_equal(ftruncate(*fd, 64 * 20000), 0);
}

static void
a_body_that_cannot_be_read_to_its_end_is_not_sent(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"), { MAIL "\r\n" BOB, "250 a\r\n250 b\r\n", PLAINLY },
		{ "BDAT 25600000 LAST\r\n", "", PLAINLY }, LAST };
	enum { LEN = 64 * 400000 };
	int fds[2];
	char *body = large_body(LEN);
	struct smtpc_file file = { file_of(body, LEN), LEN };
	struct smtpc_message message = { .reverse_path = slice_of_string("alice@" OWN), .recipients = bob_and_carol,
		.recipient_count = 1, .file = &file };
	struct timer *soon = timer_new(loop, cut_it, &file.fd);
	body_taken = 0;
	body_wanted = LEN;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	client.messages = &message;
	client.message_count = 1;
	server.next = script;
	server.stream = stream_new(loop, fds[1], 100000, 100000, &large_events, NULL);
	server_speak_first();
	client.session = open_session(fds[0], SMTPC_SMTP);
	cut_after_bytes = 100000;
	cutter = soon;
	loop_run(loop);
	timer_free(soon);
	assert_int_equal(client.reason, SMTPC_END_LOST);
	assert_int_equal(client.delivered, 0);
	assert_true(body_taken <= 64 * 20000);
	file_close(&file.fd);
	free(body);
}

static void
a_large_body_is_not_sent_for_nobody(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"), { MAIL "\r\n" BOB, "250 a\r\n550 b\r\n", PLAINLY },
		{ "QUIT\r\n", "", THEN_CLOSE }, LAST };
	body_taken = 0;
	client.quits = true;
	run_large(SMTPC_SMTP, script, 64 * 4000);
	assert_string_equal(client.results, "550  b\n");
	assert_int_equal(body_taken, 0);
}

/* 65 MiB would take minutes through tor. */
static void
smtorp_sends_no_large_body_for_nobody(void **state)
{
	(void)state;
	static const struct line refused[] = { { EHLO MAIL " SIZE=65000000\r\n" BOB,
		"220 peer\r\n250-peer\r\n250 SIZE 90000000\r\n250 a\r\n550 5.1.1 b\r\n", PLAINLY },
		{ "QUIT\r\n", "", THEN_CLOSE }, LAST };
	static const struct line too_large[] = { { EHLO MAIL " SIZE=65000000\r\n" BOB,
		"220 peer\r\n250-peer\r\n250 SIZE 1000\r\n552 5.3.4 a\r\n503 5.5.1 b\r\n", PLAINLY },
		{ "QUIT\r\n", "", THEN_CLOSE }, LAST };
	static const struct line taken[] = { { EHLO MAIL " SIZE=6400000\r\n" BOB,
		"220 peer\r\n250-peer\r\n250 SIZE 90000000\r\n250 a\r\n250 b\r\n", PLAINLY },
		{ "BDAT 6400000 LAST\r\n", "", PLAINLY }, LAST };
	body_taken = 0;
	client.quits = true;
	run_large(SMTPC_SMTORP, refused, 65000000);
	assert_string_equal(client.results, "550 5.1.1 b\n");
	assert_int_equal(body_taken, 0);
	forget_session();
	client.quits = true;
	run_large(SMTPC_SMTORP, too_large, 65000000);
	assert_string_equal(client.results, "552 5.3.4 a\n");
	assert_int_equal(body_taken, 0);
	forget_session();
	client.quits = true;
	body_wanted = 6400000;
	run_large(SMTPC_SMTORP, taken, 6400000);
	assert_string_equal(client.results, "250  whole\n");
	assert_int_equal(body_taken, 6400000 + 6); /* QUIT */
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
	run_large(SMTPC_SMTP, script, 6400000);
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
	client.session = open_session(fds[0], SMTPC_SMTORP);
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
	static const struct stream_events events = { leave_it, NULL, NULL, on_server_end, NULL };
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
	client.session = open_session(fds[0], SMTPC_SMTP);
	loop_run(loop);
	smtpc_session_set_minute_ms(60000);
	assert_int_equal(client.reason, SMTPC_END_TIMEOUT);
	assert_int_equal(client.delivered, 0);
	free(body);
}

/* It takes something each time before the clock of a single step runs out. */
static struct timer *sip;

static void
on_sip(void *context)
{
	(void)context;
	struct buffer *in = stream_input(server.stream);
	size_t most = buffer_len(in) < 3000 ? buffer_len(in) : 3000;
	buffer_consume(in, most);
	if (most > 0)
		stream_resume_input(server.stream);
	timer_start(sip, 1);
}

static void
a_server_that_only_sips_is_given_up(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250 x\r\n"), { MAIL "\r\n", "250 a\r\n", PLAINLY }, { BOB, "250 b\r\n", PLAINLY },
		{ "DATA\r\n", "354 c\r\n", PLAINLY }, LAST };
	static const struct stream_events events = { leave_it, NULL, NULL, on_server_end, NULL };
	enum { LEN = 64 * 100000 };
	int fds[2];
	char *body = large_body(LEN);
	struct smtpc_message message = { .reverse_path = slice_of_string("alice@" OWN), .recipients = bob_and_carol,
		.recipient_count = 1, .body = slice_of(body, LEN) };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	/* A large kernel buffer would become writable only in large steps. */
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int){ 8192 }, sizeof(int)), 0);
	client.messages = &message;
	client.message_count = 1;
	server.next = script;
	server.stream = stream_new(loop, fds[1], 4000, 1000, &events, NULL);
	server_speak_first();
	smtpc_session_set_minute_ms(250);
	sip = timer_new(loop, on_sip, NULL);
	timer_start(sip, 1);
	client.session = open_session(fds[0], SMTPC_SMTP);
	loop_run(loop);
	smtpc_session_set_minute_ms(60000);
	timer_free(sip);
	assert_int_equal(client.reason, SMTPC_END_TIMEOUT);
	assert_string_equal(client.end_text, "the server is too slow");
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
	client.session = open_session(fds[0], SMTPC_SMTP);
	struct timer *enough = timer_new(loop, on_enough, NULL);
	timer_start(enough, 300);
	loop_run(loop);
	timer_free(enough);
	smtpc_session_set_minute_ms(60000);
	assert_int_equal(client.ready, 1);
	assert_int_equal(client.ended, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_large_body_waits_for_its_recipients),
		TEST(a_body_may_be_in_a_file),
		TEST(a_body_that_cannot_be_read_to_its_end_is_not_sent),
		TEST(a_large_body_is_not_sent_for_nobody),
		TEST(smtorp_sends_no_large_body_for_nobody),
		TEST(a_server_may_interrupt_a_large_body),
		TEST(silence_ends_a_session_in_every_phase),
		TEST(a_tls_handshake_does_not_take_for_ever),
		TEST(a_server_that_stops_reading_is_given_up),
		TEST(a_server_that_only_sips_is_given_up),
		TEST(an_idle_session_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
