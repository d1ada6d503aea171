/* SPDX-License-Identifier: ISC */
#include "loop/test_stream.h"

#include <openssl/ssl.h>

#include "loop/test_round.h"
#include "loop/tlsconn.h"

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
	assert_int_equal(tls_context_key_hash(server_context, hash, &err), 0);
	encode_hex(hex, hash, sizeof hash);
	assert_string_equal(hex, test_key_hash_hex);
	assert_int_equal(tls_context_key_hash(client_context, hash, &err), -1);
	stream_finish(a.stream, DEADLINE_MS);
	b.stops_on_end = true;
	loop_run(loop);
	assert_int_equal(b.end.code, ERROR_CLOSED);
	for (int i = 0; i < 2; i++) {
		watch_free(relays[i].watch);
		close(relays[i].from);
	}
}

/* All of the first flight, a part of it, or nothing may have gone out before the connection is there. */
static void
a_first_flight_may_go_before_the_stream_is_connected(void **state)
{
	(void)state;
	static const size_t parts[] = { 0, 1, 100, SIZE_MAX };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		int pair[2];
		make_pair(pair);
		a.tls = b.tls = 0;
		a.stream = stream_new(loop, pair[0], 1000, 1000, &events, &a);
		b.stream = stream_new(loop, -1, 1000, 1000, &events, &b);
		start_tls(TLS_ALPN_SMTORP, TLS_ALPN_SMTORP);
		struct slice flight = stream_first_flight(b.stream);
		assert_true(flight.len > 100 && flight.len == stream_output_len(b.stream));
		size_t len = parts[i] < flight.len ? parts[i] : flight.len;
		assert_int_equal(send(pair[1], flight.data, len, 0), len);
		stream_connect(b.stream, pair[1], len);
		assert_int_equal(stream_first_flight(b.stream).len, 0);
		a.stops_on_tls = b.stops_on_tls = true;
		while (a.tls == 0 || b.tls == 0)
			loop_run(loop);
		assert_int_equal(a.ended + b.ended, 0);
		stream_free(a.stream);
		stream_free(b.stream);
		a.stream = b.stream = NULL;
	}
}

