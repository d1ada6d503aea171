/* SPDX-License-Identifier: ISC
 *
 * Identities whose secrets are behind a passphrase. The owner's program makes a key of the passphrase, which takes a
 * second and 256 MiB that this process is not to spend; the key comes by way of the control role, which has no file that it
 * could open with it; and the parent, which reads the folders anyway, opens the secrets. They stay in locked memory, because
 * a role that is started again needs them again.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "daemon/parent.h"
#include "identity/lock.h"

static_assert(IPC_KEY_BYTES == LOCK_KEY_BYTES, "the key fits its message");
static_assert(SECRET_PIPE_BYTES >= CERTIFICATE_PEM_MAX && SECRET_PIPE_BYTES >= ONIONKEY_FILE_BYTES, "a key fits in a pipe");

static int
open_folder(const struct parent_identity *identity, int *out_fd, struct error *err)
{
	return identity_open(identity->parent->identities_fd, identity->is.name, ".", out_fd, err);
}

int
parent_lock_look(struct parent_identity *identity, struct error *err)
{
	int fd;
	const char *name = identity->is.name;
	if (open_folder(identity, &fd, err) != 0)
		return -1;
	enum lock_state state = lock_look(fd);
	file_close(&fd);
	identity->is_locked = state == LOCK_WHOLE;
	if (identity->is_locked) {
		identity->state = SERVICE_LOCKED;
		snprintf(identity->detail, sizeof identity->detail, "smtorp unlock %s", name);
		log_info("%s is locked; `smtorp unlock %s` asks for its passphrase", name, name);
	} else if (state == LOCK_BOTH)
		log_warn("the keys of %s are not locked: setting its passphrase was interrupted; say `smtorp identity passphrase %s` "
		    "again", name, name);
	return 0;
}

void
parent_lock_look_again(struct parent_identity *identity)
{
	int fd;
	if (open_folder(identity, &fd, NULL) != 0)
		return;
	if (lock_look(fd) != LOCK_WHOLE) {
		secrets_free(identity->secrets);
		identity->secrets = NULL;
		identity->is_locked = false;
	}
	file_close(&fd);
}

int
parent_lock_open_key(const struct parent_identity *identity, const char *file, int *out_fd, struct error *err)
{
	const struct secrets *secrets = identity->secrets;
	bool is_onion = strcmp(file, IDENTITY_ONION_KEY_FILE) == 0, is_tls = strcmp(file, CERTIFICATE_KEY_FILE) == 0;
	bool is_openpgp = strcmp(file, IDENTITY_OPENPGP_FILE) == 0;
	if (secrets == NULL || (!is_onion && !is_tls && !is_openpgp))
		return identity_open(identity->parent->identities_fd, identity->is.name, file, out_fd, err);
	if (is_openpgp && secrets->openpgp_key_len == 0)
		return error_set(err, ERROR_NOT_FOUND, "there is no OpenPGP key among its secrets: `smtorp unlock` adds one");
	*out_fd = is_onion ? secret_pipe(secrets->onion_key, sizeof secrets->onion_key) :
	    is_tls ? secret_pipe(secrets->tls_key, secrets->tls_key_len) : secret_pipe(secrets->openpgp_key, secrets->openpgp_key_len);
	return *out_fd >= 0 ? 0 : error_set(err, ERROR_BUSY, "no descriptor is left for a pipe");
}

/* The secrets of a folder, or NULL with err. */
static struct secrets *
open_secrets(const struct parent_identity *identity, const unsigned char *key, struct error *err)
{
	struct lock lock;
	struct onionkey onion_key;
	struct secrets *secrets = secrets_new();
	int fd = -1, result = open_folder(identity, &fd, err);
	if (result == 0)
		result = lock_load(fd, &lock, err);
	if (result == 0)
		result = lock_open(&lock, key, secrets, err);
	if (result == 0)
		result = secrets_onion_key(secrets, &identity->is, &onion_key, err);
	onionkey_wipe(&onion_key);
	file_close(&fd);
	if (result == 0)
		return secrets;
	secrets_free(secrets);
	return NULL;
}

int
parent_lock_unlock(struct parent *parent, const char *name, struct slice key, struct error *err)
{
	struct parent_identity *identity = parent_identity_find(parent, name);
	if (identity == NULL)
		return error_set(err, ERROR_NOT_FOUND, "the node runs no identity %s", name);
	if (identity->leaving)
		return error_set(err, ERROR_BUSY, "the identity %s is just being stopped: try again", name);
	if (key.len != LOCK_KEY_BYTES)
		return error_set(err, ERROR_INVALID, "a key has %d bytes", LOCK_KEY_BYTES);
	struct secrets *secrets = open_secrets(identity, key.data, err);
	if (secrets == NULL)
		return -1;
	secrets_free(identity->secrets);
	identity->secrets = secrets;
	if (!identity->is_locked) { /* its passphrase has just been set, and the plain files go now; or its OpenPGP keys are others */
		parent_openpgp_tell_content(identity);
		return 0;
	}
	if (parent_identity_wake(identity, err) != 0) {
		if (identity->is_locked) { /* no sockets: as before */
			secrets_free(identity->secrets);
			identity->secrets = NULL;
		}
		return -1;
	}
	log_info("%s is unlocked", name);
	if (parent_identity_tell_submission(identity, err) != 0)
		return -1;
	return parent_dovecot_write_passwd(parent, err);
}

int
parent_lock_lock(struct parent *parent, const char *name, uint64_t request_id, bool *is_done, struct error *err)
{
	struct parent_identity *identity = parent_identity_find(parent, name);
	*is_done = identity != NULL && identity->is_locked && !identity->leaving;
	if (*is_done)
		return 0;
	if (identity != NULL && identity->secrets == NULL)
		return error_set(err, ERROR_INVALID, "identity %s has no passphrase: `smtorp identity passphrase %s` sets one", name,
		    name);
	if (parent_identity_unload(parent, name, request_id, err) != 0 || identity == NULL) /* there is none: it says so */
		return -1;
	identity->comes_back = true;
	return 0;
}
