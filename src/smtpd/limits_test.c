/* SPDX-License-Identifier: ISC
 *
 * What bounds a session: lines, errors, recipients, sizes, sessions, replies that nobody fetches; and sessions over TLS.
 */
#include "smtpd/test_session.h"

#include "loop/stream.h"

#define GREETING "220 " ONION " ESMTP\r\n"
#define HELLO "250 " ONION "\r\n"
#define BEGIN "HELO x\r\nMAIL FROM:<bob@example.net>\r\nRCPT TO:<alice@" ONION ">\r\n"
#define BEGUN GREETING HELLO "250 2.1.0 OK\r\n250 2.1.5 OK\r\n"
#define GO "354 End with <CRLF>.<CRLF>\r\n"

static void
repeat(struct buffer *out, const char *text, size_t count)
{
	while (count-- > 0)
		assert_int_equal(buffer_append_string(out, text, NULL), 0);
}

/* One session in which in is said and heard is heard; the server may hang up before all was said. */
static void
run(struct bench *b, const struct buffer *in, const struct buffer *heard)
{
	int server_fd, fd = bench_connect(b, &server_fd);
	bench_say(b, fd, server_fd, slice_of(buffer_bytes(in), buffer_len(in)));
	bench_wait_end(b, fd);
	close(fd);
	assert_int_equal(buffer_append(&b->heard, "", 1, NULL), 0);
	const char *text = (const char *)buffer_bytes(&b->heard);
	if (strlen(text) != buffer_len(heard) || memcmp(text, buffer_bytes(heard), buffer_len(heard)) != 0)
		fail_msg("heard:\n%s\n--- instead of:\n%.*s", text, (int)buffer_len(heard), (const char *)buffer_bytes(heard));
	buffer_finish(&b->heard);
}

struct script {
	struct bench b;
	struct buffer in, heard;
};

static void
script_begin(struct script *s)
{
	bench_begin(&s->b, SMTPD_ONION);
	buffer_init(&s->in, (size_t)1 << 28);
	buffer_init(&s->heard, (size_t)1 << 24);
}

static void
script_run(struct script *s)
{
	run(&s->b, &s->in, &s->heard);
	buffer_finish(&s->in);
	buffer_finish(&s->heard);
}

static void
reads_no_endless_line(void **state)
{
	(void)state;
	struct script s;
	script_begin(&s);
	repeat(&s.in, "x", 4096);
	repeat(&s.heard, GREETING "500 5.5.2 Line too long\r\n", 1);
	script_run(&s);
	repeat(&s.in, "x", 4 * 1024 * 1024);
	repeat(&s.heard, GREETING "500 5.5.2 Line too long\r\n", 1);
	script_run(&s);
	repeat(&s.in, "NOOP ", 1); /* the longest line there may be */
	repeat(&s.in, "x", 4096 - 7);
	repeat(&s.in, "\r\nQUIT\r\n", 1);
	repeat(&s.heard, GREETING "250 2.0.0 OK\r\n221 2.0.0 Bye\r\n", 1);
	script_run(&s);
	bench_end(&s.b);
}

static void
ends_after_too_many_errors_commands_and_refusals(void **state)
{
	(void)state;
	struct script s;
	script_begin(&s);
	repeat(&s.in, "XYZZY\r\n", SMTPD_ERRORS_MAX + 5);
	repeat(&s.heard, GREETING, 1);
	repeat(&s.heard, "500 5.5.2 Unknown command\r\n", SMTPD_ERRORS_MAX);
	repeat(&s.heard, "421 4.7.0 Too many errors\r\n", 1);
	script_run(&s);
	repeat(&s.in, "NOOP\r\n", SMTPD_COMMANDS_MAX + 5);
	repeat(&s.heard, GREETING, 1);
	repeat(&s.heard, "250 2.0.0 OK\r\n", SMTPD_COMMANDS_MAX);
	repeat(&s.heard, "421 4.7.0 Too many commands\r\n", 1);
	script_run(&s);
	repeat(&s.in, "HELO x\r\nMAIL FROM:<>\r\n", 1);
	repeat(&s.in, "RCPT TO:<bob@" ONION ">\r\n", SMTPD_REFUSED_MAX + 5);
	repeat(&s.heard, GREETING HELLO "250 2.1.0 OK\r\n", 1);
	repeat(&s.heard, "550 5.1.1 No such mailbox here\r\n", SMTPD_REFUSED_MAX);
	repeat(&s.heard, "421 4.7.0 Too many errors\r\n", 1);
	script_run(&s);
	bench_end(&s.b);
}

