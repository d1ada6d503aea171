/* SPDX-License-Identifier: ISC
 *
 * The header field Autocrypt (Autocrypt Level 1, version 1.1, section 2.1): a sender's OpenPGP key, offered in the open. Whether it may
 * be believed is for whoever knows the message's proof to say.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "openpgp/openpgp.h"

#define AUTOCRYPT_FIELD "Autocrypt"
/* Of a field, folded: the key in base64, and what stands around it. */
#define AUTOCRYPT_MAX_BYTES (2 * OPENPGP_AUTOCRYPT_MAX_BYTES)

struct autocrypt {
	bool prefers_encryption; /* prefer-encrypt=mutual */
	struct openpgp_key key;  /* whose user id may be anything: the address it is for is that in From */
};

/* Appends the whole field. keydata: openpgp_autocrypt(). No line is longer than 76 bytes, but for that of a very long address. */
int autocrypt_write(const char *address, bool prefers_encryption, struct slice keydata, struct buffer *out, struct error *err);

/* The one valid field in the header of a message whose one From address is `from`: 1, with the key, binary, appended to an empty buffer of
 * OPENPGP_AUTOCRYPT_MAX_BYTES; 0: there is none, or are several, or a message of its type counts for nothing (multipart/report); -1:
 * ERROR_INVALID and ERROR_TOO_LARGE when the header itself is malformed, ERROR_NO_MEMORY. Attributes that are unknown and do not begin with
 * '_' make a field invalid; so does any other address, and a key that openpgp_autocrypt_scan() refuses or that nobody can encrypt to. */
#define AUTOCRYPT_TRIED_MAX 4 /* of a message with more of them none counts */
int autocrypt_find(struct slice header, const char *from, struct autocrypt *out, struct buffer *key, struct error *err);
