/* SPDX-License-Identifier: ISC */
#include "onionkey/onionkey.h"

#include <assert.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

#define VERSION 3
#define DECODED_BYTES 35 /* public key, two bytes of checksum, version */
#define VERSION_2_NAME_LEN 16

static const unsigned char file_header[32] = "== ed25519v1-secret: type0 ==";
static const char checksum_prefix[] = ".onion checksum";

/* The order of the group, less one, little-endian: a multiple of two, which matters below. */
static const unsigned char order_less_one[32] = {
	0xec, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
};

void
onionkey_library_init(void)
{
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) != 1)
		abort();
}

static void
clamp(unsigned char scalar[32])
{
	scalar[0] &= 248;
	scalar[31] &= 127;
	scalar[31] |= 64;
}

static void
derive_public_key(struct onionkey *key)
{
	/* A clamped scalar is not a multiple of the order, so this cannot give the identity. */
	int status = crypto_scalarmult_ed25519_base_noclamp(key->public_key, key->secret);
	assert(status == 0);
}

void
onionkey_from_seed(const unsigned char seed[32], struct onionkey *out)
{
	crypto_hash_sha512(out->secret, seed, 32);
	clamp(out->secret);
	derive_public_key(out);
}

int
onionkey_from_file(struct slice bytes, struct onionkey *out, struct error *err)
{
	unsigned char clamped[32];
	if (bytes.len != ONIONKEY_FILE_BYTES || memcmp(bytes.data, file_header, sizeof file_header) != 0)
		return error_set(err, ERROR_INVALID, "not an onion key file of tor's (hs_ed25519_secret_key)");
	memcpy(clamped, bytes.data + sizeof file_header, sizeof clamped);
	clamp(clamped);
	int differs = sodium_memcmp(clamped, bytes.data + sizeof file_header, sizeof clamped);
	sodium_memzero(clamped, sizeof clamped);
	if (differs != 0)
		return error_set(err, ERROR_INVALID, "the onion key file is damaged: its scalar is not clamped");
	memcpy(out->secret, bytes.data + sizeof file_header, sizeof out->secret);
	derive_public_key(out);
	return 0;
}

void
onionkey_to_file(const struct onionkey *key, unsigned char out[ONIONKEY_FILE_BYTES])
{
	memcpy(out, file_header, sizeof file_header);
	memcpy(out + sizeof file_header, key->secret, sizeof key->secret);
}

void
onionkey_wipe(struct onionkey *key)
{
	sodium_memzero(key, sizeof *key);
}

static void
hash_to_scalar(unsigned char scalar[32], struct slice first, struct slice second, struct slice third)
{
	crypto_hash_sha512_state state;
	unsigned char hash[64];
	crypto_hash_sha512_init(&state);
	crypto_hash_sha512_update(&state, first.data, first.len);
	crypto_hash_sha512_update(&state, second.data, second.len);
	crypto_hash_sha512_update(&state, third.data, third.len);
	crypto_hash_sha512_final(&state, hash);
	crypto_core_ed25519_scalar_reduce(scalar, hash);
	sodium_memzero(hash, sizeof hash);
	sodium_memzero(&state, sizeof state);
}

/* RFC 8032 5.1.6, from step 2 on: steps before it made the expanded key. */
void
onionkey_sign(const struct onionkey *key, struct slice message, unsigned char signature[ONIONKEY_SIGNATURE_BYTES])
{
	unsigned char nonce[32], challenge[32], product[32];
	hash_to_scalar(nonce, slice_of(key->secret + 32, 32), message, slice_of("", 0));
	int status = crypto_scalarmult_ed25519_base_noclamp(signature, nonce);
	assert(status == 0); /* the nonce is zero once in 2^252 messages */
	hash_to_scalar(challenge, slice_of(signature, 32), slice_of(key->public_key, sizeof key->public_key), message);
	crypto_core_ed25519_scalar_mul(product, challenge, key->secret);
	crypto_core_ed25519_scalar_add(signature + 32, nonce, product);
	sodium_memzero(nonce, sizeof nonce);
	sodium_memzero(product, sizeof product);
}

int
onionkey_verify(const unsigned char public_key[ONIONKEY_PUBLIC_BYTES], struct slice message,
    const unsigned char signature[ONIONKEY_SIGNATURE_BYTES], struct error *err)
{
	if (crypto_sign_verify_detached(signature, message.data, message.len, public_key) != 0)
		return error_set(err, ERROR_DENIED, "the signature does not belong to this onion key and text");
	return 0;
}

