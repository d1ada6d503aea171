/* SPDX-License-Identifier: ISC
 *
 * Onion service keys and names, version 3 (tor's rend-spec-v3; doc/spec/address). An onion name is an Ed25519
 * public key. A secret key is kept in tor's expanded form, because that is the only form a key made by tor has:
 * 32 bytes of clamped scalar and 32 bytes of nonce prefix. Files have tor's own format (hs_ed25519_secret_key).
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

#define ONIONKEY_PUBLIC_BYTES 32
#define ONIONKEY_SECRET_BYTES 64
#define ONIONKEY_SIGNATURE_BYTES 64
#define ONIONKEY_NAME_LEN 56                        /* without ".onion" */
#define ONIONKEY_FILE_BYTES (32 + ONIONKEY_SECRET_BYTES) /* "== ed25519v1-secret: type0 ==\0\0\0" and the key */

/* Prepares libcrypto, before anything here is used, in a process that will open no file: the machine's openssl.cnf is not
 * read. */
void onionkey_library_init(void);

struct onionkey {
	unsigned char secret[ONIONKEY_SECRET_BYTES];
	unsigned char public_key[ONIONKEY_PUBLIC_BYTES]; /* always derived from the scalar, never taken from a caller */
};

void onionkey_from_seed(const unsigned char seed[32], struct onionkey *out); /* RFC 8032 5.1.5 */
int onionkey_from_file(struct slice bytes, struct onionkey *out, struct error *err); /* ERROR_INVALID */
void onionkey_to_file(const struct onionkey *key, unsigned char out[ONIONKEY_FILE_BYTES]);
void onionkey_wipe(struct onionkey *key);

/* Ed25519 over the message (RFC 8032), with the expanded key. */
void onionkey_sign(const struct onionkey *key, struct slice message, unsigned char signature[ONIONKEY_SIGNATURE_BYTES]);
int onionkey_verify(const unsigned char public_key[ONIONKEY_PUBLIC_BYTES], struct slice message,
    const unsigned char signature[ONIONKEY_SIGNATURE_BYTES], struct error *err); /* ERROR_DENIED */

/* The 56 letters of a public key, lower case, and a NUL. */
void onionkey_name(const unsigned char public_key[ONIONKEY_PUBLIC_BYTES], char out[ONIONKEY_NAME_LEN + 1]);

/* The public key of 56 letters (either case). ERROR_INVALID with a text that says which part is wrong: length
 * (16 letters are a version 2 name), alphabet, checksum, version, or a point with torsion. */
int onionkey_parse_name(struct slice letters, unsigned char public_key[ONIONKEY_PUBLIC_BYTES], struct error *err);

/* "ED25519-V3:<base64>" for ADD_ONION, with a NUL. */
#define ONIONKEY_CONTROL_LEN (11 + 88)
void onionkey_control_blob(const struct onionkey *key, char out[ONIONKEY_CONTROL_LEN + 1]);

/* The public key of an X25519 secret key (RFC 7748 6.1), as tor's client authorisation has them. */
#define ONIONKEY_X25519_BYTES 32
void onionkey_x25519_public(const unsigned char secret[ONIONKEY_X25519_BYTES], unsigned char public_key[ONIONKEY_X25519_BYTES]);
