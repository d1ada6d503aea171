/* SPDX-License-Identifier: ISC */
#include "store/salvage_ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "store/database.h"
#include "store/schema.h"

/* SQLite writes even into what it only reads, so it reads a copy. */
#define COPY "salvaged.db"
#define NEW "mail.db.new"
#define STEP_BYTES 65536
#define PATH_BYTES 128
#define KEY_BYTES 32 /* queue/ids.c */

/* ---- the copy */

static int
copy_bytes(int from, int to, struct error *err)
{
	unsigned char chunk[STEP_BYTES];
	ssize_t n;
	while ((n = read(from, chunk, sizeof chunk)) > 0)
		if (file_write_all(to, chunk, (size_t)n, err) != 0)
			return -1;
	return n == 0 ? 0 : error_set_errno(err, errno, "cannot read the database");
}

static int
copy_file(const char *aside, const char *name, const char *to_name, struct error *err)
{
	char path[PATH_BYTES];
	snprintf(path, sizeof path, "%s/%s", aside, name);
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int to = from < 0 ? -1 : open(to_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int result = to < 0 ? error_set_errno(err, errno, "cannot copy %s", name) : copy_bytes(from, to, err);
	file_close(&from);
	file_close(&to);
	return result;
}

static void
remove_files(void)
{
	static const char *const names[] = { COPY, COPY "-wal", COPY "-journal", NEW, NEW "-wal", NEW "-journal" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink(names[i]);
}

/* ---- the rows */

/* 1: it is there; 0, -1. */
static int
copy_key(struct database *from, struct database *to, struct error *err)
{
	struct statement *select = NULL, *insert = NULL;
	int row = -1;
	if (statement_new(from, "SELECT key FROM ids_key", &select, err) == 0 &&
	    statement_new(to, "INSERT INTO ids_key VALUES (1, ?1)", &insert, err) == 0)
		row = statement_step(select, err);
	if (row == 1 && statement_bytes(select, 0).len != KEY_BYTES)
		row = 0;
	if (row == 1) {
		statement_bind_blob(insert, 1, statement_bytes(select, 0));
		row = statement_run(insert, err) == 0 ? 1 : -1;
	}
	statement_free(select);
	statement_free(insert);
	return row;
}

/* Up to the end, or to where the database is damaged. */
static void
copy_rows(struct database *from, struct database *to, const char *sql)
{
	struct statement *select = NULL, *insert = NULL;
	bool works = statement_new(from, sql, &select, NULL) == 0 &&
	    statement_new(to, "INSERT OR IGNORE INTO ids VALUES (?1, ?2)", &insert, NULL) == 0;
	while (works && statement_step(select, NULL) == 1) {
		statement_bind_blob(insert, 1, statement_bytes(select, 0));
		statement_bind_text(insert, 2, statement_bytes(select, 1));
		works = statement_run(insert, NULL) == 0;
	}
	statement_free(select);
	statement_free(insert);
}

static int
copy_ids(struct database *from, struct database *to, struct error *err)
{
	if (database_begin(to, err) != 0)
		return -1;
	if (copy_key(from, to, err) != 1) { /* without it, the rows say nothing */
		database_rollback(to);
		return -1;
	}
	/* from both ends: what lies between may be lost */
	copy_rows(from, to, "SELECT hash, inner_id FROM ids ORDER BY hash");
	copy_rows(from, to, "SELECT hash, inner_id FROM ids ORDER BY hash DESC");
	return database_commit(to, err) != 0 ? -1 : database_checkpoint(to, err);
}

static int
make_new(const char *aside, struct error *err)
{
	struct database *from = NULL, *to = NULL;
	int result = -1;
	if (copy_file(aside, "mail.db", COPY, err) != 0)
		return -1;
	copy_file(aside, "mail.db-wal", COPY "-wal", NULL); /* it need not be there */
	if (database_open_damaged(COPY, &from, err) == 0 && database_open(NEW, true, schema_versions, SCHEMA_VERSIONS, &to, err) == 0)
		result = copy_ids(from, to, err);
	database_close(from);
	database_close(to);
	return result;
}

/* Calls act() in dir_fd, with nothing of ours there before and after. */
static bool
inside(int dir_fd, bool (*act)(const char *aside), const char *aside)
{
	struct error err = { 0 };
	bool result = false;
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (here < 0)
		return false;
	if (fchdir(dir_fd) == 0) {
		remove_files();
		result = act(aside);
		remove_files();
		if (fchdir(here) != 0)
			error_set_errno(&err, errno, "cannot go back"); /* nobody opens anything by a relative name after this */
	}
	file_close(&here);
	return result;
}

static bool
begin_new(const char *aside)
{
	struct error err = { 0 };
	return make_new(aside, &err) == 0 && renameat2(AT_FDCWD, NEW, AT_FDCWD, "mail.db", RENAME_NOREPLACE) == 0;
}

void
salvage_ids(int dir_fd, const char *aside)
{
	if (inside(dir_fd, begin_new, aside))
		fsync(dir_fd);
}

static bool
copy_is_whole(const char *aside)
{
	struct database *db = NULL;
	struct error err = { 0 };
	if (copy_file(aside, "mail.db", COPY, &err) != 0)
		return false;
	copy_file(aside, "mail.db-wal", COPY "-wal", NULL);
	bool result = database_open(COPY, false, schema_versions, SCHEMA_VERSIONS, &db, &err) == 0;
	database_close(db);
	return result;
}

bool
salvage_database_is_whole(int dir_fd)
{
	return inside(dir_fd, copy_is_whole, ".");
}
