/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "cli/ask.h"
#include "cli/cmd_identity.h"
#include "cli/unlock.h"
#include "cli/view.h"
#include "identity/sheet.h"

const struct cli_option cmd_identity_sheet_options[] = {
	{ "passphrase-stdin", NULL, "take the passphrase of its keys, if they are locked, from standard input (one line)" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

const struct cli_option cmd_identity_import_sheet_options[] = {
	{ "local-part", "LP", "what stands before the @; otherwise NAME" },
	{ "wait", NULL, "wait until the address can be reached" },
	{ "timeout", "SECONDS", "how long to wait; otherwise 120" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

/* ---- writing */

static int
load_key(const struct cli *cli, const struct identity *identity, struct onionkey *out)
{
	struct error err;
	struct unlocked *unlocked = unlock_new();
	int fd = -1, dir_fd = -1, status;
	if (cmd_identity_open_all(cli, &fd, &err) != 0 || identity_open(fd, identity->name, ".", &dir_fd, &err) != 0)
		status = cli_fail(&err);
	else
		status = unlock_identity(cli, identity, dir_fd, unlocked);
	if (status == CLI_OK && secrets_onion_key(&unlocked->secrets, identity, out, &err) != 0)
		status = cli_fail_with(CLI_FAILED, "%s", err.text);
	file_close(&dir_fd);
	file_close(&fd);
	unlock_free(unlocked);
	return status;
}

/* Where the sheet goes: the file of the command line, made for its owner's eyes alone, or standard output. */
static int
open_output(const struct cli *cli, int *out_fd)
{
	struct stat st;
	const char *path = cli->argument_count > 1 ? cli->arguments[1] : "-";
	if (strcmp(path, "-") != 0) {
		*out_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (*out_fd < 0 && errno == EEXIST)
			return cli_fail_with(CLI_EXISTS, "there is a file %s already: take another name", path);
		return *out_fd >= 0 ? CLI_OK : cli_fail_with(CLI_FAILED, "cannot write %s: %s", path, strerror(errno));
	}
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
		return cli_fail_with(CLI_USAGE, "others could read that file, and with it take the address: say "
		    "`smtorp identity sheet %s FILE`, which makes one that only you can read", cli->arguments[0]);
	*out_fd = STDOUT_FILENO;
	return CLI_OK;
}

static int
write_text(const struct identity *identity, const struct onionkey *key, const char *today, int fd)
{
	struct buffer text;
	struct error err;
	buffer_init(&text, SHEET_TEXT_MAX);
	int result = sheet_write(identity, key, today, &text, &err);
	if (result == 0)
		result = file_write_all(fd, buffer_bytes(&text), buffer_len(&text), &err);
	if (text.data != NULL)
		explicit_bzero(text.data, text.capacity);
	buffer_finish(&text);
	return result == 0 ? CLI_OK : cli_fail_with(CLI_FAILED, "%s", err.text);
}

static int
write_json(const struct identity *identity, const struct onionkey *key, const char *today, int fd)
{
	char address[ADDRESS_MAX + 1], line[SHEET_LINE_LEN + 1];
	json_t *lines = json_array();
	for (unsigned i = 1; i <= SHEET_LINES; i++) {
		sheet_write_line(key, i, line);
		json_array_append_new(lines, json_string(line));
	}
	explicit_bzero(line, sizeof line);
	view_address(identity, address);
	json_t *sheet = json_pack("{s:s, s:s, s:s, s:o}", "name", identity->name, "address", address, "date", today, "lines", lines);
	int result = sheet != NULL ? json_dumpfd(sheet, fd, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : -1;
	json_decref(sheet);
	if (result == 0 && write(fd, "\n", 1) == 1)
		return CLI_OK;
	return cli_fail_with(CLI_FAILED, "cannot write the sheet: %s", strerror(errno));
}

int
cmd_identity_sheet(struct cli *cli)
{
	struct identity identity;
	struct onionkey key;
	char today[sizeof "2026-01-31"];
	time_t now_s = (time_t)clock_wall_s();
	struct tm tm;
	int fd = -1, status = cmd_identity_load(cli, &identity);
	if (status != CLI_OK)
		return status;
	strftime(today, sizeof today, "%Y-%m-%d", gmtime_r(&now_s, &tm));
	status = load_key(cli, &identity, &key);
	if (status == CLI_OK)
		status = open_output(cli, &fd);
	if (status == CLI_OK)
		status = cli_has(cli, "json") ? write_json(&identity, &key, today, fd) : write_text(&identity, &key, today, fd);
	onionkey_wipe(&key);
	if (fd > STDERR_FILENO && (fsync(fd) != 0 || close(fd) != 0) && status == CLI_OK)
		status = cli_fail_with(CLI_FAILED, "cannot write %s: %s", cli->arguments[1], strerror(errno));
	if (fd > STDERR_FILENO && status != CLI_OK)
		unlink(cli->arguments[1]);
	else if (fd > STDERR_FILENO)
		fprintf(stderr, "The sheet is in %s: print it, and then remove the file.\n", cli->arguments[1]);
	return status;
}

/* ---- reading */

/* Line by line from the terminal, each until it is right. */
static int
ask_lines(struct sheet_reader *r)
{
	char question[32], line[ASK_LINE_MAX];
	struct error err;
	int status = CLI_OK;
	fprintf(stderr, "Type the %d lines of the sheet, without their numbers; spaces and capitals do not matter.\n", SHEET_LINES);
	for (unsigned i = 1; status == CLI_OK && i <= SHEET_LINES; i++) {
		snprintf(question, sizeof question, "%u: ", i);
		do {
			if (ask_line(question, false, line) != 0) {
				status = cli_fail_with(CLI_FAILED, "the sheet was not read to its end, and nothing was made");
				break;
			}
		} while (sheet_reader_take(r, i, slice_of_string(line), &err) != 0 && cli_fail(&err) != CLI_OK);
	}
	explicit_bzero(line, sizeof line);
	return status;
}

static int
read_file(const char *path, struct sheet_reader *r)
{
	struct buffer text;
	struct error err = { 0 };
	bool is_input = strcmp(path, "-") == 0;
	int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_fail_with(CLI_FAILED, "cannot open %s: %s", path, strerror(errno));
	buffer_init(&text, SHEET_INPUT_MAX);
	buffer_reserve(&text, SHEET_INPUT_MAX, NULL); /* so that it does not leave copies behind when it grows */
	int result = file_read_all(fd, &text, &err);
	sheet_reader_take_text(r, slice_of(buffer_bytes(&text), buffer_len(&text)));
	if (text.data != NULL)
		explicit_bzero(text.data, text.capacity);
	buffer_finish(&text);
	if (!is_input)
		close(fd);
	return result == 0 ? CLI_OK : cli_fail_with(CLI_FAILED, "cannot read the sheet: %s", err.text);
}

int
cmd_identity_import_sheet(struct cli *cli)
{
	struct sheet_reader reader;
	struct onionkey key;
	struct error err;
	sheet_reader_init(&reader);
	secret_shield_process();
	int status = cmd_identity_check_new(cli);
	if (status == CLI_OK && cli->argument_count == 1 && isatty(STDIN_FILENO) == 1)
		status = ask_lines(&reader);
	else if (status == CLI_OK)
		status = read_file(cli->argument_count > 1 ? cli->arguments[1] : "-", &reader);
	if (status == CLI_OK && sheet_reader_finish(&reader, &key, &err) != 0)
		status = cli_fail_with(CLI_FAILED, "nothing was made: %s", err.text);
	sheet_reader_wipe(&reader);
	if (status == CLI_OK)
		status = cmd_identity_make(cli, &key);
	onionkey_wipe(&key);
	return status;
}
