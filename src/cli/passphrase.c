/* SPDX-License-Identifier: ISC */
#include "cli/passphrase.h"

#include <string.h>
#include <unistd.h>

/* -1 when the two differ. */
static int
ask_twice(char out[ASK_LINE_MAX])
{
	char again[ASK_LINE_MAX];
	if (ask_line("New passphrase for the file: ", true, out) != 0 || ask_line("The same again: ", true, again) != 0)
		return -1;
	int differs = strcmp(out, again);
	explicit_bzero(again, sizeof again);
	return differs == 0 ? 0 : -1;
}

int
passphrase_get(const struct cli *cli, bool is_new, char out[ASK_LINE_MAX])
{
	bool is_terminal = isatty(STDIN_FILENO) == 1, is_scripted = cli_has(cli, "passphrase-stdin");
	if (!is_terminal && !is_scripted)
		return cli_fail_with(CLI_USAGE, "the passphrase is asked for on a terminal: say --passphrase-stdin when it comes on "
		    "standard input");
	if (is_new && !is_scripted) {
		if (ask_twice(out) != 0)
			return cli_fail_with(CLI_FAILED, "the two passphrases differ, and nothing was done");
	} else if (ask_line(is_scripted ? "" : "Passphrase of the file: ", true, out) != 0 || out[0] == '\0')
		return cli_fail_with(CLI_FAILED, "no passphrase was given: it is one line that is not empty");
	if (is_new && strlen(out) < PASSPHRASE_LEAST)
		return cli_fail_with(CLI_FAILED, "the passphrase is too short: whoever finds the file can try billions; take %d letters "
		    "at the least, better six random words", PASSPHRASE_LEAST);
	return CLI_OK;
}