static void
a_stream_that_never_was_connected_ends_and_sends_nothing(void **state)
{
	(void)state;
	b.stream = stream_new(loop, -1, 1000, 1000, &events, &b);
	assert_int_equal(stream_write(b.stream, "QUIT\r\n", 6, NULL), 0);
	stream_finish(b.stream, DEADLINE_MS);
	b.stops_on_end = true;
	loop_run(loop);
	assert_int_equal(b.drained, 0);
	assert_int_equal(b.end.code, ERROR_CLOSED);
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

/* ---- many handshakes at a time */

/* A server that has to answer what its client said: hello is the client's first flight. */
struct newcomer {
	int fd;
	struct side side;
};

static size_t
make_hello(unsigned char *hello, size_t size)
{
	int fds[2];
	struct side client = { 0 };
	make_pair(fds);
	client.stream = stream_new(loop, fds[0], 1000, 1000, &events, &client);
	assert_int_equal(stream_start_tls_client(client.stream, client_context, "example.onion", NULL, NULL), 0);
	ssize_t n;
	while ((n = recv(fds[1], hello, size, 0)) < 0)
		test_run_rounds(loop, 1);
	stream_free(client.stream);
	close(fds[1]);
	assert_true(n > 0 && (size_t)n < size);
	return (size_t)n;
}

static int
count_answered(const struct newcomer *newcomers, int count)
{
	int answered = 0;
	char byte;
	for (int i = 0; i < count; i++)
		answered += recv(newcomers[i].fd, &byte, 1, MSG_PEEK) == 1;
	return answered;
}

static void
a_flood_of_handshakes_holds_nobody_up(void **state)
{
	(void)state;
	enum { MANY = 100 };
	struct newcomer newcomers[MANY] = { 0 };
	unsigned char hello[4096];
	size_t len = make_hello(hello, sizeof hello);
	make_streams(1000, 1000);
	for (int i = 0; i < MANY; i++) {
		int fds[2];
		make_pair(fds);
		newcomers[i].fd = fds[0];
		newcomers[i].side.stream = stream_new(loop, fds[1], 1000, 1000, &events, &newcomers[i].side);
		assert_int_equal(stream_start_tls_server(newcomers[i].side.stream, server_context, NULL, NULL), 0);
		assert_int_equal(send(fds[0], hello, len, 0), len);
	}
	int before = 0, rounds = 0;
	for (; before < MANY; rounds++) {
		write_string(&a, "x");
		test_run_rounds(loop, 1);
		int answered = count_answered(newcomers, MANY);
		assert_true(answered - before <= 16); /* two rounds of the loop may fall in one of ours */
		before = answered;
		assert_true((int)buffer_len(&b.got) >= rounds - 1); /* meanwhile who is known goes on */
	}
	assert_true(rounds >= MANY / 16);
	for (int i = 0; i < MANY; i++) {
		stream_free(newcomers[i].side.stream);
		close(newcomers[i].fd);
	}
}

static void
buffers_of_a_loop_are_counted_and_bounded(void **state)
{
	(void)state;
	make_streams(100000, 100000);
	b.leaves_input = true;
	char bytes[60000] = { 0 };
	assert_int_equal(stream_write(a.stream, bytes, sizeof bytes, NULL), 0);
	assert_true(loop_buffered_bytes(loop) >= sizeof bytes);
	test_run_rounds(loop, 5);
	assert_int_equal(stream_buffered_bytes(a.stream), 0);
	assert_true(stream_buffered_bytes(b.stream) >= sizeof bytes);
	assert_int_equal(loop_buffered_bytes(loop), stream_buffered_bytes(b.stream));
	loop_bound_buffers(loop, 1000);
	write_string(&b, "nobody reads this now");
	test_run_rounds(loop, 5);
	assert_int_equal(buffer_len(&a.got), 0);
	buffer_consume(stream_input(b.stream), sizeof bytes);
	stream_resume_input(b.stream);
	a.stop_at = 1;
	loop_run(loop);
	got_is(&a, "nobody reads this now");
	assert_int_equal(loop_buffered_bytes(loop), 0);
}

/* b, a client that offers what the probe does, tries its handshake with our server. */
static void
probe(enum tls_probe kind)
{
	struct error err = { 0 };
	tls_context_free(client_context);
	assert_int_equal(tls_context_new_probe(kind, &client_context, &err), 0);
	make_streams(1000, 1000);
	start_tls(NULL, NULL);
	b.stops_on_end = b.stops_on_tls = true;
	loop_run(loop);
}

static void
our_server_refuses_old_versions(void **state)
{
	(void)state;
	probe(TLS_PROBE_OLD);
	assert_int_equal(b.tls, 0);
	assert_int_equal(b.ended, 1);
}

static void
our_server_refuses_to_be_anonymous(void **state)
{
	(void)state;
	probe(TLS_PROBE_ANONYMOUS);
	assert_int_equal(b.tls, 0);
	assert_int_equal(b.ended, 1);
}

static void
our_server_refuses_keys_that_outlive_a_session(void **state)
{
	(void)state;
	probe(TLS_PROBE_NO_SECRECY);
	assert_int_equal(b.tls, 0);
	assert_int_equal(b.ended, 1);
}

static void
our_server_refuses_another_handshake(void **state)
{
	struct error err = { 0 };
	struct buffer der;
	(void)state;
	probe(TLS_PROBE_RENEGOTIATION);
	assert_int_equal(b.tls, 1);
	assert_string_equal(stream_tls_version(b.stream), "TLSv1.2");
	assert_true(strncmp(stream_tls_cipher(b.stream), "ECDHE-", 6) == 0);
	buffer_init(&der, 4096);
	assert_int_equal(stream_peer_certificate(b.stream, &der, &err), 0);
	assert_true(buffer_len(&der) > 200);
	buffer_finish(&der);
	assert_int_equal(stream_peer_certificate(a.stream, &der, &err), -1); /* clients show none */
	assert_int_equal(stream_renegotiate(b.stream, &err), 0);
	loop_run(loop);
	assert_int_equal(b.tls, 1);
	assert_int_equal(b.ended, 1);
}

static void
a_server_that_allows_another_handshake_is_seen(void **state)
{
	struct error err = { 0 };
	(void)state;
	SSL_CTX_clear_options(tls_context_get(server_context), SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_options(tls_context_get(server_context), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	probe(TLS_PROBE_RENEGOTIATION);
	assert_int_equal(stream_renegotiate(b.stream, &err), 0);
	loop_run(loop);
	assert_int_equal(b.tls, 2);
	assert_int_equal(b.ended, 0);
	write_string(&b, "still there");
	a.stop_at = strlen("still there");
	loop_run(loop);
	got_is(&a, "still there");
}

/* OpenSSL wipes what it takes back of that memory. */
static void
the_key_is_gone_with_the_last_who_needs_it(void **state)
{
	(void)state;
	struct tls_context *context;
	size_t before = CRYPTO_secure_used();
	assert_int_equal(tls_context_new_server(slice_of_string(test_certificate_pem), slice_of_string(test_key_pem), &context, NULL), 0);
	assert_true(CRYPTO_secure_used() > before);
	tls_context_free(context);
	assert_int_equal(CRYPTO_secure_used(), before);
}

int
main(void)
{
	tls_library_init();
	const struct CMUnitTest tests[] = {
		TEST(both_sides_work_byte_by_byte),
		TEST(a_first_flight_may_go_before_the_stream_is_connected),
		TEST(a_stream_that_never_was_connected_ends_and_sends_nothing),
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
		TEST(a_flood_of_handshakes_holds_nobody_up),
		TEST(buffers_of_a_loop_are_counted_and_bounded),
		TEST(our_server_refuses_old_versions),
		TEST(our_server_refuses_to_be_anonymous),
		TEST(our_server_refuses_keys_that_outlive_a_session),
		TEST(our_server_refuses_another_handshake),
		TEST(a_server_that_allows_another_handshake_is_seen),
		TEST(the_key_is_gone_with_the_last_who_needs_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
