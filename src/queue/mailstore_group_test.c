/* SPDX-License-Identifier: ISC
 *
 * Groups of records on their way into the mailbox: what a failed sync leaves, and what earlier versions have left. The test's own
 * syncfs() stands before the C library's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "queue/test_mailstore.h"
#include "store/database.h"
#include "store/schema.h"

static atomic_int sync_fails_with;
static atomic_int syncs;

int
syncfs(int fd)
{
	errno = sync_fails_with;
	syncs++;
	return errno != 0 ? -1 : (int)syscall(SYS_syncfs, fd);
}

static void
take(struct mailstore *s, const char *body)
{
	struct error err = { 0 };
	assert_int_equal(receive(s, body, &err), 0);
}

static void
nothing_is_published_when_the_sync_fails(void **state)
{
	(void)state;
	static const int errors[] = { ENOSPC, EIO };
	struct error err = { 0 };
	struct mailstore *s = open_store();
	take(s, "Subject: one\r\n\r\n");
	assert_int_equal(mailstore_commit(s, &err), 0);
	for (size_t i = 0; i < 2; i++) {
		sync_fails_with = errors[i];
		assert_int_equal(mailstore_process(s, &err), -1);
		assert_int_equal(err.code, i == 0 ? ERROR_NO_SPACE : ERROR_IO);
		assert_int_equal(test_folder_count("Maildir/new", NULL), 0);
		assert_int_equal(mailstore_backlog_records(s), 1);
	}
	sync_fails_with = 0;
	assert_int_equal(mailstore_process(s, &err), MAILSTORE_IDLE); /* written anew, under another name */
	assert_int_equal(test_folder_count("Maildir/new", NULL), 1);
	assert_int_equal(test_folder_count("staging", NULL), 0);
	mailstore_free(s);
}

static void
what_arrives_during_a_sync_is_in_the_next_group(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct mailstore *s = open_store();
	assert_int_equal(mailstore_start_threads(s, &err), 0);
	assert_int_equal(mailstore_process(s, &err), MAILSTORE_IDLE);
	for (int i = 0; i < MAILSTORE_STEP_RECORDS + 1; i++) {
		char body[64];
		snprintf(body, sizeof body, "Subject: %d\r\n\r\n", i);
		take(s, body);
	}
	assert_int_equal(commit(s, &err), 0);
	syncs = 0;
	assert_int_equal(mailstore_process(s, &err), MAILSTORE_BEGUN); /* others have their turn */
	assert_int_equal(mailstore_process(s, &err), MAILSTORE_WAITS);
	take(s, "Subject: 0\r\n\r\n"); /* seen, though that is not recorded yet */
	take(s, "Subject: late\r\n\r\n");
	assert_int_equal(commit(s, &err), 0);
	wait_for(mailstore_process_fd(s));
	assert_int_equal(mailstore_process(s, &err), MAILSTORE_MORE);
	assert_int_equal(test_folder_count("Maildir/new", NULL), MAILSTORE_STEP_RECORDS + 1);
	assert_int_equal(mailstore_process(s, &err), MAILSTORE_WAITS);
	mailstore_stop_threads(s); /* waits for it */
	assert_int_equal(mailstore_process(s, &err), MAILSTORE_IDLE);
	assert_int_equal(test_folder_count("Maildir/new", NULL), MAILSTORE_STEP_RECORDS + 2);
	assert_int_equal(syncs, 2); /* one for each group */
	mailstore_free(s);
}

