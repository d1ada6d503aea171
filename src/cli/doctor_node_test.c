/* SPDX-License-Identifier: ISC */
#include "cli/doctor_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define CONSENSUS "network-status-version 3 microdesc\nvote-status consensus\nvalid-after 2026-11-22 17:00:00\n" \
    "fresh-until 2026-11-22 18:00:00\nvalid-until 2026-11-22 20:00:00\n"
#define AFTER_S 1795366800

static void
a_clock_is_held_against_the_consensus(void **state)
{
	static const struct {
		const char *consensus;
		int64_t now_s;
		enum node_clock clock;
	} rows[] = {
		{ CONSENSUS, AFTER_S, NODE_CLOCK_FINE },
		{ CONSENSUS, AFTER_S - 290, NODE_CLOCK_FINE },
		{ CONSENSUS, AFTER_S - 310, NODE_CLOCK_SLOW },
		{ CONSENSUS, 0, NODE_CLOCK_SLOW },
		{ CONSENSUS, AFTER_S + 26 * 3600, NODE_CLOCK_FINE },
		{ CONSENSUS, AFTER_S + 28 * 3600, NODE_CLOCK_FAST },
		{ "", AFTER_S, NODE_CLOCK_NOBODY },
		{ "valid-after yesterday\nvalid-until 2026-11-22 20:00:00\n", AFTER_S, NODE_CLOCK_NOBODY },
		{ "valid-after 2026-11-22 17:00:00", AFTER_S, NODE_CLOCK_NOBODY },
		{ "valid-after 2026-11-22 17:00:00\nvalid-until 2026-11-22 16:00:00", AFTER_S, NODE_CLOCK_NOBODY },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t after_s, until_s;
		assert_int_equal(node_judge_clock(slice_of_string(rows[i].consensus), rows[i].now_s, &after_s, &until_s), rows[i].clock);
		if (rows[i].clock != NODE_CLOCK_NOBODY) {
			assert_int_equal(after_s, AFTER_S);
			assert_int_equal(until_s, AFTER_S + 3 * 3600);
		}
	}
}

static void
mail_ports_that_lead_to_tcp_are_found(void **state)
{
	static const struct {
		const char *torrc, *line;
	} rows[] = {
		{ "", "" },
		{ "HiddenServiceDir /var/lib/tor/mail\nHiddenServicePort 25 unix:/run/smtorp/onion/alice/25\n", "" },
		{ "HiddenServicePort 25 \"unix:/run/with space/25\"\n", "" },
		{ "HiddenServicePort 80 127.0.0.1:80\n#HiddenServicePort 25\n", "" },
		{ "SocksPort 9050\nHiddenServicePort 25 127.0.0.1:25\n", "HiddenServicePort 25 127.0.0.1:25" },
		{ "  hiddenserviceport 465", "  hiddenserviceport 465" }, /* the same port of 127.0.0.1 */
		{ "HiddenServicePort 587 [::1]:587 # \x01\n", "HiddenServicePort 587 [::1]:587 " },
		{ "HiddenServicePort 25 \x1b[2J\n", "HiddenServicePort 25 ?[2J" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char line[NODE_LINE_MAX + 1] = "";
		assert_int_equal(node_find_tcp_port(slice_of_string(rows[i].torrc), line), rows[i].line[0] != '\0');
		assert_string_equal(line, rows[i].line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clock_is_held_against_the_consensus),
		cmocka_unit_test(mail_ports_that_lead_to_tcp_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
