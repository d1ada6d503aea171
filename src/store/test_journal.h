/* SPDX-License-Identifier: ISC
 *
 * A journal in a folder of its own, for the tests of it. Its records have the type 3, and '!' behind their text.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "store/journal.h"

static char folder[] = "/tmp/smtorp-journal-test-XXXXXX";
static int root = -1, dir = -1;

static int
make_root(void **state)
{
	(void)state;
	random_init();
	root = mkdtemp(folder) == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -1 : 0;
}

static int
remove_root(void **state)
{
	(void)state;
	close(root);
	return file_remove_tree(AT_FDCWD, folder, NULL);
}

static int
begin(void **state)
{
	(void)state;
	return file_open_private_dir(root, "journal", &dir, NULL);
}

static int
end(void **state)
{
	(void)state;
	file_close(&dir);
	return file_remove_tree(root, "journal", NULL);
}

static inline struct journal *
open_at(uint64_t consumed)
{
	struct error err = { 0 };
	struct journal *j;
	if (journal_open(dir, consumed, &j, &err) != 0)
		fail_msg("%s", err.text);
	return j;
}

static inline uint64_t
append(struct journal *j, const char *text)
{
	struct error err = { 0 };
	struct slice parts[] = { slice_of_string(text), slice_of("", 0), slice_of_string("!") };
	uint64_t sequence;
	if (journal_append(j, 3, 1, parts, 3, &sequence, &err) != 0)
		fail_msg("%s", err.text);
	return sequence;
}

static inline void
expect(struct journal *j, const struct journal_entry *e, const char *text)
{
	char got[64] = { 0 };
	assert_non_null(e);
	assert_int_equal(e->type, 3);
	assert_int_equal(e->length, strlen(text) + 1);
	assert_int_equal(journal_read(j, e, 0, got, (size_t)e->length, NULL), 0);
	assert_memory_equal(got, text, strlen(text));
	assert_int_equal(got[strlen(text)], '!');
}

static inline size_t
files(void)
{
	size_t count = 0;
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		count += e->d_name[0] != '.';
	closedir(d);
	return count;
}

/* The file of the only segment, for damaging. */
static inline int
open_only_segment(off_t *used)
{
	int fd = openat(dir, "0000000000000001", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	unsigned char magic[4];
	*used = 64;
	while (pread(fd, magic, 4, *used) == 4 && memcmp(magic, "JREC", 4) == 0)
		*used += 64 + 8; /* all records of these tests have 8 bytes of payload, padded */
	return fd;
}

static inline void
write_three(void)
{
	struct error err = { 0 };
	struct journal *j = open_at(1);
	append(j, "one");
	append(j, "two");
	append(j, "three");
	assert_int_equal(journal_commit(j, &err), 0);
	journal_free(j);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, begin, end)
