/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/secret.h"
#include "cli/client.h"
#include "cli/cmd_identity.h"
#include "cli/interrupt.h"
#include "cli/passphrase.h"
#include "cli/view.h"
#include "identity/import.h"

const struct cli_option cmd_identity_import_options[] = {
	{ "name", "NAME", "how to call it; otherwise as it was called" },
	{ "passphrase-stdin", NULL, "take the passphrase from standard input (one line)" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

static int
import(const struct cli *cli, const char *name, int in_fd, const char *passphrase, struct identity *out)
{
	struct error err;
	int fd = -1;
	interrupt_hold();
	int result = identity_open_all(cli->paths.data, true, &fd, &err);
	if (result == 0)
		result = import_identity(fd, name, in_fd, slice_of_string(passphrase), interrupt_is_due, out, &err);
	file_close(&fd);
	interrupt_release();
	if (result != 0)
		return cli_fail_with(err.code == ERROR_EXISTS ? CLI_EXISTS : err.code == ERROR_DENIED ? CLI_WRONG_PASSPHRASE : CLI_FAILED,
		    "nothing was imported: %s", err.text);
	return CLI_OK;
}

static int
tell(struct cli *cli, const struct identity *identity, bool is_running)
{
	char address[ADDRESS_MAX + 1];
	if (cli_has(cli, "json")) {
		json_t *status = view_status(&cli->paths);
		json_t *description = view_identity(&cli->paths, identity, status);
		json_decref(status);
		return view_print_json(description);
	}
	view_address(identity, address);
	printf("Identity %s is here, with its mail and its password.\n\n  %s\n\n", identity->name, address);
	printf("The address may live on one machine at a time: see that it is gone from the one it came from.\n");
	if (!is_running)
		printf("It can be reached while the node runs: `%s`.\n", paths_start_command(&cli->paths));
	return cli_end_output();
}

int
cmd_identity_import(struct cli *cli)
{
	struct identity identity;
	struct error err;
	const char *name = cli_option_value(cli, "name");
	if (name != NULL && identity_check_name(name, &err) != 0)
		return cli_fail_with(CLI_USAGE, "%s", err.text);
	int fd = open(cli->arguments[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_fail_with(CLI_FAILED, "cannot open %s: %s", cli->arguments[0], strerror(errno));
	char *passphrase = secret_new(ASK_LINE_MAX);
	int status = passphrase_ask(cli, "Passphrase of the file: ", passphrase);
	if (status == CLI_OK)
		status = import(cli, name, fd, passphrase, &identity);
	secret_free(passphrase);
	file_close(&fd);
	if (status != CLI_OK)
		return status;
	bool is_running = client_call_name(&cli->paths, "identity.load", identity.name, &err) == 0;
	if (!is_running && err.code != ERROR_UNREACHABLE)
		status = cli_fail_with(CLI_FAILED, "identity %s is imported, but the running node did not take it in: %s", identity.name,
		    err.text);
	int told = tell(cli, &identity, is_running);
	return status != CLI_OK ? status : told;
}
