/* SPDX-License-Identifier: ISC
 *
 * The whole of an identity's mail/ folder: the journal, and what becomes of its records in mailbox and queue.
 * The proof is doc/durability.md.
 *
 * Accepting: mailstore_receive() or mailstore_submit(), any number of times; then mailstore_commit(); only when that has
 * made them durable are the senders answered with 250. Working: mailstore_process() until it says that nothing is left.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "queue/ids.h"
#include "queue/queue.h"
#include "queue/queueclock.h"
#include "queue/record.h"

struct mailstore;

#define MAILSTORE_GROUP_RECORDS 512
#define MAILSTORE_GROUP_BYTES (8 * 1024 * 1024)
#define MAILSTORE_STEP_RECORDS 32 /* written before others have their turn, with threads */
#define MAILSTORE_GATHER_RECORDS 256 /* enough for a group */
#define MAILSTORE_SEEN_S (14 * 24 * 3600)

/* Opens the working directory as a mail/ folder, makes what is missing, and recovers. schedule is borrowed.
 * ERROR_BUSY: another process has it. ERROR_IO, ERROR_NOT_FOUND: the text says what is damaged or missing. */
int mailstore_open(const struct schedule *schedule, struct mailstore **out, struct error *err);
void mailstore_free(struct mailstore *mailstore); /* takes NULL; commits nothing */

/* Appends a message. The slices and the body are read before the call returns. ERROR_NO_SPACE,
 * ERROR_PROTOCOL (a file was not what it was said to be): nothing has changed. */
int mailstore_receive(struct mailstore *mailstore, const struct record *record, const struct body *body, struct error *err);
int mailstore_submit(struct mailstore *mailstore, const struct record *record, const struct body *body, struct error *err);
int mailstore_bounce(struct mailstore *mailstore, const struct record *record, const struct body *body, struct error *err); /* or DELAY, NOTICE */
int mailstore_ready(struct mailstore *mailstore, const struct record *record, const struct body *body, struct error *err);

/* NOTICE with positions is about something that is not the queue's: tell() marks in a transaction that the owner knows of it; *is_news: nobody
 * has before. It is called twice for each. Without it such a notice is dropped. */
typedef int mailstore_tell(void *context, const struct record *record, bool *is_news, struct error *err);
void mailstore_set_tell(struct mailstore *mailstore, mailstore_tell *tell, void *context);

/* Makes durable what was appended. 0: all of it is; 1: a thread is at it, to be called again when mailstore_commit_fd() is
 * readable; -1: it failed, and the process must end. Also then is durable what mailstore_durable_below() says. */
int mailstore_commit(struct mailstore *mailstore, struct error *err);
uint64_t mailstore_appended_below(const struct mailstore *mailstore); /* what is appended next has this sequence */
uint64_t mailstore_durable_below(const struct mailstore *mailstore);  /* records with smaller sequences are durable */

/* Lets threads wait for the disk; until then, and from mailstore_stop_threads() on, the calls do themselves. */
int mailstore_start_threads(struct mailstore *mailstore, struct error *err);
void mailstore_stop_threads(struct mailstore *mailstore);
int mailstore_commit_fd(const struct mailstore *mailstore);
int mailstore_process_fd(const struct mailstore *mailstore);

/* Processes one group of durable records, or takes a step of it. -1: not all of it was done, to be
 * tried again if the error is ERROR_NO_SPACE, ERROR_NO_MEMORY or ERROR_BUSY. */
enum mailstore_progress {
	MAILSTORE_IDLE,  /* nothing is left */
	MAILSTORE_MORE,  /* a group was done, and there is more */
	/* with threads: */
	MAILSTORE_BEGUN, /* call again in the next round of the loop */
	MAILSTORE_WAITS, /* call again when mailstore_process_fd() is readable */
	MAILSTORE_GATHERS, /* call again when more is durable, and in mailstore_gathers_ms() at the latest */
};
int mailstore_process(struct mailstore *mailstore, struct error *err);

/* With threads, a group that has few records begins its sync so long after that of the one before, or later; 0, as at first: at once. */
void mailstore_set_gathering(struct mailstore *mailstore, int64_t after_ms);
int64_t mailstore_gathers_ms(const struct mailstore *mailstore); /* what is left of that */

/* When nothing is left to process: forgets what was seen long ago, or sent. */
int mailstore_settle(struct mailstore *mailstore, struct error *err);

/* When there was no mail for a while, or is to be none: gives back space that was kept for more of it. */
void mailstore_rest(struct mailstore *mailstore);

/* Writes the clock down and checkpoints the database, before the process ends. */
int mailstore_checkpoint(struct mailstore *mailstore, struct error *err);

bool mailstore_is_broken(const struct mailstore *mailstore);          /* the process must end */
bool mailstore_has_bounce(const struct mailstore *mailstore); /* one is in the journal: compose no other now */
uint64_t mailstore_backlog_bytes(const struct mailstore *mailstore);
size_t mailstore_backlog_records(const struct mailstore *mailstore);
struct queue *mailstore_queue(struct mailstore *mailstore);           /* borrowed, as the next */
struct ids *mailstore_ids(struct mailstore *mailstore);
struct database *mailstore_database(struct mailstore *mailstore); /* mail.db, for what else is kept there */
int64_t mailstore_now_ms(const struct mailstore *mailstore);          /* of the queue clock */

/* Tests only: called when each step is done, so that a process can die there. */
enum mailstore_step {
	MAILSTORE_APPENDED, MAILSTORE_COMMITTED, MAILSTORE_WRITTEN, MAILSTORE_SYNCED, MAILSTORE_RECORDED,
	MAILSTORE_RENAMED, MAILSTORE_PUBLISHED, /* each, and all of a group */
	MAILSTORE_SETTLED, MAILSTORE_STEPS
};
extern void (*mailstore_on_step)(enum mailstore_step step);
