/* SPDX-License-Identifier: ISC
 *
 * Files that are named by a sequence of the journal.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

#define NUMBERED_NAME_BYTES 17

/* The name: 16 hex digits. */
void numbered_name(uint64_t sequence, char out[NUMBERED_NAME_BYTES]);

/* Creates or truncates the sequence's file, mode 0600. *fd is the caller's. */
int numbered_create(int dir_fd, uint64_t sequence, int *fd, struct error *err);
