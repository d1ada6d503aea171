/* SPDX-License-Identifier: ISC */
#include "store/database_internal.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* A whole check reads every page: only a database of everyday size is checked at each start. */
#define CHECK_MAX_BYTES (64 * 1024 * 1024)
#define LOG_HEADER_BYTES 32 /* https://www.sqlite.org/fileformat2.html#walformat */

static int
say(struct database *db, struct error *err)
{
	int code = sqlite3_extended_errcode(db->handle);
	const char *text = sqlite3_errmsg(db->handle);
	switch (code & 0xff) {
	case SQLITE_FULL:
		return error_set(err, ERROR_NO_SPACE, "no room for the database %s; free some space", db->path);
	case SQLITE_NOMEM:
		return error_set(err, ERROR_NO_MEMORY, "no memory for the database %s", db->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, ERROR_BUSY, "another process holds the database %s", db->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return error_set(err, ERROR_DAMAGED, "the database %s is damaged (%s): `smtorp identity repair`, or import a "
		                                     "copy", db->path, text);
	default:
		if (sqlite3_db_readonly(db->handle, "main") == 1) /* SQLite opens it all the same, and fails at a lock or later */
			return error_set(err, ERROR_IO, "the database %s cannot be written to: is the disk read-only?", db->path);
		if (sqlite3_system_errno(db->handle) == ENOSPC || sqlite3_system_errno(db->handle) == EDQUOT)
			return error_set(err, ERROR_NO_SPACE, "no room for the database %s; free some space", db->path);
		return error_set(err, ERROR_IO, "the database %s failed: %s (%d)", db->path, text, code);
	}
}

int
database_fail(struct database *db, struct error *err)
{
	void (*on_lost)(void *context, const struct error *err) = db->on_lost;
	int kind = sqlite3_errcode(db->handle) & 0xff;
	struct error own = { 0 };
	say(db, &own);
	bool is_lost = database_is_lost(&own) && (kind == SQLITE_IOERR || kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB);
	if (is_lost && on_lost != NULL) {
		db->on_lost = NULL;
		on_lost(db->context, &own);
	}
	return error_set(err, own.code, "%s", own.text);
}

void
database_watch(struct database *db, void (*on_lost)(void *context, const struct error *err), void *context)
{
	db->on_lost = on_lost;
	db->context = context;
}

bool
database_is_lost(const struct error *err)
{
	return err->code == ERROR_IO || err->code == ERROR_DAMAGED;
}

int
database_run(struct database *db, const char *sql, struct error *err)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : database_fail(db, err);
}

static int
ask_int(struct database *db, const char *sql, int64_t *out, struct error *err)
{
	struct statement *s;
	if (statement_new(db, sql, &s, err) != 0)
		return -1;
	int result = statement_step(s, err);
	if (result == 1)
		*out = statement_int(s, 0);
	statement_free(s);
	return result == 1 ? 0 : result == 0 ? error_set(err, ERROR_IO, "the database %s gave no answer", db->path) : -1;
}

static int
check_whole(struct database *db, struct error *err)
{
	struct statement *s;
	if (statement_new(db, "PRAGMA quick_check(1)", &s, err) != 0)
		return -1;
	int result = statement_step(s, err);
	if (result == 1 && !slice_is(statement_bytes(s, 0), "ok"))
		result = error_set(err, ERROR_DAMAGED, "the database %s is damaged: `smtorp identity repair`, or import a copy",
		    db->path);
	statement_free(s);
	return result == 1 ? 0 : -1;
}

static int
migrate(struct database *db, const char *const *versions, unsigned count, struct error *err)
{
	int64_t version;
	if (ask_int(db, "PRAGMA user_version", &version, err) != 0)
		return -1;
	if (version < 0 || version > count)
		return error_set(err, ERROR_UNSUPPORTED, "the database %s was written by a newer version of this program", db->path);
	for (; version < count; version++) {
		char set[64];
		snprintf(set, sizeof set, "PRAGMA user_version = %d", (int)version + 1);
		if (database_begin(db, err) != 0)
			return -1;
		if (database_run(db, versions[version], err) != 0 || database_run(db, set, err) != 0) {
			database_rollback(db);
			return -1;
		}
		if (database_commit(db, err) != 0)
			return -1;
	}
	return 0;
}

static int
prepare_connection(struct database *db, struct error *err)
{
	static const char *const settings[] = {
		"PRAGMA locking_mode = EXCLUSIVE", /* before WAL: no shared memory file, and a second process is refused */
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA trusted_schema = OFF",
		"PRAGMA temp_store = MEMORY",
		"PRAGMA cache_size = -4096",
		"PRAGMA journal_size_limit = 16777216",
		"PRAGMA wal_autocheckpoint = 4000",
	};
	/* The file may be one that somebody else has filled: what it brings along is not executed. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (database_run(db, settings[i], err) != 0)
			return -1;
	return database_run(db, "BEGIN EXCLUSIVE; COMMIT", err); /* takes the lock now, not at the first write */
}

