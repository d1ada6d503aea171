/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "store/database.h"
#include "store/schema.h"


static const char *const versions[] = {
	"CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, bytes BLOB) STRICT",
	"ALTER TABLE t ADD COLUMN more INTEGER",
};

static void
keeps_what_was_committed(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct database *db;
	struct statement *insert, *select;
	assert_int_equal(database_open("a.db", false, versions, 1, &db, &err), -1);
	assert_int_equal(err.code, ERROR_DAMAGED);
	assert_int_equal(database_open("a.db", true, versions, 1, &db, &err), 0);
	assert_int_equal(statement_new(db, "INSERT INTO t VALUES (?1, ?2, ?3)", &insert, &err), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(database_begin(db, &err), 0);
		statement_bind_int(insert, 1, i);
		statement_bind_string(insert, 2, "name");
		statement_bind_blob(insert, 3, slice_of("\0\1\2", 3));
		assert_int_equal(statement_run(insert, &err), 0);
		assert_int_equal(database_changes(db), 1);
		if (i == 0)
			assert_int_equal(database_commit(db, &err), 0);
		else
			database_rollback(db);
	}
	statement_free(insert);
	database_close(db);
	assert_int_equal(database_open("a.db", false, versions, 2, &db, &err), 0); /* and migrates */
	assert_int_equal(statement_new(db, "SELECT id, name, bytes, more FROM t", &select, &err), 0);
	assert_int_equal(statement_step(select, &err), 1);
	assert_int_equal(statement_int(select, 0), 0);
	assert_true(slice_is(statement_bytes(select, 1), "name"));
	assert_int_equal(statement_bytes(select, 2).len, 3);
	assert_int_equal(statement_bytes(select, 3).len, 0);
	assert_int_equal(statement_step(select, &err), 0);
	statement_free(select);
	database_close(db);
	assert_int_equal(database_open("a.db", false, versions, 1, &db, &err), -1);
	assert_int_equal(err.code, ERROR_UNSUPPORTED); /* newer than we */
}

static void
the_schema_of_mail_db_is_good(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct database *db;
	assert_int_equal(database_open("mail.db", true, schema_versions, SCHEMA_VERSIONS, &db, &err), 0);
	database_close(db);
}

static void
refuses_a_second_process(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct database *db, *other;
	assert_int_equal(database_open("b.db", true, versions, 1, &db, &err), 0);
	pid_t child = fork();
	if (child == 0) {
		struct error mine = { 0 };
		_exit(database_open("b.db", false, versions, 1, &other, &mine) == -1 && mine.code == ERROR_BUSY ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	database_close(db);
}

static void
never_replaces_a_damaged_one(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct database *db;
	struct stat before, after;
	assert_int_equal(database_open("c.db", true, versions, 1, &db, &err), 0);
	assert_int_equal(database_run(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
	    " INSERT INTO t SELECT i, 'some text', NULL FROM n", &err), 0);
	database_close(db);
	int fd = open("c.db", O_RDWR | O_CLOEXEC);
	char noise[4096];
	memset(noise, 0x5a, sizeof noise);
	for (int page = 0; page < 3; page++) {
		assert_int_equal(fstat(fd, &before), 0);
		assert_int_equal(pwrite(fd, noise, sizeof noise, page == 0 ? 8192 : page == 1 ? 4096 : 0), sizeof noise);
		err = (struct error){ 0 };
		assert_int_equal(database_open("c.db", true, versions, 1, &db, &err), -1);
		assert_int_equal(err.code, ERROR_DAMAGED);
		assert_non_null(strstr(err.text, "damaged"));
		assert_int_equal(fstat(fd, &after), 0);
		assert_int_equal(before.st_size, after.st_size);
	}
	close(fd);
}

static void
knows_a_log_that_is_damaged_from_one_that_was_not_begun(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct database *db;
	char log[32] = { 0 }, other;
	assert_int_equal(database_open("w.db", true, versions, 1, &db, &err), 0);
	assert_int_equal(database_run(db, "INSERT INTO t VALUES (1, 'x', NULL)", &err), 0);
	int fd = open("w.db-wal", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, log, sizeof log), sizeof log);
	close(fd);
	database_close(db);
	for (int at = -1; at < 32; at++) {
		fd = open("w.db-wal", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, log, sizeof log), sizeof log);
		other = (char)~log[at < 0 ? 0 : at];
		assert_int_equal(pwrite(fd, &other, at < 0 ? 0 : 1, at < 0 ? 0 : at), at < 0 ? 0 : 1);
		close(fd);
		assert_int_equal(database_open("w.db", true, versions, 1, &db, &err), at < 0 ? 0 : -1);
		if (at < 0)
			database_close(db);
		else
			assert_int_equal(err.code, ERROR_DAMAGED);
	}
	memset(log, 0, sizeof log);
	fd = open("w.db-wal", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, log, sizeof log), sizeof log);
	close(fd);
	assert_int_equal(database_open("w.db", true, versions, 1, &db, &err), 0);
	database_close(db);
}

