/* SPDX-License-Identifier: ISC
 *
 * An identity from one encrypted file (doc/export.md). What is read is foreign: it becomes an identity only when all of
 * it has been read, vouched for and found to belong together; else nothing is left of it. random_init() comes first.
 */
#pragma once

#include <stdbool.h>

#include "identity/identity.h"
#include "identity/recovery.h"

/* Makes the identity of the file at in_fd, durable, under name or, when that is NULL, under the name that it had.
 * wants_end as for export_identity(). ERROR_EXISTS when the name or the address is taken; seal_reader_new()'s and
 * seal_read()'s errors; ERROR_INVALID when the parts do not belong together. */
int import_identity(int identities_fd, const char *name, int in_fd, struct slice passphrase, bool (*wants_end)(void),
    struct identity *out, struct error *err);

/* Only the recovery key of an exported file, which is read to its end all the same. ERROR_NOT_FOUND: it is not in it; others as above. */
int import_recovery(int in_fd, struct slice passphrase, struct recovery *out, struct error *err);
