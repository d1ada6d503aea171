/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/network.h"

/* "eth0 192.0.2.1 lo 127.0.0.1": names and addresses in turn. */
static struct network
network(const char *text)
{
	static struct network n;
	char copy[256], *save = NULL;
	n.count = 0;
	strcpy(copy, text);
	for (char *name = strtok_r(copy, " ", &save); name != NULL; name = strtok_r(NULL, " ", &save)) {
		const char *address = strtok_r(NULL, " ", &save);
		struct sockaddr_in v4 = { .sin_family = AF_INET };
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
		if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
			network_add(&n, name, strcmp(name, "lo") == 0, (struct sockaddr *)&v4);
		else if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
			network_add(&n, name, strcmp(name, "lo") == 0, (struct sockaddr *)&v6);
	}
	return n;
}

static void
a_change_is_told_from_noise(void **state)
{
	(void)state;
	static const struct {
		const char *before, *now;
		enum network_change change;
	} table[] = {
		{ "", "", NETWORK_SAME },
		{ "lo 127.0.0.1 eth0 192.0.2.1", "eth0 192.0.2.1 lo 127.0.0.1", NETWORK_SAME },
		{ "eth0 192.0.2.1", "eth0 192.0.2.2", NETWORK_OTHER },
		{ "eth0 192.0.2.1", "wlan0 192.0.2.1", NETWORK_OTHER },
		{ "lo 127.0.0.1 eth0 192.0.2.1", "lo 127.0.0.1", NETWORK_OTHER },
		{ "lo 127.0.0.1", "lo 127.0.0.1 eth0 192.0.2.1", NETWORK_OTHER },
		{ "", "lo 127.0.0.1", NETWORK_OTHER },
		{ "eth0 192.0.2.1", "eth0 192.0.2.1 tun0 10.0.0.1", NETWORK_MORE },
		{ "eth0 192.0.2.1", "eth0 192.0.2.1 veth7 fe80::1", NETWORK_SAME },
		{ "eth0 192.0.2.1", "eth0 192.0.2.1 eth1 169.254.3.4", NETWORK_SAME },
		{ "eth0 2001:db8::1", "eth0 2001:db8::77", NETWORK_SAME },
		{ "eth0 2001:db8::1", "eth0 2001:db8:1::1", NETWORK_OTHER },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct network before = network(table[i].before), now = network(table[i].now);
		assert_int_equal(network_compare(&before, &now), table[i].change);
	}
}

/* A network that changes every two seconds for two hours, as whoever rules it can make it. */
static void
a_network_that_flaps_is_followed_ever_more_slowly(void **state)
{
	(void)state;
	struct network_pace pace = { 0 };
	int64_t acted_ms = 0;
	unsigned acted = 0, first_minute = 0;
	for (int64_t now_ms = 1000000; now_ms < 1000000 + 2 * 3600 * 1000; now_ms += 2000) {
		if (network_pace_wait_ms(&pace, now_ms) > 0)
			continue;
		assert_true(acted < NETWORK_FREE || now_ms - acted_ms >= NETWORK_PAUSE_FIRST_MS);
		network_pace_act(&pace, now_ms);
		acted_ms = now_ms;
		acted++;
		first_minute += now_ms < 1000000 + 60000;
	}
	assert_in_range(first_minute, NETWORK_FREE, 7);
	assert_in_range(acted, 12, 22);
	assert_in_range(network_pace_wait_ms(&pace, acted_ms), NETWORK_PAUSE_MOST_MS, NETWORK_PAUSE_MOST_MS);
	/* after a quiet time it is as in the beginning */
	network_pace_act(&pace, acted_ms + NETWORK_QUIET_MS);
	assert_int_equal(network_pace_wait_ms(&pace, acted_ms + NETWORK_QUIET_MS), 0);
}

/* Out of the house, into the train, through a tunnel: nobody waits. */
static void
the_first_changes_count_at_once(void **state)
{
	(void)state;
	struct network_pace pace = { 0 };
	for (int i = 0; i < NETWORK_FREE; i++) {
		assert_int_equal(network_pace_wait_ms(&pace, 5000 + i), 0);
		network_pace_act(&pace, 5000 + i);
	}
	assert_int_equal(network_pace_wait_ms(&pace, 5000 + NETWORK_FREE - 1), NETWORK_PAUSE_FIRST_MS);
	assert_int_equal(network_pace_wait_ms(&pace, 5000 + NETWORK_FREE - 1 + NETWORK_PAUSE_FIRST_MS), 0);
}

static void
many_addresses_are_bounded(void **state)
{
	(void)state;
	static struct network n;
	for (uint32_t i = 0; i < 2 * NETWORK_ADDRESSES_MAX; i++) {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000 + i) };
		network_add(&n, "an-interface-with-a-long-name", false, (struct sockaddr *)&v4);
	}
	assert_int_equal(n.count, NETWORK_ADDRESSES_MAX);
}

static void
this_machine_can_be_asked(void **state)
{
	(void)state;
	static struct network n;
	assert_int_equal(network_read(&n, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_told_from_noise),
		cmocka_unit_test(a_network_that_flaps_is_followed_ever_more_slowly),
		cmocka_unit_test(the_first_changes_count_at_once),
		cmocka_unit_test(many_addresses_are_bounded),
		cmocka_unit_test(this_machine_can_be_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
