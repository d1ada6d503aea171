/* SPDX-License-Identifier: ISC */
#include "cli/unlock.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/secret.h"
#include "cli/client.h"
#include "cli/passphrase.h"
#include "identity/openpgpkey.h"

struct unlocked *
unlock_new(void)
{
	secret_shield_process();
	return secret_new(sizeof(struct unlocked));
}

void
unlock_free(struct unlocked *unlocked)
{
	secret_free(unlocked);
}

/* One that was locked before there were OpenPGP keys gets one now that its secrets are open. What goes wrong waits for the next time. */
static void
add_openpgp_key(const struct identity *identity, int dir_fd, struct lock *lock, struct unlocked *u)
{
	struct buffer made;
	buffer_init(&made, sizeof u->secrets.openpgp_key);
	if (u->secrets.openpgp_key_len == 0 && openpgpkey_make(identity, &made, NULL) == 0) {
		u->secrets.openpgp_key_len = buffer_len(&made);
		memcpy(u->secrets.openpgp_key, buffer_bytes(&made), buffer_len(&made));
		if (lock_seal_again(lock, &u->secrets, u->key, NULL) != 0 || lock_save(dir_fd, lock, NULL) != 0)
			u->secrets.openpgp_key_len = 0;
	}
	openpgpkey_wipe(&made);
}

static int
open_with(const struct identity *identity, const struct lock *lock, const char *passphrase, struct unlocked *out,
    struct error *err)
{
	struct onionkey key;
	if (lock_derive_key(lock, slice_of_string(passphrase), out->key, err) != 0 ||
	    lock_open(lock, out->key, &out->secrets, err) != 0 ||
	    secrets_onion_key(&out->secrets, identity, &key, err) != 0)
		return -1;
	onionkey_wipe(&key);
	return 0;
}

static int
fail(const struct identity *identity, const struct error *err)
{
	if (err->code == ERROR_DENIED)
		return cli_fail_with(CLI_WRONG_PASSPHRASE, "this is not the passphrase of identity %s", identity->name);
	return cli_fail_with(CLI_FAILED, "the secrets of identity %s cannot be opened: %s", identity->name, err->text);
}

static int
unlock(const struct cli *cli, const struct identity *identity, const struct lock *lock, struct unlocked *out)
{
	char question[64], *passphrase = secret_new(ASK_LINE_MAX);
	struct error err;
	int status = CLI_OK;
	snprintf(question, sizeof question, "Passphrase of %s: ", identity->name);
	for (int tries = 1;; tries++) {
		status = passphrase_ask(cli, question, passphrase);
		if (status != CLI_OK || open_with(identity, lock, passphrase, out, &err) == 0)
			break;
		status = fail(identity, &err);
		if (status != CLI_WRONG_PASSPHRASE || tries == UNLOCK_TRIES || passphrase_is_scripted(cli))
			break;
	}
	secret_free(passphrase);
	return status;
}

int
unlock_identity(const struct cli *cli, const struct identity *identity, int dir_fd, struct unlocked *out)
{
	struct error err;
	struct lock lock;
	struct onionkey key;
	out->state = lock_look(dir_fd);
	if (out->state == LOCK_WHOLE) {
		int status = lock_load(dir_fd, &lock, &err) == 0 && lock_check(&lock, &err) == 0 ? unlock(cli, identity, &lock, out) :
		    fail(identity, &err);
		if (status == CLI_OK)
			add_openpgp_key(identity, dir_fd, &lock, out);
		return status;
	}
	if (secrets_load(dir_fd, &out->secrets, &err) != 0 || secrets_onion_key(&out->secrets, identity, &key, &err) != 0)
		return cli_fail_with(CLI_FAILED, "%s", err.text);
	onionkey_wipe(&key);
	return CLI_OK;
}

int
unlock_ask_or_leave(const struct identity *identity, const struct lock *lock, struct unlocked *out, bool *is_left)
{
	char question[96], *passphrase = secret_new(ASK_LINE_MAX);
	struct error err;
	int status = CLI_OK;
	snprintf(question, sizeof question, "Passphrase of %s (nothing: leave it locked): ", identity->name);
	*is_left = false;
	do {
		if (ask_line(question, true, passphrase) != 0 || passphrase[0] == '\0')
			*is_left = true;
		else
			status = open_with(identity, lock, passphrase, out, &err) == 0 ? CLI_OK : fail(identity, &err);
	} while (!*is_left && status == CLI_WRONG_PASSPHRASE);
	secret_free(passphrase);
	return *is_left ? CLI_OK : status;
}

int
unlock_tell_node(const struct paths *paths, const char *name, const unsigned char key[LOCK_KEY_BYTES], struct error *err)
{
	char text[ENCODE_BASE64_LEN(LOCK_KEY_BYTES) + 1];
	encode_base64(text, key, LOCK_KEY_BYTES);
	json_t *params = json_pack("{s:s, s:s}", "name", name, "key", text);
	explicit_bzero(text, sizeof text);
	return client_call(paths, "identity.unlock", params, CLIENT_TIMEOUT_MS, NULL, err);
}
