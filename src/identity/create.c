/* SPDX-License-Identifier: ISC
 *
 * Making identities: apart from reading them, so that who only reads them has nothing that makes keys.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "identity/certificate.h"
#include "identity/identity.h"
#include "identity/lock.h"
#include "identity/openpgpkey.h"
#include "identity/recovery.h"
#include "identity/staging.h"

static int
write_onion_key(int dir_fd, const struct onionkey *key, struct error *err)
{
	unsigned char file[ONIONKEY_FILE_BYTES];
	onionkey_to_file(key, file);
	int result = file_replace(dir_fd, IDENTITY_ONION_KEY_FILE, file, sizeof file, 0600, err);
	sodium_memzero(file, sizeof file);
	return result;
}

static int
write_keys(int dir_fd, const struct onionkey *key, const struct identity_lock *lock, const struct identity *identity,
    struct error *err)
{
	struct buffer openpgp;
	buffer_init(&openpgp, IDENTITY_OPENPGP_MAX_BYTES);
	int result = openpgpkey_make(identity, &openpgp, err);
	struct slice made = slice_of(buffer_bytes(&openpgp), buffer_len(&openpgp));
	if (result == 0 && lock != NULL)
		result = lock_make(dir_fd, key, made, identity->onion, lock->passphrase, lock->cost, lock->key, err);
	else if (result == 0)
		result = write_onion_key(dir_fd, key, err) != 0 || certificate_ensure(dir_fd, identity->onion, err) != 0 ? -1 :
		    file_replace(dir_fd, IDENTITY_OPENPGP_FILE, made.data, made.len, 0600, err);
	openpgpkey_wipe(&openpgp);
	return result;
}

static int
fill(int dir_fd, const struct onionkey *key, bool is_fresh, const struct identity_lock *lock, struct slice password,
    const struct identity *out, struct error *err)
{
	char conf[256];
	int mail_fd;
	/* A key that was there before may have a recovery key already, which others know. */
	if (write_keys(dir_fd, key, lock, out, err) != 0 || (is_fresh && recovery_make(dir_fd, err) != 0) ||
	    identity_write_password(dir_fd, password, err) != 0 ||
	    file_open_private_dir(dir_fd, IDENTITY_MAIL_FOLDER, &mail_fd, err) != 0)
		return -1;
	file_close(&mail_fd);
	int len = snprintf(conf, sizeof conf, "local-part = %s\nonion = %s\ncreated = %s\n", out->local_part, out->onion,
	    out->created);
	/* The last file: its fsync of the folder makes the others' names durable, too. */
	return file_replace(dir_fd, IDENTITY_CONF_FILE, conf, (size_t)len, 0600, err);
}

/* lock: NULL, or how to lock the keys. */
static int
create(int identities_fd, const char *name, const char *local_part, const struct onionkey *key, bool is_fresh,
    const struct identity_lock *lock, struct slice password, const char *today, struct identity *out, struct error *err)
{
	struct staging staging = STAGING_NONE;
	int result = -1;
	memset(out, 0, sizeof *out);
	if (identity_check_name(name, err) != 0 || address_check_local_part(slice_of_string(local_part), err) != 0)
		return -1;
	snprintf(out->name, sizeof out->name, "%s", name);
	snprintf(out->local_part, sizeof out->local_part, "%s", local_part);
	snprintf(out->created, sizeof out->created, "%s", today);
	onionkey_name(key->public_key, out->onion);
	strcat(out->onion, ".onion");
	if (staging_lock(&staging, identities_fd, err) == 0 && staging_make(&staging, name, err) == 0 &&
	    identity_check_onion_is_new(identities_fd, out->onion, err) == 0 &&
	    fill(staging.fd, key, is_fresh, lock, password, out, err) == 0)
		result = staging_commit(&staging, name, err);
	staging_finish(&staging);
	return result;
}

int
identity_create_from_key(int identities_fd, const char *name, const char *local_part, const struct onionkey *key,
    struct slice password, const char *today, struct identity *out, struct error *err)
{
	return create(identities_fd, name, local_part, key, false, NULL, password, today, out, err);
}

int
identity_create_locked(int identities_fd, const char *name, const char *local_part, const struct identity_lock *lock,
    struct slice password, const char *today, struct identity *out, struct error *err)
{
	unsigned char seed[32];
	struct onionkey key;
	random_bytes(seed, sizeof seed);
	onionkey_from_seed(seed, &key);
	int result = create(identities_fd, name, local_part, &key, true, lock, password, today, out, err);
	sodium_memzero(seed, sizeof seed);
	onionkey_wipe(&key);
	return result;
}

int
identity_create(int identities_fd, const char *name, const char *local_part, struct slice password,
    const char *today, struct identity *out, struct error *err)
{
	return identity_create_locked(identities_fd, name, local_part, NULL, password, today, out, err);
}
