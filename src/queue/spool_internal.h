/* SPDX-License-Identifier: ISC
 *
 * What spool.c (opening, accepting, settling) and group.c (processing) share.
 */
#pragma once

#include "queue/spool.h"
#include "store/filegroup.h"
#include "store/journal.h"
#include "store/maildir.h"

enum {
	SPOOL_LOAD, SPOOL_CONSUME, SPOOL_SEE, SPOOL_FORGET_SEEN, SPOOL_STAGE, SPOOL_STAGED, SPOOL_UNSTAGE, SPOOL_STATEMENTS
};

struct spool {
	int dir_fd, journal_fd, queue_fd;
	struct database *db;
	struct statement *statements[SPOOL_STATEMENTS];
	struct journal *journal;
	struct maildir *maildir;
	struct queue *queue;
	struct queueclock *clock;
	struct filegroup bodies;
	size_t bounces;           /* BOUNCE records in the journal */
	uint64_t published_below; /* staged rows below this sequence may be deleted; 0: none */
	bool unpublished;         /* rows are in `staged` whose files were not renamed yet */
};

/* Renames all that `staged` names; published_below follows. */
int spool_publish_staged(struct spool *spool, struct error *err);

static inline void
spool_step(enum spool_step step)
{
	if (spool_on_step != NULL)
		spool_on_step(step);
}
