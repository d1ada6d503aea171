/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "loop/stream.h"
#include "loop/test_certificate.h"

#define DEADLINE_MS 20000

enum { FREE_ON_INPUT = 1, FREE_ON_DRAINED, FREE_ON_TLS, FREE_ON_END };

/* One stream and what happened to it. */
struct side {
	struct stream *stream;
	struct buffer got;
	bool leaves_input;  /* does not consume */
	bool echoes;
	int free_on;
	size_t stop_at;     /* stops the loop when so many bytes were got */
	const char *reply_to_tls; /* written when the handshake is done */
	int inputs, drained, tls, ended;
	bool stops_on_drained, stops_on_tls, stops_on_end;
	struct error end;
	void (*on_input)(struct side *side);
};

static struct loop *loop;
static struct timer *deadline;
static struct tls_context *server_context, *client_context;
static struct side a, b;

static void
free_when(struct side *side, int when)
{
	if (side->free_on != when)
		return;
	stream_free(side->stream);
	side->stream = NULL;
	loop_stop(loop);
}

static void
on_input(void *context)
{
	struct side *side = context;
	side->inputs++;
	struct buffer *in = stream_input(side->stream);
	assert_true(buffer_len(in) > 0 && buffer_len(in) <= in->max);
	if (side->on_input != NULL) {
		side->on_input(side);
	} else if (!side->leaves_input) {
		if (side->echoes)
			assert_int_equal(stream_write(side->stream, buffer_bytes(in), buffer_len(in), NULL), 0);
		assert_int_equal(buffer_append(&side->got, buffer_bytes(in), buffer_len(in), NULL), 0);
		buffer_consume(in, buffer_len(in));
	}
	if (side->stop_at != 0 && buffer_len(&side->got) >= side->stop_at)
		loop_stop(loop);
	free_when(side, FREE_ON_INPUT);
}

static void
on_drained(void *context)
{
	struct side *side = context;
	side->drained++;
	assert_int_equal(stream_output_len(side->stream), 0);
	if (side->stops_on_drained)
		loop_stop(loop);
	free_when(side, FREE_ON_DRAINED);
}

static void
on_tls(void *context)
{
	struct side *side = context;
	side->tls++;
	assert_true(stream_is_tls(side->stream));
	if (side->reply_to_tls != NULL)
		assert_int_equal(stream_write(side->stream, side->reply_to_tls, strlen(side->reply_to_tls), NULL), 0);
	if (side->stops_on_tls)
		loop_stop(loop);
	free_when(side, FREE_ON_TLS);
}

static void
on_end(void *context, const struct error *err)
{
	struct side *side = context;
	side->ended++;
	side->end = *err;
	if (side->stops_on_end)
		loop_stop(loop);
	free_when(side, FREE_ON_END);
}

static const struct stream_events events = { on_input, on_drained, on_tls, on_end };

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
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	buffer_init(&a.got, 64 * 1024 * 1024);
	buffer_init(&b.got, 64 * 1024 * 1024);
	return tls_context_new_server(slice_of_string(test_certificate_pem), slice_of_string(test_key_pem),
	    &server_context, &err) != 0 || tls_context_new_client(&client_context, &err) != 0;
}

static int
finish(void **state)
{
	(void)state;
	stream_free(a.stream);
	stream_free(b.stream);
	buffer_finish(&a.got);
	buffer_finish(&b.got);
	tls_context_free(server_context);
	tls_context_free(client_context);
	timer_free(deadline);
	loop_free(loop);
	return 0;
}

static void
make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
}

static void
make_streams(size_t input_max, size_t output_max)
{
	int fds[2];
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], input_max, output_max, &events, &a);
	b.stream = stream_new(loop, fds[1], input_max, output_max, &events, &b);
}

/* a is the server. */
static void
start_tls(const char *server_alpn, const char *client_alpn)
{
	struct error err = { 0 };
	assert_int_equal(stream_start_tls_server(a.stream, server_context, server_alpn, &err), 0);
	assert_int_equal(stream_start_tls_client(b.stream, client_context, "example.onion", client_alpn, &err), 0);
}

static void
write_string(struct side *side, const char *string)
{
	assert_int_equal(stream_write(side->stream, string, strlen(string), NULL), 0);
}

static void
got_is(const struct side *side, const char *string)
{
	assert_int_equal(buffer_len(&side->got), strlen(string));
	assert_memory_equal(buffer_bytes(&side->got), string, strlen(string));
}

