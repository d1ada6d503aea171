/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "cli/ask.h"
#include "cli/cmd_identity.h"
#include "cli/unlock.h"
#include "cli/view.h"
#include "identity/recovery.h"
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

/* What the sheet holds. */
struct keys {
	struct onionkey onion;
	struct recovery recovery;
	bool has_recovery;
	int dir_fd; /* the identity's folder */
};

static void
wipe_keys(struct keys *keys)
{
	onionkey_wipe(&keys->onion);
	recovery_wipe(&keys->recovery);
	file_close(&keys->dir_fd);
}

static int
load_keys(const struct cli *cli, const struct identity *identity, struct keys *out)
{
	struct error err;
	struct unlocked *unlocked = unlock_new();
	int fd = -1, status;
	*out = (struct keys){ .dir_fd = -1 };
	if (cmd_identity_open_all(cli, &fd, &err) != 0 || identity_open(fd, identity->name, ".", &out->dir_fd, &err) != 0)
		status = cli_fail(&err);
	else
		status = unlock_identity(cli, identity, out->dir_fd, unlocked);
	if (status == CLI_OK && secrets_onion_key(&unlocked->secrets, identity, &out->onion, &err) != 0)
		status = cli_fail_with(CLI_FAILED, "%s", err.text);
	out->has_recovery = status == CLI_OK && recovery_load(out->dir_fd, &out->recovery, &err) == 0;
	if (status == CLI_OK && !out->has_recovery && err.code != ERROR_NOT_FOUND)
		status = cli_fail_with(CLI_FAILED, "%s", err.text);
	file_close(&fd);
	unlock_free(unlocked);
	return status;
}

/* Where the sheet goes: the file of the command line, made for its owner's eyes alone, or standard output. */
static int
open_output(const struct cli *cli, int *out_fd)
{
	const char *path = cli->argument_count > 1 ? cli->arguments[1] : "-";
	if (strcmp(path, "-") != 0) {
		*out_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (*out_fd < 0 && errno == EEXIST)
			return cli_fail_with(CLI_EXISTS, "there is a file %s already: take another name", path);
		return *out_fd >= 0 ? CLI_OK : cli_fail_with(CLI_FAILED, "cannot write %s: %s", path, strerror(errno));
	}
	if (cli_output_is_open_to_others())
		return cli_fail_with(CLI_USAGE, "others could read that file, and with it take the address: say "
		    "`smtorp identity sheet %s FILE`, which makes one that only you can read", cli->arguments[0]);
	*out_fd = STDOUT_FILENO;
	return CLI_OK;
}

static int
write_text(const struct identity *identity, const struct keys *keys, const char *today, int fd)
{
	struct buffer text;
	struct error err;
	buffer_init(&text, SHEET_TEXT_MAX);
	int result = sheet_write(identity, &keys->onion, keys->has_recovery ? &keys->recovery : NULL, today, &text, &err);
	if (result == 0)
		result = file_write_all(fd, buffer_bytes(&text), buffer_len(&text), &err);
	if (text.data != NULL)
		explicit_bzero(text.data, text.capacity);
	buffer_finish(&text);
	return result == 0 ? CLI_OK : cli_fail_with(CLI_FAILED, "%s", err.text);
}

static int
write_json(const struct identity *identity, const struct keys *keys, const char *today, int fd)
{
	char address[ADDRESS_MAX + 1], line[SHEET_LINE_LEN + 1];
	json_t *lines = json_array(), *recovery = keys->has_recovery ? json_array() : json_null();
	for (unsigned i = 1; i <= SHEET_LINES; i++) {
		sheet_write_line(&keys->onion, i, line);
		json_array_append_new(lines, json_string(line));
	}
	for (unsigned i = 0; keys->has_recovery && i < RECOVERY_LINES; i++) {
		recovery_write_line(&keys->recovery, i, line);
		json_array_append_new(recovery, json_string(line));
	}
	explicit_bzero(line, sizeof line);
	view_address(identity, address);
	json_t *sheet = json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", identity->name, "address", address, "date", today, "lines", lines,
	    "recovery", recovery);
	int result = sheet != NULL ? json_dumpfd(sheet, fd, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : -1;
	json_decref(sheet);
	if (result == 0 && write(fd, "\n", 1) == 1)
		return CLI_OK;
	return cli_fail_with(CLI_FAILED, "cannot write the sheet: %s", strerror(errno));
}

/* The sheet has the recovery key now: that is what the folder had it for. */
static int
leave_recovery(const struct keys *keys)
{
	struct error err;
	if (recovery_remove(keys->dir_fd, &err) != 0)
		return cli_fail(&err);
	fprintf(stderr, "Its lines A and B are the recovery key, which is not on this machine any more: keep the sheet. By that key\n"
	    "those who know the address follow it elsewhere (`smtorp identity move`). A later sheet does not have it.\n");
	return CLI_OK;
}

