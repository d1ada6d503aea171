/* SPDX-License-Identifier: ISC
 *
 * The message ids of a header, by which mail programs make threads: Message-ID, In-Reply-To and References
 * (RFC 5322 3.6.4). Those that leave an identity are replaced (doc/spec/ids.md); this is the part of it that knows how they
 * stand in a message. It needs nothing, so that mail@ID can use it too: it compares bytes, copies nothing, and works on
 * whatever a stranger wrote.
 *
 * An id is '<', printable ASCII without '<', '>' and white space, '>': what mail programs really write. Anything else in
 * these fields (comments, words, folding inside an id, ids of more than THREADS_ID_MAX_BYTES) is none.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define THREADS_ID_MAX_BYTES 250   /* with the brackets */
#define THREADS_REPLIES_MAX 4      /* ids of In-Reply-To: the first */
#define THREADS_REFERENCES_MAX 32  /* ids of References: the first one, and the last of the others */
#define THREADS_IDS_MAX (1 + THREADS_REPLIES_MAX + THREADS_REFERENCES_MAX)
#define THREADS_LETTERS 26         /* of an outer id, <letters@onion>: random_name() */
#define THREADS_OUTER_SIZE (THREADS_LETTERS + 62 + 4)
#define THREADS_SCAN_BYTES 65536   /* of a message: what stands behind is not seen */

/* The ids of a message, borrowed from its bytes. */
struct threads {
	struct slice message_id; /* of the first such field; empty when there is none */
	struct slice replies[THREADS_REPLIES_MAX];
	struct slice references[THREADS_REFERENCES_MAX];
	size_t reply_count, reference_count;
};

/* One pass over the header, of which no more than THREADS_SCAN_BYTES are looked at. Lines end in CRLF; what is no field is
 * passed over. */
void threads_find(struct slice message, struct threads *out);

/* All of them in the order in which they stand in the message; returns how many. */
size_t threads_list(const struct threads *threads, struct slice out[THREADS_IDS_MAX]);

void threads_outer(const char letters[THREADS_LETTERS + 1], const char *onion, char out[THREADS_OUTER_SIZE]);

/* What stands for an id: lines "id other-id\n". */
int threads_map_add(struct buffer *map, struct slice id, struct slice other, struct error *err);
/* Takes the first line off. false at the end, or when malformed. */
bool threads_map_next(struct slice *map, struct slice *id, struct slice *other);
bool threads_map_find(struct slice map, struct slice id, struct slice *other); /* *other is borrowed from it */

/* Writes a field with what stands for these ids, one in a line; ids that the map does not know are left out, and a field
 * without ids, too. */
int threads_put_field(struct buffer *out, const char *name, const struct slice *ids, size_t count, struct slice map,
    struct error *err);

/* Writes the message up to the end of the last id that the map has something for, with that in its place; *replaced becomes
 * how many bytes of the message it stands for: 0 if there is none. has_message_id: also that of Message-ID. */
#define THREADS_RESTORED_MAX_BYTES (THREADS_SCAN_BYTES + THREADS_IDS_MAX * THREADS_ID_MAX_BYTES)
int threads_restore(struct slice message, bool has_message_id, struct slice map, struct buffer *out, size_t *replaced,
    struct error *err);
