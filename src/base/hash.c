/* SPDX-License-Identifier: ISC */
#include "base/hash.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static_assert(sizeof(crypto_generichash_state) <= sizeof(struct hash), "libsodium's state has grown");
static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct hash_sha256), "libsodium's state has grown");

void
hash_init(struct hash *hash, size_t out_len, const void *key, size_t key_len)
{
	int failed = crypto_generichash_init((crypto_generichash_state *)(void *)hash->state, key, key_len, out_len);
	assert(failed == 0);
	(void)failed;
}

void
hash_update(struct hash *hash, const void *bytes, size_t len)
{
	crypto_generichash_update((crypto_generichash_state *)(void *)hash->state, bytes, len);
}

void
hash_final(struct hash *hash, unsigned char *out, size_t out_len)
{
	int failed = crypto_generichash_final((crypto_generichash_state *)(void *)hash->state, out, out_len);
	assert(failed == 0);
	(void)failed;
}

void
hash_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
    unsigned char out[HASH_HMAC_SHA256_BYTES])
{
	crypto_auth_hmacsha256_state state;
	crypto_auth_hmacsha256_init(&state, key, key_len);
	crypto_auth_hmacsha256_update(&state, bytes, len);
	crypto_auth_hmacsha256_final(&state, out);
	explicit_bzero(&state, sizeof state);
}

void
hash_sha256_init(struct hash_sha256 *hash)
{
	crypto_hash_sha256_init((crypto_hash_sha256_state *)(void *)hash->state);
}

void
hash_sha256_update(struct hash_sha256 *hash, const void *bytes, size_t len)
{
	crypto_hash_sha256_update((crypto_hash_sha256_state *)(void *)hash->state, bytes, len);
}

void
hash_sha256_final(struct hash_sha256 *hash, unsigned char out[HASH_SHA256_BYTES])
{
	crypto_hash_sha256_final((crypto_hash_sha256_state *)(void *)hash->state, out);
}
