/* SPDX-License-Identifier: ISC
 *
 * What mailstore.c (opening, accepting, settling) and mailstore_group.c (processing) share.
 */
#pragma once

#include "queue/mailstore.h"
#include "store/filegroup.h"
#include "store/journal.h"
#include "store/maildir.h"
#include "store/syncer.h"

enum {
	MAILSTORE_LOAD, MAILSTORE_CONSUME, MAILSTORE_SEE, MAILSTORE_FORGET_SEEN, MAILSTORE_STAGE, MAILSTORE_STAGED,
	MAILSTORE_UNSTAGE, MAILSTORE_STATEMENTS
};

struct mailstore {
	int dir_fd, journal_fd, queue_fd;
	struct database *db;
	struct statement *statements[MAILSTORE_STATEMENTS];
	struct journal *journal;
	struct maildir *maildir;
	struct queue *queue;
	struct ids *ids;
	struct queueclock *clock;
	struct filegroup bodies;
	struct syncer *journal_syncer; /* NULL: no threads */
	size_t bounces;           /* records in the journal that are of our own making */
	uint64_t published_below; /* staged rows below this sequence may be deleted; 0: none */
	bool unpublished;         /* rows are in `staged` whose files were not renamed yet */
};

/* Renames all that `staged` names; published_below follows. */
int mailstore_publish_staged(struct mailstore *mailstore, struct error *err);

static inline void
mailstore_step(enum mailstore_step step)
{
	if (mailstore_on_step != NULL)
		mailstore_on_step(step);
}