/* Bytes in which a loss or a swap shows. */
static unsigned char *
make_pattern(size_t len)
{
	unsigned char *pattern = malloc(len);
	uint32_t x = 1;
	assert_non_null(pattern);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		pattern[i] = (unsigned char)(x >> 24);
	}
	return pattern;
}

/* ---- plain */

static void
echoes_in_plain(void **state)
{
	(void)state;
	make_streams(1000, 1000);
	a.echoes = true;
	b.stop_at = 5;
	write_string(&b, "hello");
	assert_int_equal(stream_output_len(b.stream), 5); /* not before the loop runs */
	loop_run(loop);
	got_is(&b, "hello");
	assert_false(stream_is_tls(a.stream));
	assert_null(stream_alpn(a.stream));
}

static void
write_thrice(struct side *side)
{
	buffer_consume(stream_input(side->stream), 1);
	write_string(side, "250 one\r\n");
	write_string(side, "250 two\r\n");
	write_string(side, "250 three\r\n");
}

static void
what_one_callback_writes_leaves_in_one_piece(void **state)
{
	(void)state;
	int fds[2];
	char got[100];
	/* a packet socket shows the pieces */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	a.stream = stream_new(loop, fds[0], 1000, 1000, &events, &a);
	a.on_input = write_thrice;
	a.stops_on_drained = true;
	assert_int_equal(send(fds[1], "x", 1, 0), 1);
	loop_run(loop);
	assert_int_equal(recv(fds[1], got, sizeof got, 0), 29);
	assert_int_equal(a.drained, 1);
	close(fds[1]);
}

static void
a_full_input_stops_reading_until_it_is_consumed(void **state)
{
	(void)state;
	enum { LEN = 300000 };
	for (int with_tls = 0; with_tls < 2; with_tls++) {
		unsigned char *pattern = make_pattern(LEN);
		size_t taken = 0;
		make_streams(100, LEN);
		a.leaves_input = true;
		if (with_tls)
			start_tls(NULL, NULL);
		assert_int_equal(stream_write(b.stream, pattern, LEN, NULL), 0);
		while (taken < LEN) {
			struct buffer *in = stream_input(a.stream);
			a.on_input = NULL;
			if (buffer_len(in) > 0) {
				assert_memory_equal(buffer_bytes(in), pattern + taken, buffer_len(in));
				taken += buffer_len(in);
				buffer_consume(in, buffer_len(in));
				stream_resume_input(a.stream);
			}
			/* on_input fires when something is there again */
			a.stop_at = 1;
			buffer_finish(&a.got);
			assert_int_equal(buffer_append(&a.got, "x", 1, NULL), 0);
			if (taken < LEN)
				loop_run(loop);
			assert_true(buffer_len(in) <= 100);
		}
		assert_true(a.inputs >= LEN / 100);
		stream_free(a.stream);
		stream_free(b.stream);
		a.stream = b.stream = NULL;
		free(pattern);
	}
}

static void
on_stop(void *context)
{
	(void)context;
	loop_stop(loop);
}

static void
a_full_input_does_not_spin(void **state)
{
	(void)state;
	make_streams(10, 1000);
	a.leaves_input = true;
	write_string(&b, "more than ten bytes");
	struct timer *stop = timer_new(loop, on_stop, NULL);
	timer_start(stop, 200);
	clock_t before = clock();
	loop_run(loop);
	assert_true(clock() - before < CLOCKS_PER_SEC / 10); /* processor time */
	assert_int_equal(a.inputs, 1);
	timer_free(stop);
}

static void
resuming_offers_what_was_left(void **state)
{
	(void)state;
	make_streams(1000, 1000);
	a.leaves_input = true;
	b.stops_on_drained = true;
	write_string(&b, "left");
	loop_run(loop);
	if (a.inputs == 0) {
		a.stop_at = 1;
		assert_int_equal(buffer_append(&a.got, "x", 1, NULL), 0);
		loop_run(loop);
		buffer_finish(&a.got);
	}
	assert_int_equal(a.inputs, 1);
	a.leaves_input = false;
	a.stop_at = 4;
	stream_resume_input(a.stream);
	assert_int_equal(a.inputs, 1);
	loop_run(loop);
	got_is(&a, "left");
}

