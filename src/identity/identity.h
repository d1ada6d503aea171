/* SPDX-License-Identifier: ISC
 *
 * An identity is a folder <data>/identities/NAME that holds everything of one onion name and nothing of any other:
 *
 *   identity.conf   local-part, onion, created (a date), and the owner's choices: unproved (refuse or mark), encrypt (prefer, require or
 *                   never), decrypt (yes or no); the form of smtorp.conf
 *   onion.key       tor's hs_ed25519_secret_key format
 *   openpgp.key     OpenPGP secret keys, binary and one behind the other: the present one first (identity/openpgpkey.h)
 *   tls.key, tls.crt  PEM (identity/certificate.h)
 *   tickets.key     keys of the server's tickets (identity/tickets.h); the node makes it
 *   recovery.key    until an export or a sheet has taken it (identity/recovery.h); recovery.pub  what cards name of it
 *   password        one line, an Argon2id hash (base/password.h)
 *   access          who finds it, and its keys for private onions (tor/access.h); there may be none
 *   standby         empty; while it is there the identity is not published, since another copy of it is
 *   mail/           all that the mail role of this identity sees
 *
 * Folders are 0700, files 0600. A folder is filled under a hidden name and then renamed, and renamed away before it is
 * deleted, so that under its name it is whole or not there, also after a crash. identities_fd below is the folder
 * "identities", open. random_init() comes first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "address/address.h"
#include "archive/seal.h"
#include "base/error.h"
#include "base/password.h"
#include "base/slice.h"
#include "onionkey/onionkey.h"

#define IDENTITY_NAME_MAX 32
#define IDENTITIES_MAX 1000
#define IDENTITY_CONF_FILE "identity.conf"
#define IDENTITY_ONION_KEY_FILE "onion.key"
#define IDENTITY_OPENPGP_FILE "openpgp.key"
#define IDENTITY_OPENPGP_MAX_BYTES 32768
#define IDENTITY_PASSWORD_FILE "password"
#define IDENTITY_STANDBY_FILE "standby"
#define IDENTITY_MAIL_FOLDER "mail"
#define IDENTITY_SESSIONS_FILE "sessions.db" /* in it (queue/sessions.h) */

/* encrypt = prefer: whenever every recipient has a key; require: or not sent; never. The numbers are those of enum ipc_encryption. */
enum identity_encryption { IDENTITY_ENCRYPTS, IDENTITY_REQUIRES_ENCRYPTION, IDENTITY_NEVER_ENCRYPTS };

struct identity {
	char name[IDENTITY_NAME_MAX + 1];
	char local_part[ADDRESS_LOCAL_PART_MAX + 1];
	char onion[ADDRESS_ONION_LEN + 1]; /* with ".onion" */
	char created[sizeof "2026-01-31"]; /* UTC */
	bool marks_unproved; /* unproved = mark: mail that claims an onion sender without proof is taken, and marked */
	enum identity_encryption encryption;
	bool leaves_sealed;  /* decrypt = no: encrypted mail is kept as it comes */
};

/* A name is 1 to 32 of a-z, 0-9 and '-', and does not begin with '-'. ERROR_INVALID. */
int identity_check_name(const char *name, struct error *err);

/* Opens <data>/identities; with create, makes what is missing of the path, else ERROR_NOT_FOUND. */
int identity_open_all(const char *data, bool create, int *out_fd, struct error *err);

/* Makes a fresh onion key, certificate and folder; durable on return. today is "YYYY-MM-DD". local_part is checked
 * (address_check_local_part). ERROR_EXISTS when there is an identity of that name. */
int identity_create(int identities_fd, const char *name, const char *local_part, struct slice password,
    const char *today, struct identity *out, struct error *err);

/* The same with a key that there is already. ERROR_EXISTS also when another identity has it. */
int identity_create_from_key(int identities_fd, const char *name, const char *local_part, const struct onionkey *key,
    struct slice password, const char *today, struct identity *out, struct error *err);

/* Like identity_create(), with keys that are locked from the beginning (identity/lock.h): lock->passphrase as for
 * lock_seal(), which fills lock->key. */
struct identity_lock {
	struct slice passphrase;
	struct seal_cost cost;
	unsigned char *key; /* SEAL_KEY_BYTES, the caller's */
};
int identity_create_locked(int identities_fd, const char *name, const char *local_part, const struct identity_lock *lock,
    struct slice password, const char *today, struct identity *out, struct error *err);

/* ERROR_EXISTS when an identity of the node has this onion name: two copies of one would fight for it. */
int identity_check_onion_is_new(int identities_fd, const char *onion, struct error *err);

/* Reads identity.conf. ERROR_NOT_FOUND, ERROR_INVALID when the folder is damaged. */
int identity_load(int identities_fd, const char *name, struct identity *out, struct error *err);

/* The same of an open folder that may still have another name. */
int identity_load_folder(int dir_fd, const char *name, struct identity *out, struct error *err);

/* Opens one file (O_RDONLY) or folder of the identity; the caller closes it. */
int identity_open(int identities_fd, const char *name, const char *file, int *out_fd, struct error *err);

/* The names in order of the alphabet, at most max. Folders whose names are none are left out. */
int identity_list(int identities_fd, char (*names)[IDENTITY_NAME_MAX + 1], size_t max, size_t *out_count,
    struct error *err);

/* Renames the folder away and deletes it: the onion name is gone for good. ERROR_NOT_FOUND. */
int identity_remove(int identities_fd, const char *name, struct error *err);

/* Whether another copy of it is the one that is published. Setting is durable. */
bool identity_stands_by(int identities_fd, const char *name);
int identity_set_standby(int identities_fd, const char *name, bool stands_by, struct error *err);

/* Into the folder that is open as dir_fd. */
int identity_write_password(int dir_fd, struct slice password, struct error *err);
int identity_set_password(int identities_fd, const char *name, struct slice password, struct error *err);
int identity_load_password_hash(int identities_fd, const char *name, char out[PASSWORD_HASH_MAX], struct error *err);

/* The fingerprint of its certificate, as addresses have it. */
int identity_load_fingerprint(int identities_fd, const char *name, char out[ADDRESS_FINGERPRINT_MAX + 1],
    struct error *err);

/* A password of 100 random bits: four groups of five letters and digits of base32, with dashes. */
#define IDENTITY_PASSWORD_LEN 23
void identity_generate_password(char out[IDENTITY_PASSWORD_LEN + 1]);
