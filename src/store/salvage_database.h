/* SPDX-License-Identifier: ISC
 *
 * What can be read in a damaged database: the message ids (doc/spec/ids.md), with which answers to what was sent before still find their
 * threads; the keys that other onions are held to (doc/spec/pins.md); and the address book (doc/spec/contacts.md).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct salvage_database {
	size_t people, pins; /* how many of the book, and how many keys of onions, are in the new database */
};

/* Begins a new mail.db in dir_fd (borrowed) with what can be read in aside/mail.db, which stays as it is. When that is nothing, or
 * anything fails, there is no mail.db, as before. Nothing proves that a row is the one which was written: only what cannot be true is
 * left out, and the queue is not taken over. To be called last, when nothing of the old state is there any more. Changes the working
 * directory meanwhile. */
void salvage_database(int dir_fd, const char *aside, struct salvage_database *out);

/* Whether mail.db in dir_fd (borrowed) is there and not damaged; found out by a copy, so it stays as it is. Changes the
 * working directory meanwhile. */
bool salvage_database_is_whole(int dir_fd);
