/* SPDX-License-Identifier: ISC
 *
 * The fields that say what a part of a message is (RFC 2045, RFC 2046, RFC 2183), read once and written in one way, so that
 * every reader sees the structure that was seen here. Values are flat (fold.h).
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "mime/cid.h"

#define CONTENT_BOUNDARY_MAX 200
#define CONTENT_TYPE_MAX 127

struct content {
	char type[CONTENT_TYPE_MAX + 1]; /* "text/plain", lower case; "": the field is not there */
	bool is_multipart;
	bool is_signed;                  /* its first part keeps every byte */
	char boundary[CONTENT_BOUNDARY_MAX + 1];
	enum cid_encoding encoding;
};

/* Appends the whole field, with the boundary replaced, names of parts mapped (cid.h) and only the parameters that may leave.
 * ERROR_INVALID for what two readers could read differently. */
int content_write_type(struct slice value, const char *new_boundary, const unsigned char seed[CID_SEED_BYTES],
    struct content *content, struct buffer *out, struct error *err);

/* Content-Transfer-Encoding, in lower case. */
int content_write_encoding(struct slice value, struct content *content, struct buffer *out, struct error *err);

/* Content-ID: what stands in brackets, mapped; nothing when there are none. */
int content_write_id(struct slice value, const unsigned char seed[CID_SEED_BYTES], struct buffer *out, struct error *err);

/* Content-Disposition: the kind and the file's name, without its path. */
int content_write_disposition(struct slice value, struct buffer *out, struct error *err);
