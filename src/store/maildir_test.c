/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

static void
publishes_what_was_staged(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct maildir *m;
	struct buffer b;
	struct stat st;
	char name[MAILDIR_NAME_MAX], path[256], host[256];
	assert_int_equal(maildir_open(dir, &m, &err), 0);
	assert_int_equal(maildir_stage(m, 0x1f, 1700000000123, slice_of_string("alice@x.onion"), read_text, message,
	    strlen(message), name, &err), 0);
	assert_int_equal(maildir_sync(m, &err), 0);
	snprintf(path, sizeof path, "Maildir/new/%s", name);
	assert_int_equal(fstatat(dir, path, &st, 0), -1); /* not before it is published */
	assert_int_equal(maildir_publish(m, 0x1f, name, &err), 0);
	assert_int_equal(maildir_publish(m, 0x1f, name, &err), 0); /* again: nothing happens */
	assert_int_equal(maildir_sync_published(m, &err), 0);
	buffer_init(&b, 1000);
	assert_int_equal(file_load(dir, path, &b, &err), 0);
	const char *expected = "Return-Path: <alice@x.onion>\nSubject: hello\n\nHello\n";
	assert_int_equal(buffer_len(&b), strlen(expected));
	assert_memory_equal(buffer_bytes(&b), expected, strlen(expected));
	char sizes[64];
	snprintf(sizes, sizeof sizes, ".local,S=%zu,W=%zu", strlen(expected), strlen(expected) + 4);
	assert_string_equal(strstr(name, ".local"), sizes);
	assert_int_equal(strncmp(name, "1700000000.M123000Q1fR", 22), 0);
	assert_int_equal(gethostname(host, sizeof host), 0);
	assert_null(strstr(name, host));
	buffer_finish(&b);
	maildir_free(m);
}

static void
stages_the_same_sequence_anew(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct maildir *m;
	struct buffer b;
	char name[MAILDIR_NAME_MAX];
	assert_int_equal(maildir_open(dir, &m, &err), 0);
	for (int i = 0; i < 2; i++) { /* as after a crash before the transaction */
		assert_int_equal(maildir_stage(m, 7, 0, slice_of_string(""), read_text, message, i == 0 ? strlen(message) : 2,
		    name, &err), 0);
		maildir_drop(m);
	}
	buffer_init(&b, 1000);
	assert_int_equal(file_load(dir, "staging/0000000000000007", &b, &err), 0);
	assert_int_equal(buffer_len(&b), strlen("Return-Path: <>\nRe"));
	buffer_finish(&b);
	maildir_free(m);
}

static void
a_group_has_a_maximum(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct maildir *m;
	char name[MAILDIR_NAME_MAX];
	uint64_t sequence = 100;
	assert_int_equal(maildir_open(dir, &m, &err), 0);
	while (maildir_stage(m, sequence, 0, slice_of_string(""), read_text, message, 5, name, &err) == 0)
		sequence++;
	assert_int_equal(err.code, ERROR_BUSY);
	assert_int_equal(maildir_sync(m, &err), 0);
	assert_int_equal(maildir_stage(m, sequence, 0, slice_of_string(""), read_text, message, 5, name, &err), 0);
	maildir_free(m);
}

static void
a_missing_folder_is_not_a_published_message(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct maildir *m;
	char name[MAILDIR_NAME_MAX];
	assert_int_equal(maildir_open(dir, &m, &err), 0);
	assert_int_equal(maildir_stage(m, 9, 0, slice_of_string(""), read_text, message, 5, name, &err), 0);
	assert_int_equal(maildir_sync(m, &err), 0);
	assert_int_equal(file_remove_tree(dir, "Maildir", &err), 0);
	assert_int_equal(maildir_publish(m, 9, name, &err), -1);
	maildir_free(m);
	assert_int_equal(maildir_open(dir, &m, &err), 0); /* makes it again */
	assert_int_equal(maildir_publish(m, 9, name, &err), 0);
	maildir_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publishes_what_was_staged),
		cmocka_unit_test(stages_the_same_sequence_anew),
		cmocka_unit_test(a_group_has_a_maximum),
		cmocka_unit_test(a_missing_folder_is_not_a_published_message),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
