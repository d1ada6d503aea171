/* SPDX-License-Identifier: ISC */
#include "base/test_folder.h"

#include <sys/stat.h>

#include "identity/tickets.h"
#include "loop/tls.h"

#define DAY TICKETS_NEW_KEY_S
#define NOW 1795000000

static void
a_key_is_what_the_tls_layer_takes(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct tls_ticket_key), TICKETS_KEY_BYTES);
	assert_true(TICKETS_KEYS_MAX <= TLS_TICKET_KEYS_MAX);
	assert_true(TICKETS_KEY_LIFE_S >= TICKETS_NEW_KEY_S + TLS_TICKET_LIFETIME_S);
}

static void
each_day_brings_a_key_and_each_key_ends_after_eight(void **state)
{
	(void)state;
	struct tickets *t = tickets_new();
	unsigned char first[TICKETS_KEY_BYTES];
	assert_true(tickets_rotate(t, NOW));
	assert_int_equal(t->count, 1);
	memcpy(first, t->keys[0], sizeof first);
	assert_false(tickets_rotate(t, NOW + DAY - 1));
	for (int day = 1; day < 30; day++) {
		assert_true(tickets_rotate(t, NOW + day * DAY));
		assert_int_equal(t->count, day < 8 ? day + 1 : 8);
		bool is_there = false;
		for (size_t i = 0; i < t->count; i++)
			is_there = is_there || memcmp(t->keys[i], first, sizeof first) == 0;
		assert_int_equal(is_there, day < 8);
		for (size_t i = 1; i < t->count; i++)
			assert_memory_not_equal(t->keys[i], t->keys[0], TICKETS_KEY_BYTES);
	}
	tickets_free(t);
}

static void
a_node_that_was_off_for_long_forgets_its_keys(void **state)
{
	(void)state;
	struct tickets *t = tickets_new();
	tickets_rotate(t, NOW);
	assert_true(tickets_rotate(t, NOW + 8 * DAY));
	assert_int_equal(t->count, 1);
	assert_int_equal(t->made[0], NOW + 8 * DAY);
	tickets_free(t);
}

static void
whatever_the_clock_does_there_is_a_key_for_new_tickets(void **state)
{
	(void)state;
	static const int64_t clocks[] = { NOW, NOW + 3600, NOW - 3600, NOW + 10L * 365 * DAY, NOW, 0, 2147483648, NOW };
	struct tickets *t = tickets_new();
	for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
		tickets_rotate(t, clocks[i]);
		assert_in_range(t->count, 1, TICKETS_KEYS_MAX);
		assert_in_range(clocks[i] - t->made[0], 0, DAY - 1);
	}
	tickets_free(t);
}

static void
the_file_keeps_them_and_is_for_nobody_else(void **state)
{
	(void)state;
	struct tickets *t = tickets_new(), *again = tickets_new();
	struct error err;
	struct stat st;
	assert_int_equal(tickets_load(AT_FDCWD, again, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	for (int day = 0; day < 10; day++)
		tickets_rotate(t, NOW + day * DAY);
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(tickets_save(fd, t, &err), 0);
	assert_int_equal(fstatat(fd, TICKETS_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(tickets_load(fd, again, &err), 0);
	assert_memory_equal(t, again, sizeof *t);
	assert_int_equal(truncate(TICKETS_FILE, st.st_size - 1), 0);
	assert_int_equal(tickets_load(fd, again, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(again->count, 0);
	close(fd);
	tickets_free(t);
	tickets_free(again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_what_the_tls_layer_takes),
		cmocka_unit_test(each_day_brings_a_key_and_each_key_ends_after_eight),
		cmocka_unit_test(a_node_that_was_off_for_long_forgets_its_keys),
		cmocka_unit_test(whatever_the_clock_does_there_is_a_key_for_new_tickets),
		cmocka_unit_test(the_file_keeps_them_and_is_for_nobody_else),
	};
	return cmocka_run_group_tests_name("identity/tickets", tests, test_folder_make, test_folder_remove);
}
