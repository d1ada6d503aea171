/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"

static char folder[] = "/tmp/smtorp-file-test-XXXXXX";
static int dir = -1;

static int
make_folder(void **state)
{
	(void)state;
	random_init();
	if (mkdtemp(folder) == NULL)
		return -1;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	close(dir);
	return file_remove_tree(AT_FDCWD, folder, NULL);
}

static void
replaces_and_loads(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct buffer b;
	buffer_init(&b, 100);
	assert_int_equal(file_replace(dir, "name", "one", 3, 0600, &err), 0);
	assert_int_equal(file_replace(dir, "name", "second", 6, 0600, &err), 0);
	assert_int_equal(file_load(dir, "name", &b, &err), 0);
	assert_int_equal(buffer_len(&b), 6);
	assert_memory_equal(buffer_bytes(&b), "second", 6);
	buffer_finish(&b);
	assert_int_equal(file_load(dir, "missing", &b, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_int_equal(symlinkat("name", dir, "link"), 0);
	assert_int_equal(file_load(dir, "link", &b, &err), -1); /* links are not followed */
}

static size_t
entries(void)
{
	size_t count = 0;
	DIR *open_dir = opendir(folder);
	assert_non_null(open_dir);
	while (readdir(open_dir) != NULL)
		count++;
	closedir(open_dir);
	return count;
}

static void
what_is_left_of_a_replacement_goes_with_the_file(void **state)
{
	(void)state;
	static const char *const gone[] = { "key", ".key.abcdefgh", ".key.22222222" }, *const kept[] = { ".key.abc", ".keys.abcdefgh", "key.abcdefgh" };
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(file_replace(dir, gone[i], "x", 1, 0600, NULL), 0);
		assert_int_equal(file_replace(dir, kept[i], "x", 1, 0600, NULL), 0);
	}
	for (int again = 0; again < 2; again++)
		assert_int_equal(file_remove_replaced(dir, "key", NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(faccessat(dir, gone[i], F_OK, 0), -1);
		assert_int_equal(unlinkat(dir, kept[i], 0), 0);
	}
}

static void
a_failed_replacement_leaves_nothing_behind(void **state)
{
	(void)state;
	struct error err = { 0 };
	assert_int_equal(mkdirat(dir, "folder", 0700), 0);
	size_t before = entries();
	assert_int_equal(file_replace(dir, "folder", "x", 1, 0600, &err), -1); /* found out when it is renamed */
	assert_int_equal(entries(), before);
	assert_int_equal(file_replace(dir, "none/name", "x", 1, 0600, &err), -1);
	char long_name[NAME_MAX];
	memset(long_name, 'n', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	assert_int_equal(file_replace(dir, long_name, "x", 1, 0600, &err), -1); /* no room for the temporary name */
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	assert_int_equal(entries(), before);
}

static void
loads_no_more_than_asked_for(void **state)
{
	(void)state;
	static const unsigned char large[200000];
	struct error err = { 0 };
	assert_int_equal(file_replace(dir, "large", large, sizeof large, 0600, &err), 0);
	for (size_t max = sizeof large - 1; max <= sizeof large + 1; max++) {
		struct buffer b;
		buffer_init(&b, max);
		assert_int_equal(file_load(dir, "large", &b, &err), max < sizeof large ? -1 : 0);
		if (max >= sizeof large)
			assert_int_equal(buffer_len(&b), sizeof large);
		buffer_finish(&b);
	}
	assert_int_equal(err.code, ERROR_TOO_LARGE);
}

static void
private_folders_are_private(void **state)
{
	(void)state;
	struct error err = { 0 };
	int fd;
	assert_int_equal(file_open_private_dir(dir, "mine", &fd, &err), 0);
	file_close(&fd);
	assert_int_equal(fchmodat(dir, "mine", 0755, 0), 0);
	assert_int_equal(file_open_private_dir(dir, "mine", &fd, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
}

static void
sealed_memory_stays(void **state)
{
	(void)state;
	struct error err = { 0 };
	int fd;
	size_t len;
	assert_int_equal(file_sealed_memory("body", 4, &fd, &err), 0);
	assert_int_equal(file_check_sealed(fd, 4, &len, &err), 0);
	assert_int_equal(len, 4);
	assert_int_equal(file_check_sealed(fd, 3, &len, &err), -1);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	file_close(&fd);
	fd = memfd_create("open", MFD_ALLOW_SEALING);
	assert_int_equal(file_check_sealed(fd, 4, &len, &err), -1); /* its sender could still write */
	file_close(&fd);
}

static void
makes_and_removes_trees(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct stat st;
	char path[128];
	snprintf(path, sizeof path, "%s/a/b/c", folder);
	assert_int_equal(file_make_dirs(path, &err), 0);
	assert_int_equal(file_make_dirs(path, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(file_remove_tree(dir, "a", &err), 0);
	assert_int_equal(fstatat(dir, "a", &st, 0), -1);
	assert_int_equal(file_remove_tree(dir, "a", &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces_and_loads),
		cmocka_unit_test(what_is_left_of_a_replacement_goes_with_the_file),
		cmocka_unit_test(a_failed_replacement_leaves_nothing_behind),
		cmocka_unit_test(loads_no_more_than_asked_for),
		cmocka_unit_test(private_folders_are_private),
		cmocka_unit_test(sealed_memory_stays),
		cmocka_unit_test(makes_and_removes_trees),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
