/* SPDX-License-Identifier: ISC
 *
 * An identity's secrets behind a passphrase (doc/secrets.md): the file "secrets" in its folder stands for onion.key,
 * tls.key and openpgp.key, which are not there then. Argon2id makes a key of the passphrase; the key opens the file. Whoever has the key
 * but not the file has nothing, so the key may travel where the passphrase and the secrets may not.
 *
 * The file is written, durable, before the plain ones are removed, and the other way round, so that a crash in between
 * leaves both: then the plain ones count, and nothing is lost. random_init() comes first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "archive/seal.h"
#include "base/error.h"
#include "base/slice.h"
#include "identity/secrets.h"

#define LOCK_FILE "secrets"
#define LOCK_KEY_BYTES SEAL_KEY_BYTES
#define LOCK_HEADER_BYTES 65
#define LOCK_OVERHEAD_BYTES 32 /* an authenticator and a checksum */
#define LOCK_BYTES_MAX \
	(LOCK_HEADER_BYTES + ONIONKEY_FILE_BYTES + 2 + CERTIFICATE_PEM_MAX + IDENTITY_OPENPGP_MAX_BYTES + LOCK_OVERHEAD_BYTES)

enum lock_state {
	LOCK_NONE,  /* no passphrase: the keys lie open */
	LOCK_BOTH,  /* the keys lie open beside the locked ones: setting or removing a passphrase was interrupted */
	LOCK_WHOLE, /* only the passphrase gives the keys */
};

/* The locked file's bytes: nothing in them is secret, and all of it is foreign. */
struct lock {
	unsigned char bytes[LOCK_BYTES_MAX];
	size_t len;
};

/* ---- the file's form */

/* Makes the file of the secrets, which have a TLS key, and tells its key, too. ERROR_INVALID for a passphrase that is
 * empty or too long, ERROR_NO_MEMORY. */
int lock_seal(struct lock *out, const struct secrets *secrets, struct slice passphrase, struct seal_cost cost,
    unsigned char key[LOCK_KEY_BYTES], struct error *err);

/* The same secrets or others under the key that *lock has already: the passphrase stays. */
int lock_seal_again(struct lock *lock, const struct secrets *secrets, const unsigned char key[LOCK_KEY_BYTES], struct error *err);

/* Makes the key of a passphrase, which may be a wrong one: only lock_open() tells. Takes a second and 256 MiB, and never
 * more than archive/seal.h allows. ERROR_INVALID when the file is damaged or no such file, ERROR_UNSUPPORTED,
 * ERROR_TOO_LARGE, ERROR_NO_MEMORY. */
int lock_derive_key(const struct lock *lock, struct slice passphrase, unsigned char key[LOCK_KEY_BYTES], struct error *err);

/* ERROR_DENIED for the wrong key, the others as above. */
int lock_open(const struct lock *lock, const unsigned char key[LOCK_KEY_BYTES], struct secrets *out, struct error *err);

/* What can be checked without a passphrase: errors as for lock_derive_key(). */
int lock_check(const struct lock *lock, struct error *err);

/* ---- the file in the folder of an identity, which is open as dir_fd */

enum lock_state lock_look(int dir_fd);

/* ERROR_NOT_FOUND when there is none. */
int lock_load(int dir_fd, struct lock *out, struct error *err);

/* Durable on return; replaces one that is there. */
int lock_save(int dir_fd, const struct lock *lock, struct error *err);

/* For a new identity: a TLS key and its certificate are made here, and no key is ever written as it is. key_out as
 * for lock_seal(). */
int lock_make(int dir_fd, const struct onionkey *onion_key, struct slice openpgp_key, const char *onion, struct slice passphrase,
    struct seal_cost cost, unsigned char key_out[LOCK_KEY_BYTES], struct error *err);

/* After lock_save(): the plain files go. To overwrite them first would promise more than disks keep (doc/secrets.md). */
int lock_remove_plain(int dir_fd, struct error *err);

/* The way back: plain files, then no locked one. */
int lock_restore_plain(int dir_fd, const struct secrets *secrets, struct error *err);
