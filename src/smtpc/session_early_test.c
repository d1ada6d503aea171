/* SPDX-License-Identifier: ISC
 *
 * Sessions that go on with an earlier one: a message in the first flight, and what happens where the peer does not take it.
 */
#include "smtpc/test_session.h"

#include "base/random.h"

#define FLIGHT(size, body) EHLO MAIL " SIZE=" size "\r\n" BOB "BDAT " size " LAST\r\n" body
#define ANSWERS "250 peer\r\n250 ok\r\n250 ok\r\n250 done\r\n"

static const struct line script[] = {
	GREETING,
	{ FLIGHT("3", "a\r\n"), ANSWERS, PLAINLY },
	{ "QUIT\r\n", "", THEN_CLOSE },
	LAST,
};

static void
give_keys(struct tls_context *context, int seed)
{
	struct tls_ticket_key key;
	memset(&key, seed, sizeof key);
	assert_int_equal(tls_context_set_ticket_keys(context, &key, 1, NULL), 0);
}

static void
run_anew(const struct line *lines, const struct smtpc_message *messages, size_t count)
{
	memset(&client, 0, sizeof client);
	client.quits = true;
	server.was_early = false;
	server.alpn = TLS_ALPN_SMTORP;
	server.speaks_on_tls = true;
	run(SMTPC_SMTORP, lines, messages, count);
	assert_int_equal(client.ended, 1);
}

/* First contact, which brings a ticket. */
static void
get_ticket(void)
{
	struct smtpc_message message = message_of(1, 0, "a\r\n");
	give_keys(server_context, 1);
	ticket_len = 0;
	uses_ticket = false;
	run_anew(script, &message, 1);
	assert_string_equal(client.results, "250  done\n");
	assert_int_equal(client.early, 0);
	assert_false(server.was_early);
	assert_true(ticket_len > 0);
	uses_ticket = true;
}

static void
a_message_for_a_known_peer_goes_in_the_first_flight(void **state)
{
	(void)state;
	static const size_t steps[] = { 0, 1, 3 };
	struct smtpc_message message = message_of(1, 0, "a\r\n");
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		get_ticket();
		relay_step = steps[i];
		run_anew(script, &message, 1);
		relay_step = 0;
		assert_string_equal(client.results, "250  done\n");
		assert_int_equal(client.reason, SMTPC_END_QUIT);
		assert_int_equal(client.early, 1);
		assert_int_equal(client.ready, 1);
		assert_true(client.tls && server.was_early);
	}
}

