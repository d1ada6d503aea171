/* SPDX-License-Identifier: ISC
 *
 * The message ids of an identity (doc/spec/ids.md): what its own are called outside, and which it has received.
 *
 * The outer name of an id is a keyed hash of it. The key is random, the identity's own, and never leaves mail.db, so to
 * everybody else the name is random: it tells nothing of the inner one, and two identities give one id two names. It costs no
 * look-up, and an id has the same name whenever it is asked for, also between a 250 and the transaction that writes it down.
 * What is written down is the way back, and what was received: 16 bytes for each id, and the inner one if it is our own.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "ipc/body.h"
#include "mime/threads.h"
#include "store/database.h"

#define IDS_LINES_MAX_BYTES 32768

struct ids;

/* Makes the key of a new database. */
int ids_open(struct database *db, struct ids **out, struct error *err);
void ids_free(struct ids *ids); /* takes NULL */

/* What a message that leaves is given. */
struct ids_leaving {
	char letters[THREADS_LETTERS + 1]; /* of its Message-ID */
	struct buffer map;                 /* a threads_map for PREPARE: what stands for the ids that it refers to */
	struct buffer kept;                /* for its record, and ids_keep(): outer and inner ids, a threads_map */
};

/* message: its beginning. An id that was received stays; all others get their outer name. Finish *out also after an error. */
int ids_leave(struct ids *ids, struct slice message, const char *onion, struct ids_leaving *out, struct error *err);
void ids_leaving_finish(struct ids_leaving *leaving);

/* Remembers what ids_leave() has named. In a transaction. */
int ids_keep(struct ids *ids, struct slice kept, struct error *err);

/* The ids of a message that was received: its own, and some that it refers to, the first and the last ones. Each may
 * cost a page of the database, and a stranger writes as many as they like. */
#define IDS_RECEIVED_MAX 6
#define IDS_HASH_BYTES 16
struct ids_received {
	size_t count;
	unsigned char hashes[IDS_RECEIVED_MAX][IDS_HASH_BYTES];
};
/* message: from its first octet, at least to the end of its header. Nothing is remembered yet. */
void ids_find_received(const struct ids *ids, struct slice message, struct ids_received *out);
int ids_receive(struct ids *ids, const struct ids_received *received, struct error *err); /* remembers them; in a transaction */

/* Puts the inner ids back into the beginning of a message: see threads_restore(). out: THREADS_RESTORED_MAX_BYTES. kept: what
 * ids_keep() will remember; it is known here already. */
int ids_restore(struct ids *ids, struct slice message, struct slice kept, bool has_message_id, struct buffer *out, size_t *replaced,
    struct error *err);

/* The same for one of our own that is in memory, to be shown to the owner: *body is exchanged when something was put back. */
int ids_restore_body(struct ids *ids, struct body *body, struct error *err);
