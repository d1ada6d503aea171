/* SPDX-License-Identifier: ISC
 *
 * Passwords as Argon2id hashes (RFC 9106) in the text form "$argon2id$v=19$m=16384,t=3,p=1$SALT$HASH".
 * random_init() comes first.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"

#define PASSWORD_MAX_BYTES 1024
#define PASSWORD_HASH_MAX 128 /* with the NUL */

/* Three passes over 16 MiB: about 20 ms. Makes the NUL-terminated text form. ERROR_INVALID for an empty or
 * overlong password, ERROR_NO_MEMORY. */
int password_hash(struct slice password, char out[PASSWORD_HASH_MAX], struct error *err);

/* Whether the password belongs to the hash, in about the time that password_hash() takes. A malformed hash belongs
 * to no password; hash NULL stands for a login that does not exist: the same work, always false. */
bool password_verify(const char *hash, struct slice password);

/* Whether the hash is one that password_hash() could have made: a foreign one might ask for any amount of memory. */
bool password_is_usual(const char *hash);
