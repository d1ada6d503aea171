/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/random.h"

static void
numbers_stay_below_their_bound(void **state)
{
	(void)state;
	static const uint64_t bounds[] = { 1, 2, 3, 10, 1u << 31, UINT64_MAX / 2 + 1, UINT64_MAX };
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
		for (int n = 0; n < 1000; n++)
			assert_true(random_below(bounds[i]) < bounds[i]);
	unsigned seen[6] = { 0 };
	for (int n = 0; n < 6000; n++)
		seen[random_below(6)]++;
	for (size_t i = 0; i < 6; i++)
		assert_in_range(seen[i], 700, 1300); /* ten standard deviations */
}

static void
jitter_stays_within_its_spread(void **state)
{
	(void)state;
	int64_t least = INT64_MAX, most = 0;
	for (int n = 0; n < 10000; n++) {
		int64_t ms = random_jitter_ms(1000, 20);
		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	assert_in_range(least, 800, 820);
	assert_in_range(most, 1180, 1200);
	assert_int_equal(random_jitter_ms(1000, 0), 1000);
	assert_int_equal(random_jitter_ms(0, 50), 0);
}

static void
names_are_base32_letters(void **state)
{
	(void)state;
	char name[27], other[27];
	for (int n = 0; n < 100; n++) {
		memset(name, 'X', sizeof name);
		random_name(name, sizeof name);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz234567"), 26);
		assert_int_equal(name[26], '\0');
	}
	random_name(other, sizeof other);
	assert_string_not_equal(name, other);
	random_name(name, 1);
	assert_string_equal(name, "");
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_stay_below_their_bound),
		cmocka_unit_test(jitter_stays_within_its_spread),
		cmocka_unit_test(names_are_base32_letters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
