/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "tor/holders.h"

#define NOW "nownownownownownownownownownownownownownown"
#define NEXT "nextnextnextnextnextnextnextnextnextnextnex"
#define LATER "laterlaterlaterlaterlaterlaterlaterlaterlat"

static struct holders holders;
static int64_t now_ms;

static int
set_up(void **state)
{
	(void)state;
	random_init();
	holders = (struct holders){ .count = 0 };
	now_ms = HOLDERS_PATIENCE_MS;
	return 0;
}

static const unsigned char *
directory(unsigned number)
{
	static unsigned char id[HSDESC_DIRECTORY_BYTES];
	memcpy(id, &number, sizeof number);
	return id;
}

static void
hear(enum hsdesc_action action, unsigned number, const char *descriptor)
{
	struct hsdesc_event event = { .action = action, .descriptor = slice_of_string(descriptor) };
	memcpy(event.directory, directory(number), sizeof event.directory);
	holders_take(&holders, &event, now_ms);
}

static bool
is_sure(unsigned number, const char *descriptor)
{
	return holders_is_sure(&holders, directory(number), slice_of_string(descriptor));
}

static void
a_directory_is_sure_when_it_has_taken_all_that_was_sent(void **state)
{
	(void)state;
	assert_false(is_sure(1, NOW));
	hear(HSDESC_UPLOAD, 1, NOW);
	hear(HSDESC_UPLOAD, 1, NEXT);
	hear(HSDESC_UPLOADED, 1, "");
	assert_false(is_sure(1, NOW));
	hear(HSDESC_UPLOADED, 1, "");
	assert_true(is_sure(1, NOW));
	assert_true(is_sure(1, NEXT));
	assert_false(is_sure(1, LATER));
	assert_false(is_sure(2, NOW));
	hear(HSDESC_UPLOAD, 1, NOW);
	assert_false(is_sure(1, NOW));
	hear(HSDESC_UPLOADED, 1, "");
	assert_true(is_sure(1, NOW));
	hear(HSDESC_UPLOAD, 1, LATER);
	hear(HSDESC_UPLOADED, 1, "");
	assert_true(is_sure(1, LATER));
	assert_false(is_sure(1, NOW));
}

static void
what_was_refused_leaves_nothing_sure(void **state)
{
	(void)state;
	hear(HSDESC_UPLOAD, 1, NOW);
	hear(HSDESC_UPLOAD, 1, NEXT);
	hear(HSDESC_UPLOAD_FAILED, 1, "");
	hear(HSDESC_UPLOADED, 1, "");
	assert_false(is_sure(1, NOW));
	assert_false(is_sure(1, NEXT));
	hear(HSDESC_UPLOAD, 1, NEXT);
	hear(HSDESC_UPLOADED, 1, "");
	assert_true(is_sure(1, NEXT));
	assert_false(is_sure(1, NOW));
}

static void
an_upload_without_an_end_does_not_count_for_ever(void **state)
{
	(void)state;
	hear(HSDESC_UPLOAD, 1, NOW);
	now_ms += HOLDERS_PATIENCE_MS;
	hear(HSDESC_UPLOAD, 1, NOW);
	hear(HSDESC_UPLOADED, 1, "");
	assert_true(is_sure(1, NOW));
	hear(HSDESC_UPLOADED, 1, ""); /* one too many */
	assert_true(is_sure(1, NOW));
}

static void
one_that_has_still_to_answer_is_not_asked_again(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		hear(HSDESC_UPLOAD, i, i < 3 ? NOW : NEXT);
		hear(HSDESC_UPLOADED, i, "");
	}
	const struct holder *first = holders_ask(&holders, NOW, now_ms), *second = holders_ask(&holders, NOW, now_ms);
	assert_non_null(first);
	assert_non_null(second);
	assert_ptr_not_equal(first, second);
	assert_null(holders_ask(&holders, NOW, now_ms));
	assert_non_null(holders_ask(&holders, "", now_ms));
	hear(HSDESC_RECEIVED, 1, NOW);
	assert_memory_equal(holders_ask(&holders, NOW, now_ms)->directory, directory(1), HSDESC_DIRECTORY_BYTES);
	hear(HSDESC_FETCH_FAILED, 2, NOW);
	assert_memory_equal(holders_ask(&holders, NOW, now_ms)->directory, directory(2), HSDESC_DIRECTORY_BYTES);
	assert_null(holders_ask(&holders, NOW, now_ms + HOLDERS_PATIENCE_MS - 1));
	assert_non_null(holders_ask(&holders, NOW, now_ms + HOLDERS_PATIENCE_MS));
	holders_forget(&holders, directory(1));
	assert_false(is_sure(1, NOW));
	assert_true(is_sure(2, NOW));
	assert_true(is_sure(3, NEXT));
}

/* What is ours is learned from two answers: one directory that keeps an old descriptor of ours is not to give both. */
static void
no_directory_is_asked_twice_in_a_row(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		hear(HSDESC_UPLOAD, i, NOW);
		hear(HSDESC_UPLOADED, i, "");
	}
	unsigned char before[HSDESC_DIRECTORY_BYTES] = { 0 };
	for (unsigned i = 0; i < 200; i++) {
		const struct holder *h = holders_ask(&holders, NOW, now_ms);
		assert_non_null(h);
		assert_memory_not_equal(h->directory, before, sizeof before);
		memcpy(before, h->directory, sizeof before);
		for (unsigned k = 1; k <= 3; k++)
			hear(HSDESC_RECEIVED, k, NOW);
	}
	holders_forget(&holders, directory(1));
	holders_forget(&holders, directory(2));
	assert_non_null(holders_ask(&holders, NOW, now_ms));
	hear(HSDESC_RECEIVED, 3, NOW);
	assert_non_null(holders_ask(&holders, NOW, now_ms)); /* there is no other */
}

static void
has_room_for_so_many_directories(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10 * HOLDERS_MAX; i++) {
		hear(HSDESC_UPLOAD, i, NOW);
		hear(HSDESC_UPLOADED, i, "");
	}
	assert_int_equal(holders.count, HOLDERS_MAX);
	for (unsigned i = 9 * HOLDERS_MAX; i < 10 * HOLDERS_MAX; i++)
		assert_true(is_sure(i, NOW));
	hear(HSDESC_UPLOAD, 1, "short");
	assert_false(is_sure(1, "short"));
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_directory_is_sure_when_it_has_taken_all_that_was_sent),
		TEST(what_was_refused_leaves_nothing_sure),
		TEST(an_upload_without_an_end_does_not_count_for_ever),
		TEST(one_that_has_still_to_answer_is_not_asked_again),
		TEST(no_directory_is_asked_twice_in_a_row),
		TEST(has_room_for_so_many_directories),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