static void
knows_which_errors_are_its_end(void **state)
{
	(void)state;
	static const enum error_code lost[] = { ERROR_IO, ERROR_DAMAGED };
	static const enum error_code passing[] = { ERROR_NO_SPACE, ERROR_NO_MEMORY, ERROR_BUSY, ERROR_NOT_FOUND, ERROR_DENIED };
	for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
		assert_true(database_is_lost(&(struct error){ .code = lost[i] }));
	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		assert_false(database_is_lost(&(struct error){ .code = passing[i] }));
}

static bool disk_fails;

/* In the place of libc's, for SQLite. */
int
fdatasync(int fd)
{
	if (!disk_fails)
		return (int)syscall(SYS_fdatasync, fd);
	errno = EIO;
	return -1;
}

static void
count_losses(void *context, const struct error *err)
{
	assert_int_equal(err->code, ERROR_IO);
	++*(unsigned *)context;
}

/* Whoever made the call may go on all the same, or say nothing. */
static void
its_end_is_told_once_to_whoever_watches(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct database *db;
	unsigned losses = 0;
	assert_int_equal(database_open("watched.db", true, versions, 1, &db, &err), 0);
	database_watch(db, count_losses, &losses);
	assert_int_equal(database_run(db, "INSERT INTO t (id) VALUES (1)", &err), 0);
	assert_int_equal(database_run(db, "INSERT INTO t (id) VALUES (1)", &err), -1); /* such a row is there: that is the caller's mistake */
	assert_int_equal(losses, 0);
	disk_fails = true;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(database_begin(db, &err), 0);
		assert_int_equal(database_run(db, "INSERT INTO t (id) VALUES (2)", &err), 0);
		assert_int_equal(database_commit(db, &err), -1);
		assert_int_equal(losses, 1);
	}
	disk_fails = false;
	database_close(db);
}

/* An imported file may be anybody's work. */
static void
executes_nothing_that_a_file_brings_along(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct database *db;
	struct statement *count;
	static const char *const foreign[] = { "CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT;"
		"CREATE TRIGGER more AFTER INSERT ON t BEGIN INSERT INTO t VALUES (new.id + 1000); END;"
		"CREATE VIEW v AS SELECT id FROM t;" };
	assert_int_equal(database_open("d.db", true, foreign, 1, &db, &err), 0);
	assert_int_equal(database_run(db, "INSERT INTO t VALUES (1)", &err), 0);
	assert_int_equal(statement_new(db, "SELECT count(*) FROM t", &count, &err), 0);
	assert_int_equal(statement_step(count, &err), 1);
	assert_int_equal(statement_int(count, 0), 1);
	statement_free(count);
	assert_int_equal(database_run(db, "INSERT INTO t SELECT id + 1 FROM v", &err), -1);
	assert_int_equal(database_run(db, "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema", &err), -1);
	database_close(db);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_was_committed),
		cmocka_unit_test(the_schema_of_mail_db_is_good),
		cmocka_unit_test(refuses_a_second_process),
		cmocka_unit_test(never_replaces_a_damaged_one),
		cmocka_unit_test(knows_a_log_that_is_damaged_from_one_that_was_not_begun),
		cmocka_unit_test(knows_which_errors_are_its_end),
		cmocka_unit_test(its_end_is_told_once_to_whoever_watches),
		cmocka_unit_test(executes_nothing_that_a_file_brings_along),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
