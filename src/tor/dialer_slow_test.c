/* SPDX-License-Identifier: ISC
 *
 * Dials that tor is slow with: they are made anew when a descriptor has come.
 */
#include "tor/test_dialer.h"

#define SLOW "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"

/* tor holds a stream at an introduction point that nobody listens at any more, until it is told to fetch. */
static void
a_slow_dial_is_made_anew_with_a_new_descriptor(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.slow_ms = 10;
	limits.renew_spread_ms = 20;
	make_dialer(limits);
	codes[0] = HOLD;
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	wanted_events = 1;
	loop_run(loop);
	assert_int_equal(slow, 1);
	assert_int_equal(strlen(last_slow), 56);
	assert_memory_equal(last_slow, ONION_A, 56);
	static const char *const others[] = {
		"HS_DESC REQUESTED " SLOW " NO_AUTH $0000000000000000000000000000000000000000~relay id",
		"HS_DESC FAILED " SLOW " NO_AUTH $0000000000000000000000000000000000000000~relay id REASON=NOT_FOUND",
		"HS_DESC RECEIVED duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad NO_AUTH $00~relay id",
		"HS_DESC RECEIVED", "HS_DESC",
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		dialer_take_event(dialer, slice_of_string(others[i]));
	settle();
	assert_int_equal(connection_count, 1);
	dialer_take_event(dialer, slice_of_string("HS_DESC RECEIVED " SLOW " NO_AUTH $00~relay id"));
	run_until_events(1);
	assert_int_equal(connected, 1);
	assert_int_equal(connection_count, 2);
	assert_string_not_equal(connections[0].password, connections[1].password);
	assert_string_equal(connections[0].host, connections[1].host);
}

static void
a_slow_dial_is_made_anew_once(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.slow_ms = 5;
	limits.deadline_ms = 1000; /* far enough behind slow_ms for a machine that is busy */
	limits.renew_spread_ms = 0;
	make_dialer(limits);
	codes[0] = codes[1] = HOLD;
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	wanted_events = 1;
	loop_run(loop);
	for (int i = 0; i < 3; i++)
		dialer_take_event(dialer, slice_of_string("HS_DESC FAILED " SLOW " NO_AUTH UNKNOWN id REASON=QUERY_NO_HSDIR"));
	run_until_events(1);
	assert_int_equal(last_reason, DIAL_REASON_TIMEOUT);
	assert_int_equal(connection_count, 2);
	assert_int_equal(slow, 1);
}

/* The peer would see two identities come at once, and know that they are of one node. */
static void
slow_dials_of_two_identities_are_not_made_anew_together(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.slow_ms = 5;
	limits.renew_spread_ms = INT64_C(1) << 40; /* so that one at once would be a miracle */
	make_dialer(limits);
	codes[0] = codes[1] = HOLD;
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	assert_int_equal(dialer_dial(dialer, "carol", 1, ONION_A, 25, NULL), 0);
	run_until_holding(2);
	wanted_events = 1;
	timer_start(deadline, 20000);
	while (slow < 2 && timer_is_running(deadline))
		loop_run(loop);
	timer_stop(deadline);
	assert_int_equal(slow, 2);
	dialer_take_event(dialer, slice_of_string("HS_DESC RECEIVED " SLOW " NO_AUTH $00~relay id"));
	settle();
	assert_int_equal(connection_count, 2);
	assert_string_not_equal(connections[0].password, connections[1].password);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_slow_dial_is_made_anew_with_a_new_descriptor),
		TEST(a_slow_dial_is_made_anew_once),
		TEST(slow_dials_of_two_identities_are_not_made_anew_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
