/* SPDX-License-Identifier: ISC
 *
 * SQLite behind a small wrapper: WAL, synchronous=FULL, held exclusively by one process. The only module that
 * includes sqlite3.h.
 *
 * A database that is damaged is never replaced: every call fails with ERROR_DAMAGED and a text that says so.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct database;
struct statement;

/* Opens path (relative to the working directory) and brings its schema to the last version. versions[i] is the SQL
 * that leads from version i to i + 1. may_create: a missing file is made; else ERROR_DAMAGED.
 * ERROR_BUSY when another process holds it, ERROR_DAMAGED when it is damaged, ERROR_UNSUPPORTED when its
 * schema is newer than this program. */
int database_open(const char *path, bool may_create, const char *const *versions, unsigned count,
    struct database **out, struct error *err);
/* To read what can be read, of a file that may be damaged in any way: nothing is checked, and steps fail where it is. It may be
 * written to. */
int database_open_damaged(const char *path, struct database **out, struct error *err);
void database_close(struct database *db); /* checkpoints; takes NULL; finalise all statements first */

/* What a call failed with means that the database is of no more use to this process: it is damaged, or reading or writing
 * it failed. Not so a full disk, or a lack of memory. */
bool database_is_lost(const struct error *err);

/* on_lost is called when the disk or the file has failed an operation, whatever its caller makes of that: after a sync that failed nobody knows what is on the
 * disk. Once, from inside the call; it must not use the database. */
void database_watch(struct database *db, void (*on_lost)(void *context, const struct error *err), void *context);

int database_begin(struct database *db, struct error *err);
int database_commit(struct database *db, struct error *err); /* durable on return; rolls back when it fails */
void database_rollback(struct database *db); /* nothing when no transaction is open */
int database_run(struct database *db, const char *sql, struct error *err); /* statements without results */
int database_checkpoint(struct database *db, struct error *err);
int64_t database_changes(const struct database *db); /* rows changed by the last statement */

/* A prepared statement, kept for the life of the database. SQL that does not compile is our mistake, but a damaged
 * schema may show here as well: ERROR_IO. */
int statement_new(struct database *db, const char *sql, struct statement **out, struct error *err);
void statement_free(struct statement *s); /* takes NULL */

/* Parameters are ?1, ?2, ... Bound bytes are borrowed until statement_reset(). */
void statement_bind_int(struct statement *s, int parameter, int64_t value);
void statement_bind_text(struct statement *s, int parameter, struct slice text);
void statement_bind_string(struct statement *s, int parameter, const char *string);
void statement_bind_blob(struct statement *s, int parameter, struct slice bytes);
void statement_bind_null(struct statement *s, int parameter);

/* 1: a row; 0: no more; -1: failed (the statement is reset). Columns count from 0 and are borrowed until the next
 * step or reset. */
int statement_step(struct statement *s, struct error *err);
int64_t statement_int(const struct statement *s, int column);
bool statement_is_null(const struct statement *s, int column);
struct slice statement_bytes(const struct statement *s, int column); /* text or blob */
void statement_reset(struct statement *s); /* also clears the parameters */

/* Steps a statement that gives no rows, and resets it. */
int statement_run(struct statement *s, struct error *err);
