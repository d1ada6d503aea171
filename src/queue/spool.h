/* SPDX-License-Identifier: ISC
 *
 * The whole of an identity's mail/ folder: the journal, and what becomes of its records in mailbox and queue. The proof is
 * doc/durability.md; the steps there and here have the same names.
 *
 * Accepting: spool_receive() or spool_submit(), any number of times; then one spool_commit(); only then are the
 * senders answered with 250. Working: spool_process() until it says that nothing is left.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "queue/queue.h"
#include "queue/queueclock.h"
#include "queue/record.h"

struct spool;

#define SPOOL_GROUP_RECORDS 64
#define SPOOL_GROUP_BYTES (8 * 1024 * 1024)
#define SPOOL_SEEN_S (14 * 24 * 3600)

/* Opens the working directory as a mail/ folder, makes what is missing, and recovers. schedule is borrowed.
 * ERROR_BUSY: another process has it. ERROR_IO, ERROR_NOT_FOUND: the text says what is damaged or missing. */
int spool_open(const struct schedule *schedule, struct spool **out, struct error *err);
void spool_free(struct spool *spool); /* takes NULL; commits nothing */

/* Appends a message. The slices are read before the call returns. ERROR_NO_SPACE: nothing has changed. */
int spool_receive(struct spool *spool, const struct record *record, struct slice body, struct error *err);
int spool_submit(struct spool *spool, const struct record *record, struct slice body, struct error *err);
int spool_bounce(struct spool *spool, const struct record *record, struct slice body, struct error *err);
int spool_commit(struct spool *spool, struct error *err);

/* Processes one group of durable records. 1: there is more; 0: nothing is left; -1: nothing of the group was done, to be tried
 * again if the error is ERROR_NO_SPACE, ERROR_NO_MEMORY or ERROR_BUSY. */
int spool_process(struct spool *spool, struct error *err);

/* When nothing is left to process: forgets what was published, seen long ago, or sent. */
int spool_settle(struct spool *spool, struct error *err);

/* Writes the clock down and checkpoints the database, before the process ends. */
int spool_checkpoint(struct spool *spool, struct error *err);

bool spool_is_broken(const struct spool *spool);          /* the process must end */
bool spool_has_bounce(const struct spool *spool);         /* a BOUNCE is in the journal: compose no other now */
uint64_t spool_backlog_bytes(const struct spool *spool);
size_t spool_backlog_records(const struct spool *spool);
struct queue *spool_queue(struct spool *spool);           /* borrowed */
int64_t spool_now_ms(const struct spool *spool);          /* of the queue clock */

/* Tests only: called when each step is done, so that a process can die there. */
enum spool_step {
	SPOOL_APPENDED, SPOOL_COMMITTED, SPOOL_WRITTEN, SPOOL_SYNCED, SPOOL_RECORDED, SPOOL_RENAMED, SPOOL_PUBLISHED,
	SPOOL_SETTLED, SPOOL_STEPS
};
extern void (*spool_on_step)(enum spool_step step);
