/* SPDX-License-Identifier: ISC */
#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

bool
passphrase_is_scripted(const struct cli *cli)
{
	return cli_has(cli, "passphrase-stdin") || cli_has(cli, "passphrase-file");
}

/* The first line, without its end. */
static int
read_file(const char *path, char out[ASK_LINE_MAX])
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC), status = CLI_OK;
	if (fd < 0 || fstat(fd, &st) != 0)
		status = cli_fail_with(CLI_FAILED, "cannot open %s: %s", path, strerror(errno));
	else if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
		status = cli_fail_with(CLI_FAILED, "others can read the passphrase in %s: chmod 600 it", path);
	size_t len = 0;
	ssize_t n = 0;
	while (status == CLI_OK && len < ASK_LINE_MAX - 1 && (n = read(fd, out + len, ASK_LINE_MAX - 1 - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		status = cli_fail_with(CLI_FAILED, "cannot read %s: %s", path, strerror(errno));
	out[len] = '\0';
	if (status == CLI_OK && len == ASK_LINE_MAX - 1 && strchr(out, '\n') == NULL)
		status = cli_fail_with(CLI_FAILED, "the line in %s is too long for a passphrase", path);
	out[strcspn(out, "\r\n")] = '\0';
	return status;
}

int
passphrase_ask(const struct cli *cli, const char *question, char out[ASK_LINE_MAX])
{
	secret_shield_process(); /* not only the passphrase is worth it: so is what it is for */
	const char *path = cli_option_value(cli, "passphrase-file");
	bool is_file = path != NULL && strcmp(path, "-") != 0, is_scripted = passphrase_is_scripted(cli);
	if (!is_scripted && isatty(STDIN_FILENO) != 1)
		return cli_fail_with(CLI_USAGE, "the passphrase is asked for on a terminal: say --passphrase-stdin when it comes on "
		    "standard input");
	if (is_file) {
		int status = read_file(path, out);
		if (status != CLI_OK)
			return status;
	} else if (ask_line(is_scripted ? "" : question, true, out) != 0)
		out[0] = '\0';
	if (out[0] == '\0')
		return cli_fail_with(CLI_FAILED, "no passphrase was given: it is one line that is not empty");
	return CLI_OK;
}

int
passphrase_ask_new(const struct cli *cli, const char *what, char out[ASK_LINE_MAX])
{
	char question[96];
	snprintf(question, sizeof question, "New passphrase for %s: ", what);
	int status = passphrase_ask(cli, question, out);
	if (status == CLI_OK && !passphrase_is_scripted(cli)) {
		char *again = secret_new(ASK_LINE_MAX);
		if (ask_line("The same again: ", true, again) != 0 || strcmp(out, again) != 0)
			status = cli_fail_with(CLI_FAILED, "the two passphrases differ, and nothing was done");
		secret_free(again);
	}
	if (status == CLI_OK && strlen(out) < PASSPHRASE_LEAST)
		return cli_fail_with(CLI_FAILED, "the passphrase is too short: whoever finds the file can try billions; take %d letters "
		    "at the least, better six random words", PASSPHRASE_LEAST);
	return status;
}
