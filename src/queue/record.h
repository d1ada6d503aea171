/* SPDX-License-Identifier: ISC
 *
 * What stands in the journal's records. A payload is the length of a head (32 bits, little-endian), the head, and the
 * body as it was on the wire. The head is a list of strings (ipc/pack.h):
 *
 *   flags (1 byte), arrival (8 bytes, wall clock in ms) and the rest: ids of SUBMITTED, verdict of RECEIVED; reverse-path; then
 *   RECEIVED   hash (32 bytes), recipients
 *   SUBMITTED  for each destination: onion ("": the own mailbox), number of recipients (2 bytes), recipients
 *   BOUNCE     item (8 bytes), positions of the recipients it reports (4 bytes each)
 *   DELAY      body of the message that is late (8 bytes)
 *   NOTICE     pin that is violated (8 bytes); or what another module tells of: a number of its own, and a word of its own behind it
 *   READY      item that waited for keys (8 bytes): the body is what is sent
 */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "ipc/body.h"

#define RECORD_HASH_BYTES 32
#define RECORD_VERDICT_MAX 2048
#define RECORD_HEAD_MAX (256 * 1024)

enum record_type {
	RECORD_RECEIVED = 1,
	RECORD_SUBMITTED = 2,
	RECORD_BOUNCE = 3,
	RECORD_DELAY = 4,
	RECORD_NOTICE = 5,
	RECORD_READY = 6,
};

struct record {
	enum record_type type;
	uint8_t flags; /* enum ipc_body_flags */
	int64_t arrival_ms;
	struct slice ids;      /* SUBMITTED: what ids_keep() takes */
	struct slice verdict;  /* RECEIVED: the line about it, with its CRLF, for the top of the mailbox copy; or nothing */
	struct slice front;    /* when appending: stands before the body, as a part of it */
	struct slice reverse_path;
	unsigned char hash[RECORD_HASH_BYTES]; /* RECEIVED */
	const unsigned char *file_digest;      /* when appending: SHA-256 of a body in a file, as it was when it was looked at; NULL: nobody did */
	struct slice recipients;               /* RECEIVED: packed */
	struct slice destinations;             /* SUBMITTED: see record_next_destination() */
	uint64_t item;                         /* BOUNCE, READY; DELAY: the body; NOTICE: the pin, or a number of mailstore_set_tell()'s */
	struct slice positions;                /* BOUNCE: packed; NOTICE: empty, or a word of mailstore_set_tell()'s */
};

/* Whether it is of our own making: BOUNCE, DELAY, NOTICE. One such is in the journal at a time. */
bool record_is_own(uint32_t type);

/* Appends length and head. ERROR_TOO_LARGE. */
int record_encode(const struct record *record, struct buffer *out, struct error *err);

/* Fills *record from a head without its length; slices borrow from it. ERROR_INVALID. */
int record_decode(enum record_type type, struct slice head, struct record *record, struct error *err);

/* Appends a destination to a list for record.destinations. recipients is packed and not empty. */
int record_add_destination(struct buffer *destinations, struct slice onion, struct slice recipients, struct error *err);

/* Takes the next destination off the list. false at the end, or when malformed: then the list is not empty. */
bool record_next_destination(struct slice *destinations, struct slice *onion, struct slice *recipients);

int record_add_position(struct buffer *positions, uint32_t position, struct error *err);
bool record_next_position(struct slice *positions, uint32_t *position);

/* What makes two deliveries the same: BLAKE2b-256 over reverse-path, sorted recipients and body. ERROR_INVALID when
 * recipients is not a packed list, ERROR_NO_MEMORY, ERROR_IO when a file cannot be read. */
int record_hash(struct slice reverse_path, struct slice recipients, const struct body *body,
    unsigned char hash[RECORD_HASH_BYTES], struct error *err);
