/* SPDX-License-Identifier: ISC */
#include "queue/sessions.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/database.h"

enum { FIND, KEEP, FORGET, FORGET_OLD, FORGET_MANY, STATEMENTS };

static const char *const versions[] = {
	"CREATE TABLE sessions ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, onion TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL,"
	"  kept_s INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;",
};

static const char *const sql[STATEMENTS] = {
	[FIND] = "SELECT fingerprint, kept_s, bytes FROM sessions WHERE onion = ?1",
	[KEEP] = "REPLACE INTO sessions (onion, fingerprint, kept_s, bytes) VALUES (?1, ?2, ?3, ?4)",
	[FORGET] = "DELETE FROM sessions WHERE onion = ?1",
	/* Also what is of the future: the clock was wrong then, and tells no age. */
	[FORGET_OLD] = "DELETE FROM sessions WHERE kept_s < ?1 OR kept_s > ?2",
	/* The id counts up with each that is kept. */
	[FORGET_MANY] = "DELETE FROM sessions WHERE id NOT IN (SELECT id FROM sessions ORDER BY id DESC LIMIT ?1)",
};

struct sessions {
	struct database *db; /* NULL: done without */
	struct statement *statements[STATEMENTS];
};

static void
close_file(struct sessions *s)
{
	for (size_t i = 0; i < STATEMENTS; i++)
		statement_free(s->statements[i]);
	database_close(s->db);
	*s = (struct sessions){ 0 };
}

static int
open_file(struct sessions *s, struct error *err)
{
	int result = database_open(SESSIONS_FILE, true, versions, sizeof versions / sizeof *versions, &s->db, err);
	if (result == 0)
		result = database_run(s->db, "PRAGMA synchronous = OFF", err);
	if (result == 0)
		result = database_run(s->db, "PRAGMA secure_delete = ON", err); /* they are secrets, if small ones */
	for (size_t i = 0; result == 0 && i < STATEMENTS; i++)
		result = statement_new(s->db, sql[i], &s->statements[i], err);
	if (result != 0)
		close_file(s);
	return result;
}

static void
do_without(struct sessions *s, const struct error *err)
{
	log_warn("TLS sessions are not resumed until this starts again: %s", err->text);
	close_file(s);
}

struct sessions *
sessions_open(void)
{
	struct sessions *s = calloc(1, sizeof *s);
	struct error err = { 0 };
	assert(s != NULL);
	if (open_file(s, &err) == 0)
		return s;
	if (err.code == ERROR_DAMAGED || err.code == ERROR_UNSUPPORTED) {
		unlink(SESSIONS_FILE);
		unlink(SESSIONS_FILE "-wal");
		if (open_file(s, &err) == 0)
			return s;
	}
	do_without(s, &err);
	return s;
}

void
sessions_free(struct sessions *s)
{
	if (s == NULL)
		return;
	close_file(s);
	free(s);
}

bool
sessions_find(struct sessions *s, const char *onion, const char *fingerprint, int64_t now_s, struct session_kept *out)
{
	struct error err = { 0 };
	out->len = 0;
	if (s->db == NULL)
		return false;
	struct statement *find = s->statements[FIND];
	statement_bind_string(find, 1, onion);
	int row = statement_step(find, &err);
	bool is_good = false;
	if (row == 1) {
		int64_t age_s = now_s - statement_int(find, 1);
		struct slice bytes = statement_bytes(find, 2);
		is_good = slice_is(statement_bytes(find, 0), fingerprint) && age_s >= 0 && age_s < SESSIONS_AGE_MAX_S &&
		    bytes.len > 0 && bytes.len <= sizeof out->bytes;
		if (is_good) {
			memcpy(out->bytes, bytes.data, bytes.len);
			out->len = bytes.len;
		}
	}
	if (row >= 0)
		statement_reset(find);
	else
		do_without(s, &err);
	if (row == 1 && !is_good)
		sessions_forget(s, onion);
	return is_good;
}

static void
run(struct sessions *s, int which)
{
	struct error err = { 0 };
	if (s->db != NULL && statement_run(s->statements[which], &err) != 0)
		do_without(s, &err);
}

void
sessions_keep(struct sessions *s, const char *onion, const char *fingerprint, struct slice bytes, int64_t now_s)
{
	if (s->db == NULL || bytes.len == 0 || bytes.len > IPC_RESUME_MAX)
		return;
	statement_bind_string(s->statements[KEEP], 1, onion);
	statement_bind_string(s->statements[KEEP], 2, fingerprint);
	statement_bind_int(s->statements[KEEP], 3, now_s);
	statement_bind_blob(s->statements[KEEP], 4, bytes);
	run(s, KEEP);
	if (s->db == NULL)
		return;
	statement_bind_int(s->statements[FORGET_OLD], 1, now_s - SESSIONS_AGE_MAX_S);
	statement_bind_int(s->statements[FORGET_OLD], 2, now_s);
	run(s, FORGET_OLD);
	if (s->db == NULL)
		return;
	statement_bind_int(s->statements[FORGET_MANY], 1, SESSIONS_MAX);
	run(s, FORGET_MANY);
}

void
sessions_forget(struct sessions *s, const char *onion)
{
	if (s->db == NULL)
		return;
	statement_bind_string(s->statements[FORGET], 1, onion);
	run(s, FORGET);
}
