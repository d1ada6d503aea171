/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "queue/schedule.h"

#define HOUR ((int64_t)3600 * 1000)
#define DAY (24 * HOUR)

static const struct schedule usual = { 30 * 1000, 4 * HOUR, 7 * DAY };

static void
the_first_retry_is_within_a_minute(void **state)
{
	(void)state;
	static const uint64_t randoms[] = { 0, 1, 15000, 15001, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX };
	for (size_t i = 0; i < sizeof randoms / sizeof *randoms; i++)
		assert_in_range(schedule_delay_ms(&usual, 1, randoms[i]), 22500, 37500);
}

static void
intervals_grow_to_the_longest(void **state)
{
	(void)state;
	for (uint64_t tries = 1; tries < 200; tries++) {
		int64_t low = schedule_delay_ms(&usual, tries, 0), high = schedule_delay_ms(&usual, tries, 14999);
		assert_true(low >= 22500 && high <= usual.most_ms && low <= high);
		assert_true(schedule_delay_ms(&usual, tries + 1, 0) >= low);
	}
	assert_true(schedule_delay_ms(&usual, UINT64_MAX, UINT64_MAX) >= usual.most_ms * 3 / 4);
	assert_true(schedule_delay_ms(&usual, 3, 0) != schedule_delay_ms(&usual, 3, 777)); /* jittered */
}

/* Two identities whose peers are both away for long: if there were a likeliest delay, their tries would stay in step. */
static void
no_delay_is_likelier_than_another(void **state)
{
	(void)state;
	for (uint64_t tries = 1; tries < 30; tries++) {
		int64_t least = schedule_delay_ms(&usual, tries, 0), before = -1;
		for (uint64_t random = 0; random < 10000; random++) {
			int64_t delay = schedule_delay_ms(&usual, tries, random);
			assert_true(delay >= least && delay <= usual.most_ms && delay != before);
			before = delay;
		}
	}
	/* at the longest: a quarter of it, all of which is reached */
	assert_int_equal(schedule_delay_ms(&usual, 100, 0), 3 * HOUR);
	assert_int_equal(schedule_delay_ms(&usual, 100, HOUR), 4 * HOUR);
}

static void
who_is_told_together_begins_at_moments_of_its_own(void **state)
{
	(void)state;
	static const struct {
		int64_t within_ms;
		uint64_t random;
		int64_t ms;
	} table[] = { { 0, 12345, 0 }, { -1, 12345, 0 }, { 1, 12345, 0 }, { 4000, 0, 0 }, { 4000, 3999, 3999 }, { 4000, 4000, 0 },
		{ 4000, 123456789, 789 }, { 600000, UINT64_MAX, (int64_t)(UINT64_MAX % 600000) } };
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		assert_int_equal(schedule_stagger_ms(table[i].within_ms, table[i].random), table[i].ms);
}

static void
gives_up_by_age_and_tries(void **state)
{
	(void)state;
	assert_false(schedule_is_expired(&usual, 7 * DAY - 1, 1000));
	assert_false(schedule_is_expired(&usual, 3650 * DAY, SCHEDULE_TRIES_MIN - 1)); /* a clock that jumped */
	assert_true(schedule_is_expired(&usual, 7 * DAY, SCHEDULE_TRIES_MIN));
}

static void
a_clock_that_jumps_while_off_moves_little(void **state)
{
	(void)state;
	const int64_t wall = 1800000000000;
	assert_int_equal(schedule_resume_ms(500, wall, wall + 100), 600);
	assert_int_equal(schedule_resume_ms(500, wall, wall - 10 * 365 * DAY), 500);
	assert_int_equal(schedule_resume_ms(500, wall, wall + 10 * 365 * DAY), 500 + DAY);
	assert_int_equal(schedule_resume_ms(500, wall, 0), 500);
	assert_int_equal(schedule_resume_ms(0, 0, wall), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_retry_is_within_a_minute),
		cmocka_unit_test(intervals_grow_to_the_longest),
		cmocka_unit_test(no_delay_is_likelier_than_another),
		cmocka_unit_test(who_is_told_together_begins_at_moments_of_its_own),
		cmocka_unit_test(gives_up_by_age_and_tries),
		cmocka_unit_test(a_clock_that_jumps_while_off_moves_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
