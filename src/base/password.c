/* SPDX-License-Identifier: ISC */
#include "base/password.h"

#include <assert.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PASSES 3
#define MEMORY_BYTES ((size_t)16 * 1024 * 1024)

static_assert(PASSWORD_HASH_MAX >= crypto_pwhash_STRBYTES, "the text form fits");

int
password_hash(struct slice password, char out[PASSWORD_HASH_MAX], struct error *err)
{
	if (password.len == 0)
		return error_set(err, ERROR_INVALID, "the password is empty");
	if (password.len > PASSWORD_MAX_BYTES)
		return error_set(err, ERROR_INVALID, "the password is longer than %d bytes", PASSWORD_MAX_BYTES);
	if (crypto_pwhash_str_alg(out, (const char *)password.data, password.len, PASSES, MEMORY_BYTES,
	        crypto_pwhash_ALG_ARGON2ID13) != 0)
		return error_set(err, ERROR_NO_MEMORY, "no memory to hash the password");
	return 0;
}

bool
password_verify(const char *hash, struct slice password)
{
	/* The hash of a random password nobody kept: whoever asks for a login that is not there waits as long. */
	static const char nobody[] =
	    "$argon2id$v=19$m=16384,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	char text[PASSWORD_HASH_MAX] = { 0 };
	if (password.len > PASSWORD_MAX_BYTES)
		return false;
	snprintf(text, sizeof text, "%s", hash != NULL ? hash : nobody);
	bool belongs = crypto_pwhash_str_verify(text, (const char *)password.data, password.len) == 0;
	return belongs && hash != NULL && password.len > 0;
}

bool
password_is_usual(const char *hash)
{
	char text[PASSWORD_HASH_MAX] = { 0 };
	if (strlen(hash) >= sizeof text)
		return false;
	memcpy(text, hash, strlen(hash)); /* libsodium looks at all of its array */
	return crypto_pwhash_str_needs_rehash(text, PASSES, MEMORY_BYTES) == 0;
}
