/* SPDX-License-Identifier: ISC
 *
 * What can be had from a mail/ folder whose database is damaged, without it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "store/salvage_database.h"

#define SALVAGE_FOLDER "Recovered" /* the mailbox */

struct salvage_report {
	size_t recovered; /* messages in the mailbox */
	size_t lost;      /* that are there and cannot be read, or not to their end */
	bool is_whole;    /* the database is: only parts of the journal were damaged, and the queue is as it was */
	struct salvage_database kept; /* of a database that is not */
};

/* Copies every message that can be read in journal/, queue/ and staging/ into the mailbox, where none is twice after another call. Then
 * moves these three and the database, as they are, into a new folder `aside` in dir_fd (borrowed): the next start begins
 * with an empty queue, and with what can still be read of the database
 * (salvage_database.h). Nothing is deleted, and what was published stays. No process may have the folder open.
 *
 * Without the database nobody can say which were delivered, so nothing is sent again by itself. When the database is whole, and
 * parts of the journal were set aside as damaged, then only what can be read of these is copied, and they alone are moved.
 * ERROR_EXISTS when there is such a folder; after other errors nothing was moved, or it can be tried again. */
int salvage_mail(int dir_fd, const char *aside, struct salvage_report *report, struct error *err);
