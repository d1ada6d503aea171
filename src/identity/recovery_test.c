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
#include "identity/recovery.h"

static struct error err;

static void
it_lies_in_the_folder_until_it_is_taken(void **state)
{
	(void)state;
	struct recovery made, again;
	struct onionkey key;
	char hash[NOTICE_HASH_LEN + 1], of_key[NOTICE_HASH_LEN + 1];
	struct stat st;
	assert_int_equal(recovery_load(AT_FDCWD, &again, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_non_null(strstr(err.text, "has no recovery key"));
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(recovery_make(dir, &err), 0);
	assert_int_equal(recovery_load(dir, &made, &err), 0);
	assert_int_equal(stat(RECOVERY_FILE, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	recovery_key(&made, &key);
	notice_recovery_hash(key.public_key, of_key);
	assert_int_equal(recovery_load_hash(dir, hash, &err), 0);
	assert_string_equal(hash, of_key);
	assert_int_equal(recovery_make(dir, &err), -1); /* whoever knows the first would believe neither */
	assert_int_equal(err.code, ERROR_EXISTS);
	assert_int_equal(file_replace(dir, "." RECOVERY_FILE ".abcdefgh", "half", 4, 0600, &err), 0); /* writing it was cut off once */
	assert_int_equal(recovery_remove(dir, &err), 0);
	assert_int_equal(recovery_remove(dir, &err), 0);
	assert_int_equal(access(RECOVERY_FILE, F_OK), -1);
	assert_int_equal(access("." RECOVERY_FILE ".abcdefgh", F_OK), -1);
	assert_int_equal(recovery_load(dir, &again, &err), -1);
	assert_non_null(strstr(err.text, "first sheet"));
	assert_int_equal(recovery_make(dir, &err), -1);
	assert_int_equal(recovery_load_hash(dir, hash, &err), 0);
	assert_string_equal(hash, of_key);
	close(dir);
}

static void
a_crash_while_it_is_made_makes_no_second_one(void **state)
{
	(void)state;
	struct recovery first, again;
	char hash[NOTICE_HASH_LEN + 1], of_first[NOTICE_HASH_LEN + 1];
	unlink(RECOVERY_PUBLIC_FILE);
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(recovery_make(dir, &err), 0);
	assert_int_equal(recovery_load(dir, &first, &err), 0);
	assert_int_equal(unlink(RECOVERY_PUBLIC_FILE), 0);
	assert_int_equal(recovery_make(dir, &err), 0);
	assert_int_equal(recovery_load(dir, &again, &err), 0);
	assert_memory_equal(&again, &first, sizeof first);
	recovery_hash(&first, of_first);
	assert_int_equal(recovery_load_hash(dir, hash, &err), 0);
	assert_string_equal(hash, of_first);
	close(dir);
}

static void
write_lines(const struct recovery *recovery, char out[128])
{
	char a[RECOVERY_LINE_LEN + 1], b[RECOVERY_LINE_LEN + 1];
	recovery_write_line(recovery, 0, a);
	recovery_write_line(recovery, 1, b);
	snprintf(out, 128, "a) is prose\n> A: %s\r\n\tb)%s", a, b);
}

static void
every_typing_error_is_found(void **state)
{
	(void)state;
	static const struct recovery zeros;
	struct recovery recovery = { { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53 } }, again; /* always the same ones */
	char text[128];
	write_lines(&recovery, text);
	assert_int_equal(recovery_read_text(slice_of_string(text), &again, &err), 0);
	assert_memory_equal(&again, &recovery, sizeof again);
	unsigned found = 0, tried = 0;
	for (char *at = strchr(text, 'A') + 3; *at != '\0'; at++) {
		char before = *at;
		if (strchr(" \r\n\tb)", before) != NULL)
			continue;
		*at = before == '7' ? '8' : '7';
		tried++;
		found += recovery_read_text(slice_of_string(text), &again, &err) != 0;
		*at = before;
	}
	assert_int_equal(tried, 32);
	assert_int_equal(found, tried); /* of other keys one in 65,536 would not be */
	assert_int_equal(recovery_read_text(slice_of_string("nothing\nof the\nkind\n"), &again, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	*strchr(text, '\r') = '\0';
	assert_int_equal(recovery_read_text(slice_of_string(text), &again, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_non_null(strstr(err.text, "line B of the recovery key is missing"));
	assert_memory_equal(&again, &zeros, sizeof again);
}

/* Lines of two keys do not belong together, although each is right. */
static void
lines_of_two_keys_are_none(void **state)
{
	(void)state;
	struct recovery one = { { 1 } }, two = { { 2 } }, again;
	char a[RECOVERY_LINE_LEN + 1], b[RECOVERY_LINE_LEN + 1], text[128];
	recovery_write_line(&one, 0, a);
	recovery_write_line(&two, 1, b);
	snprintf(text, sizeof text, "A: %s\nB: %s\n", a, b);
	assert_int_equal(recovery_read_text(slice_of_string(text), &again, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_lies_in_the_folder_until_it_is_taken),
		cmocka_unit_test(a_crash_while_it_is_made_makes_no_second_one),
		cmocka_unit_test(every_typing_error_is_found),
		cmocka_unit_test(lines_of_two_keys_are_none),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