static void
the_output_is_bounded(void **state)
{
	(void)state;
	struct error err = { 0 };
	for (int with_tls = 0; with_tls < 2; with_tls++) {
		make_streams(10, 1000);
		if (with_tls)
			start_tls(NULL, NULL);
		char bytes[600] = { 0 };
		assert_int_equal(stream_write(b.stream, bytes, sizeof bytes, &err), 0);
		assert_int_equal(stream_write(b.stream, bytes, sizeof bytes, &err), -1);
		assert_int_equal(err.code, ERROR_TOO_LARGE);
		stream_free(a.stream);
		stream_free(b.stream);
		a.stream = b.stream = NULL;
	}
}

static void
the_last_words_of_a_peer_who_hung_up_are_read(void **state)
{
	(void)state;
	int fds[2];
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], 1000, 1000, &events, &a);
	a.stops_on_end = true;
	assert_int_equal(send(fds[1], "554 too much\r\n", 14, 0), 14);
	close(fds[1]);
	write_string(&a, "body");
	loop_run(loop);
	got_is(&a, "554 too much\r\n");
	assert_int_equal(a.end.code, ERROR_CLOSED);
	struct error err = { 0 };
	assert_int_equal(stream_write(a.stream, "x", 1, &err), -1);
	assert_int_equal(err.code, ERROR_CLOSED);
}

/* ---- the end */

static void
finish_sends_everything_first(void **state)
{
	(void)state;
	enum { LEN = 3000000 };
	unsigned char *pattern = make_pattern(LEN);
	for (int with_tls = 0; with_tls < 2; with_tls++) {
		memset(&a.end, 0, sizeof a.end);
		a.ended = b.ended = 0;
		make_streams(1000, LEN);
		if (with_tls) {
			a.stops_on_tls = true;
			start_tls(NULL, NULL);
			loop_run(loop);
		}
		assert_int_equal(stream_write(a.stream, pattern, LEN, NULL), 0);
		stream_finish(a.stream, DEADLINE_MS);
		assert_int_equal(a.ended, 0);
		assert_int_equal(stream_write(a.stream, "x", 1, NULL), -1);
		b.stops_on_end = true;
		loop_run(loop);
		assert_int_equal(b.end.code, ERROR_CLOSED);
		assert_int_equal(buffer_len(&b.got), LEN);
		assert_memory_equal(buffer_bytes(&b.got), pattern, LEN);
		stream_free(b.stream);
		b.stream = NULL;
		a.stops_on_end = true;
		if (a.ended == 0)
			loop_run(loop);
		assert_int_equal(a.ended, 1);
		assert_int_equal(a.end.code, ERROR_CLOSED);
		stream_free(a.stream);
		a.stream = NULL;
		buffer_finish(&b.got);
	}
	free(pattern);
}

static void
finish_gives_up_in_time(void **state)
{
	(void)state;
	enum { LEN = 3000000 };
	unsigned char *pattern = make_pattern(LEN);
	make_streams(1000, LEN);
	b.leaves_input = true;
	a.stops_on_end = true;
	assert_int_equal(stream_write(a.stream, pattern, LEN, NULL), 0);
	int64_t before_ms = clock_monotonic_ms();
	stream_finish(a.stream, 100);
	loop_run(loop);
	assert_int_equal(a.end.code, ERROR_TIMEOUT);
	assert_true(clock_monotonic_ms() - before_ms >= 100);
	free(pattern);
}

static void
finish_drops_input(void **state)
{
	(void)state;
	make_streams(1000, 1000);
	stream_finish(a.stream, DEADLINE_MS);
	write_string(&b, "too late");
	b.stops_on_end = true;
	loop_run(loop);
	assert_int_equal(a.inputs, 0);
	stream_free(b.stream);
	b.stream = NULL;
	a.stops_on_end = true;
	if (a.ended == 0)
		loop_run(loop);
	assert_int_equal(a.end.code, ERROR_CLOSED);
}

/* A close() with unread bytes makes TCP reset the connection, and the reset overtakes our last words. */
static void
last_words_arrive_though_the_peer_talks(void **state)
{
	(void)state;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof address;
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &len), 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
	int server = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(server >= 0);
	close(listening);
	char talk[50000] = { 0 }, got[100];
	assert_int_equal(send(client, talk, sizeof talk, 0), sizeof talk);
	a.stream = stream_new(loop, server, 1000, 1000, &events, &a);
	write_string(&a, "500 enough\r\n");
	stream_finish(a.stream, 200);
	a.stops_on_end = true;
	loop_run(loop); /* gives up on the client, who does not close */
	stream_free(a.stream);
	a.stream = NULL;
	assert_int_equal(recv(client, got, sizeof got, 0), 12);
	assert_memory_equal(got, "500 enough\r\n", 12);
	close(client);
}

