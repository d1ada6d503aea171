/* SPDX-License-Identifier: ISC
 *
 * What cannot be seen from behind a real tor: the credentials, how many dials are under way, a SOCKS socket that
 * talks nonsense. (With a real tor: daemon/role_tor_test.c.)
 */
#include "tor/test_dialer.h"

static void
the_circuit_belongs_to_identity_and_destination(void **state)
{
	(void)state;
	static const struct {
		const char *identity, *onion;
		uint16_t port;
		int same_as; /* an earlier row, or -1 */
	} table[] = {
		{ "alice", ONION_A, 25, -1 }, { "alice", ONION_A, 465, 0 }, { "alice", ONION_A_UPPER, 25, 0 },
		{ "alice", ONION_B, 25, -1 }, { "bob", ONION_A, 25, -1 }, { "bob", ONION_A, 25, 4 }, { "alic", ONION_A, 25, -1 },
	};
	const size_t rows = sizeof table / sizeof table[0];
	for (size_t i = 0; i < rows; i++) {
		assert_int_equal(dialer_dial(dialer, table[i].identity, i, table[i].onion, table[i].port, NULL), 0);
		run_until_events((unsigned)i + 1);
		assert_string_equal(last_identity, table[i].identity);
		assert_int_equal(strlen(connections[i].password), 64);
		assert_int_equal(strspn(connections[i].password, "0123456789ABCDEF"), 64);
		assert_string_equal(connections[i].host, table[i].onion[4] == ONION_B[4] ? ONION_B : ONION_A);
		for (size_t j = 0; j < i; j++) {
			int a = table[i].same_as < 0 ? (int)i : table[i].same_as, b = table[j].same_as < 0 ? (int)j : table[j].same_as;
			assert_int_equal(strcmp(connections[i].password, connections[j].password) == 0, a == b);
		}
	}
	make_dialer(DIALER_LIMITS); /* another run has another secret */
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	run_until_events((unsigned)rows + 1);
	assert_string_not_equal(connections[rows].password, connections[0].password);
}