static void
groups_that_follow_fast_wait_for_more(void **state)
{
	(void)state;
	struct error err = { 0 };
	char body[64];
	struct mailstore *s = open_store();
	assert_int_equal(mailstore_start_threads(s, &err), 0);
	mailstore_set_gathering(s, 3600 * 1000);
	syncs = 0;
	take(s, "Subject: one\r\n\r\n");
	assert_int_equal(commit(s, &err), 0);
	assert_int_equal(process(s, &err), MAILSTORE_IDLE); /* who comes alone waits for nobody */
	assert_int_equal(test_folder_count("Maildir/new", NULL), 1);
	take(s, "Subject: two\r\n\r\n");
	assert_int_equal(commit(s, &err), 0);
	assert_int_equal(process(s, &err), MAILSTORE_GATHERS);
	assert_in_range(mailstore_gathers_ms(s), 1, 3600 * 1000);
	assert_int_equal(test_folder_count("staging", NULL), 1);
	for (int i = 1; i < MAILSTORE_GATHER_RECORDS; i++) {
		assert_int_equal(process(s, &err), MAILSTORE_GATHERS);
		snprintf(body, sizeof body, "Subject: %d\r\n\r\n", i);
		take(s, body);
		assert_int_equal(commit(s, &err), 0);
	}
	assert_int_equal(syncs, 1);
	assert_int_equal(process(s, &err), MAILSTORE_IDLE); /* it has enough */
	assert_int_equal(test_folder_count("Maildir/new", NULL), MAILSTORE_GATHER_RECORDS + 1);
	take(s, "Subject: last\r\n\r\n");
	assert_int_equal(commit(s, &err), 0);
	assert_int_equal(process(s, &err), MAILSTORE_GATHERS);
	mailstore_stop_threads(s);
	assert_int_equal(process(s, &err), MAILSTORE_IDLE);
	assert_int_equal(test_folder_count("Maildir/new", NULL), MAILSTORE_GATHER_RECORDS + 2);
	assert_int_equal(syncs, 3);
	mailstore_free(s);
}

static void
a_failed_sync_of_the_thread_is_heard(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct mailstore *s = open_store();
	assert_int_equal(mailstore_start_threads(s, &err), 0);
	take(s, "Subject: one\r\n\r\n");
	assert_int_equal(commit(s, &err), 0);
	sync_fails_with = EIO;
	assert_int_equal(mailstore_process(s, &err), MAILSTORE_WAITS);
	mailstore_stop_threads(s);
	assert_int_equal(mailstore_process(s, &err), -1);
	assert_int_equal(err.code, ERROR_IO);
	sync_fails_with = 0;
	mailstore_free(s);
	s = open_store();
	assert_int_equal(test_folder_count("staging", NULL), 0); /* it was staged in vain */
	assert_int_equal(mailstore_process(s, &err), MAILSTORE_IDLE);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 1);
	mailstore_free(s);
}

static void
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* They staged files under their numbers, and had the names in the database. */
static void
what_earlier_versions_have_staged_is_published(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct database *db;
	mailstore_free(open_store());
	assert_int_equal(database_open("mail.db", false, schema_versions, SCHEMA_VERSIONS, &db, &err), 0);
	assert_int_equal(database_run(db, "INSERT INTO staged VALUES (3, 'a'), (4, 'b'); UPDATE state SET consumed = 5", &err), 0);
	database_close(db);
	write_file("staging/0000000000000003", "Subject: three\n");
	write_file("staging/0000000000000007", "Subject: half of"); /* of a record that is in the journal */
	struct mailstore *s = open_store();
	assert_int_equal(access("Maildir/new/a", F_OK), 0);
	assert_int_equal(access("Maildir/new/b", F_OK), -1); /* it was published, and its reader has it */
	assert_int_equal(test_folder_count("staging", NULL), 0);
	assert_int_equal(unlink("Maildir/new/a"), 0);
	mailstore_free(s);
	write_file("staging/0000000000000003", "Subject: three\n");
	mailstore_free(open_store()); /* the names were forgotten */
	assert_int_equal(test_folder_count("Maildir/new", NULL), 0);
}

int
main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(nothing_is_published_when_the_sync_fails),
		IN_FOLDER(what_arrives_during_a_sync_is_in_the_next_group),
		IN_FOLDER(groups_that_follow_fast_wait_for_more),
		IN_FOLDER(a_failed_sync_of_the_thread_is_heard),
		IN_FOLDER(what_earlier_versions_have_staged_is_published),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
