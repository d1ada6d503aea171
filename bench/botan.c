/* SPDX-License-Identifier: ISC */
#include "botan.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#include "base/random.h"
#include "measure.h"

#define KEY_BYTES 32
#define DIGEST_BYTES 32
#define SIGNATURE_BYTES 64

typedef void *object; /* of Botan's */

/* As in botan/ffi.h; each returns 0 when all is well. */
static struct {
	int (*rng_init)(object *rng, const char *type);
	int (*privkey_create)(object *key, const char *algorithm, const char *parameters, object rng);
	int (*privkey_load_ed25519)(object *key, const uint8_t secret[KEY_BYTES]);
	int (*privkey_load_x25519)(object *key, const uint8_t secret[KEY_BYTES]);
	int (*privkey_x25519_get_privkey)(object key, uint8_t secret[KEY_BYTES]);
	int (*privkey_ed25519_get_privkey)(object key, uint8_t secret_and_public[2 * KEY_BYTES]);
	int (*privkey_destroy)(object key);
	int (*pubkey_load_ed25519)(object *key, const uint8_t public[KEY_BYTES]);
	int (*pubkey_destroy)(object key);
	int (*sign_create)(object *op, object key, const char *padding, uint32_t flags);
	int (*sign_update)(object op, const uint8_t *bytes, size_t len);
	int (*sign_finish)(object op, object rng, uint8_t *signature, size_t *len);
	int (*sign_destroy)(object op);
	int (*verify_create)(object *op, object key, const char *padding, uint32_t flags);
	int (*verify_update)(object op, const uint8_t *bytes, size_t len);
	int (*verify_finish)(object op, const uint8_t *signature, size_t len);
	int (*verify_destroy)(object op);
	int (*agreement_create)(object *op, object key, const char *kdf, uint32_t flags);
	int (*agreement_export_public)(object key, uint8_t *public, size_t *len);
	int (*agreement)(object op, uint8_t *out, size_t *out_len, const uint8_t *public, size_t len, const uint8_t *salt, size_t salt_len);
	int (*agreement_destroy)(object op);
} botan;

bool
botan_find(void)
{
	static const struct {
		void *function;
		const char *name;
	} functions[] = {
		{ &botan.rng_init, "botan_rng_init" },
		{ &botan.privkey_create, "botan_privkey_create" },
		{ &botan.privkey_load_ed25519, "botan_privkey_load_ed25519" },
		{ &botan.privkey_load_x25519, "botan_privkey_load_x25519" },
		{ &botan.privkey_x25519_get_privkey, "botan_privkey_x25519_get_privkey" },
		{ &botan.privkey_ed25519_get_privkey, "botan_privkey_ed25519_get_privkey" },
		{ &botan.privkey_destroy, "botan_privkey_destroy" },
		{ &botan.pubkey_load_ed25519, "botan_pubkey_load_ed25519" },
		{ &botan.pubkey_destroy, "botan_pubkey_destroy" },
		{ &botan.sign_create, "botan_pk_op_sign_create" },
		{ &botan.sign_update, "botan_pk_op_sign_update" },
		{ &botan.sign_finish, "botan_pk_op_sign_finish" },
		{ &botan.sign_destroy, "botan_pk_op_sign_destroy" },
		{ &botan.verify_create, "botan_pk_op_verify_create" },
		{ &botan.verify_update, "botan_pk_op_verify_update" },
		{ &botan.verify_finish, "botan_pk_op_verify_finish" },
		{ &botan.verify_destroy, "botan_pk_op_verify_destroy" },
		{ &botan.agreement_create, "botan_pk_op_key_agreement_create" },
		{ &botan.agreement_export_public, "botan_pk_op_key_agreement_export_public" },
		{ &botan.agreement, "botan_pk_op_key_agreement" },
		{ &botan.agreement_destroy, "botan_pk_op_key_agreement_destroy" },
	};
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
		void *found = dlsym(RTLD_DEFAULT, functions[i].name);
		if (found == NULL)
			return false;
		memcpy(functions[i].function, &found, sizeof found);
	}
	return true;
}