/* ---- TLS */

/* A transport that hands on one byte at a time. */
struct relay {
	int from, to;
	struct watch *watch;
};

static void
relay_one_byte(void *context)
{
	struct relay *relay = context;
	char byte;
	ssize_t n = recv(relay->from, &byte, 1, 0);
	if (n == 1)
		n = send(relay->to, &byte, 1, MSG_NOSIGNAL);
	if (n != 1) {
		shutdown(relay->to, SHUT_WR);
		watch_enable(relay->watch, false);
	}
}

static void
both_sides_work_byte_by_byte(void **state)
{
	(void)state;
	int left[2], right[2];
	struct error err = { 0 };
	unsigned char hash[32];
	char hex[65];
	make_pair(left);
	make_pair(right);
	struct relay relays[2] = { { left[1], right[1], NULL }, { right[1], left[1], NULL } };
	for (int i = 0; i < 2; i++) {
		relays[i].watch = watch_new(loop, relays[i].from, WATCH_READ, relay_one_byte, &relays[i]);
		watch_enable(relays[i].watch, true);
	}
	a.stream = stream_new(loop, left[0], 1000, 1000, &events, &a);
	b.stream = stream_new(loop, right[0], 1000, 1000, &events, &b);
	assert_int_equal(stream_peer_key_hash(b.stream, hash, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	start_tls(TLS_ALPN_SMTORP, TLS_ALPN_SMTORP);
	assert_false(stream_is_tls(b.stream));
	b.reply_to_tls = "EHLO bob\r\nMAIL\r\n";
	a.echoes = true;
	b.stop_at = strlen(b.reply_to_tls);
	loop_run(loop);
	got_is(&b, b.reply_to_tls);
	assert_int_equal(a.tls, 1);
	assert_int_equal(b.tls, 1);
	assert_string_equal(stream_alpn(a.stream), "smtorp/1");
	assert_string_equal(stream_alpn(b.stream), "smtorp/1");
	assert_int_equal(stream_peer_key_hash(b.stream, hash, &err), 0);
	encode_hex(hex, hash, sizeof hash);
	assert_string_equal(hex, test_key_hash_hex);
	assert_int_equal(stream_peer_key_hash(a.stream, hash, &err), -1); /* clients show none */
	stream_finish(a.stream, DEADLINE_MS);
	b.stops_on_end = true;
	loop_run(loop);
	assert_int_equal(b.end.code, ERROR_CLOSED);
	for (int i = 0; i < 2; i++) {
		watch_free(relays[i].watch);
		close(relays[i].from);
	}
}

static void
a_large_transfer_arrives_whole(void **state)
{
	(void)state;
	enum { LEN = 8000000 };
	unsigned char *pattern = make_pattern(LEN);
	make_streams(50000, LEN);
	start_tls(NULL, NULL);
	assert_int_equal(stream_write(a.stream, pattern, LEN, NULL), 0);
	assert_int_equal(stream_write(b.stream, pattern, LEN, NULL), 0);
	a.stop_at = b.stop_at = LEN;
	while (buffer_len(&a.got) < LEN || buffer_len(&b.got) < LEN)
		loop_run(loop);
	assert_memory_equal(buffer_bytes(&a.got), pattern, LEN);
	assert_memory_equal(buffer_bytes(&b.got), pattern, LEN);
	assert_int_equal(a.drained, 1);
	free(pattern);
}

static void
without_a_common_alpn_there_is_tls_but_no_protocol(void **state)
{
	(void)state;
	static const struct {
		const char *server, *client;
	} table[] = { { NULL, "smtorp/1" }, { "smtorp/1", NULL }, { "smtorp/1", "smtorp/2" }, { "smtorp/1", "smtorp" },
		{ "smtorp/1", "smtorp/11" } };
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		a.tls = b.tls = 0;
		make_streams(1000, 1000);
		start_tls(table[i].server, table[i].client);
		a.stops_on_tls = b.stops_on_tls = true;
		while (a.tls == 0 || b.tls == 0)
			loop_run(loop);
		assert_null(stream_alpn(a.stream));
		assert_null(stream_alpn(b.stream));
		assert_int_equal(a.ended + b.ended, 0);
		stream_free(a.stream);
		stream_free(b.stream);
		a.stream = b.stream = NULL;
	}
}

static struct error starttls_error;

static void
answer_starttls(struct side *side)
{
	struct buffer *in = stream_input(side->stream);
	const char *newline = memchr(buffer_bytes(in), '\n', buffer_len(in));
	if (newline == NULL)
		return;
	buffer_consume(in, (size_t)(newline - (const char *)buffer_bytes(in)) + 1);
	side->on_input = NULL;
	write_string(side, "220 ready\r\n");
	if (stream_start_tls_server(side->stream, server_context, NULL, &starttls_error) != 0)
		stream_finish(side->stream, DEADLINE_MS);
}

static void
begin_tls_after_220(struct side *side)
{
	struct buffer *in = stream_input(side->stream);
	if (buffer_len(in) < 11)
		return;
	assert_memory_equal(buffer_bytes(in), "220 ready\r\n", 11);
	buffer_consume(in, 11);
	side->on_input = NULL;
	assert_int_equal(stream_start_tls_client(side->stream, client_context, NULL, NULL, NULL), 0);
}

static void
starttls_switches_after_the_plain_reply(void **state)
{
	(void)state;
	make_streams(1000, 1000);
	a.on_input = answer_starttls;
	b.on_input = begin_tls_after_220;
	b.reply_to_tls = "EHLO again";
	a.stop_at = 10;
	write_string(&b, "STARTTLS\r\n");
	loop_run(loop);
	got_is(&a, "EHLO again");
	assert_true(stream_is_tls(a.stream));
}

static void
bytes_behind_starttls_in_the_same_segment_end_it(void **state)
{
	(void)state;
	int fds[2];
	make_pair(fds);
	memset(&starttls_error, 0, sizeof starttls_error);
	a.stream = stream_new(loop, fds[0], 1000, 1000, &events, &a);
	a.on_input = answer_starttls;
	a.stops_on_end = true;
	assert_int_equal(send(fds[1], "STARTTLS\r\nRSET\r\n", 16, 0), 16);
	shutdown(fds[1], SHUT_WR);
	loop_run(loop);
	assert_int_equal(starttls_error.code, ERROR_PROTOCOL);
	assert_int_equal(buffer_len(&a.got), 0);
	close(fds[1]);
}

static void
plain_bytes_that_come_later_are_no_commands(void **state)
{
	(void)state;
	int fds[2];
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], 1000, 1000, &events, &a);
	a.on_input = answer_starttls;
	a.stops_on_drained = a.stops_on_end = true;
	assert_int_equal(send(fds[1], "STARTTLS\r\n", 10, 0), 10);
	loop_run(loop);
	assert_int_equal(a.ended, 0);
	assert_int_equal(send(fds[1], "RSET\r\n", 6, 0), 6);
	loop_run(loop);
	assert_int_equal(a.end.code, ERROR_PROTOCOL);
	assert_int_equal(buffer_len(&a.got), 0);
	close(fds[1]);
}

