/* SPDX-License-Identifier: ISC
 *
 * The records that can still be read in a damaged journal. journal.h ends a segment at the first record that is not right, as it must: what
 * comes behind may be anything. Here it is looked for, and only what its checksum proves is believed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct salvage_record {
	int fd; /* of its segment, borrowed */
	uint64_t sequence, offset, length; /* of the payload in the file */
	int64_t written_s;                 /* of the segment */
};

/* A failure ends the search. */
typedef int salvage_found(void *context, const struct salvage_record *record, struct error *err);

enum salvage_which { SALVAGE_ALL, SALVAGE_SET_ASIDE };

/* Calls found() for each record in the segments in a folder (borrowed): in all, or in those that were set aside as damaged. Nothing is
 * changed. Adds to *lost the records and segments that are there and cannot be read: at least so many messages may be missing.
 * (Or one less: a record that was being written when a process died was never answered with 250.) */
int salvage_journal(int dir_fd, enum salvage_which which, salvage_found *found, void *context, size_t *lost, struct error *err);

/* Whether there are parts that were set aside; moves these to another folder. */
bool salvage_journal_is_damaged(int dir_fd);
int salvage_journal_move(int dir_fd, int to_fd, struct error *err);