static void
must(int result)
{
	if (result == 0)
		return;
	error_set(&err, ERROR_INVALID, "Botan says %d", result);
	stop("botan");
}

static void
share(object key, const uint8_t public[KEY_BYTES], uint8_t out[KEY_BYTES])
{
	object op;
	size_t len = KEY_BYTES;
	must(botan.agreement_create(&op, key, "Raw", 0));
	must(botan.agreement(op, out, &len, public, KEY_BYTES, NULL, 0));
	must(botan.agreement_destroy(op));
}

static void
seal(object rng, const uint8_t signer[KEY_BYTES], const uint8_t recipient[KEY_BYTES], const uint8_t digest[DIGEST_BYTES],
    uint8_t signature[SIGNATURE_BYTES], uint8_t public[KEY_BYTES], uint8_t shared[KEY_BYTES])
{
	object key, op;
	size_t len = SIGNATURE_BYTES, public_len = KEY_BYTES;
	must(botan.privkey_load_ed25519(&key, signer));
	must(botan.sign_create(&op, key, "Pure", 0));
	must(botan.sign_update(op, digest, DIGEST_BYTES));
	must(botan.sign_finish(op, rng, signature, &len));
	must(botan.sign_destroy(op));
	must(botan.privkey_destroy(key));
	must(botan.privkey_create(&key, "Curve25519", "", rng));
	must(botan.agreement_export_public(key, public, &public_len));
	share(key, recipient, shared);
	must(botan.privkey_destroy(key));
}

static void
open_it(const uint8_t signer[KEY_BYTES], const uint8_t recipient[KEY_BYTES], const uint8_t digest[DIGEST_BYTES],
    const uint8_t signature[SIGNATURE_BYTES], const uint8_t public[KEY_BYTES], uint8_t shared[KEY_BYTES])
{
	object key, op;
	must(botan.privkey_load_x25519(&key, recipient));
	share(key, public, shared);
	must(botan.privkey_destroy(key));
	must(botan.pubkey_load_ed25519(&key, signer));
	must(botan.verify_create(&op, key, "Pure", 0));
	must(botan.verify_update(op, digest, DIGEST_BYTES));
	must(botan.verify_finish(op, signature, SIGNATURE_BYTES));
	must(botan.verify_destroy(op));
	must(botan.pubkey_destroy(key));
}

void
botan_seal_and_open(double *seal_us, double *open_us)
{
	static object rng;
	uint8_t signer[2 * KEY_BYTES], recipient[KEY_BYTES], recipient_public[KEY_BYTES], digest[DIGEST_BYTES], signature[SIGNATURE_BYTES];
	uint8_t public[KEY_BYTES], there[KEY_BYTES], here[KEY_BYTES];
	object key;
	size_t len = KEY_BYTES;
	if (rng == NULL)
		must(botan.rng_init(&rng, "user")); /* as RNP's */
	random_bytes(digest, sizeof digest);
	must(botan.privkey_create(&key, "Ed25519", "", rng));
	must(botan.privkey_ed25519_get_privkey(key, signer));
	must(botan.privkey_destroy(key));
	must(botan.privkey_create(&key, "Curve25519", "", rng));
	must(botan.privkey_x25519_get_privkey(key, recipient));
	must(botan.agreement_export_public(key, recipient_public, &len));
	must(botan.privkey_destroy(key));
	double begun = now_us(CLOCK_MONOTONIC);
	seal(rng, signer, recipient_public, digest, signature, public, there);
	*seal_us = now_us(CLOCK_MONOTONIC) - begun;
	begun = now_us(CLOCK_MONOTONIC);
	open_it(signer + KEY_BYTES, recipient, digest, signature, public, here);
	*open_us = now_us(CLOCK_MONOTONIC) - begun;
	must(memcmp(there, here, sizeof here));
}
