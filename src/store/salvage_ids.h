/* SPDX-License-Identifier: ISC
 *
 * What can be read of the message ids (doc/spec/ids.md) in a damaged database: with them, answers to what was sent before still
 * find their threads.
 */
#pragma once

#include <stdbool.h>

/* Begins a new mail.db in dir_fd (borrowed) with the ids that can be read in aside/mail.db, which stays as it is. When there are
 * none, or anything fails, there is no mail.db, as before: nothing but threads depends on it. To be called last, when
 * nothing of the old state is there any more. Changes the working directory meanwhile. */
void salvage_ids(int dir_fd, const char *aside);

/* Whether mail.db in dir_fd (borrowed) is there and not damaged; found out by a copy, so it stays as it is. Changes the
 * working directory meanwhile. */
bool salvage_database_is_whole(int dir_fd);