/* SQLite takes a log that it does not understand for one that was not begun yet, and forgets what was committed there. But a
 * log's header is less than a sector, and synced before anything relies on it: if it is not zeros, it is right, or damaged. */
static int
check_log_header(struct database *db, struct error *err)
{
	char path[sizeof db->path + 4];
	unsigned char header[LOG_HEADER_BYTES] = { 0 };
	static const unsigned char zeros[LOG_HEADER_BYTES];
	uint32_t sum[2] = { 0 }, word[2];
	snprintf(path, sizeof path, "%s-wal", db->path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? 0 : pread(fd, header, sizeof header, 0);
	file_close(&fd);
	if (n < 0)
		return error_set_errno(err, errno, "cannot read %s", path);
	if (n < (ssize_t)sizeof header || memcmp(header, zeros, sizeof header) == 0)
		return 0;
	for (size_t at = 0; at < LOG_HEADER_BYTES - 8; at += 8) {
		for (size_t i = 0; i < 2; i++) {
			memcpy(&word[i], header + at + 4 * i, 4);
			word[i] = (header[3] & 1) != 0 ? be32toh(word[i]) : le32toh(word[i]);
			sum[i] += word[i] + sum[1 - i];
		}
	}
	for (size_t i = 0; i < 2; i++)
		sum[i] = htobe32(sum[i]);
	if (memcmp(header, "\x37\x7f\x06", 3) != 0 || memcmp(sum, header + LOG_HEADER_BYTES - 8, sizeof sum) != 0)
		return error_set(err, ERROR_DAMAGED, "%s, a part of the database, is damaged: `smtorp identity repair`, or import a copy", path);
	return 0;
}

/* A process may have died between its write and its sync: what is read here must be on the disk before anything follows from it.
 * By SQLite's own descriptors, since closing another one would give up its locks. */
static int
sync_what_was_found(struct database *db, struct error *err)
{
	static const int files[] = { SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER };
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		sqlite3_file *file = NULL;
		if (sqlite3_file_control(db->handle, "main", files[i], &file) != SQLITE_OK)
			return database_fail(db, err);
		if (file != NULL && file->pMethods != NULL && file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) != SQLITE_OK)
			return error_set(err, ERROR_IO, "the database %s cannot be made durable", db->path);
	}
	return 0;
}

int
database_open(const char *path, bool may_create, const char *const *versions, unsigned count,
    struct database **out, struct error *err)
{
	struct stat st = { 0 };
	bool exists = fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!exists && errno != ENOENT)
		return error_set_errno(err, errno, "cannot look at the database %s", path);
	if (!exists && !may_create)
		return error_set(err, ERROR_DAMAGED, "the database %s is missing: `smtorp identity repair`, or import a copy", path);
	struct database *db = calloc(1, sizeof *db);
	if (db == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	snprintf(db->path, sizeof db->path, "%s", path);
	if (check_log_header(db, err) != 0)
		goto failed;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | (may_create ? SQLITE_OPEN_CREATE : 0);
	if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
		database_fail(db, err);
		goto failed;
	}
	sqlite3_extended_result_codes(db->handle, 1);
	/* Not before it is known to be whole: what is damaged stays as it was found. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (prepare_connection(db, err) != 0 || sync_what_was_found(db, err) != 0)
		goto failed;
	if (exists && st.st_size <= CHECK_MAX_BYTES && check_whole(db, err) != 0)
		goto failed;
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	if (migrate(db, versions, count, err) != 0)
		goto failed;
	*out = db;
	return 0;
failed:
	sqlite3_close(db->handle);
	free(db);
	return -1;
}

int
database_open_damaged(const char *path, struct database **out, struct error *err)
{
	struct database *db = calloc(1, sizeof *db);
	if (db == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	snprintf(db->path, sizeof db->path, "%s", path);
	if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK ||
	    prepare_connection(db, err) != 0) {
		database_fail(db, err);
		sqlite3_close(db->handle);
		free(db);
		return -1;
	}
	*out = db;
	return 0;
}

void
database_close(struct database *db)
{
	if (db == NULL)
		return;
	database_rollback(db);
	int result = sqlite3_close(db->handle);
	assert(result == SQLITE_OK); /* a statement was left */
	(void)result;
	free(db);
}

int
database_begin(struct database *db, struct error *err)
{
	return database_run(db, "BEGIN IMMEDIATE", err);
}

int
database_commit(struct database *db, struct error *err)
{
	if (database_run(db, "COMMIT", err) == 0)
		return 0;
	database_rollback(db);
	return -1;
}

void
database_rollback(struct database *db)
{
	if (!sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int
database_checkpoint(struct database *db, struct error *err)
{
	int result = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return result == SQLITE_OK ? 0 : database_fail(db, err);
}

int64_t
database_changes(const struct database *db)
{
	return sqlite3_changes64(db->handle);
}