static void
a_cut_connection_is_an_end_like_any_other(void **state)
{
	(void)state;
	make_streams(1000, 1000);
	start_tls(NULL, NULL);
	a.stops_on_tls = true;
	loop_run(loop);
	stream_free(b.stream); /* no close_notify */
	b.stream = NULL;
	a.stops_on_end = true;
	loop_run(loop);
	assert_int_equal(a.end.code, ERROR_CLOSED);
}

static void
answer_and_finish(struct side *side)
{
	buffer_consume(stream_input(side->stream), buffer_len(stream_input(side->stream)));
	write_string(side, "221 bye");
	stream_finish(side->stream, DEADLINE_MS);
}

static void
a_peer_who_says_goodbye_still_gets_the_answer(void **state)
{
	(void)state;
	make_streams(1000, 1000);
	start_tls(NULL, NULL);
	a.stops_on_tls = true;
	loop_run(loop);
	a.on_input = answer_and_finish;
	write_string(&b, "QUIT");
	stream_finish(b.stream, DEADLINE_MS); /* close_notify right behind */
	a.stops_on_end = b.stops_on_end = true;
	int64_t before_ms = clock_monotonic_ms();
	while (a.ended == 0 || b.ended == 0)
		loop_run(loop);
	assert_int_equal(a.end.code, ERROR_CLOSED);
	assert_int_equal(b.end.code, ERROR_CLOSED);
	assert_true(clock_monotonic_ms() - before_ms < DEADLINE_MS / 2);
}

