/* SPDX-License-Identifier: ISC
 *
 * content@ID's OpenPGP keys, which the parent gives it as it starts.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "openpgp/openpgp.h"

struct content_own {
	struct openpgp *pgp;  /* NULL: there are none */
	struct buffer base64; /* the public key, as in Autocrypt */
	struct buffer public_key; /* the same, binary */
};

/* Takes a file openpgp.key. After an error there are none. */
int content_own_set(struct content_own *own, struct slice file, struct error *err);

static inline struct slice
content_own_key(const struct content_own *own)
{
	return slice_of(buffer_bytes(&own->public_key), buffer_len(&own->public_key));
}

/* Appends the field Autocrypt for an address of the identity; nothing without keys. */
int content_own_autocrypt(const struct content_own *own, const char *local_part, const char *onion, struct buffer *out, struct error *err);
