/* SPDX-License-Identifier: ISC
 *
 * What database.c and statement.c share. Nobody else includes it.
 */
#pragma once

#include <sqlite3.h>

#include "store/database.h"

struct database {
	sqlite3 *handle;
	char path[64];
	void (*on_lost)(void *context, const struct error *err); /* NULL: nobody watches, or it was called */
	void *context;
};

/* Makes an error of what SQLite has just said. Returns -1. */
int database_fail(struct database *db, struct error *err);
