/* SPDX-License-Identifier: ISC
 *
 * A whole identity into one encrypted file (doc/export.md). random_init() comes first.
 */
#pragma once

#include <stdbool.h>

#include "archive/seal.h"
#include "identity/identity.h"

/* Writes identity name to out_fd, which the caller makes durable. Nobody else may change the folder meanwhile: its mail
 * role does not run. wants_end is asked for each 64 KiB or more often; true ends it with ERROR_TIMEOUT. It may be NULL.
 * ERROR_NOT_FOUND, ERROR_INVALID when the folder holds anything but folders and regular files. */
int export_identity(int identities_fd, const char *name, int out_fd, struct slice passphrase, struct seal_cost cost,
    bool (*wants_end)(void), struct error *err);
