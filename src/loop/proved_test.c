/* SPDX-License-Identifier: ISC */
#include "loop/test_stream.h"

#include <openssl/ssl.h>

#include "base/random.h"

#define ALPN TLS_ALPN_SMTORP
#define LABEL "EXPERIMENTAL test"

static unsigned char saved[TLS_SESSION_MAX_BYTES];
static size_t saved_len;
static int sessions_given, stop_at_sessions;
static const unsigned char alice[TLS_PROVED_BYTES] = "alice", bob[TLS_PROVED_BYTES] = "bob", nobody[TLS_PROVED_BYTES];

static void
on_session(void *context, struct slice session)
{
	(void)context;
	assert_true(session.len > 0 && session.len <= sizeof saved);
	memcpy(saved, session.data, session.len);
	saved_len = session.len;
	if (++sessions_given == stop_at_sessions)
		loop_stop(loop);
}

static const struct stream_events client_events = { on_input, on_drained, on_tls, on_end, on_session };

static void
give_keys(int seed)
{
	struct tls_ticket_key key;
	memset(&key, seed, sizeof key);
	assert_int_equal(tls_context_set_ticket_keys(server_context, &key, 1, NULL), 0);
}

static void
make_sides(void)
{
	int fds[2];
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], 1000, 300000, &events, &a);
	b.stream = stream_new(loop, fds[1], 1000, 300000, &client_events, &b);
}

static void
drop_sides(void)
{
	stream_free(a.stream);
	stream_free(b.stream);
	buffer_finish(&a.got);
	buffer_finish(&b.got);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	buffer_init(&a.got, 64 * 1024 * 1024);
	buffer_init(&b.got, 64 * 1024 * 1024);
}

static void
until_sessions(int count)
{
	stop_at_sessions = count;
	while (sessions_given < count)
		loop_run(loop);
}

static void
assert_proved(const unsigned char expected[TLS_PROVED_BYTES])
{
	unsigned char proved[TLS_PROVED_BYTES];
	memset(proved, 1, sizeof proved);
	assert_int_equal(stream_proved(a.stream, proved), expected != nobody);
	assert_memory_equal(proved, expected, sizeof proved);
}

/* A client who says something once more, so that the server has something to answer. */
static void
prove(const unsigned char proved[TLS_PROVED_BYTES])
{
	int before = sessions_given;
	stream_set_proved(a.stream, proved);
	assert_int_equal(stream_write(a.stream, "235\r\n", 5, NULL), 0);
	until_sessions(before + 1);
	b.stop_at = 5;
	while (buffer_len(&b.got) < 5)
		loop_run(loop);
	assert_int_equal(sessions_given, before + 1);
}

static void
full(void)
{
	make_sides();
	sessions_given = 0;
	start_tls(ALPN, ALPN);
	until_sessions(1);
}

static void
resume(const char *early)
{
	struct tls_resumption how = { slice_of(saved, saved_len), NULL, slice_of_string(early) };
	make_sides();
	sessions_given = 0;
	assert_int_equal(stream_start_tls_server(a.stream, server_context, ALPN, NULL), 0);
	assert_int_equal(stream_resume_tls_client(b.stream, client_context, "example.onion", ALPN, &how, NULL), 0);
}

static void
both_ends_know_the_same_and_each_connection_something_else(void **state)
{
	(void)state;
	unsigned char seen[4][TLS_EXPORTER_BYTES], other[TLS_EXPORTER_BYTES];
	give_keys(1);
	for (int i = 0; i < 4; i++) {
		if (i < 2) {
			full();
		} else {
			resume(i == 2 ? "" : "x");
			until_sessions(1);
		}
		assert_int_equal(stream_exporter(a.stream, LABEL, seen[i], NULL), 0);
		assert_int_equal(stream_exporter(b.stream, LABEL, other, NULL), 0);
		assert_memory_equal(seen[i], other, sizeof other);
		assert_int_equal(stream_exporter(b.stream, "EXPERIMENTAL other", other, NULL), 0);
		assert_memory_not_equal(seen[i], other, sizeof other);
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(seen[i], seen[k], sizeof other);
		drop_sides();
	}
}

