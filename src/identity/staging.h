/* SPDX-License-Identifier: ISC
 *
 * A folder that is filled under a hidden name and then renamed, so that an identity is whole or not there. One writer
 * at a time holds the lock; hidden folders that it finds are left over from a crash and go first, since they hold keys.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

#define STAGING_HIDDEN_LEN 17 /* a dot and 16 random letters */

struct staging {
	int identities_fd, lock_fd;
	int fd; /* the folder to fill; -1 when there is none */
	char hidden[STAGING_HIDDEN_LEN + 1];
};

#define STAGING_NONE { -1, -1, -1, "" }

/* Waits for the lock. identities_fd is borrowed until staging_finish(). */
int staging_lock(struct staging *s, int identities_fd, struct error *err);

/* With the lock: clears what was left, makes the folder. ERROR_EXISTS when name is taken. */
int staging_make(struct staging *s, const char *name, struct error *err);

/* Puts the folder in its place, durable. Its files must be durable already. */
int staging_commit(struct staging *s, const char *name, struct error *err);

/* With the lock: renames name away and removes it. *is_missing: there was none. */
int staging_remove(struct staging *s, const char *name, bool *is_missing, struct error *err);

/* Removes what was not committed, and unlocks. May be called of what was never locked. */
void staging_finish(struct staging *s);
