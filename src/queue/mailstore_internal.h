/* SPDX-License-Identifier: ISC
 *
 * What mailstore.c (opening, accepting, settling) and mailstore_group.c (processing) share.
 */
#pragma once

#include "queue/mailstore.h"
#include "store/journal.h"
#include "store/maildir.h"
#include "store/numbered.h"
#include "store/syncer.h"

enum {
	MAILSTORE_LOAD, MAILSTORE_CONSUME, MAILSTORE_HAS_SEEN, MAILSTORE_SEE, MAILSTORE_FORGET_SEEN, MAILSTORE_STAGED, MAILSTORE_UNSTAGE,
	MAILSTORE_STATEMENTS
};

struct mailstore_group;

struct mailstore {
	int dir_fd, journal_fd, queue_fd;
	struct database *db;
	struct statement *statements[MAILSTORE_STATEMENTS];
	struct journal *journal;
	struct maildir *maildir;
	struct queue *queue;
	struct ids *ids;
	struct queueclock *clock;
	struct mailstore_group *group;
	struct syncer *journal_syncer, *group_syncer; /* NULL: no threads */
	mailstore_tell *tell; /* NULL: there is none */
	void *tell_context;
	size_t bounces;    /* records in the journal that are of our own making */
	uint64_t consumed; /* as in the database: what is staged below it is to be published */
	bool unpublished;  /* and some of it is not */
};

int mailstore_group_new(struct mailstore_group **out, struct error *err);
void mailstore_group_free(struct mailstore_group *group); /* takes NULL; the thread must have ended */

/* Waits for the group's sync that is under way, and keeps its result. */
void mailstore_group_wait(struct mailstore *mailstore);

/* Renames all that was staged and recorded. */
int mailstore_publish(struct mailstore *mailstore, struct error *err);

static inline void
mailstore_step(enum mailstore_step step)
{
	if (mailstore_on_step != NULL)
		mailstore_on_step(step);
}