static void
keys_and_certificates_are_checked(void **state)
{
	(void)state;
	struct tls_context *context = NULL;
	struct slice certificate = slice_of_string(test_certificate_pem), key = slice_of_string(test_key_pem);
	struct slice other = slice_of_string(test_other_key_pem);
	struct error err = { 0 };
	assert_int_equal(tls_context_new_server(certificate, other, &context, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(tls_context_new_server(key, key, &context, &err), -1);
	assert_int_equal(tls_context_new_server(certificate, slice_of("", 0), &context, &err), -1);
	assert_null(context);
}

static void
free_in(int when, bool with_tls)
{
	make_streams(1000, 1000);
	if (with_tls)
		start_tls(NULL, NULL);
	a.free_on = when;
	write_string(&a, "from a");
	write_string(&b, "from b");
	if (when == FREE_ON_END)
		stream_finish(b.stream, DEADLINE_MS);
	loop_run(loop);
	assert_null(a.stream);
	stream_free(b.stream);
	b.stream = NULL;
}

static void
a_stream_may_be_freed_in_each_callback(void **state)
{
	(void)state;
	free_in(FREE_ON_INPUT, false);
	free_in(FREE_ON_DRAINED, false);
	free_in(FREE_ON_END, false);
	free_in(FREE_ON_INPUT, true);
	free_in(FREE_ON_DRAINED, true);
	free_in(FREE_ON_TLS, true);
	free_in(FREE_ON_END, true);
}

static void
free_both(struct side *side)
{
	buffer_consume(stream_input(side->stream), buffer_len(stream_input(side->stream)));
	stream_free(a.stream);
	stream_free(b.stream);
	a.stream = b.stream = NULL;
	loop_stop(loop);
}

static void
a_callback_may_free_another_stream(void **state)
{
	(void)state;
	make_streams(1000, 1000);
	a.on_input = b.on_input = free_both;
	write_string(&a, "from a");
	write_string(&b, "from b");
	loop_run(loop);
	assert_int_equal(a.inputs + b.inputs, 1);
}

/* ---- memory */

static size_t
idle_bytes_of_a_session(bool with_tls)
{
	enum { PAIRS = 100 };
	struct stream *streams[PAIRS][2];
	size_t before = mallinfo2().uordblks;
	a.stops_on_tls = true;
	a.stop_at = 7;
	for (int i = 0; i < PAIRS; i++) {
		make_streams(65536, 65536);
		if (with_tls) {
			start_tls(NULL, NULL);
			while (a.tls <= i || b.tls <= i)
				loop_run(loop);
		}
		write_string(&b, "traffic");
		loop_run(loop);
		buffer_finish(&a.got);
		streams[i][0] = a.stream;
		streams[i][1] = b.stream;
	}
	size_t used = mallinfo2().uordblks - before;
	for (int i = 0; i < PAIRS; i++) {
		stream_free(streams[i][0]);
		stream_free(streams[i][1]);
	}
	a.stream = b.stream = NULL;
	return used / (PAIRS * 2);
}

static void
idle_sessions_hold_no_buffers(void **state)
{
	(void)state;
	size_t plain = idle_bytes_of_a_session(false), tls = idle_bytes_of_a_session(true);
	if (plain == 0)
		skip(); /* another allocator (a sanitizer), which counts elsewhere */
	print_message("# idle session: %zu bytes in plain, %zu with TLS\n", plain, tls);
	assert_true(plain < 1500);
	assert_true(tls < 24 * 1024);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(echoes_in_plain),
		TEST(what_one_callback_writes_leaves_in_one_piece),
		TEST(a_full_input_stops_reading_until_it_is_consumed),
		TEST(a_full_input_does_not_spin),
		TEST(resuming_offers_what_was_left),
		TEST(the_output_is_bounded),
		TEST(the_last_words_of_a_peer_who_hung_up_are_read),
		TEST(finish_sends_everything_first),
		TEST(finish_gives_up_in_time),
		TEST(finish_drops_input),
		TEST(last_words_arrive_though_the_peer_talks),
		TEST(both_sides_work_byte_by_byte),
		TEST(a_large_transfer_arrives_whole),
		TEST(without_a_common_alpn_there_is_tls_but_no_protocol),
		TEST(starttls_switches_after_the_plain_reply),
		TEST(bytes_behind_starttls_in_the_same_segment_end_it),
		TEST(plain_bytes_that_come_later_are_no_commands),
		TEST(a_cut_connection_is_an_end_like_any_other),
		TEST(a_peer_who_says_goodbye_still_gets_the_answer),
		TEST(keys_and_certificates_are_checked),
		TEST(a_stream_may_be_freed_in_each_callback),
		TEST(a_callback_may_free_another_stream),
		TEST(idle_sessions_hold_no_buffers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