static void
other_messages_follow_on_the_same_session(void **state)
{
	(void)state;
	static const struct line two[] = {
		GREETING,
		{ FLIGHT("3", "a\r\n"), ANSWERS, PLAINLY },
		{ MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\nb\r\n", "250 ok\r\n250 ok\r\n550 no\r\n", PLAINLY },
		{ "QUIT\r\n", "", THEN_CLOSE },
		LAST,
	};
	struct smtpc_message messages[] = { message_of(1, 0, "a\r\n"), message_of(1, 0, "b\r\n") };
	unsigned char before[TLS_SESSION_MAX_BYTES];
	get_ticket();
	memcpy(before, ticket, sizeof before);
	run_anew(two, messages, 2);
	assert_string_equal(client.results, "250  done\n550  no\n");
	assert_true(server.was_early);
	assert_memory_not_equal(before, ticket, sizeof before); /* for the next time */
}

static void
what_the_peer_did_not_take_early_goes_after_the_handshake_once(void **state)
{
	(void)state;
	struct smtpc_message message = message_of(1, 0, "a\r\n");
	get_ticket();
	give_keys(server_context, 2);
	run_anew(script, &message, 1); /* the script would fail if it came twice */
	assert_string_equal(client.results, "250  done\n");
	assert_int_equal(client.early, 1);
	assert_int_equal(client.ready, 1);
	assert_false(server.was_early);
}

static void
another_key_gets_nothing_before_the_owner_has_seen_it(void **state)
{
	(void)state;
	static const struct line nothing[] = { GREETING, { "QUIT\r\n", "", THEN_CLOSE }, LAST };
	struct smtpc_message messages[] = { message_of(1, 0, "a\r\n") };
	struct tls_context *first = server_context;
	get_ticket();
	assert_int_equal(tls_context_new_server(slice_of_string(test_other_certificate_pem), slice_of_string(test_other_key_pem),
	    &server_context, NULL), 0);
	give_keys(server_context, 2);
	run_anew(nothing, messages, 1); /* it quits when it is ready the second time, for there is no other message */
	assert_int_equal(client.early, 1);
	assert_int_equal(client.ready, 2);
	assert_int_equal(client.delivered, 0);
	assert_string_equal(client.results, "");
	tls_context_free(first);
}

static void
a_large_message_waits_for_the_handshake(void **state)
{
	(void)state;
	static char flight[70000], body[SMTPC_EARLY_BODY_MAX_BYTES + 3];
	for (size_t extra = 0; extra <= 1; extra++) {
		size_t len = SMTPC_EARLY_BODY_MAX_BYTES + extra;
		memset(body, 'x', len);
		memcpy(body + len - 2, "\r\n", 3);
		snprintf(flight, sizeof flight, EHLO MAIL " SIZE=%zu\r\n" BOB "BDAT %zu LAST\r\n%s", len, len, body);
		const struct line lines[] = { GREETING, { flight, ANSWERS, PLAINLY }, { "QUIT\r\n", "", THEN_CLOSE }, LAST };
		struct smtpc_message message = message_of(1, 0, body);
		get_ticket();
		run_anew(lines, &message, 1);
		assert_string_equal(client.results, "250  done\n");
		assert_int_equal(client.early, 1);
		assert_int_equal(client.ready, 1);
		assert_int_equal(server.was_early, extra == 0);
	}
}

static void
a_ticket_that_is_none_is_passed_over(void **state)
{
	(void)state;
	struct smtpc_message message = message_of(1, 0, "a\r\n");
	get_ticket();
	ticket[4] ^= 0x40;
	run_anew(script, &message, 1);
	assert_string_equal(client.results, "250  done\n");
	assert_int_equal(client.early, 0);
}

/* As after the clock was set back, or for a ticket that the peer gave for a moment only. */
static void
date_ticket_in_the_future(void)
{
	static const unsigned char time_field[] = { 0xa1, 0x06, 0x02, 0x04 }; /* of OpenSSL's form of a session */
	unsigned char *at = memmem(ticket, ticket_len, time_field, sizeof time_field);
	assert_non_null(at);
	at[sizeof time_field]++;
}

static void
a_ticket_whose_time_is_wrong_costs_nothing_but_a_handshake(void **state)
{
	(void)state;
	struct smtpc_message message = message_of(1, 0, "a\r\n");
	get_ticket();
	date_ticket_in_the_future();
	run_anew(script, &message, 1);
	assert_string_equal(client.results, "250  done\n");
	assert_int_equal(client.reason, SMTPC_END_QUIT);
	assert_int_equal(client.ready, 1);
	assert_false(server.was_early);
}

static void
what_smtp_cannot_carry_is_not_sent(void **state)
{
	(void)state;
	static const struct line nothing[] = { GREETING, { "QUIT\r\n", "", THEN_CLOSE }, LAST };
	struct smtpc_message message = message_of(1, 0, "a\nb\r\n");
	get_ticket();
	run_anew(nothing, &message, 1);
	assert_memory_equal(client.results, "554 5.6.0", 9);
	assert_int_equal(client.early, 1);
}

static void
without_a_message_nothing_is_sent(void **state)
{
	(void)state;
	static const struct line nothing[] = { LAST };
	get_ticket();
	run_anew(nothing, NULL, 0);
	assert_int_equal(client.early, 1);
	assert_int_equal(client.reason, SMTPC_END_QUIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_for_a_known_peer_goes_in_the_first_flight),
		TEST(other_messages_follow_on_the_same_session),
		TEST(what_the_peer_did_not_take_early_goes_after_the_handshake_once),
		TEST(another_key_gets_nothing_before_the_owner_has_seen_it),
		TEST(a_large_message_waits_for_the_handshake),
		TEST(a_ticket_that_is_none_is_passed_over),
		TEST(a_ticket_whose_time_is_wrong_costs_nothing_but_a_handshake),
		TEST(what_smtp_cannot_carry_is_not_sent),
		TEST(without_a_message_nothing_is_sent),
	};
	random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
