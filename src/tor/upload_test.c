/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tor/upload.h"

static void
hear(struct upload *upload, unsigned directory, enum hsdesc_action action, int64_t now_ms)
{
	struct hsdesc_event event = { .action = action };
	event.directory[0] = (unsigned char)directory;
	event.directory[1] = (unsigned char)(directory >> 8);
	upload_take(upload, &event, now_ms);
}

static void
counts_directories_and_not_events(void **state)
{
	(void)state;
	struct upload upload = { .count = 0 };
	for (unsigned i = 0; i < 4; i++)
		hear(&upload, i, HSDESC_UPLOAD, 0);
	assert_int_equal(upload.count, 4);
	assert_int_equal(upload_done_count(&upload), 0);
	hear(&upload, 0, HSDESC_UPLOADED, 1);
	hear(&upload, 0, HSDESC_UPLOADED, 2);
	hear(&upload, 1, HSDESC_UPLOAD_FAILED, 2);
	assert_int_equal(upload_done_count(&upload), 1);
	assert_int_equal(upload_failed_count(&upload), 1);
	hear(&upload, 0, HSDESC_UPLOAD, 3); /* the next descriptor is on its way; the directory holds one still */
	assert_int_equal(upload_done_count(&upload), 1);
	hear(&upload, 0, HSDESC_UPLOAD_FAILED, 4);
	assert_int_equal(upload_done_count(&upload), 0);
	hear(&upload, 1, HSDESC_UPLOAD, 5);
	assert_int_equal(upload_failed_count(&upload), 1);
	assert_int_equal(upload.count, 4);
}

static void
forgets_directories_after_a_descriptors_life(void **state)
{
	(void)state;
	struct upload upload = { .count = 0 };
	hear(&upload, 1, HSDESC_UPLOADED, 0);
	hear(&upload, 2, HSDESC_UPLOADED, 1);
	hear(&upload, 3, HSDESC_UPLOADED, UPLOAD_LIFE_MS);
	assert_int_equal(upload.count, 2);
	hear(&upload, 3, HSDESC_UPLOADED, UPLOAD_LIFE_MS + 1);
	assert_int_equal(upload.count, 1);
}

static void
has_room_for_so_many_directories(void **state)
{
	(void)state;
	struct upload upload = { .count = 0 };
	for (unsigned i = 0; i < 10 * UPLOAD_DIRECTORIES_MAX; i++)
		hear(&upload, i, HSDESC_UPLOADED, i);
	assert_int_equal(upload.count, UPLOAD_DIRECTORIES_MAX);
	assert_int_equal(upload_done_count(&upload), UPLOAD_DIRECTORIES_MAX);
	hear(&upload, 10 * UPLOAD_DIRECTORIES_MAX - 1, HSDESC_UPLOAD_FAILED, 10000);
	assert_int_equal(upload_failed_count(&upload), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_directories_and_not_events),
		cmocka_unit_test(forgets_directories_after_a_descriptors_life),
		cmocka_unit_test(has_room_for_so_many_directories),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
