/* SPDX-License-Identifier: ISC
 *
 * Names of parts (Content-ID, RFC 2045 section 7) and what refers to them in HTML (cid:, RFC 2392). Programs build them of the
 * time and the host's name; in what leaves each becomes 26 letters and "@cid", the same wherever it stands.
 *
 * HTML is rewritten as it passes. Everything but the names keeps its bytes, but that base64 is broken into lines anew.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define CID_LETTERS 26
#define CID_SIZE (CID_LETTERS + 5) /* "@cid" and a NUL */
#define CID_ID_MAX_BYTES 250
#define CID_SEED_BYTES 32

enum cid_encoding { CID_PLAIN, CID_QUOTED_PRINTABLE, CID_BASE64, CID_UNKNOWN };

/* What stands for an id (without its brackets). One that was made here stands for itself, whatever the seed. */
void cid_map(const unsigned char seed[CID_SEED_BYTES], struct slice id, char out[CID_SIZE]);

struct cid {
	const unsigned char *seed; /* borrowed */
	enum cid_encoding encoding;
	unsigned char previous;    /* decoded byte */
	size_t matched;            /* of "cid:" */
	char id[CID_ID_MAX_BYTES];
	size_t id_len;
	struct buffer pending;     /* as it stood there, while it may be a reference */
	struct buffer plain;       /* to be encoded */
	unsigned bits, bit_count;  /* of base64 */
	size_t column;             /* of the line that is written, when it is plain */
};

void cid_init(struct cid *c, const unsigned char seed[CID_SEED_BYTES], enum cid_encoding encoding);
void cid_finish(struct cid *c); /* also of one that is all zero */

/* Whole lines of an HTML part; appends what is to be in their place. ERROR_INVALID when a line would become too long. */
int cid_take(struct cid *c, struct slice lines, struct buffer *out, struct error *err);
int cid_end(struct cid *c, struct buffer *out, struct error *err);
