/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "store/maildir.h"

static char folder[] = "/tmp/smtorp-maildir-test-XXXXXX";
static int dir = -1;

static int
make_folder(void **state)
{
	(void)state;
	random_init();
	dir = mkdtemp(folder) == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	close(dir);
	return file_remove_tree(AT_FDCWD, folder, NULL);
}

static int
read_text(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	(void)err;
	memcpy(out, (const char *)context + offset, len);
	return 0;
}

static char message[] = "Return-Path: <old@x>\r\nSubject: hello\r\n\r\nHello\r\n";

/* The one entry of a folder; "": it is empty. */
static void
only_entry(const char *name, char out[256])
{
	DIR *d = fdopendir(openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	assert_non_null(d);
	out[0] = '\0';
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		assert_string_equal(out, "");
		snprintf(out, 256, "%s", e->d_name);
	}
	closedir(d);
}

static void
empty(const char *name)
{
	char entry[256], path[300];
	only_entry(name, entry);
	snprintf(path, sizeof path, "%s/%s", name, entry);
	assert_int_equal(unlinkat(dir, path, 0), 0);
}

static void
publishes_what_was_staged(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct maildir *m;
	struct buffer b;
	char name[256], path[300];
	assert_int_equal(maildir_open(dir, &m, &err), 0);
	assert_int_equal(maildir_stage(m, 0x1f, 1700000000123, slice_of_string("alice@x.onion"), read_text, message,
	    strlen(message), &err), 0);
	assert_int_equal(maildir_publish(m, 0x1f, NULL, &err), 0);
	only_entry("Maildir/new", name);
	assert_string_equal(name, ""); /* not before it is its turn */
	only_entry("staging", path);
	assert_int_equal(maildir_publish(m, 0x20, NULL, &err), 0);
	assert_int_equal(maildir_publish(m, 0x20, NULL, &err), 0); /* again: nothing happens */
	only_entry("Maildir/new", name);
	assert_string_equal(name, path);
	buffer_init(&b, 1000);
	snprintf(path, sizeof path, "Maildir/new/%s", name);
	assert_int_equal(file_load(dir, path, &b, &err), 0);
	const char *expected = "Return-Path: <alice@x.onion>\nSubject: hello\n\nHello\n";
	assert_int_equal(buffer_len(&b), strlen(expected));
	assert_memory_equal(buffer_bytes(&b), expected, strlen(expected));
	char sizes[64];
	snprintf(sizes, sizeof sizes, ".local,S=%zu,W=%zu", strlen(expected), strlen(expected) + 4);
	assert_string_equal(strstr(name, ".local"), sizes); /* where others have the host's name, which random letters may hold by chance */
	assert_int_equal(strncmp(name, "1700000000.M123000Q1fR", 22), 0);
	buffer_finish(&b);
	maildir_free(m);
	empty("Maildir/new");
}

/* More than one step: it has its final name all the same, and the sizes in it are true. */
static void
a_large_message_is_staged_like_a_small_one(void **state)
{
	(void)state;
	static char large[300000];
	struct error err = { 0 };
	struct maildir *m;
	struct stat st;
	char name[256], path[300], size[32];
	memset(large, 'x', sizeof large);
	for (size_t i = 98; i < sizeof large; i += 100)
		memcpy(large + i, "\r\n", 2);
	assert_int_equal(maildir_open(dir, &m, &err), 0);
	assert_int_equal(maildir_stage(m, 5, 0, slice_of_string(""), read_text, large, sizeof large, &err), 0);
	only_entry("staging", name);
	snprintf(path, sizeof path, "staging/%s", name);
	assert_int_equal(fstatat(dir, path, &st, 0), 0);
	assert_int_equal(st.st_size, strlen("Return-Path: <>\n") + sizeof large / 100 * 99);
	snprintf(size, sizeof size, ",S=%jd,", (intmax_t)st.st_size);
	assert_non_null(strstr(name, size));
	assert_int_equal(maildir_unstage(m, 0, &err), 0);
	maildir_free(m);
}

static void
what_was_staged_in_vain_is_removed(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct maildir *m;
	uint64_t sequence;
	char name[256];
	assert_int_equal(maildir_open(dir, &m, &err), 0);
	for (uint64_t i = 6; i < 10; i++)
		for (int twice = 0; twice < 2; twice++)
			assert_int_equal(maildir_stage(m, i, 0, slice_of_string(""), read_text, message, strlen(message), &err), 0);
	close(openat(dir, "staging/0000000000000003", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); /* half of a large one */
	assert_int_equal(maildir_unstage(m, 7, &err), 0);
	assert_int_equal(maildir_publish(m, 6, NULL, &err), 0);
	for (int twice = 0; twice < 2; twice++) {
		DIR *d = fdopendir(openat(dir, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		struct dirent *e;
		while ((e = readdir(d)) != NULL && e->d_name[0] == '.')
			;
		assert_non_null(e);
		assert_true(maildir_sequence_of(e->d_name, &sequence));
		assert_int_equal(sequence, 6);
		assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
		closedir(d);
	}
	only_entry("staging", name);
	assert_string_equal(name, "");
	maildir_free(m);
}

static void
only_names_of_ours_have_a_sequence(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t sequence;
	} cases[] = { { "1700000000.M123000Q1fRabc.local,S=1", 0x1f }, { "0.M0QffffffffffffffffR", UINT64_MAX },
		{ "1.M1QR", 0 }, { "1.M1Q12345678901234567R", 0 }, { "1.M1Qx", 0 }, { ".M1Q1R", 0 }, { "1.MQ1R", 0 }, { "1", 0 }, { "", 0 },
		{ "1700000000.M123000P1fRabc.local", 0 }, { "000000000000001f", 0 }, { "1.M1Q-1R", 0 }, { "1.M1Q 1R", 0 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t sequence = 0;
		bool is_one = maildir_sequence_of(cases[i].name, &sequence);
		assert_int_equal(is_one, cases[i].sequence != 0);
		if (is_one)
			assert_true(sequence == cases[i].sequence);
	}
}

static void
a_missing_folder_is_not_a_published_message(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct maildir *m;
	char name[256];
	assert_int_equal(maildir_open(dir, &m, &err), 0);
	assert_int_equal(maildir_stage(m, 9, 0, slice_of_string(""), read_text, message, 5, &err), 0);
	assert_int_equal(file_remove_tree(dir, "Maildir", &err), 0);
	assert_int_equal(maildir_publish(m, 10, NULL, &err), -1);
	maildir_free(m);
	assert_int_equal(maildir_open(dir, &m, &err), 0); /* makes it again */
	assert_int_equal(maildir_publish(m, 10, NULL, &err), 0);
	only_entry("Maildir/new", name);
	assert_string_not_equal(name, "");
	maildir_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publishes_what_was_staged),
		cmocka_unit_test(a_large_message_is_staged_like_a_small_one),
		cmocka_unit_test(what_was_staged_in_vain_is_removed),
		cmocka_unit_test(only_names_of_ours_have_a_sequence),
		cmocka_unit_test(a_missing_folder_is_not_a_published_message),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
