/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "cli/client.h"
#include "cli/cmd_identity.h"
#include "cli/passphrase.h"
#include "cli/progress.h"
#include "cli/unlock.h"
#include "cli/view.h"
#include "identity/identity.h"
#include "onionkey/onionkey.h"

#define WAIT_DEFAULT_S 120
#define WAIT_MOST_S 86400
#define LOOK_EVERY_MS 200

const struct cli_option cmd_identity_new_options[] = {
	{ "local-part", "LP", "what stands before the @; otherwise NAME" },
	{ "passphrase", NULL, "lock its keys with a passphrase, before they are ever written" },
	{ "passphrase-stdin", NULL, "take that from standard input (one line)" },
	{ "wait", NULL, "wait until the address can be reached" },
	{ "timeout", "SECONDS", "how long to wait; otherwise 120" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_identity_import_key_options[] = {
	{ "tor-key", "FILE", "the key: tor's hs_ed25519_secret_key" },
	{ "local-part", "LP", "what stands before the @; otherwise NAME" },
	{ "wait", NULL, "wait until the address can be reached" },
	{ "timeout", "SECONDS", "how long to wait; otherwise 120" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

static int
parse_timeout(const struct cli *cli, int *out_s)
{
	const char *text = cli_option_value(cli, "timeout");
	char *end;
	*out_s = WAIT_DEFAULT_S;
	if (text == NULL)
		return 0;
	long value = strtol(text, &end, 10);
	if (end == text || *end != '\0' || value < 1 || value > WAIT_MOST_S)
		return -1;
	*out_s = (int)value;
	return 0;
}

/* Everything that can be known to be wrong before anything is made. */
static int
check(const struct cli *cli, const char *local_part, int *timeout_s)
{
	struct error err;
	if (identity_check_name(cli->arguments[0], &err) != 0 ||
	    address_check_local_part(slice_of_string(local_part), &err) != 0)
		return cli_fail_with(CLI_USAGE, "%s", err.text);
	if (parse_timeout(cli, timeout_s) != 0)
		return cli_fail_with(CLI_USAGE, "--timeout takes a number of seconds from 1 to %d", WAIT_MOST_S);
	if (!cli_has(cli, "wait"))
		return CLI_OK;
	json_t *status = NULL;
	if (client_call(&cli->paths, "status", NULL, CLIENT_TIMEOUT_MS, &status, &err) != 0)
		return cli_fail(&err);
	json_decref(status);
	return CLI_OK;
}

/* The passphrase for the keys, and the key that opens them, both in locked memory. */
struct locking {
	char passphrase[ASK_LINE_MAX];
	unsigned char key[LOCK_KEY_BYTES];
};

/* *out: NULL when the keys are to lie open. */
static int
ask_locking(const struct cli *cli, struct locking **out)
{
	char what[64];
	*out = NULL;
	if (!cli_has(cli, "passphrase") && !passphrase_is_scripted(cli))
		return CLI_OK;
	snprintf(what, sizeof what, "the keys of %s", cli->arguments[0]);
	secret_shield_process();
	*out = secret_new(sizeof **out);
	return passphrase_ask_new(cli, what, (*out)->passphrase);
}

/* Its card is to name the recovery key that it had before, which stays where it is. */
static int
keep_recovery(int identities_fd, const char *name, const struct recovery *recovery, struct error *err)
{
	int fd = -1;
	int result = identity_open(identities_fd, name, ".", &fd, err) != 0 ? -1 : recovery_set_hash(fd, recovery, err);
	file_close(&fd);
	return result;
}

/* key: NULL for a fresh one, which locking (or NULL) may lock. */
static int
create(const struct cli *cli, const char *local_part, const struct onionkey *key, const struct recovery *recovery, struct locking *locking,
    const char *password, struct identity *out)
{
	struct error err;
	char today[32];
	int fd;
	time_t now = (time_t)clock_wall_s();
	struct tm utc;
	gmtime_r(&now, &utc);
	strftime(today, sizeof today, "%Y-%m-%d", &utc);
	if (identity_open_all(cli->paths.data, true, &fd, &err) != 0)
		return cli_fail(&err);
	struct identity_lock lock = { .cost = SEAL_COST_USUAL };
	if (locking != NULL) {
		lock.passphrase = slice_of_string(locking->passphrase);
		lock.key = locking->key;
	}
	int result = key == NULL ?
	    identity_create_locked(fd, cli->arguments[0], local_part, locking != NULL ? &lock : NULL, slice_of_string(password),
	        today, out, &err) :
	    identity_create_from_key(fd, cli->arguments[0], local_part, key, slice_of_string(password), today, out, &err);
	if (result == 0 && recovery != NULL)
		result = keep_recovery(fd, out->name, recovery, &err);
	file_close(&fd);
	return result == 0 ? CLI_OK : cli_fail(&err);
}

static void
show_progress(struct progress *progress, json_t *status, json_t *row)
{
	json_t *tor = json_object_get(status, "tor");
	if (view_number(tor, "bootstrap") < 100) {
		progress_show(progress, "tor", (int)view_number(tor, "bootstrap"), view_text(tor, "phase"));
		return;
	}
	progress_show(progress, "publishing", -1, view_text(row, "detail"));
}

static int
wait_until_published(const struct cli *cli, const char *name, int timeout_s)
{
	struct progress progress;
	struct error err;
	int64_t began_ms = clock_monotonic_ms();
	progress_init(&progress, stderr);
	for (;;) {
		json_t *status = NULL;
		if (client_call(&cli->paths, "status", NULL, CLIENT_TIMEOUT_MS, &status, &err) != 0) {
			progress_clear(&progress);
			return cli_fail(&err);
		}
		int64_t waited_ms = clock_monotonic_ms() - began_ms;
		bool published = strcmp(view_state(status, name), "published") == 0;
		if (!published)
			show_progress(&progress, status, view_row(status, name));
		json_decref(status);
		if (published) {
			progress_say(&progress, "Published after %.1f s: mail can be sent to it now.", (double)waited_ms / 1000);
			return CLI_OK;
		}
		if (waited_ms > (int64_t)timeout_s * 1000) {
			progress_clear(&progress);
			return cli_fail_with(CLI_TIMEOUT, "identity %s is made, but not published after %d s; the node keeps trying: "
			    "`smtorp status` shows how far it is", name, timeout_s);
		}
		poll(NULL, 0, LOOK_EVERY_MS);
	}
}

static void
print_text(const struct cli *cli, const struct identity *identity, const char *password, bool is_running)
{
	char address[ADDRESS_MAX + 1];
	view_address(identity, address);
	printf("Identity %s is made.\n\n  %s\n  password %s\n\n", identity->name, address, password);
	printf("The password is for your mail program and is not shown again;\n"
	       "`smtorp mua %s` prints the settings.\n", identity->name);
	if (!is_running)
		printf("The address can be reached while the node runs: `%s`.\n", paths_start_command(&cli->paths));
	else if (!cli_has(cli, "wait"))
		printf("The node is publishing it: `smtorp status` shows how far it is.\n");
	fflush(stdout);
}

static int
print_json(const struct cli *cli, const struct identity *identity, const char *password)
{
	json_t *status = view_status(&cli->paths);
	json_t *description = view_identity(&cli->paths, identity, status);
	json_object_set_new(description, "password", json_string(password));
	json_decref(status);
	return view_print_json(description);
}

int
cmd_identity_check_new(const struct cli *cli)
{
	int timeout_s;
	const char *local_part = cli_option_value(cli, "local-part"), *name = cli->arguments[0];
	struct identity identity;
	struct error err;
	int fd;
	int failed = check(cli, local_part != NULL ? local_part : name, &timeout_s);
	if (failed != CLI_OK || cmd_identity_open_all(cli, &fd, &err) != 0)
		return failed; /* no folder of identities yet */
	if (identity_load(fd, name, &identity, NULL) == 0)
		failed = cli_fail_with(CLI_EXISTS, "there is an identity '%s' already: choose another name, or see `smtorp identity show %s`", name, name);
	file_close(&fd);
	return failed;
}

int
cmd_identity_make(struct cli *cli, const struct onionkey *key, const struct recovery *recovery)
{
	struct identity identity;
	struct error err;
	struct locking *locking;
	char password[IDENTITY_PASSWORD_LEN + 1];
	int timeout_s = WAIT_DEFAULT_S;
	const char *local_part = cli_option_value(cli, "local-part");
	if (local_part == NULL)
		local_part = cli->arguments[0];
	int failed = check(cli, local_part, &timeout_s);
	if (failed != CLI_OK)
		return failed;
	failed = ask_locking(cli, &locking);
	identity_generate_password(password);
	if (failed == CLI_OK)
		failed = create(cli, local_part, key, recovery, locking, password, &identity);
	if (failed != CLI_OK) {
		secret_free(locking);
		return failed;
	}
	bool is_running = client_call_name(&cli->paths, "identity.load", identity.name, &err) == 0;
	if (is_running && locking != NULL)
		is_running = unlock_tell_node(&cli->paths, identity.name, locking->key, &err) == 0;
	secret_free(locking);
	bool is_json = cli_has(cli, "json");
	if (!is_json)
		print_text(cli, &identity, password, is_running);
	if (!is_running && err.code != ERROR_UNREACHABLE)
		failed = cli_fail_with(CLI_FAILED, "identity %s is made, but the running node did not take it in: %s", identity.name,
		    err.text);
	else if (cli_has(cli, "wait"))
		failed = wait_until_published(cli, identity.name, timeout_s);
	/* The password is printed whatever came of the rest: nobody could get it otherwise. */
	if (is_json) {
		int printed = print_json(cli, &identity, password);
		failed = failed != CLI_OK ? failed : printed;
	}
	return failed;
}

int
cmd_identity_new(struct cli *cli)
{
	return cmd_identity_make(cli, NULL, NULL);
}

static int
load_key(const char *path, struct onionkey *out, struct error *err)
{
	struct buffer file;
	struct error why = { 0 };
	buffer_init(&file, ONIONKEY_FILE_BYTES);
	int result = file_load(AT_FDCWD, path, &file, &why);
	if (result != 0 && why.code != ERROR_TOO_LARGE)
		error_set(err, ERROR_IO, "%s", why.text); /* not ERROR_NOT_FOUND: that is about identities */
	else if (result != 0 || onionkey_from_file(slice_of(buffer_bytes(&file), buffer_len(&file)), out, &why) != 0)
		result = error_set(err, ERROR_INVALID, "%.80s is no secret key of an onion service of version 3: it is the file "
		    "hs_ed25519_secret_key in tor's HiddenServiceDir", path);
	if (file.data != NULL)
		explicit_bzero(file.data, file.capacity);
	buffer_finish(&file);
	return result;
}

int
cmd_identity_import_key(struct cli *cli)
{
	struct onionkey key;
	struct error err;
	const char *path = cli_option_value(cli, "tor-key");
	if (path == NULL)
		return cli_fail_with(CLI_USAGE, "which key? Say --tor-key FILE, tor's hs_ed25519_secret_key");
	if (load_key(path, &key, &err) != 0)
		return cli_fail(&err);
	int status = cmd_identity_make(cli, &key, NULL);
	onionkey_wipe(&key);
	return status;
}
