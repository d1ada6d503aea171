/* SPDX-License-Identifier: ISC
 *
 * An identity's OpenPGP keys, as its file openpgp.key has them: secret keys, binary and unprotected, one behind the other. The first
 * is the present one; the others are kept because mail is encrypted to them.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "identity/identity.h"
#include "openpgp/openpgp.h"

/* A new one for the identity's address, made on the day on which the identity was. */
int openpgpkey_make(const struct identity *identity, struct buffer *out, struct error *err);

/* Wipes a buffer that held one, and gives it back. */
void openpgpkey_wipe(struct buffer *key);

/* The keys of the file. ERROR_INVALID, ERROR_TOO_LARGE: more than OPENPGP_OWN_KEYS_MAX. */
int openpgpkey_list(struct slice file, struct slice keys[OPENPGP_OWN_KEYS_MAX], size_t *count, struct error *err);

/* Appends the file with another key before the others, which must not be among them: ERROR_EXISTS, ERROR_INVALID, ERROR_TOO_LARGE. */
int openpgpkey_put_first(struct slice file, struct slice key, struct buffer *out, struct error *err);