static void
what_the_peer_says_first_stays_in_the_socket(void **state)
{
	(void)state;
	char got[8];
	assert_int_equal(dialer_dial(dialer, "alice", 77, ONION_A, 465, NULL), 0);
	run_until_events(1);
	assert_int_equal(connected, 1);
	assert_true(last_id == 77);
	assert_int_equal(read(last_fd, got, sizeof got), 3);
	assert_memory_equal(got, "220", 3);
	assert_true((fcntl(last_fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(last_fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void
the_first_flight_goes_with_connect_where_the_client_speaks_first(void **state)
{
	(void)state;
	flight = "ClientHello";
	codes[0] = 0xf0; /* and again with the second try */
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 465, NULL), 0);
	run_until_events(1);
	assert_int_equal(connected, 1);
	assert_int_equal(flights_wanted, 2);
	assert_int_equal(last_attempt, 2);
	assert_int_equal(last_flight_sent, strlen(flight));
	dialer_take_flight(dialer, "alice", 1, 2, slice_of_string("too late"));
	flight = "";
	assert_int_equal(dialer_dial(dialer, "alice", 2, ONION_A, 25, NULL), 0);
	run_until_events(2);
	assert_int_equal(flights_wanted, 2);
	assert_int_equal(last_flight_sent, 0);
}

static void
say_of_stream(const char *action, const char *password)
{
	char event[512];
	snprintf(event, sizeof event, "STREAM 44 %s 30 " ONION_A ":465 SOCKS_USERNAME=\"<torS0X>0\" SOCKS_PASSWORD=\"%s\" "
	    "CLIENT_PROTOCOL=SOCKS5 NYM_EPOCH=0 SESSION_GROUP=-4", action, password);
	dialer_take_event(dialer, slice_of_string(event));
}

static void
the_first_flight_is_asked_for_when_the_circuit_stands(void **state)
{
	(void)state;
	static const char *const others[] = { "STREAM 44 SENTCONNECT 30 " ONION_A ":465", "STREAM 44 SENTCONNECT", "STREAM", };
	dialer_set_streams_told(dialer, true);
	codes[0] = codes[1] = HOLD_FOR_FLIGHT;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(dialer_dial(dialer, i == 0 ? "alice" : "bob", i, ONION_A, 465, NULL), 0);
	run_until_holding(2);
	flight = "ClientHello";
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		dialer_take_event(dialer, slice_of_string(others[i]));
	say_of_stream("NEW", connections[0].password);
	say_of_stream("SENTCONNECT", "somebody else's");
	settle();
	assert_int_equal(flights_wanted, 0);
	for (int i = 0; i < 2; i++) /* it is asked for once */
		say_of_stream("SENTCONNECT", connections[0].password);
	run_until_events(1);
	assert_int_equal(flights_wanted, 1);
	assert_int_equal(last_flight_sent, strlen(flight));
	say_of_stream("SENTCONNECT", connections[0].password); /* of a dial that is over */
	assert_int_equal(flights_wanted, 1);
	say_of_stream("SENTCONNECT", connections[1].password);
	run_until_events(2);
	assert_int_equal(flights_wanted, 2);
	assert_int_equal(last_flight_sent, strlen(flight));
}

static void
a_missing_descriptor_is_looked_for_once_more(void **state)
{
	(void)state;
	codes[0] = 0xf0;
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	run_until_events(1);
	assert_int_equal(connected, 1);
	assert_int_equal(connection_count, 2);
	assert_string_equal(connections[0].password, connections[1].password);
	codes[2] = codes[3] = 0xf0;
	assert_int_equal(dialer_dial(dialer, "alice", 2, ONION_A, 25, NULL), 0);
	run_until_events(2);
	assert_int_equal(failed, 1);
	assert_int_equal(last_reason, DIAL_REASON_NO_DESCRIPTOR);
	assert_int_equal(connection_count, 4);
}

static void
every_failure_has_its_reason(void **state)
{
	(void)state;
	static const struct {
		int code;
		enum ipc_dial_reason reason;
	} table[] = {
		{ 0x01, DIAL_REASON_OTHER }, { 0x05, DIAL_REASON_PORT_REFUSED }, { 0x06, DIAL_REASON_TIMEOUT },
		{ 0xf1, DIAL_REASON_OTHER }, { 0xf2, DIAL_REASON_OFFLINE }, { 0xf3, DIAL_REASON_RENDEZVOUS },
		{ 0xf4, DIAL_REASON_AUTHORIZATION }, { 0xf5, DIAL_REASON_AUTHORIZATION }, { 0xf6, DIAL_REASON_BAD_ADDRESS },
		{ 0xf7, DIAL_REASON_RENDEZVOUS }, { NONSENSE, DIAL_REASON_OTHER }, { HANG_UP, DIAL_REASON_OTHER },
	};
	for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
		codes[i] = table[i].code;
		assert_int_equal(dialer_dial(dialer, "alice", i, ONION_A, 25, NULL), 0);
		run_until_events(i + 1);
		assert_int_equal(failed, i + 1);
		assert_int_equal(last_reason, table[i].reason);
		assert_true(strlen(last_text) > 10);
		assert_null(strstr(last_text, "25njq"));
	}
}

static void
a_silent_socks_port_is_given_up(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.deadline_ms = 30;
	make_dialer(limits);
	codes[0] = SILENT;
	codes[1] = HOLD;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(dialer_dial(dialer, "alice", i, ONION_A, 25, NULL), 0);
		run_until_events(i + 1);
		assert_int_equal(failed, i + 1);
		assert_int_equal(last_reason, DIAL_REASON_TIMEOUT);
	}
}

static void
without_tor_dials_fail(void **state)
{
	(void)state;
	unlink(socks_path);
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	run_until_events(1);
	assert_int_equal(last_reason, DIAL_REASON_TOR_DOWN);
}

static void
dials_wait_for_tor_but_not_for_ever(void **state)
{
	(void)state;
	dialer_set_ready(dialer, false);
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	settle();
	assert_int_equal(connected + failed + connection_count, 0);
	dialer_set_ready(dialer, true);
	run_until_events(1);
	assert_int_equal(connected, 1);
	struct dialer_limits limits = DIALER_LIMITS;
	limits.tor_wait_ms = 20;
	make_dialer(limits);
	dialer_set_ready(dialer, false);
	assert_int_equal(dialer_dial(dialer, "alice", 2, ONION_A, 25, NULL), 0);
	assert_int_equal(dialer_dial(dialer, "bob", 3, ONION_A, 25, NULL), 0);
	run_until_events(3);
	assert_int_equal(failed, 2);
	assert_int_equal(last_reason, DIAL_REASON_TOR_DOWN);
	assert_int_equal(connection_count, 1);
}

static void
identities_share_what_tor_can_do(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.identity_max = 4;
	limits.under_way_max = 6;
	make_dialer(limits);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		codes[i] = HOLD;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(dialer_dial(dialer, "alice", i, ONION_A, 25, NULL), 0);
	run_until_holding(4);
	settle();
	assert_int_equal(connection_count, 4); /* no more of hers */
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(dialer_dial(dialer, "bob", i, ONION_B, 25, NULL), 0);
	run_until_holding(6);
	settle();
	assert_int_equal(connection_count, 6); /* no more in all */
	assert_string_equal(connections[4].host, ONION_B);
	dialer_cancel(dialer, "alice", 2);
	dialer_cancel(dialer, "alice", 7); /* one that waits */
	settle();
	assert_int_equal(connection_count, 7);
	assert_int_equal(count_holding(), 6);
	dialer_cancel_all(dialer, "alice");
	settle();
	assert_int_equal(connection_count, 9); /* two of bob's, who has his four now */
	assert_int_equal(count_holding(), 4);
	assert_int_equal(connected + failed, 0);
}

static void
a_queue_has_an_end(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.queue_max = 2;
	make_dialer(limits);
	codes[0] = codes[1] = HOLD;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(dialer_dial(dialer, "alice", i, ONION_A, 25, NULL), 0);
	run_until_events(1);
	assert_true(last_id == 2);
	assert_int_equal(last_reason, DIAL_REASON_OTHER);
	dialer_cancel(dialer, "alice", 0);
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0); /* a session that is being dialled */
	run_until_events(2);
	assert_true(last_id == 1);
	assert_int_equal(failed, 2);
	/* Somebody who asks and asks cannot fill the memory with what is refused. */
	struct error err = { 0 };
	unsigned taken = 0;
	while (taken < 100 && dialer_dial(dialer, "alice", 10 + taken, "x.onion", 25, &err) == 0)
		taken++;
	assert_int_equal(taken, 3);
	assert_int_equal(err.code, ERROR_BUSY);
	assert_int_equal(dialer_dial(dialer, "bob", 1, ONION_A, 25, NULL), 0);
	dialer_cancel_all(dialer, "alice");
	assert_int_equal(dialer_dial(dialer, "alice", 10, ONION_A, 25, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_circuit_belongs_to_identity_and_destination),
		TEST(what_the_peer_says_first_stays_in_the_socket),
		TEST(the_first_flight_goes_with_connect_where_the_client_speaks_first),
		TEST(the_first_flight_is_asked_for_when_the_circuit_stands),
		TEST(a_missing_descriptor_is_looked_for_once_more),
		TEST(every_failure_has_its_reason),
		TEST(a_silent_socks_port_is_given_up),
		TEST(without_tor_dials_fail),
		TEST(dials_wait_for_tor_but_not_for_ever),
		TEST(identities_share_what_tor_can_do),
		TEST(a_queue_has_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
