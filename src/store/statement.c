/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdlib.h>

#include "store/database_internal.h"

struct statement {
	sqlite3_stmt *handle;
	struct database *db;
};

int
statement_new(struct database *db, const char *sql, struct statement **out, struct error *err)
{
	struct statement *s = calloc(1, sizeof *s);
	if (s == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	s->db = db;
	if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->handle, NULL) != SQLITE_OK) {
		free(s);
		return database_fail(db, err);
	}
	*out = s;
	return 0;
}

void
statement_free(struct statement *s)
{
	if (s == NULL)
		return;
	sqlite3_finalize(s->handle);
	free(s);
}

static void
bound(int result)
{
	assert(result == SQLITE_OK || result == SQLITE_NOMEM); /* nothing is copied, so memory is not needed */
	(void)result;
}

void
statement_bind_int(struct statement *s, int parameter, int64_t value)
{
	bound(sqlite3_bind_int64(s->handle, parameter, value));
}

void
statement_bind_text(struct statement *s, int parameter, struct slice text)
{
	bound(sqlite3_bind_text64(s->handle, parameter, text.len == 0 ? "" : (const char *)text.data, text.len,
	    SQLITE_STATIC, SQLITE_UTF8));
}

void
statement_bind_string(struct statement *s, int parameter, const char *string)
{
	statement_bind_text(s, parameter, slice_of_string(string));
}

void
statement_bind_blob(struct statement *s, int parameter, struct slice bytes)
{
	bound(sqlite3_bind_blob64(s->handle, parameter, bytes.len == 0 ? (const void *)"" : bytes.data, bytes.len,
	    SQLITE_STATIC));
}

void
statement_bind_null(struct statement *s, int parameter)
{
	bound(sqlite3_bind_null(s->handle, parameter));
}

int
statement_step(struct statement *s, struct error *err)
{
	int result = sqlite3_step(s->handle);
	if (result == SQLITE_ROW)
		return 1;
	if (result == SQLITE_DONE)
		return 0;
	database_fail(s->db, err);
	statement_reset(s);
	return -1;
}

int64_t
statement_int(const struct statement *s, int column)
{
	return sqlite3_column_int64(s->handle, column);
}

bool
statement_is_null(const struct statement *s, int column)
{
	return sqlite3_column_type(s->handle, column) == SQLITE_NULL;
}

struct slice
statement_bytes(const struct statement *s, int column)
{
	const void *bytes = sqlite3_column_blob(s->handle, column);
	return slice_of(bytes == NULL ? "" : bytes, (size_t)sqlite3_column_bytes(s->handle, column));
}

void
statement_reset(struct statement *s)
{
	sqlite3_reset(s->handle);
	sqlite3_clear_bindings(s->handle);
}

int
statement_run(struct statement *s, struct error *err)
{
	int result = statement_step(s, err);
	assert(result != 1);
	if (result == 0)
		statement_reset(s);
	return result;
}
