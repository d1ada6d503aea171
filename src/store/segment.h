/* SPDX-License-Identifier: ISC
 *
 * One segment file of the journal (doc/durability.md): filled, kept as a spare once its records are done with, and filled anew.
 * For journal.c only.
 */
#pragma once

#include "store/journal.h"

#define SEGMENT_HEADER_BYTES 64
#define SEGMENT_RECORD_HEADER_BYTES 64
#define SEGMENT_SALT_BYTES 16
#define SEGMENT_NAME_BYTES 17 /* 16 hex digits and a NUL */

struct journal_segment {
	struct journal_segment *next;
	int fd;
	uint64_t number;         /* of this use */
	uint64_t named;          /* in its file name: that of a former use, if the power failed after its last renaming */
	uint64_t first_sequence; /* 0: a spare, with nothing of worth in it */
	uint64_t capacity; /* of the file, in bytes */
	uint64_t end;      /* where the next record goes */
	size_t pending;    /* records not consumed */
	bool damaged;      /* to be kept for inspection */
	unsigned char salt[SEGMENT_SALT_BYTES];
};

/* A record header, decoded. */
struct segment_record {
	uint32_t type;
	uint64_t sequence;
	uint64_t identifiers;
	uint64_t length; /* of the payload */
	uint64_t durable_below; /* records below this sequence were durable when it was written; 0: not known */
};

/* 0: a header of a segment; its first sequence is 0 in that of a spare. -1: it is damaged, or none. */
int segment_decode_header(const unsigned char header[SEGMENT_HEADER_BYTES], struct journal_segment *out);

/* What a record of this payload takes in a segment. */
uint64_t segment_record_bytes(uint64_t payload_bytes);

/* Makes a segment that is durable and ready, with room for at least `room` bytes of records. ERROR_NO_SPACE and others:
 * no file remains. */
int segment_create(int dir_fd, uint64_t number, uint64_t first_sequence, uint64_t room, struct journal_segment **out,
    struct error *err);

/* Opens the one with that name. ERROR_NOT_FOUND: never used (all zeros); ERROR_INVALID: its header is damaged. */
int segment_open(int dir_fd, uint64_t named, struct journal_segment **out, struct error *err);
void segment_free(struct journal_segment *segment);
void segment_remove(int dir_fd, struct journal_segment *segment); /* the file, too, or sets it aside if damaged */
void segment_set_aside(int dir_fd, uint64_t named);

/* Makes a spare of a segment whose records are consumed. false: it is not fit for that, and to be removed. */
bool segment_retire(struct journal_segment *segment);

/* Begins a spare anew. Nothing of it is durable before the segment is synced. ERROR_NO_SPACE and others: it is a spare as before. */
int segment_reuse(int dir_fd, struct journal_segment *segment, uint64_t number, uint64_t first_sequence, struct error *err);

/* Writes a record at the end, and at least 8 zeros behind it, and moves the end. The payload is the parts and then the whole file (NULL: none).
 * ERROR_PROTOCOL when the file cannot be read: nothing has changed. */
int segment_write(struct journal_segment *segment, const struct segment_record *record, const struct slice *parts,
    size_t count, const struct journal_file *file, struct error *err);

/* Checks the record at the end. 1: valid, *record filled, the end moved behind it; 0: no valid record is there;
 * -1: ERROR_IO. */
int segment_scan(struct journal_segment *segment, uint64_t expected_sequence, struct segment_record *record,
    struct error *err);

/* Whether a record behind the end, where expected_sequence is not, proves that it was durable once; those of `consumed` are wanted no more. */
bool segment_proves_loss(const struct journal_segment *segment, uint64_t expected_sequence, uint64_t consumed);

int segment_read(const struct journal_segment *segment, uint64_t offset, void *out, size_t len, struct error *err);
