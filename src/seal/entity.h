/* SPDX-License-Identifier: ISC
 *
 * A message or a part of one as ranges of its own bytes (RFC 2045, RFC 2046 section 5.1): what PGP/MIME needs of it. What two
 * readers could read differently is refused.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"
#include "mime/content.h"

#define ENTITY_PARTS_MAX 8

/* Borrowed from the bytes. */
struct entity {
	char type[CONTENT_TYPE_MAX + 1]; /* lower case; "text/plain" when nothing is said */
	char boundary[CONTENT_BOUNDARY_MAX + 1]; /* "": none that can be read in one way only */
	char protocol[CONTENT_TYPE_MAX + 1];     /* lower case, of multipart/signed and encrypted */
	bool has_protected_headers; /* RFC 9788's hp=, or protected-headers= of the drafts before it */
	bool is_encoded;            /* base64, quoted-printable, or unknown */
	struct slice header;        /* the fields, without the empty line */
	struct slice body;
};

/* ERROR_INVALID: the header is malformed, or says twice what it is; ERROR_TOO_LARGE, ERROR_NO_MEMORY. */
int entity_read(struct slice bytes, struct entity *out, struct error *err);

/* The parts of a multipart: each is what lies between two boundary lines, without the line end before the second one. ERROR_INVALID when
 * it does not end, or has more than max parts. */
int entity_split(const struct entity *entity, struct slice *parts, size_t max, size_t *count, struct error *err);
