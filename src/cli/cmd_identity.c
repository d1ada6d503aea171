/* SPDX-License-Identifier: ISC */
#include "cli/cmd_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/ask.h"
#include "cli/client.h"
#include "cli/view.h"
#include "identity/identity.h"

const struct cli_option cmd_identity_json_options[] = {
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_identity_delete_options[] = {
	{ "yes", NULL, "do not ask" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_identity_password_options[] = {
	{ "stdin", NULL, "take the password from standard input (one line)" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

int
cmd_identity_open_all(const struct cli *cli, int *out_fd, struct error *err)
{
	if (identity_open_all(cli->paths.data, false, out_fd, err) == 0)
		return 0;
	if (err->code == ERROR_NOT_FOUND)
		error_set(err, ERROR_NOT_FOUND, "there is no identity yet: `smtorp identity new NAME` makes one");
	return -1;
}

/* The first argument; without one, the only identity that there is. Returns an exit status, after its text. */
static int
choose(const struct cli *cli, int identities_fd, char out[IDENTITY_NAME_MAX + 1])
{
	struct error err;
	char names[2][IDENTITY_NAME_MAX + 1];
	size_t count = 1;
	if (cli->argument_count > 0)
		snprintf(names[0], sizeof names[0], "%s", cli->arguments[0]);
	else if (identity_list(identities_fd, names, 2, &count, &err) != 0)
		return cli_fail(&err);
	if (count == 0)
		return cli_fail_with(CLI_NOT_FOUND, "there is no identity yet: `smtorp identity new NAME` makes one");
	if (count > 1)
		return cli_fail_with(CLI_USAGE, "there are several identities: say whose, with its NAME behind the command");
	memcpy(out, names[0], sizeof names[0]);
	return CLI_OK;
}

/* Returns an exit status, after its text. also_damaged: what cannot be read any more has its name only. */
static int
load(const struct cli *cli, bool also_damaged, struct identity *out)
{
	struct error err;
	char name[IDENTITY_NAME_MAX + 1];
	int fd;
	*out = (struct identity){ 0 };
	if (cli->argument_count > 0 && identity_check_name(cli->arguments[0], &err) != 0)
		return cli_fail_with(CLI_USAGE, "%s", err.text);
	if (cmd_identity_open_all(cli, &fd, &err) != 0)
		return cli_fail(&err);
	int status = choose(cli, fd, name);
	int result = status == CLI_OK ? identity_load(fd, name, out, &err) : 0;
	file_close(&fd);
	if (status != CLI_OK)
		return status;
	if (result != 0 && (!also_damaged || err.code == ERROR_NOT_FOUND))
		return cli_fail(&err);
	if (result != 0) {
		fprintf(stderr, "smtorp: %s\n", err.text);
		*out = (struct identity){ 0 };
		snprintf(out->name, sizeof out->name, "%s", name);
	}
	return CLI_OK;
}

int
cmd_identity_load(const struct cli *cli, struct identity *out)
{
	return load(cli, false, out);
}

static int
print_list(struct cli *cli, int identities_fd, char (*names)[IDENTITY_NAME_MAX + 1], size_t count, json_t *status)
{
	json_t *list = cli_has(cli, "json") ? json_array() : NULL;
	int exit_status = CLI_OK;
	for (size_t i = 0; i < count; i++) {
		struct identity identity;
		struct error err;
		char address[ADDRESS_MAX + 1], state[VIEW_STATE_MAX];
		if (identity_load(identities_fd, names[i], &identity, &err) != 0) {
			exit_status = cli_fail_with(CLI_FAILED, "%s", err.text);
			continue;
		}
		view_address(&identity, address);
		if (list != NULL)
			json_array_append_new(list, view_identity(&cli->paths, &identity, status));
		else
			printf("%s (%s)\n  %s\n", names[i], view_state_text(status, names[i], state), address);
	}
	int printed = list != NULL ? view_print_json(list) : cli_end_output();
	return printed != CLI_OK ? printed : exit_status;
}

int
cmd_identity_list(struct cli *cli)
{
	struct error err;
	size_t count = 0;
	int fd = -1;
	char (*names)[IDENTITY_NAME_MAX + 1] = calloc(IDENTITIES_MAX, sizeof *names);
	if (names == NULL)
		return cli_fail_with(CLI_FAILED, "not enough memory");
	int result = identity_open_all(cli->paths.data, false, &fd, &err);
	if (result == 0)
		result = identity_list(fd, names, IDENTITIES_MAX, &count, &err);
	else if (err.code == ERROR_NOT_FOUND)
		result = 0;
	int exit_status;
	if (result != 0)
		exit_status = cli_fail_with(CLI_FAILED, "%s", err.text);
	else {
		json_t *status = view_status(&cli->paths);
		if (count == 0 && !cli_has(cli, "json"))
			fputs("There is no identity yet: `smtorp identity new NAME` makes one.\n", stderr);
		exit_status = print_list(cli, fd, names, count, status);
		json_decref(status);
	}
	file_close(&fd);
	free(names);
	return exit_status;
}

int
cmd_identity_show(struct cli *cli)
{
	struct identity identity;
	int failed = cmd_identity_load(cli, &identity);
	if (failed != CLI_OK)
		return failed;
	json_t *status = view_status(&cli->paths);
	json_t *description = view_identity(&cli->paths, &identity, status);
	if (cli_has(cli, "json")) {
		json_decref(status);
		return view_print_json(description);
	}
	char state[VIEW_STATE_MAX];
	printf("%s\n", view_text(description, "address"));
	printf("  in full    %s\n             (names the TLS key too: who has this form is warned when another key answers)\n",
	    view_text(description, "full_address"));
	printf("  identity   %s, made on %s\n", identity.name, identity.created);
	printf("  state      %s\n", view_state_text(status, identity.name, state));
	printf("  keys       %s\n", json_is_true(json_object_get(description, "passphrase")) ? "locked with a passphrase" :
	    "lie open in the folder; `smtorp identity passphrase` locks them");
	printf("  login      the address; `smtorp mua %s` prints settings for mail programs\n", identity.name);
	printf("  folder     %s/identities/%s\n", cli->paths.data, identity.name);
	json_decref(description);
	json_decref(status);
	return cli_end_output();
}

/* Asks unless --yes. -1: go on; else the exit status. */
static int
confirm_deletion(struct cli *cli, const struct identity *identity)
{
	char answer[ASK_LINE_MAX], address[ADDRESS_MAX + 1];
	if (cli_has(cli, "yes"))
		return -1;
	if (isatty(STDIN_FILENO) != 1)
		return cli_fail_with(CLI_USAGE, "deleting cannot be undone: say --yes when nobody is there to be asked");
	view_address(identity, address);
	fprintf(stderr, "This deletes the address\n  %s\nfor good, and all mail of identity %s on this machine.\n",
	    identity->onion[0] != '\0' ? address : "(which cannot be read any more)", identity->name);
	if (ask_line("Type the identity's name to go on: ", false, answer) != 0 || strcmp(answer, identity->name) != 0)
		return cli_fail_with(CLI_FAILED, "nothing was deleted");
	return -1;
}

/* Makes the node let an identity go; one that has never taken it in has nothing to let go. ERROR_UNREACHABLE when no node
 * runs. */
static int
unload(const struct cli *cli, const char *name, bool *was_loaded, struct error *err)
{
	json_t *status = NULL;
	*was_loaded = false;
	if (client_call(&cli->paths, "status", NULL, CLIENT_TIMEOUT_MS, &status, err) != 0)
		return -1;
	*was_loaded = view_row(status, name) != NULL;
	json_decref(status);
	return *was_loaded ? client_call_name(&cli->paths, "identity.unload", name, err) : 0;
}

int
cmd_identity_lock_node(const struct cli *cli, int *out_fd, struct error *err)
{
	char path[PATHS_MAX + 8];
	snprintf(path, sizeof path, "%s/lock", cli->paths.data);
	*out_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*out_fd < 0)
		return error_set_errno(err, errno, "cannot open the lock file in %s", cli->paths.data);
	if (flock(*out_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	file_close(out_fd);
	return error_set(err, ERROR_BUSY, "the node is starting or stopping: try again in a moment");
}

int
cmd_identity_begin_alone(const struct cli *cli, const char *name, int *lock_fd, bool *was_loaded, struct error *err)
{
	if (unload(cli, name, was_loaded, err) == 0)
		return 0;
	return err->code == ERROR_UNREACHABLE ? cmd_identity_lock_node(cli, lock_fd, err) : -1;
}

int
cmd_identity_delete(struct cli *cli)
{
	struct identity identity;
	struct error err;
	bool was_loaded;
	int fd, failed = load(cli, true, &identity); /* a damaged one can go all the same */
	if (failed == CLI_OK)
		failed = confirm_deletion(cli, &identity);
	if (failed >= 0)
		return failed;
	if (unload(cli, identity.name, &was_loaded, &err) != 0 && err.code != ERROR_UNREACHABLE)
		return cli_fail_with(CLI_FAILED, "nothing was deleted, because the node does not let the identity go: %s", err.text);
	if (cmd_identity_open_all(cli, &fd, &err) != 0)
		return cli_fail(&err);
	int result = identity_remove(fd, identity.name, &err);
	file_close(&fd);
	if (result != 0)
		return cli_fail(&err);
	if (cli_has(cli, "json"))
		return view_print_json(json_pack("{s:s}", "deleted", identity.name));
	fprintf(stderr, "Identity %s is deleted.\n", identity.name);
	return CLI_OK;
}

int
cmd_identity_takeover(struct cli *cli)
{
	struct identity identity;
	struct error err = { 0 };
	int fd = -1, failed = cmd_identity_load(cli, &identity);
	if (failed != CLI_OK)
		return failed;
	int result = client_call_name(&cli->paths, "identity.takeover", identity.name, &err);
	if (result != 0 && err.code == ERROR_UNREACHABLE) {
		result = cmd_identity_open_all(cli, &fd, &err);
		if (result == 0)
			result = identity_set_standby(fd, identity.name, false, &err);
		file_close(&fd);
	}
	if (result != 0)
		return cli_fail(&err);
	if (cli_has(cli, "json"))
		return view_print_json(json_pack("{s:s, s:b}", "identity", identity.name, "stands_by", 0));
	fprintf(stderr, "Identity %s is published here. Another copy that still runs elsewhere notices within the hour, and stands by.\n", identity.name);
	return CLI_OK;
}

static int
choose_password(struct cli *cli, char out[ASK_LINE_MAX], bool *is_random)
{
	*is_random = !cli_has(cli, "stdin");
	if (*is_random) {
		identity_generate_password(out);
		return 0;
	}
	return ask_password(out);
}

static int
tell_password(struct cli *cli, const struct identity *identity, const char *password)
{
	char address[ADDRESS_MAX + 1];
	view_address(identity, address);
	if (cli_has(cli, "json")) {
		json_t *o = json_pack("{s:s, s:s}", "name", identity->name, "login", address);
		if (password != NULL)
			json_object_set_new(o, "password", json_string(password));
		return view_print_json(o);
	}
	if (password == NULL) {
		fprintf(stderr, "The password of %s is changed.\n", identity->name);
		return CLI_OK;
	}
	printf("The password of %s is now\n\n  %s\n\nIt is not shown again. The login is %s\n", identity->name, password, address);
	return cli_end_output();
}

int
cmd_identity_password(struct cli *cli)
{
	struct identity identity;
	struct error err;
	char password[ASK_LINE_MAX];
	bool is_random;
	int fd, failed = cmd_identity_load(cli, &identity);
	if (failed != CLI_OK)
		return failed;
	if (choose_password(cli, password, &is_random) != 0)
		return cli_fail_with(CLI_FAILED, "no password was given: it is one line that is not empty, and nothing was changed");
	if (cmd_identity_open_all(cli, &fd, &err) != 0)
		return cli_fail(&err);
	int result = identity_set_password(fd, identity.name, slice_of_string(password), &err);
	file_close(&fd);
	if (result != 0)
		return cli_fail(&err);
	if (client_call_name(&cli->paths, "identity.load", identity.name, &err) != 0 && err.code != ERROR_UNREACHABLE)
		return cli_fail_with(CLI_FAILED, "the password is changed, but the running node did not take it in: %s", err.text);
	failed = tell_password(cli, &identity, is_random ? password : NULL);
	explicit_bzero(password, sizeof password);
	return failed;
}