int
cmd_identity_sheet(struct cli *cli)
{
	struct identity identity;
	struct keys keys;
	char today[sizeof "2026-01-31"];
	time_t now_s = (time_t)clock_wall_s();
	struct tm tm;
	int fd = -1, status = cmd_identity_load(cli, &identity);
	if (status != CLI_OK)
		return status;
	strftime(today, sizeof today, "%Y-%m-%d", gmtime_r(&now_s, &tm));
	status = load_keys(cli, &identity, &keys);
	if (status == CLI_OK)
		status = open_output(cli, &fd);
	if (status == CLI_OK)
		status = cli_has(cli, "json") ? write_json(&identity, &keys, today, fd) : write_text(&identity, &keys, today, fd);
	if (fd > STDERR_FILENO && (fsync(fd) != 0 || close(fd) != 0) && status == CLI_OK)
		status = cli_fail_with(CLI_FAILED, "cannot write %s: %s", cli->arguments[1], strerror(errno));
	if (fd > STDERR_FILENO && status != CLI_OK)
		unlink(cli->arguments[1]);
	else if (fd > STDERR_FILENO)
		fprintf(stderr, "The sheet is in %s: print it, and then remove the file.\n", cli->arguments[1]);
	if (status == CLI_OK && keys.has_recovery)
		status = leave_recovery(&keys);
	wipe_keys(&keys);
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

/* The lines of the recovery key, which not every sheet has. Each has a check of both, so they are asked for together. */
static int
ask_recovery(struct recovery *recovery, bool *has_recovery)
{
	char lines[RECOVERY_LINES][ASK_LINE_MAX] = { "" }, both[RECOVERY_LINES * (ASK_LINE_MAX + 4)] = "";
	struct error err = { 0 };
	int status = CLI_OK;
	bool is_over = false;
	fprintf(stderr, "Now the lines A and B, the recovery key. If they are not on the sheet, leave A empty.\n");
	while (status == CLI_OK && !is_over) {
		if (ask_line("A: ", false, lines[0]) != 0 || (lines[0][0] != '\0' && ask_line("B: ", false, lines[1]) != 0)) {
			status = cli_fail_with(CLI_FAILED, "the sheet was not read to its end, and nothing was made");
			break;
		}
		snprintf(both, sizeof both, "A: %s\nB: %s\n", lines[0], lines[1]);
		*has_recovery = lines[0][0] != '\0' && recovery_read_text(slice_of_string(both), recovery, &err) == 0;
		is_over = *has_recovery || lines[0][0] == '\0';
		if (!is_over)
			cli_fail(&err);
	}
	explicit_bzero(lines, sizeof lines);
	explicit_bzero(both, sizeof both);
	return status;
}

static int
read_file(const char *path, struct sheet_reader *r, struct recovery *recovery, bool *has_recovery)
{
	struct buffer text;
	struct error err = { 0 }, wrong = { 0 };
	bool is_input = strcmp(path, "-") == 0;
	int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_fail_with(CLI_FAILED, "cannot open %s: %s", path, strerror(errno));
	buffer_init(&text, SHEET_INPUT_MAX);
	buffer_reserve(&text, SHEET_INPUT_MAX, NULL); /* so that it does not leave copies behind when it grows */
	int result = file_read_all(fd, &text, &err);
	sheet_reader_take_text(r, slice_of(buffer_bytes(&text), buffer_len(&text)));
	*has_recovery = result == 0 && recovery_read_text(slice_of(buffer_bytes(&text), buffer_len(&text)), recovery, &wrong) == 0;
	if (text.data != NULL)
		explicit_bzero(text.data, text.capacity);
	buffer_finish(&text);
	if (!is_input)
		close(fd);
	if (result == 0 && !*has_recovery && wrong.code != ERROR_NOT_FOUND)
		return cli_fail_with(CLI_FAILED, "nothing was made: %s", wrong.text);
	return result == 0 ? CLI_OK : cli_fail_with(CLI_FAILED, "cannot read the sheet: %s", err.text);
}

static int
ask_both(struct sheet_reader *reader, struct recovery *recovery, bool *has_recovery)
{
	int status = ask_lines(reader);
	return status == CLI_OK ? ask_recovery(recovery, has_recovery) : status;
}

int
cmd_identity_import_sheet(struct cli *cli)
{
	struct sheet_reader reader;
	struct onionkey key;
	struct recovery recovery;
	struct error err;
	bool has_recovery = false;
	sheet_reader_init(&reader);
	secret_shield_process();
	int status = cmd_identity_check_new(cli);
	if (status == CLI_OK && cli->argument_count == 1 && isatty(STDIN_FILENO) == 1)
		status = ask_both(&reader, &recovery, &has_recovery);
	else if (status == CLI_OK)
		status = read_file(cli->argument_count > 1 ? cli->arguments[1] : "-", &reader, &recovery, &has_recovery);
	if (status == CLI_OK && sheet_reader_finish(&reader, &key, &err) != 0)
		status = cli_fail_with(CLI_FAILED, "nothing was made: %s", err.text);
	sheet_reader_wipe(&reader);
	if (status == CLI_OK)
		status = cmd_identity_make(cli, &key, has_recovery ? &recovery : NULL);
	recovery_wipe(&recovery);
	onionkey_wipe(&key);
	return status;
}