static void
takes_a_hundred_recipients(void **state)
{
	(void)state;
	struct script s;
	script_begin(&s);
	repeat(&s.in, "HELO x\r\nMAIL FROM:<>\r\n", 1);
	repeat(&s.in, "RCPT TO:<alice@" ONION ">\r\n", SMTPD_RECIPIENTS_MAX + 1);
	repeat(&s.in, "DATA\r\n.\r\nQUIT\r\n", 1);
	repeat(&s.heard, GREETING HELLO "250 2.1.0 OK\r\n", 1);
	repeat(&s.heard, "250 2.1.5 OK\r\n", SMTPD_RECIPIENTS_MAX);
	repeat(&s.heard, "452 4.5.3 Too many recipients, send these in another transaction\r\n" GO "250 2.0.0 Kept\r\n"
	    "221 2.0.0 Bye\r\n", 1);
	script_run(&s);
	bench_end(&s.b);
}

#define LINE "0123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n" /* 81 octets */

static void
takes_messages_up_to_the_maximum(void **state)
{
	(void)state;
	static const struct {
		size_t lines;
		const char *answer;
	} cases[] = {
		{ 809, "250 2.0.0 Kept\r\n" }, { 810, "250 2.0.0 Kept\r\n" }, /* on both sides of 64 KiB */
		{ 12345, "250 2.0.0 Kept\r\n" }, { 12346, "552 5.3.4 The message is too large\r\n" }, /* of 1000000 octets */
		{ 24000, "552 5.3.4 The message is too large\r\n" },
	};
	struct script s;
	script_begin(&s);
	for (size_t i = 0; i < COUNT(cases); i++) {
		repeat(&s.in, BEGIN "DATA\r\n", 1);
		repeat(&s.in, LINE, cases[i].lines);
		repeat(&s.in, ".\r\nQUIT\r\n", 1);
		repeat(&s.heard, BEGUN GO, 1);
		repeat(&s.heard, cases[i].answer, 1);
		repeat(&s.heard, "221 2.0.0 Bye\r\n", 1);
		script_run(&s);
		size_t envelope_len = strlen("bob@example.net>alice@" ONION ",\n");
		bool is_taken = cases[i].answer[0] == '2';
		assert_int_equal(buffer_len(&s.b.taken), is_taken ? envelope_len + cases[i].lines * strlen(LINE) : 0);
		for (size_t line = 0; is_taken && line < cases[i].lines; line++)
			assert_memory_equal(buffer_bytes(&s.b.taken) + envelope_len + line * strlen(LINE), LINE, strlen(LINE));
		buffer_finish(&s.b.taken);
	}
	bench_end(&s.b);
}

static void
reads_no_flood(void **state)
{
	(void)state;
	struct script s;
	script_begin(&s);
	repeat(&s.in, BEGIN "DATA\r\n", 1);
	repeat(&s.in, LINE, 100000); /* 8 MB, where 1 MB is allowed */
	repeat(&s.heard, BEGUN GO "552 5.3.4 The message is too large\r\n", 1);
	script_run(&s);
	bench_end(&s.b);
}

static void
takes_a_message_of_a_hundred_thousand_chunks(void **state)
{
	(void)state;
	struct script s;
	script_begin(&s);
	repeat(&s.in, BEGIN, 1);
	repeat(&s.in, "BDAT 1\r\nx", 100000);
	repeat(&s.in, "BDAT 0 LAST\r\nQUIT\r\n", 1);
	repeat(&s.heard, BEGUN, 1);
	repeat(&s.heard, "250 2.0.0 OK\r\n", 100000);
	repeat(&s.heard, "250 2.0.0 Kept\r\n221 2.0.0 Bye\r\n", 1);
	script_run(&s);
	assert_int_equal(buffer_len(&s.b.taken), strlen("bob@example.net>alice@" ONION ",\n") + 100000);
	bench_end(&s.b);
}

