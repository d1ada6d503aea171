/* SPDX-License-Identifier: ISC
 *
 * The journal: an append-only log of records in preallocated segment files. Layout, order of syncs and
 * recovery: doc/durability.md.
 *
 * Records are appended one by one and made durable together by journal_commit(); what is durable is
 * processed in order and then declared consumed. A failed write or sync, other than for lack of space, breaks the
 * journal for good: every later call fails with ERROR_IO, and the process must end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/slice.h"

#define JOURNAL_PARTS_MAX 6
#ifndef JOURNAL_SEGMENT_BYTES /* tests have smaller ones */
#define JOURNAL_SEGMENT_BYTES (8 * 1024 * 1024)
#endif
#define JOURNAL_SPARES_MOST 4 /* segments that are kept to be filled anew */
#define JOURNAL_PAYLOAD_MAX ((uint64_t)1 << 32)

struct journal;
struct journal_segment;
struct syncer;

/* A record as it can be read back. Borrowed from the journal until it is consumed. */
struct journal_entry {
	struct journal_entry *next;
	struct journal_segment *segment;
	uint64_t sequence;    /* never 0; larger for every later record */
	uint64_t identifiers; /* sequence .. sequence + identifiers - 1 belong to this record */
	uint64_t offset;      /* of the payload in its segment */
	uint64_t length;      /* of the payload */
	uint32_t type;
};

/* Opens the journal in a folder (borrowed) and scans it. Records below `consumed` are skipped. Everything found is
 * durable when this returns. ERROR_IO, ERROR_NO_MEMORY. */
int journal_open(int dir_fd, uint64_t consumed, struct journal **out, struct error *err);
void journal_free(struct journal *journal); /* takes NULL; commits nothing */

/* Appends a record of the parts' bytes. Not durable before journal_commit(). ERROR_NO_SPACE: nothing has changed. */
int journal_append(struct journal *journal, uint32_t type, uint64_t identifiers, const struct slice *parts,
    size_t count, uint64_t *sequence, struct error *err);

/* The same with all of a file behind the parts, copied a step at a time (file NULL: none). ERROR_PROTOCOL when it cannot be
 * read to its end, or what was copied is something else than was looked at before: nothing has changed. */
struct journal_file {
	int fd;
	uint64_t bytes;
	const unsigned char *digest; /* SHA-256 of what is to be in it; NULL: whatever is */
};
int journal_append_file(struct journal *journal, uint32_t type, uint64_t identifiers, const struct slice *parts,
    size_t count, const struct journal_file *file, uint64_t *sequence, struct error *err);
int journal_commit(struct journal *journal, struct error *err); /* waits for the disk */

/* The same without waiting: journal_sync() takes one step. 0: all that was appended is durable; 1: the syncer is at it: call
 * again when its descriptor is readable; -1: the journal is broken. What is appended meanwhile waits for the next sync.
 * The syncer is borrowed, and the journal's alone; NULL: no more of it (waits for what is under way). Without one the step waits. */
void journal_set_syncer(struct journal *journal, struct syncer *syncer);
int journal_sync(struct journal *journal, struct error *err);
uint64_t journal_durable_below(const struct journal *journal); /* records below this sequence are durable */
bool journal_is_broken(const struct journal *journal);

/* The oldest durable record that is not consumed, and the one after; NULL when there is none. */
const struct journal_entry *journal_first(const struct journal *journal);
const struct journal_entry *journal_next(const struct journal *journal, const struct journal_entry *entry);

/* Reads exactly len bytes of the payload at offset. ERROR_IO. */
int journal_read(struct journal *journal, const struct journal_entry *entry, uint64_t offset, void *out, size_t len,
    struct error *err);

/* Declares all records below sequence consumed (their effects are durable). Segments that are done are kept as spares, or deleted. */
void journal_consume(struct journal *journal, uint64_t sequence);

/* Deletes spare segments, but one: there is little mail. */
void journal_rest(struct journal *journal);

/* Not yet consumed, durable or not. */
uint64_t journal_backlog_bytes(const struct journal *journal);
size_t journal_backlog_records(const struct journal *journal);
uint64_t journal_next_sequence(const struct journal *journal);

/* The system calls that may fail for reasons of the disk; tests replace them. */
struct journal_calls {
	ssize_t (*write)(int fd, const struct iovec *iov, int count, off_t offset);
	int (*sync)(int fd);
	int (*allocate)(int fd, off_t offset, off_t len); /* returns an errno, like posix_fallocate(3) */
};
extern struct journal_calls journal_calls;
