/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tor/status.h"

static void
knows_which_versions_will_do(void **state)
{
	(void)state;
	static const struct {
		const char *version;
		bool enough;
	} table[] = {
		{ "0.4.9.11", true }, { "0.4.9.12", true }, { "0.4.10.1-alpha", true }, { "0.5.0.0", true },
		{ "1.0.0.0", true }, { "0.4.9.11 (git-0123456789abcdef)", true }, { "0.4.9.111", true },
		{ "0.4.9.10", false }, { "0.4.9.2-alpha", false }, { "0.4.8.99", false }, { "0.3.99.99", false },
		{ "", false }, { "0.4.9", false }, { "0.4.9.", false }, { "-1.4.9.11", false }, { "tor", false },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct status status = { 0 };
		struct error err = { 0 };
		int result = status_set_version(&status, slice_of_string(table[i].version), &err);
		if ((result == 0) != table[i].enough)
			fail_msg("version %s", table[i].version);
		if (!table[i].enough)
			assert_int_equal(err.code, ERROR_UNSUPPORTED);
	}
}

static void
follows_the_bootstrap(void **state)
{
	(void)state;
	struct status status = { 0 };
	struct slice ten = slice_of_string("NOTICE BOOTSTRAP PROGRESS=10 TAG=conn_done SUMMARY=\"Connected to a relay\"");
	assert_true(status_take(&status, ten));
	assert_int_equal(status.bootstrap_percent, 10);
	assert_string_equal(status.phase, "Connected to a relay");
	assert_false(status_take(&status, ten));
	assert_true(status_take(&status, slice_of_string("WARN BOOTSTRAP PROGRESS=10 TAG=x SUMMARY=\"Handshaking\" "
	    "WARNING=\"Connection refused\" REASON=CONNECTREFUSED COUNT=1")));
	assert_string_equal(status.phase, "Handshaking: Connection refused");
	assert_true(status_take(&status, slice_of_string("NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"")));
	assert_int_equal(status.bootstrap_percent, 100);
}

static void
says_that_the_clock_is_wrong(void **state)
{
	(void)state;
	struct status status = { 0 };
	assert_true(status_take(&status, slice_of_string("WARN CLOCK_SKEW SKEW=-7200 SOURCE=DIRSERV:127.0.0.1:80")));
	assert_non_null(strstr(status.hint, "clock is 2 hours behind"));
	assert_true(status_take(&status, slice_of_string("WARN CLOCK_SKEW SKEW=3600 SOURCE=CONSENSUS")));
	assert_non_null(strstr(status.hint, "60 minutes ahead"));
	assert_false(status_take(&status, slice_of_string("WARN CLOCK_SKEW SKEW=3600 SOURCE=CONSENSUS")));
	assert_true(status_take(&status, slice_of_string("WARN CLOCK_SKEW SKEW=31536001 SOURCE=CONSENSUS")));
	assert_non_null(strstr(status.hint, "365 days ahead"));
	assert_true(status_take(&status, slice_of_string("WARN CLOCK_SKEW SKEW=-9223372036854775808 SOURCE=CONSENSUS")));
}

static void
leaves_other_words_alone(void **state)
{
	(void)state;
	static const char *const others[] = {
		"", "NOTICE", "NOTICE CIRCUIT_ESTABLISHED", "NOTICE BOOTSTRAP", "NOTICE BOOTSTRAP PROGRES=5",
		"WARN CLOCK_SKEW", "WARN DANGEROUS_SOCKS PROTOCOL=SOCKS5", "\"", "   ",
	};
	struct status status = { .bootstrap_percent = 42 };
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(status_take(&status, slice_of_string(others[i])));
	assert_int_equal(status.bootstrap_percent, 42);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_which_versions_will_do),
		cmocka_unit_test(follows_the_bootstrap),
		cmocka_unit_test(says_that_the_clock_is_wrong),
		cmocka_unit_test(leaves_other_words_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
