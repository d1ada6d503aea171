/* SPDX-License-Identifier: ISC
 *
 * For tests that need files: a folder of their own below /tmp, which is the working folder while they run.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"

static char test_folder[] = "/tmp/smtorp-test-XXXXXX";

/* The first and the last thing of a group of tests; what they make in the folder goes with it. */
static int
test_folder_make(void **state)
{
	(void)state;
	random_init();
	return mkdtemp(test_folder) == NULL || chdir(test_folder) != 0 ? -1 : 0;
}

static int
test_folder_remove(void **state)
{
	(void)state;
	return chdir("/") != 0 ? -1 : file_remove_tree(AT_FDCWD, test_folder, NULL);
}

/* How many files in a folder hold this text (NULL: any). One that goes away meanwhile does not count. */
static inline size_t
test_folder_count(const char *name, const char *text)
{
	size_t count = 0;
	struct buffer b;
	DIR *dir = opendir(name);
	assert_non_null(dir);
	buffer_init(&b, 8 * 1024 * 1024);
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		struct error err = { 0 };
		if (e->d_name[0] == '.')
			continue;
		if (file_load(dirfd(dir), e->d_name, &b, &err) != 0) {
			assert_int_equal(err.code, ERROR_NOT_FOUND);
			continue;
		}
		count += text == NULL || memmem(buffer_bytes(&b), buffer_len(&b), text, strlen(text)) != NULL;
		buffer_finish(&b);
	}
	closedir(dir);
	return count;
}
