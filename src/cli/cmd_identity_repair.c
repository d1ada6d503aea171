/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/ask.h"
#include "cli/client.h"
#include "cli/cmd_identity.h"
#include "cli/repair_open.h"
#include "cli/view.h"
#include "identity/identity.h"
#include "store/salvage.h"

const struct cli_option cmd_identity_repair_options[] = {
	{ "yes", NULL, "do not ask" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

/* -1: go on; else the exit status. */
static int
confirm(const struct cli *cli, const char *name)
{
	char answer[ASK_LINE_MAX];
	if (cli_has(cli, "yes"))
		return -1;
	if (isatty(STDIN_FILENO) != 1)
		return cli_fail_with(CLI_USAGE, "a repair empties the queue: say --yes when nobody is there to be asked");
	fprintf(stderr, "Is the database of %s damaged? Then go on: its messages that wait are put into the mailbox "
	    SALVAGE_FOLDER ",\nand are not sent by themselves any more. The mail that you have stays.\n", name);
	if (ask_line("Type the identity's name to go on: ", false, answer) != 0 || strcmp(answer, name) != 0)
		return cli_fail_with(CLI_FAILED, "nothing was changed");
	return -1;
}

static int
salvage(const struct cli *cli, const char *name, char *aside, size_t size, struct salvage_report *report, struct repair_open *opened,
    struct error *err)
{
	struct identity identity;
	char address[ADDRESS_MAX + 1];
	int fd = -1, dir_fd = -1, mail_fd = -1;
	time_t now = time(NULL);
	struct tm tm;
	strftime(aside, size, "damaged-%Y%m%dT%H%M%S", gmtime_r(&now, &tm));
	int result = identity_open_all(cli->paths.data, false, &fd, err);
	if (result == 0)
		result = identity_load(fd, name, &identity, err);
	if (result == 0)
		result = identity_open(fd, name, IDENTITY_MAIL_FOLDER, &mail_fd, err);
	if (result == 0)
		result = salvage_mail(mail_fd, aside, report, err);
	if (result == 0)
		result = identity_open(fd, name, ".", &dir_fd, err);
	if (result == 0) {
		view_address(&identity, address);
		result = repair_open(dir_fd, address, opened, err);
	}
	file_close(&dir_fd);
	file_close(&mail_fd);
	file_close(&fd);
	return result;
}

static void
tell(const char *name, const struct salvage_report *report, const struct repair_open *opened)
{
	if (report->is_whole)
		printf("The database of %s is whole: only parts of the journal were damaged, and what waits goes on. ", name);
	else
		printf("%s has a new database. ", name);
	if (report->recovered > 0)
		printf("The mailbox " SALVAGE_FOLDER " holds %zu messages that were on their way, in or out;\n"
		       "some of them you may have already, or they may have been delivered.\n", report->recovered);
	else
		printf("Nothing %s on its way.\n", report->lost > 0 ? "could be read that was" : "was");
	if (opened->closed > 0)
		printf("%zu of them stay encrypted: somebody else has encrypted them to this identity, or its OpenPGP key is locked, or another one by\n"
		       "now. A mail program with the key (`smtorp openpgp export --secret %s`) opens them.\n", opened->closed, name);
	if (report->kept.people + report->kept.pins > 0)
		printf("Kept are %zu people of its address book, and the TLS keys of %zu onions that it writes to. `smtorp contact list` and\n"
		       "`smtorp peer list` show them: look whether somebody is missing.\n", report->kept.people, report->kept.pins);
	if (report->lost > 0)
		printf("%zu of what was on its way cannot be read, or not to its end: so many messages may be missing, or more. Ask those\n"
		       "who may have written to you, and look at what you have sent, in the time since the damage.\n", report->lost);
}

int
cmd_identity_repair(struct cli *cli)
{
	struct error err = { 0 }, why = { 0 };
	const char *name = cli->arguments[0];
	char aside[64];
	struct salvage_report report = { 0 };
	struct repair_open opened = { 0 };
	bool was_loaded;
	int lock_fd = -1;
	if (identity_check_name(name, &err) != 0)
		return cli_fail_with(CLI_USAGE, "%s", err.text);
	int answer = confirm(cli, name);
	if (answer >= 0)
		return answer;
	if (cmd_identity_begin_alone(cli, name, &lock_fd, &was_loaded, &err) != 0)
		return cli_fail_with(CLI_FAILED, "nothing was changed, because the node does not let the identity go: %s", err.text);
	int result = salvage(cli, name, aside, sizeof aside, &report, &opened, &err);
	file_close(&lock_fd);
	if (was_loaded && client_call_name(&cli->paths, "identity.load", name, &why) != 0)
		fprintf(stderr, "smtorp: the running node did not take it in again: %s\n", why.text);
	if (result != 0)
		return cli_fail(&err);
	if (cli_has(cli, "json"))
		return view_print_json(json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:s}", "identity", name, "whole", (int)report.is_whole,
		    "recovered", (json_int_t)report.recovered, "lost", (json_int_t)report.lost, "closed", (json_int_t)opened.closed, "people",
		    (json_int_t)report.kept.people, "peers", (json_int_t)report.kept.pins, "before", aside));
	tell(name, &report, &opened);
	printf("What was there before is kept in %s/identities/%s/mail/%s\n", cli->paths.data, name, aside);
	return cli_end_output();
}
