/* SPDX-License-Identifier: ISC
 *
 * OpenPGP (RFC 4880, as RNP does it): keys, and what is encrypted, signed, decrypted and verified with them. All is in memory; no file
 * is opened and nobody is asked. Compression, AEAD (which GnuPG 2.2 cannot read) and version 6 are not used.
 *
 * Keys travel as bytes, binary or armoured. Keys of others are given to each call that needs them, and no other counts in it, so
 * that nothing that a stranger sent outlives the message that it came with.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "openpgp/packets.h"

#define OPENPGP_FINGERPRINT_LEN 40 /* upper case hex of version 4 */
#define OPENPGP_USER_ID_MAX 320
#define OPENPGP_OWN_KEYS_MAX 8
#define OPENPGP_ARMOURED_MAX_BYTES (2 * OPENPGP_KEY_MAX_BYTES)

struct openpgp_key {
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
	char user_id[OPENPGP_USER_ID_MAX + 1]; /* the primary one, cut off */
	int64_t created_s, expires_s;          /* 0: never */
	bool has_secret, is_revoked, is_expired, can_encrypt, can_sign;
};

/* Once, before the process gives up opening files: what the library keeps open (a source of randomness) is opened here. */
int openpgp_prepare(struct error *err);

/* A new Ed25519 key that signs, with a Curve25519 subkey that decrypts, which do not expire; the user id is the bare address.
 * created_s is rounded down to the day. Appends the secret key, binary and unprotected: the caller's to encrypt and wipe. */
int openpgp_generate(const char *address, int64_t created_s, struct buffer *secret_key, struct error *err);

/* What a key is. ERROR_INVALID, ERROR_TOO_LARGE: packets.h. */
int openpgp_look(struct slice key, struct openpgp_key *out, struct error *err);

/* Somebody's public key as others are to keep it: five packets, binary, of what may be larger and armoured. ERROR_INVALID also for one that nobody
 * can encrypt to (any more), and ERROR_TOO_LARGE when even so it has more than OPENPGP_AUTOCRYPT_MAX_BYTES. */
int openpgp_minimal(struct slice key, struct openpgp_key *out, struct buffer *binary, struct error *err);

/* The secret key of somebody else's making (gpg --export-secret-keys), without its passphrase, binary. ERROR_DENIED: it is the wrong
 * passphrase; ERROR_INVALID also for one that cannot both sign and decrypt. passphrase NULL: there is none. */
int openpgp_import(struct slice key, const char *passphrase, struct buffer *secret_key, struct error *err);

/* A secret key, which is binary, in armour. */
int openpgp_armour_secret(struct slice secret_key, struct buffer *armoured, struct error *err);

/* The owner's keys, the present one first; older ones only decrypt. */
struct openpgp;
int openpgp_new(const struct slice *secret_keys, size_t count, struct openpgp **out, struct error *err);
void openpgp_free(struct openpgp *pgp); /* takes NULL */

/* The present key for others: five packets in base64 (Autocrypt), or armoured. */
int openpgp_autocrypt(struct openpgp *pgp, struct buffer *base64, struct error *err);
int openpgp_public_key(struct openpgp *pgp, struct buffer *armoured, struct error *err);
/* The same five packets, binary, with another user id than it has (NULL: with its own): a key may be handed out under a name that tells less. The
 * owner's keys are as before, and the bytes are always the same ones, if the key's algorithm draws nothing by chance (as ECDSA does). */
int openpgp_key_as(struct openpgp *pgp, const char *user_id, struct buffer *binary, struct error *err);
/* A standard revocation certificate for it, armoured: to be kept, published when the key is lost. */
int openpgp_revocation(struct openpgp *pgp, struct buffer *armoured, struct error *err);

/* Encrypts to all the keys and signs (in seconds since 1970), armoured. ERROR_NOT_FOUND: one of the keys cannot (any more) be encrypted to;
 * ERROR_BUSY: it may work later. */
int openpgp_encrypt(struct openpgp *pgp, const struct slice *keys, size_t count, int64_t now_s, struct slice text,
    struct buffer *armoured, struct error *err);

/* The same for a text of any size: read() fills as much of out as there is (0: the end), write() takes the armour in pieces, lines ending
 * in CRLF. What they say of errors is passed on. */
struct openpgp_stream {
	int (*read)(void *context, void *out, size_t room, size_t *len, struct error *err);
	int (*write)(void *context, const void *bytes, size_t len, struct error *err);
	void *context;
};
int openpgp_encrypt_stream(struct openpgp *pgp, const struct slice *keys, size_t count, int64_t now_s,
    const struct openpgp_stream *stream, struct error *err);

/* A detached signature over the text as it is, armoured, made with SHA-256 (micalg=pgp-sha256). */
int openpgp_sign(struct openpgp *pgp, int64_t now_s, struct slice text, struct buffer *armoured, struct error *err);

enum openpgp_signed {
	OPENPGP_UNSIGNED,
	OPENPGP_SIGNED_GOOD,    /* by the key with that fingerprint, one of those given: the owner's own counts only among them */
	OPENPGP_SIGNED_UNKNOWN, /* by a key that was not given: nothing is known of it */
	OPENPGP_SIGNED_WRONG,   /* the text is not what was signed, or the signature or key is not valid (any more) */
};
struct openpgp_verdict {
	enum openpgp_signed is_signed; /* with several signatures: the best one */
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1]; /* of the primary key, "" unless GOOD */
	int64_t signed_s;
};

/* Decrypts, and verifies what is signed inside, into an empty buffer, which is empty again after an error. ERROR_NOT_FOUND: it is encrypted to other keys;
 * ERROR_DENIED: without integrity, or changed on the way; ERROR_TOO_LARGE, ERROR_INVALID. A wrong signature is no error. */
int openpgp_decrypt(struct openpgp *pgp, const struct slice *keys, size_t count, struct slice message, struct buffer *out,
    struct openpgp_verdict *verdict, struct error *err);

/* Verifies a detached signature, binary or armoured. -1 only for what is no signature. */
int openpgp_verify(struct openpgp *pgp, const struct slice *keys, size_t count, struct slice text, struct slice signature,
    struct openpgp_verdict *verdict, struct error *err);