static void
compute_checksum(const unsigned char public_key[ONIONKEY_PUBLIC_BYTES], unsigned char version, unsigned char out[2])
{
	unsigned char input[sizeof checksum_prefix - 1 + ONIONKEY_PUBLIC_BYTES + 1], hash[32];
	memcpy(input, checksum_prefix, sizeof checksum_prefix - 1);
	memcpy(input + sizeof checksum_prefix - 1, public_key, ONIONKEY_PUBLIC_BYTES);
	input[sizeof input - 1] = version;
	unsigned hash_len = sizeof hash;
	int status = EVP_Digest(input, sizeof input, hash, &hash_len, EVP_sha3_256(), NULL);
	assert(status == 1 && hash_len == sizeof hash);
	memcpy(out, hash, 2);
}

void
onionkey_name(const unsigned char public_key[ONIONKEY_PUBLIC_BYTES], char out[ONIONKEY_NAME_LEN + 1])
{
	unsigned char bytes[DECODED_BYTES];
	memcpy(bytes, public_key, ONIONKEY_PUBLIC_BYTES);
	compute_checksum(public_key, VERSION, bytes + ONIONKEY_PUBLIC_BYTES);
	bytes[DECODED_BYTES - 1] = VERSION;
	encode_base32(out, bytes, sizeof bytes);
}

/* Tor refuses every key that the group's order does not take to the identity, and the identity itself: (order - 1) P = -P says the
 * same, by one multiplication, which fails when it gives the identity. crypto_core_ed25519_is_valid_point() lets points of twice the
 * order pass in versions up to 1.0.20 (CVE-2025-69277); here the left side loses a component of order two and the right side does
 * not. A second encoding of the same point differs from what libsodium writes. */
static bool
has_prime_order(const unsigned char point[32])
{
	unsigned char product[32];
	if (crypto_scalarmult_ed25519_noclamp(product, order_less_one, point) != 0)
		return false;
	product[31] ^= 0x80; /* minus */
	return memcmp(product, point, sizeof product) == 0;
}

int
onionkey_parse_name(struct slice letters, unsigned char public_key[ONIONKEY_PUBLIC_BYTES], struct error *err)
{
	unsigned char bytes[DECODED_BYTES], checksum[2];
	size_t len = sizeof bytes;
	if (letters.len == VERSION_2_NAME_LEN)
		return error_set(err, ERROR_INVALID,
		    "this is an onion name of version 2 (16 letters), which tor no longer reaches: ask for the new one (56 letters)");
	if (letters.len != ONIONKEY_NAME_LEN)
		return error_set(err, ERROR_INVALID, "an onion name has 56 letters before .onion, this one has %zu", letters.len);
	for (size_t i = 0; i < letters.len; i++) {
		unsigned char c = letters.data[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7')))
			return error_set(err, ERROR_INVALID,
			    "letter %zu of the onion name is wrong: only a-z and 2-7 occur in it", i + 1);
	}
	if (encode_from_base32(bytes, &len, (const char *)letters.data, letters.len, err) != 0)
		return -1;
	compute_checksum(bytes, bytes[DECODED_BYTES - 1], checksum);
	if (memcmp(checksum, bytes + ONIONKEY_PUBLIC_BYTES, sizeof checksum) != 0)
		return error_set(err, ERROR_INVALID, "the checksum of the onion name is wrong: there is a typing error in it");
	if (bytes[DECODED_BYTES - 1] != VERSION)
		return error_set(err, ERROR_INVALID, "the onion name has version %u; only version 3 is known",
		    bytes[DECODED_BYTES - 1]);
	if (!has_prime_order(bytes))
		return error_set(err, ERROR_INVALID, "the onion name is no valid key (a point with torsion): tor does not reach it");
	memcpy(public_key, bytes, ONIONKEY_PUBLIC_BYTES);
	return 0;
}

void
onionkey_control_blob(const struct onionkey *key, char out[ONIONKEY_CONTROL_LEN + 1])
{
	memcpy(out, "ED25519-V3:", 11);
	encode_base64(out + 11, key->secret, sizeof key->secret);
}

void
onionkey_x25519_public(const unsigned char secret[ONIONKEY_X25519_BYTES], unsigned char public_key[ONIONKEY_X25519_BYTES])
{
	int status = crypto_scalarmult_curve25519_base(public_key, secret);
	assert(status == 0);
}
