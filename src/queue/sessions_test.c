/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test_folder.h"
#include "queue/sessions.h"

#define BOB "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion"
#define CAROL "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion"
#define KEY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER_KEY "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define NOW_S INT64_C(1800000000)

static struct session_kept kept;

static bool
has(struct sessions *s, const char *onion, const char *key, int64_t now_s, const char *bytes)
{
	bool found = sessions_find(s, onion, key, now_s, &kept);
	return found && kept.len == strlen(bytes) && memcmp(kept.bytes, bytes, kept.len) == 0;
}

static void
the_newest_session_of_an_onion_is_kept_across_restarts(void **state)
{
	(void)state;
	struct sessions *s = sessions_open();
	sessions_keep(s, BOB, KEY, slice_of_string("old"), NOW_S);
	sessions_keep(s, CAROL, KEY, slice_of_string("carol's"), NOW_S);
	sessions_keep(s, BOB, KEY, slice_of_string("new"), NOW_S + 1);
	sessions_free(s);
	s = sessions_open();
	assert_true(has(s, BOB, KEY, NOW_S + 10, "new"));
	assert_true(has(s, BOB, KEY, NOW_S + 10, "new"));
	sessions_forget(s, BOB);
	assert_false(sessions_find(s, BOB, KEY, NOW_S + 10, &kept));
	assert_true(has(s, CAROL, KEY, NOW_S + 10, "carol's"));
	sessions_free(s);
}

static void
a_session_with_another_key_is_forgotten(void **state)
{
	(void)state;
	struct sessions *s = sessions_open();
	sessions_keep(s, BOB, KEY, slice_of_string("x"), NOW_S);
	assert_false(sessions_find(s, BOB, OTHER_KEY, NOW_S, &kept));
	assert_false(sessions_find(s, BOB, KEY, NOW_S, &kept));
	sessions_free(s);
}

static void
a_session_lasts_a_week(void **state)
{
	(void)state;
	struct sessions *s = sessions_open();
	sessions_keep(s, BOB, KEY, slice_of_string("x"), NOW_S);
	assert_true(has(s, BOB, KEY, NOW_S + SESSIONS_AGE_MAX_S - 1, "x"));
	assert_false(sessions_find(s, BOB, KEY, NOW_S + SESSIONS_AGE_MAX_S, &kept));
	sessions_keep(s, BOB, KEY, slice_of_string("x"), NOW_S);
	assert_false(sessions_find(s, BOB, KEY, NOW_S - 1, &kept)); /* of the future: some clock was wrong */
	sessions_keep(s, BOB, KEY, slice_of_string("x"), NOW_S);
	sessions_keep(s, CAROL, KEY, slice_of_string("y"), NOW_S + SESSIONS_AGE_MAX_S + 1); /* clears what is too old */
	assert_false(sessions_find(s, BOB, KEY, NOW_S + 1, &kept));
	sessions_free(s);
}

static void
there_is_a_bound_to_their_number_and_size(void **state)
{
	(void)state;
	static unsigned char bytes[IPC_RESUME_MAX + 1];
	struct sessions *s = sessions_open();
	sessions_keep(s, BOB, KEY, slice_of(bytes, sizeof bytes), NOW_S);
	assert_false(sessions_find(s, BOB, KEY, NOW_S, &kept));
	sessions_keep(s, BOB, KEY, slice_of(bytes, 0), NOW_S);
	assert_false(sessions_find(s, BOB, KEY, NOW_S, &kept));
	sessions_keep(s, BOB, KEY, slice_of(bytes, sizeof bytes - 1), NOW_S);
	assert_true(sessions_find(s, BOB, KEY, NOW_S, &kept));
	for (int i = 0; i < SESSIONS_MAX; i++) {
		char onion[32];
		snprintf(onion, sizeof onion, "%d.onion", i);
		sessions_keep(s, onion, KEY, slice_of_string("x"), NOW_S);
	}
	assert_false(sessions_find(s, BOB, KEY, NOW_S, &kept));
	assert_true(has(s, "0.onion", KEY, NOW_S, "x"));
	sessions_free(s);
}

static void
a_damaged_file_is_begun_anew(void **state)
{
	(void)state;
	int fd = open(SESSIONS_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(file_write_all(fd, "no database, but long enough to be taken for one", 48, NULL), 0);
	close(fd);
	struct sessions *s = sessions_open();
	sessions_keep(s, BOB, KEY, slice_of_string("x"), NOW_S);
	assert_true(has(s, BOB, KEY, NOW_S, "x"));
	sessions_free(s);
}

static void
where_there_can_be_no_file_there_are_no_sessions(void **state)
{
	(void)state;
	assert_int_equal(mkdir(SESSIONS_FILE, 0700), 0);
	struct sessions *s = sessions_open();
	sessions_keep(s, BOB, KEY, slice_of_string("x"), NOW_S);
	assert_false(sessions_find(s, BOB, KEY, NOW_S, &kept));
	sessions_forget(s, BOB);
	sessions_free(s);
}

static int
begin(void **state)
{
	(void)state;
	file_remove_tree(AT_FDCWD, SESSIONS_FILE, NULL);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_newest_session_of_an_onion_is_kept_across_restarts),
		TEST(a_session_with_another_key_is_forgotten),
		TEST(a_session_lasts_a_week),
		TEST(there_is_a_bound_to_their_number_and_size),
		TEST(a_damaged_file_is_begun_anew),
		TEST(where_there_can_be_no_file_there_are_no_sessions),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
