/* SPDX-License-Identifier: ISC */
#include "loop/test_stream.h"

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
	enum { LEN = 10000 }; /* more than is read before we find out that nothing can be sent */
	unsigned char *words = make_pattern(LEN);
	int fds[2];
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], 1000, 1000, &events, &a);
	a.stops_on_end = true;
	assert_int_equal(send(fds[1], words, LEN, 0), LEN);
	close(fds[1]);
	write_string(&a, "body");
	loop_run(loop);
	assert_int_equal(buffer_len(&a.got), LEN);
	assert_memory_equal(buffer_bytes(&a.got), words, LEN);
	assert_int_equal(a.end.code, ERROR_CLOSED);
	struct error err = { 0 };
	assert_int_equal(stream_write(a.stream, "x", 1, &err), -1);
	assert_int_equal(err.code, ERROR_CLOSED);
	free(words);
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

/* A close() with unread bytes makes TCP reset the connection, and a reset may overtake our last words. */
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
	enum { LEN = 600000 }; /* more than is read in one turn */
	unsigned char *talk = make_pattern(LEN);
	char got[100];
	assert_int_equal(send(client, talk, LEN, MSG_DONTWAIT), LEN);
	free(talk);
	a.stream = stream_new(loop, server, 1000, 1000, &events, &a);
	write_string(&a, "500 enough\r\n");
	stream_finish(a.stream, 200);
	a.stops_on_end = true;
	loop_run(loop); /* gives up on the client, who does not close */
	stream_free(a.stream);
	a.stream = NULL;
	assert_int_equal(recv(client, got, sizeof got, 0), 12);
	assert_memory_equal(got, "500 enough\r\n", 12);
	assert_int_equal(recv(client, got, sizeof got, 0), 0); /* an end, no reset */
	close(client);
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
		return; /* another allocator (a sanitizer or valgrind), which counts elsewhere */
	print_message("# idle session: %zu bytes in plain, %zu with TLS\n", plain, tls);
	assert_true(plain < 1500);
	assert_true(tls < 24 * 1024);
}

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
		TEST(idle_sessions_hold_no_buffers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