static void
waits_for_a_client_that_does_not_read(void **state)
{
	(void)state;
	struct bench b;
	struct buffer in;
	bench_begin(&b, SMTPD_ONION);
	buffer_init(&in, 1000000);
	repeat(&in, "RSET\r\n", SMTPD_COMMANDS_MAX); /* more replies than socket and buffers hold */
	int server_fd, small = 2048, fd = bench_connect(&b, &server_fd);
	setsockopt(server_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	size_t said = 0;
	for (int i = 0; i < 2000; i++) { /* does not read */
		ssize_t n = send(fd, buffer_bytes(&in) + said, buffer_len(&in) - said, MSG_NOSIGNAL);
		said += n > 0 ? (size_t)n : 0;
		bench_round(&b);
	}
	assert_int_equal(smtpd_session_count(b.server), 1);
	bench_say(&b, fd, server_fd, slice_of(buffer_bytes(&in) + said, buffer_len(&in) - said));
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	while (buffer_len(&b.heard) < strlen(GREETING) + SMTPD_COMMANDS_MAX * strlen("250 2.0.0 OK\r\n")) {
		assert_true(clock_monotonic_ms() < deadline);
		bench_round(&b);
		bench_hear(&b, fd);
	}
	buffer_finish(&in);
	close(fd);
	bench_end(&b);
}

static void
turns_away_the_session_that_is_one_too_many(void **state)
{
	(void)state;
	struct bench b;
	int fds[10], server_fd;
	bench_begin(&b, SMTPD_ONION); /* ten sessions */
	for (int i = 0; i < 10; i++)
		fds[i] = bench_connect(&b, &server_fd);
	int fd = bench_connect(&b, &server_fd);
	bench_wait_end(&b, fd);
	assert_buffer_is(&b.heard, "heard", "421 4.3.2 Too many connections, try again later\r\n");
	close(fd);
	close(fds[3]);
	while (smtpd_session_count(b.server) == 10)
		bench_round(&b);
	buffer_finish(&b.heard);
	fd = bench_connect(&b, &server_fd);
	bench_say(&b, fd, server_fd, slice_of_string(""));
	assert_buffer_is(&b.heard, "heard", GREETING);
	for (int i = 0; i < 10; i++)
		if (i != 3)
			close(fds[i]);
	close(fd);
	bench_end(&b);
}

/* ---- over TLS, with a client on the same loop */

struct tls_client {
	struct bench b;
	struct stream *stream;
	struct tls_context *tls;
	struct buffer heard;
	const char *after_starttls; /* said once TLS is on */
	bool is_over;
};

static void
on_input(void *context)
{
	struct tls_client *c = context;
	struct buffer *in = stream_input(c->stream);
	assert_int_equal(buffer_append(&c->heard, buffer_bytes(in), buffer_len(in), NULL), 0);
	bool is_go = buffer_len(in) >= 3 && memcmp(buffer_bytes(in) + buffer_len(in) - strlen("Ready to start TLS\r\n"),
	                                        "Ready to start TLS\r\n", strlen("Ready to start TLS\r\n")) == 0;
	buffer_consume(in, buffer_len(in));
	if (is_go)
		assert_int_equal(stream_start_tls_client(c->stream, c->tls, ONION, NULL, NULL), 0);
}

static void
on_tls(void *context)
{
	struct tls_client *c = context;
	assert_int_equal(stream_write(c->stream, c->after_starttls, strlen(c->after_starttls), NULL), 0);
}

static void
on_end(void *context, const struct error *err)
{
	(void)err;
	((struct tls_client *)context)->is_over = true;
}

/* Runs a session that begins in plain (and says first) or in TLS with alpn, until the server hangs up. */
static void
run_tls(enum smtpd_kind kind, const char *first, const char *alpn, const char *rest, const char *heard)
{
	static const struct stream_events events = { on_input, NULL, on_tls, on_end, NULL };
	struct tls_client c = { .after_starttls = rest };
	int fds[2];
	bench_begin(&c.b, kind);
	buffer_init(&c.heard, 1000000);
	assert_int_equal(tls_context_new_client(&c.tls, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	c.b.answering = LATER;
	c.stream = stream_new(c.b.loop, fds[0], 1000000, 1000000, &events, &c);
	smtpd_serve(c.b.listener, fds[1]);
	if (first != NULL)
		assert_int_equal(stream_write(c.stream, first, strlen(first), NULL), 0);
	else
		assert_int_equal(stream_start_tls_client(c.stream, c.tls, ONION, alpn, NULL), 0);
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	while (!c.is_over) {
		assert_true(clock_monotonic_ms() < deadline);
		bench_round(&c.b);
	}
	if (alpn != NULL)
		assert_string_equal(stream_alpn(c.stream), alpn);
	assert_buffer_is(&c.heard, "heard", heard);
	stream_free(c.stream);
	tls_context_free(c.tls);
	buffer_finish(&c.heard);
	bench_end(&c.b);
}

#define IN_TLS \
	"250-" ONION "\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n" \
	"250 CHUNKING\r\n"
#define IN_SMTORP \
	"250-" ONION "\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-AUTH SMTORP-ONION\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n" \
	"250-SMTPUTF8\r\n250 CHUNKING\r\n"
#define FLIGHT "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@" ONION ">\r\nBDAT 1 LAST\r\nxQUIT\r\n"

static void
takes_one_flight_over_tls_from_the_first_byte(void **state)
{
	(void)state;
#define TAKEN_IT "250 2.1.0 OK\r\n250 2.1.5 OK\r\n250 2.0.0 Kept\r\n221 2.0.0 Bye\r\n"
	run_tls(SMTPD_SMTORP, NULL, TLS_ALPN_SMTORP, FLIGHT, GREETING IN_SMTORP TAKEN_IT);
	run_tls(SMTPD_SMTORP, NULL, NULL, FLIGHT, GREETING IN_TLS TAKEN_IT);
}

#define CARD "250-BEGIN:VCARD\r\n250- folded\r\n250 END:VCARD\r\n"
#define NO_CARD "500 5.5.2 Unknown command\r\n"

static void
gives_its_card_once_and_where_it_was_promised(void **state)
{
	(void)state;
	static const char said[] = "CARD\r\nEHLO x\r\nCARD all\r\nCARD\r\nMAIL FROM:<>\r\nCARD\r\nRCPT TO:<alice@" ONION ">\r\nBDAT 1 LAST\r\nxQUIT\r\n";
	run_tls(SMTPD_SMTORP, NULL, TLS_ALPN_SMTORP, said, GREETING "503 5.5.1 Say EHLO first\r\n" IN_SMTORP
	    "501 5.5.4 No argument is allowed here\r\n" CARD "250 2.1.0 OK\r\n503 5.5.1 You have the card\r\n250 2.1.5 OK\r\n250 2.0.0 Kept\r\n"
	    "221 2.0.0 Bye\r\n");
	run_tls(SMTPD_SMTORP, NULL, NULL, "EHLO x\r\nCARD\r\nQUIT\r\n", GREETING IN_TLS NO_CARD "221 2.0.0 Bye\r\n");
	run_tls(SMTPD_ONION, "HELO x\r\nSTARTTLS\r\n", NULL, "EHLO x\r\nCARD\r\nQUIT\r\n",
	    GREETING HELLO "220 2.0.0 Ready to start TLS\r\n" IN_TLS NO_CARD "221 2.0.0 Bye\r\n");
}

static void
forgets_what_was_said_before_starttls(void **state)
{
	(void)state;
	run_tls(SMTPD_ONION, "HELO x\r\nSTARTTLS\r\n", NULL, "MAIL FROM:<>\r\nSTARTTLS\r\n" FLIGHT,
	    GREETING HELLO "220 2.0.0 Ready to start TLS\r\n503 5.5.1 Say EHLO first\r\n503 5.5.1 TLS is on already\r\n" IN_TLS
	    "250 2.1.0 OK\r\n250 2.1.5 OK\r\n250 2.0.0 Kept\r\n221 2.0.0 Bye\r\n");
}

/* More in one flight than is buffered, with every message answered later. */
static void
reads_on_after_each_answer(void **state)
{
	(void)state;
	struct buffer said, heard;
	buffer_init(&said, 1000000);
	buffer_init(&heard, 1000000);
	repeat(&said, "HELO x\r\n", 1);
	repeat(&heard, GREETING HELLO, 1);
	for (int i = 0; i < 100; i++) {
		repeat(&said, "MAIL FROM:<>\r\nRCPT TO:<postmaster>\r\nBDAT 2025 LAST\r\n", 1);
		repeat(&said, LINE, 25);
		repeat(&heard, "250 2.1.0 OK\r\n250 2.1.5 OK\r\n250 2.0.0 Kept\r\n", 1);
	}
	assert_int_equal(buffer_append(&said, "QUIT\r\n", strlen("QUIT\r\n") + 1, NULL), 0);
	assert_int_equal(buffer_append(&heard, "221 2.0.0 Bye\r\n", strlen("221 2.0.0 Bye\r\n") + 1, NULL), 0);
	run_tls(SMTPD_SMTORP, NULL, TLS_ALPN_SMTORP, (const char *)buffer_bytes(&said), (const char *)buffer_bytes(&heard));
	buffer_finish(&said);
	buffer_finish(&heard);
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_no_endless_line),
		cmocka_unit_test(ends_after_too_many_errors_commands_and_refusals),
		cmocka_unit_test(takes_a_hundred_recipients),
		cmocka_unit_test(takes_messages_up_to_the_maximum),
		cmocka_unit_test(reads_no_flood),
		cmocka_unit_test(takes_a_message_of_a_hundred_thousand_chunks),
		cmocka_unit_test(waits_for_a_client_that_does_not_read),
		cmocka_unit_test(turns_away_the_session_that_is_one_too_many),
		cmocka_unit_test(takes_one_flight_over_tls_from_the_first_byte),
		cmocka_unit_test(reads_on_after_each_answer),
		cmocka_unit_test(gives_its_card_once_and_where_it_was_promised),
		cmocka_unit_test(forgets_what_was_said_before_starttls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
