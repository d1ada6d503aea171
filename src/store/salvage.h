/* SPDX-License-Identifier: ISC
 *
 * What can be had from a mail/ folder whose database is damaged, without it.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

#define SALVAGE_FOLDER "Recovered" /* the mailbox */

/* Copies every message that journal/, queue/ and staging/ hold into the mailbox, where none is twice after another call. Then
 * moves these three and the database, as they are, into a new folder `aside` in dir_fd (borrowed): the next start begins
 * with an empty queue, and with the message ids that can still be read (salvage_ids.h). Nothing is deleted, and what was published stays. No process may have the folder open.
 *
 * Without the database nobody can say which were delivered, so nothing is sent again by itself.
 * ERROR_EXISTS when there is such a folder; after other errors nothing was moved, or it can be tried again. */
int salvage_mail(int dir_fd, const char *aside, size_t *count, struct error *err);
