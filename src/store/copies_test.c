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
#include "base/random.h"
#include "base/test_folder.h"
#include "store/copies.h"

#define FOLDER "Maildir/.Waiting"
#define MESSAGE "Subject: hello\r\n\r\nHello\r\n"

static struct error err;

static int
begin(void **state)
{
	(void)state;
	return mkdir("Maildir", 0700);
}

static int
end(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, "Maildir", NULL);
}

static int
put_file(const char *path)
{
	FILE *f = fopen(path, "w");
	return f == NULL || fputs("half", f) < 0 ? -1 : fclose(f);
}

static void
put(uint64_t body, uint64_t look, int64_t time_s)
{
	assert_int_equal(copies_write(AT_FDCWD, FOLDER, body, look, time_s, slice_of_string(MESSAGE), &err), 0);
}

static struct copies
scan(size_t count)
{
	struct copies found;
	assert_int_equal(copies_scan(AT_FDCWD, FOLDER, &found, &err), 0);
	assert_int_equal(found.count, count);
	return found;
}

static void
a_copy_is_found_again_and_was_seen(void **state)
{
	(void)state;
	scan(0); /* there is no folder yet */
	put(0x1f, 0xfedcba9876543210, 1700000000);
	put(2, 3, 4);
	struct copies found = scan(2);
	assert_true(found.list[0].body == 2 && found.list[1].body == 0x1f); /* in order */
	const struct copy *copy = copies_find(&found, 0x1f);
	assert_ptr_equal(copy, &found.list[1]);
	assert_true(copy->look == 0xfedcba9876543210 && copy->time_s == 1700000000);
	assert_ptr_equal(strstr(copy->path, "cur/"), copy->path);
	assert_string_equal(strstr(copy->path, ",S="), ",S=22,W=25:2,S");
	assert_null(copies_find(&found, 3));
	char path[300];
	snprintf(path, sizeof path, FOLDER "/%s", copy->path);
	struct buffer text;
	buffer_init(&text, 100);
	assert_int_equal(file_load(AT_FDCWD, path, &text, &err), 0);
	assert_int_equal(buffer_len(&text), 22);
	assert_memory_equal(buffer_bytes(&text), "Subject: hello\n\nHello\n", 22);
	buffer_finish(&text);
	assert_int_equal(copies_remove(AT_FDCWD, FOLDER, copy, &err), 0);
	assert_int_equal(copies_remove(AT_FDCWD, FOLDER, copy, &err), 0); /* again: nothing happens */
	copies_finish(&found);
	found = scan(1);
	copies_finish(&found);
}

static void
what_the_owner_flags_stays_a_copy(void **state)
{
	(void)state;
	char from[300], to[300];
	put(7, 8, 9);
	struct copies found = scan(1);
	snprintf(from, sizeof from, FOLDER "/%s", found.list[0].path);
	snprintf(to, sizeof to, "%.*s:2,FT", (int)(strlen(from) - strlen(":2,S")), from);
	assert_int_equal(rename(from, to), 0);
	copies_finish(&found);
	found = scan(1);
	assert_true(found.list[0].body == 7 && found.list[0].look == 8);
	copies_finish(&found);
}

static void
other_files_are_left_alone(void **state)
{
	(void)state;
	static const char *const names[] = { "cur/1700000000.M1P2.host,S=5:2,", "cur/1.M000000Q1fRabcdefghijkl.local,S=5", "new/x",
		"cur/1.M000000QK1Rabcdefghijkl.local,S=5", "cur/1.M000000Q1K1Rabc.local,S=5", "tmp/other" };
	char path[300];
	put(1, 2, 3);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, FOLDER "/%s", names[i]);
		assert_int_equal(put_file(path), 0);
	}
	struct copies found = scan(1);
	copies_finish(&found);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, FOLDER "/%s", names[i]);
		assert_int_equal(access(path, F_OK), 0);
	}
}

static void
what_is_not_whole_is_damaged_or_removed(void **state)
{
	(void)state;
	char path[300];
	put(1, 2, 3);
	struct copies found = scan(1);
	snprintf(path, sizeof path, FOLDER "/%s", found.list[0].path);
	assert_int_equal(truncate(path, 0), 0); /* as after a power cut */
	const char *left = FOLDER "/tmp/1.M000000Q1K0000000000000002Rabcdefghijkl.local,S=22";
	assert_int_equal(put_file(left), 0);
	copies_finish(&found);
	found = scan(1);
	assert_true(found.list[0].look == 0);
	assert_int_equal(access(left, F_OK), -1);
	copies_finish(&found);
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_copy_is_found_again_and_was_seen, begin, end),
		cmocka_unit_test_setup_teardown(what_the_owner_flags_stays_a_copy, begin, end),
		cmocka_unit_test_setup_teardown(other_files_are_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(what_is_not_whole_is_damaged_or_removed, begin, end),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
