/* SPDX-License-Identifier: ISC
 *
 * Incremental BLAKE2b (RFC 7693); SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104) for those who ask for them.
 */
#pragma once

#include <stddef.h>

#define HASH_MAX_BYTES 64
#define HASH_KEY_MAX_BYTES 64

struct hash {
	_Alignas(64) unsigned char state[384];
};

/* key has at most HASH_KEY_MAX_BYTES, and may be NULL with key_len 0. out_len (16 to HASH_MAX_BYTES) is part of what is
 * hashed: the same must be given to hash_final(). */
void hash_init(struct hash *hash, size_t out_len, const void *key, size_t key_len);
void hash_update(struct hash *hash, const void *bytes, size_t len);
void hash_final(struct hash *hash, unsigned char *out, size_t out_len);

#define HASH_HMAC_SHA256_BYTES 32
void hash_hmac_sha256(const void *key, size_t key_len, const void *bytes, size_t len,
    unsigned char out[HASH_HMAC_SHA256_BYTES]);

#define HASH_SHA256_BYTES 32
struct hash_sha256 {
	_Alignas(8) unsigned char state[104];
};
void hash_sha256_init(struct hash_sha256 *hash);
void hash_sha256_update(struct hash_sha256 *hash, const void *bytes, size_t len);
void hash_sha256_final(struct hash_sha256 *hash, unsigned char out[HASH_SHA256_BYTES]);
