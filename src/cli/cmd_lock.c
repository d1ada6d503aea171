/* SPDX-License-Identifier: ISC */
#include "cli/cmd_lock.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "cli/client.h"
#include "cli/cmd_identity.h"
#include "cli/passphrase.h"
#include "cli/unlock.h"
#include "cli/view.h"

const struct cli_option cmd_lock_unlock_options[] = {
	{ "passphrase-stdin", NULL, "take the passphrase from standard input (one line)" },
	{ "passphrase-file", "FILE", "take it from the first line of FILE" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_lock_passphrase_options[] = {
	{ "remove", NULL, "lay the keys open again" },
	{ "passphrase-stdin", NULL, "take the passphrases from standard input, a line each: the old one, if any, and the new" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

static int
open_folder(const struct cli *cli, const char *name, int *out_fd, struct error *err)
{
	int fd;
	if (cmd_identity_open_all(cli, &fd, err) != 0)
		return -1;
	int result = identity_open(fd, name, ".", out_fd, err);
	file_close(&fd);
	return result;
}

/* ---- unlock and lock */

/* "locked", "published", ...; "offline" is an error. */
static int
ask_state(const struct cli *cli, const char *name, char out[16])
{
	json_t *status = NULL;
	struct error err;
	if (client_call(&cli->paths, "status", NULL, CLIENT_TIMEOUT_MS, &status, &err) != 0)
		return cli_fail(&err);
	snprintf(out, 16, "%s", view_state(status, name));
	json_decref(status);
	return CLI_OK;
}

static int
tell_state(struct cli *cli, const char *name)
{
	char state[16];
	int status = cli_has(cli, "json") ? ask_state(cli, name, state) : CLI_OK;
	if (cli_has(cli, "json") && status == CLI_OK)
		return view_print_json(json_pack("{s:s, s:s}", "name", name, "state", state));
	return status;
}

int
cmd_lock_unlock(struct cli *cli)
{
	struct identity identity;
	struct error err;
	char state[16];
	int fd = -1, status = cmd_identity_load(cli, &identity);
	if (status == CLI_OK)
		status = ask_state(cli, identity.name, state);
	if (status != CLI_OK)
		return status;
	if (strcmp(state, "not loaded") == 0)
		return cli_fail_with(CLI_FAILED, "the running node has not taken identity %s in: its log says why", identity.name);
	if (strcmp(state, "locked") != 0) {
		fprintf(stderr, "Identity %s is not locked.\n", identity.name);
		return tell_state(cli, identity.name);
	}
	struct unlocked *unlocked = unlock_new();
	if (open_folder(cli, identity.name, &fd, &err) != 0)
		status = cli_fail(&err);
	else
		status = unlock_identity(cli, &identity, fd, unlocked);
	file_close(&fd);
	if (status == CLI_OK && unlock_tell_node(&cli->paths, identity.name, unlocked->key, &err) != 0)
		status = cli_fail(&err);
	unlock_free(unlocked);
	if (status == CLI_OK && !cli_has(cli, "json"))
		fprintf(stderr, "Identity %s is unlocked, and the node is publishing it.\n", identity.name);
	return status == CLI_OK ? tell_state(cli, identity.name) : status;
}

int
cmd_lock_lock(struct cli *cli)
{
	struct identity identity;
	struct error err;
	int status = cmd_identity_load(cli, &identity);
	if (status != CLI_OK)
		return status;
	if (client_call_name(&cli->paths, "identity.lock", identity.name, &err) != 0)
		return cli_fail(&err);
	if (!cli_has(cli, "json"))
		fprintf(stderr, "Identity %s is locked: it cannot be reached, and the node has forgotten its keys.\n", identity.name);
	return tell_state(cli, identity.name);
}

/* ---- the passphrase */

/* It guards more than the mail password, whose hash can be guessed at faster and stays readable. */
static int
check_is_not_password(const struct cli *cli, const char *name, const char *passphrase)
{
	char hash[PASSWORD_HASH_MAX] = "";
	int fd;
	if (cmd_identity_open_all(cli, &fd, NULL) != 0)
		return CLI_OK;
	bool is_same = identity_load_password_hash(fd, name, hash, NULL) == 0 &&
	    password_verify(hash, slice_of_string(passphrase));
	file_close(&fd);
	explicit_bzero(hash, sizeof hash);
	return is_same ? cli_fail_with(CLI_FAILED, "this is the password of mail programs: take another one, since they keep that") :
	                 CLI_OK;
}

/* The node, when it runs, takes the secrets into memory before their files go. *lock_fd keeps one from starting meanwhile. */
static int
prepare_node(const struct cli *cli, const char *name, const unsigned char *key, int *lock_fd, struct error *err)
{
	json_t *status = NULL;
	if (client_call(&cli->paths, "status", NULL, CLIENT_TIMEOUT_MS, &status, err) != 0)
		return err->code == ERROR_UNREACHABLE ? cmd_identity_lock_node(cli, lock_fd, err) : -1;
	bool is_awake = view_row(status, name) != NULL && strcmp(view_state(status, name), "locked") != 0;
	json_decref(status);
	return is_awake ? unlock_tell_node(&cli->paths, name, key, err) : 0;
}

static int
set(const struct cli *cli, const char *name, int dir_fd, struct unlocked *u, const char *passphrase, struct error *err)
{
	struct lock lock;
	int lock_fd = -1;
	if (u->secrets.tls_key_len == 0)
		return error_set(err, ERROR_INVALID, "the folder of identity %s is damaged: tls.key is missing", name);
	if (lock_seal(&lock, &u->secrets, slice_of_string(passphrase), SEAL_COST_USUAL, u->key, err) != 0 ||
	    lock_save(dir_fd, &lock, err) != 0)
		return -1;
	if (u->state == LOCK_WHOLE)
		return 0;
	int result = prepare_node(cli, name, u->key, &lock_fd, err);
	if (result == 0)
		result = lock_remove_plain(dir_fd, err);
	else
		lock_restore_plain(dir_fd, &u->secrets, NULL); /* as it was */
	file_close(&lock_fd);
	return result;
}

static int
ask_and_set(const struct cli *cli, const struct identity *identity, int dir_fd, struct unlocked *u)
{
	char *passphrase = secret_new(ASK_LINE_MAX), what[64];
	struct error err;
	snprintf(what, sizeof what, "the keys of %s", identity->name);
	int status = passphrase_ask_new(cli, what, passphrase);
	if (status == CLI_OK)
		status = check_is_not_password(cli, identity->name, passphrase);
	if (status == CLI_OK && set(cli, identity->name, dir_fd, u, passphrase, &err) != 0)
		status = cli_fail_with(CLI_FAILED, "the passphrase was not set: %s", err.text);
	secret_free(passphrase);
	return status;
}

static int
remove_passphrase(const struct cli *cli, const struct identity *identity, int dir_fd, const struct unlocked *u)
{
	struct error err;
	if (u->state == LOCK_NONE)
		return cli_fail_with(CLI_FAILED, "identity %s has no passphrase", identity->name);
	if (lock_restore_plain(dir_fd, &u->secrets, &err) != 0)
		return cli_fail(&err);
	if (client_call_name(&cli->paths, "identity.load", identity->name, &err) != 0 && err.code != ERROR_UNREACHABLE)
		return cli_fail_with(CLI_FAILED, "the passphrase is removed, but the running node did not take that in: %s", err.text);
	return CLI_OK;
}

static int
tell(struct cli *cli, const struct identity *identity, bool was_set)
{
	if (cli_has(cli, "json"))
		return view_print_json(json_pack("{s:s, s:b}", "name", identity->name, "passphrase", was_set));
	if (!was_set) {
		printf("The keys of %s lie open in its folder.\n", identity->name);
		return cli_end_output();
	}
	printf("The keys of %s are locked: `smtorp up` asks for the passphrase, or `smtorp unlock %s` later.\n\n", identity->name,
	    identity->name);
	printf("Nobody can find it again: print a recovery sheet (`smtorp identity sheet %s`).\n"
	       "Mail is not encrypted by it, and an SSD may still hold the keys as they were before;\n"
	       "smtorp(1) says more, under CAVEATS.\n", identity->name);
	return cli_end_output();
}

int
cmd_lock_passphrase(struct cli *cli)
{
	struct identity identity;
	struct error err;
	bool is_removal = cli_has(cli, "remove");
	int fd, status = cmd_identity_load(cli, &identity);
	if (status != CLI_OK)
		return status;
	if (open_folder(cli, identity.name, &fd, &err) != 0)
		return cli_fail(&err);
	struct unlocked *unlocked = unlock_new();
	status = unlock_identity(cli, &identity, fd, unlocked);
	if (status == CLI_OK)
		status = is_removal ? remove_passphrase(cli, &identity, fd, unlocked) : ask_and_set(cli, &identity, fd, unlocked);
	unlock_free(unlocked);
	file_close(&fd);
	return status == CLI_OK ? tell(cli, &identity, !is_removal) : status;
}