static void
without_the_protocol_there_is_nothing_to_bind_to(void **state)
{
	(void)state;
	struct error err;
	unsigned char out[TLS_EXPORTER_BYTES];
	give_keys(1);
	make_sides();
	assert_int_equal(stream_exporter(a.stream, LABEL, out, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	start_tls(NULL, NULL);
	a.stops_on_tls = b.stops_on_tls = true;
	while (a.tls + b.tls < 2)
		loop_run(loop);
	assert_int_equal(stream_exporter(a.stream, LABEL, out, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_proved(nobody);
}

static void
what_was_proved_is_in_the_next_ticket_and_those_that_follow(void **state)
{
	(void)state;
	give_keys(1);
	full();
	assert_proved(nobody);
	prove(alice);
	assert_proved(alice);
	drop_sides();
	for (int i = 0; i < 3; i++) {
		resume(i == 1 ? "EHLO" : "");
		until_sessions(1);
		assert_proved(alice);
		drop_sides();
	}
}

/* While it is early, too: that is what the ticket is for. Nothing can be bound to the connection then. */
static void
a_ticket_tells_before_the_handshake_has_finished(void **state)
{
	(void)state;
	unsigned char out[TLS_EXPORTER_BYTES];
	give_keys(1);
	full();
	prove(alice);
	drop_sides();
	resume("EHLO");
	a.stop_at = 4;
	while (buffer_len(&a.got) < 4)
		loop_run(loop);
	assert_int_equal(stream_early(a.stream), STREAM_EARLY_READING);
	assert_proved(alice);
	assert_int_equal(stream_exporter(a.stream, LABEL, out, NULL), -1);
}

static void
the_first_ticket_of_a_connection_tells_nothing(void **state)
{
	(void)state;
	give_keys(1);
	full();
	drop_sides();
	resume("");
	until_sessions(1);
	assert_proved(nobody);
	prove(bob);
	drop_sides();
	resume("");
	until_sessions(1);
	assert_proved(bob);
}

/* Another identity has other keys: its tickets are random octets here, whatever they say. */
static void
a_ticket_that_cannot_be_opened_tells_nothing(void **state)
{
	(void)state;
	give_keys(1);
	full();
	prove(alice);
	drop_sides();
	give_keys(2);
	resume("EHLO");
	until_sessions(1);
	assert_proved(nobody);
}

static size_t
ticket_len(void)
{
	const unsigned char *at = saved, *ticket;
	size_t len;
	SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, (long)saved_len);
	SSL_SESSION_get0_ticket(session, &ticket, &len);
	SSL_SESSION_free(session);
	return len;
}

static void
tickets_have_one_length_whatever_was_proved(void **state)
{
	(void)state;
	give_keys(1);
	full();
	size_t before = ticket_len();
	prove(alice);
	assert_int_equal(ticket_len(), before);
	drop_sides();
	resume("");
	until_sessions(1);
	assert_int_equal(ticket_len(), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ends_know_the_same_and_each_connection_something_else, start, finish),
		cmocka_unit_test_setup_teardown(without_the_protocol_there_is_nothing_to_bind_to, start, finish),
		cmocka_unit_test_setup_teardown(what_was_proved_is_in_the_next_ticket_and_those_that_follow, start, finish),
		cmocka_unit_test_setup_teardown(a_ticket_tells_before_the_handshake_has_finished, start, finish),
		cmocka_unit_test_setup_teardown(the_first_ticket_of_a_connection_tells_nothing, start, finish),
		cmocka_unit_test_setup_teardown(a_ticket_that_cannot_be_opened_tells_nothing, start, finish),
		cmocka_unit_test_setup_teardown(tickets_have_one_length_whatever_was_proved, start, finish),
	};
	random_init();
	tls_library_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
