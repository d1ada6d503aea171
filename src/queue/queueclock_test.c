/* SPDX-License-Identifier: ISC */
#include <time.h>

#include "base/test_folder.h"
#include "queue/queueclock.h"
#include "store/schema.h"

#define HOUR_S 3600
#define DAY_S (24 * HOUR_S)

static struct {
	int64_t awake_s, slept_s, wall_s;
} machine;
static struct database *db;
static struct queueclock *queue_clock;

int
clock_gettime(clockid_t id, struct timespec *out)
{
	*out = (struct timespec){ .tv_sec = id == CLOCK_REALTIME ? machine.wall_s :
		machine.awake_s + (id == CLOCK_MONOTONIC ? 0 : machine.slept_s) };
	return 0;
}

static void
run_for(int64_t seconds)
{
	machine.awake_s += seconds;
	machine.wall_s += seconds;
}

static void
sleep_for(int64_t seconds)
{
	machine.slept_s += seconds;
	machine.wall_s += seconds;
}

static int
begin(void **state)
{
	(void)state;
	machine.awake_s = 1000;
	machine.slept_s = 3 * DAY_S; /* before the process was started */
	machine.wall_s = 1800000000;
	return database_open("mail.db", true, schema_versions, SCHEMA_VERSIONS, &db, NULL) != 0 ? -1 :
	    queueclock_open(db, &queue_clock, NULL);
}

static int
end(void **state)
{
	(void)state;
	queueclock_free(queue_clock);
	database_close(db);
	return unlink("mail.db");
}

static int64_t
now_s(void)
{
	return queueclock_now_ms(queue_clock) / 1000;
}

static void
restart(int64_t off_s)
{
	assert_int_equal(queueclock_save(queue_clock, NULL), 0);
	queueclock_free(queue_clock);
	machine.wall_s += off_s;
	machine.awake_s = machine.slept_s = 0;
	assert_int_equal(queueclock_open(db, &queue_clock, NULL), 0);
}

static void
runs_with_the_machine_whatever_the_wall_clock_says(void **state)
{
	(void)state;
	int64_t start_s = now_s();
	run_for(10 * DAY_S);
	assert_int_equal(now_s(), start_s + 10 * DAY_S);
	machine.wall_s -= 400 * DAY_S;
	run_for(1);
	assert_int_equal(now_s(), start_s + 10 * DAY_S + 1);
}

static void
a_sleep_counts_for_a_day_at_the_most(void **state)
{
	(void)state;
	int64_t start_s = now_s();
	sleep_for(8 * HOUR_S);
	assert_int_equal(now_s(), start_s + 8 * HOUR_S);
	sleep_for(10 * DAY_S);
	assert_int_equal(now_s(), start_s + 8 * HOUR_S + DAY_S);
	assert_int_equal(now_s(), start_s + 8 * HOUR_S + DAY_S);
	run_for(HOUR_S);
	assert_int_equal(now_s(), start_s + 9 * HOUR_S + DAY_S);
}

static void
so_does_the_time_between_two_runs(void **state)
{
	(void)state;
	run_for(HOUR_S);
	int64_t end_s = now_s();
	restart(2 * HOUR_S);
	assert_int_equal(now_s(), end_s + 2 * HOUR_S);
	restart(30 * DAY_S);
	assert_int_equal(now_s(), end_s + 2 * HOUR_S + DAY_S);
	restart(-30 * DAY_S);
	assert_int_equal(now_s(), end_s + 2 * HOUR_S + DAY_S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs_with_the_machine_whatever_the_wall_clock_says, begin, end),
		cmocka_unit_test_setup_teardown(a_sleep_counts_for_a_day_at_the_most, begin, end),
		cmocka_unit_test_setup_teardown(so_does_the_time_between_two_runs, begin, end),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
