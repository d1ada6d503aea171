/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "base/secret.h"
#include "cli/client.h"
#include "cli/cmd_identity.h"
#include "cli/interrupt.h"
#include "cli/passphrase.h"
#include "cli/view.h"
#include "identity/export.h"
#include "identity/recovery.h"

const struct cli_option cmd_identity_export_options[] = {
	{ "passphrase-stdin", NULL, "take the passphrase from standard input (one line)" },
	{ "json", NULL, "print JSON" },
	{ 0 },
};

/* The file under its temporary name, which lies beside the real one. */
struct target {
	int dir_fd, fd;
	const char *name; /* in the folder */
	char temporary[NAME_MAX + 1];
};

static int
open_target(const char *path, struct target *t, struct error *err)
{
	char folder[PATHS_MAX], suffix[9];
	struct stat st;
	const char *slash = strrchr(path, '/');
	t->name = slash != NULL ? slash + 1 : path;
	snprintf(folder, sizeof folder, "%.*s", slash == NULL || slash == path ? 1 : (int)(slash - path),
	    slash == NULL ? "." : path);
	random_name(suffix, sizeof suffix);
	if (t->name[0] == '\0' || strlen(path) >= sizeof folder || strlen(t->name) + 11 > NAME_MAX)
		return error_set(err, ERROR_INVALID, "%.150s is no name for a file", path);
	snprintf(t->temporary, sizeof t->temporary, ".%.*s.%s", NAME_MAX - 10, t->name, suffix);
	t->dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir_fd < 0)
		return error_set(err, ERROR_IO, "cannot open the folder %.150s: %s", folder, strerror(errno));
	if (fstatat(t->dir_fd, t->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, ERROR_EXISTS, "there is a file %.150s already: take another name", path);
	t->fd = openat(t->dir_fd, t->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return t->fd >= 0 ? 0 : error_set_errno(err, errno, "cannot write %.150s", path);
}

/* Durable, and under its name: as file_replace() does it, but it replaces nothing. */
static int
commit_target(struct target *t, struct error *err)
{
	if (fsync(t->fd) != 0)
		return error_set_errno(err, errno, "cannot make the file durable");
	int result = renameat2(t->dir_fd, t->temporary, t->dir_fd, t->name, RENAME_NOREPLACE);
	if (result != 0 && errno == EINVAL) /* a file system that does not know it: open_target() has looked */
		result = renameat(t->dir_fd, t->temporary, t->dir_fd, t->name);
	if (result != 0)
		return error_set_errno(err, errno, "cannot give the file its name");
	t->temporary[0] = '\0';
	return fsync(t->dir_fd) == 0 ? 0 : error_set_errno(err, errno, "cannot make the file's name durable");
}

static void
close_target(struct target *t)
{
	if (t->fd >= 0 && t->temporary[0] != '\0')
		unlinkat(t->dir_fd, t->temporary, 0);
	file_close(&t->fd);
	file_close(&t->dir_fd);
}

static int
write_target(const struct cli *cli, const char *name, struct target *t, const char *passphrase, struct error *err)
{
	int fd;
	if (cmd_identity_open_all(cli, &fd, err) != 0)
		return -1;
	int result = export_identity(fd, name, t->fd, slice_of_string(passphrase), SEAL_COST_USUAL, interrupt_is_due, err);
	file_close(&fd);
	return result == 0 ? commit_target(t, err) : -1;
}

/* The file has the recovery key now, if the folder had it: that is what the folder had it for. */
static int
leave_recovery(const struct cli *cli, const char *name, bool *was_there, struct error *err)
{
	struct recovery recovery;
	int fd = -1, dir_fd = -1;
	int result = cmd_identity_open_all(cli, &fd, err) != 0 || identity_open(fd, name, ".", &dir_fd, err) != 0 ? -1 : 0;
	*was_there = result == 0 && recovery_load(dir_fd, &recovery, NULL) == 0;
	recovery_wipe(&recovery);
	if (result == 0 && *was_there)
		result = recovery_remove(dir_fd, err);
	file_close(&dir_fd);
	file_close(&fd);
	return result;
}

static int
tell(struct cli *cli, const struct identity *identity, unsigned long long bytes, bool has_recovery)
{
	char address[ADDRESS_MAX + 1];
	view_address(identity, address);
	if (cli_has(cli, "json"))
		return view_print_json(json_pack("{s:s, s:s, s:s, s:I, s:b}", "name", identity->name, "address", address, "file",
		    cli->arguments[1], "bytes", (json_int_t)bytes, "recovery", has_recovery));
	printf("Identity %s is in %s, %llu bytes.\n\n", identity->name, cli->arguments[1], bytes);
	json_t *status = view_status(&cli->paths);
	bool is_locked = strcmp(view_state(status, identity->name), "locked") == 0;
	json_decref(status);
	if (is_locked)
		printf("Its keys are locked in that file, too, by the passphrase that they have here,\n"
		       "and here until you say `smtorp unlock %s`.\n\n", identity->name);
	if (has_recovery)
		printf("The recovery key is in that file, and not on this machine any more. Keep the file: by that\n"
		       "key those who know the address follow it elsewhere (`smtorp identity move --recovery FILE`).\n\n");
	printf("Only the passphrase opens it, and nobody can find that again.\n"
	       "The address may live on one machine at a time: two that publish it take each other's mail.\n"
	       "To move it, `smtorp identity delete %s` here before you import it elsewhere.\n", identity->name);
	return cli_end_output();
}

static int
export(struct cli *cli, const struct identity *identity, const char *passphrase)
{
	struct target t = { .dir_fd = -1, .fd = -1 };
	struct error err, reload = { 0 };
	struct stat st = { 0 };
	int lock_fd = -1, result = -1;
	bool was_loaded = false, has_recovery = false;
	interrupt_hold();
	if (open_target(cli->arguments[1], &t, &err) == 0 && cmd_identity_begin_alone(cli, identity->name, &lock_fd, &was_loaded, &err) == 0)
		result = write_target(cli, identity->name, &t, passphrase, &err);
	if (result == 0)
		fstat(t.fd, &st);
	close_target(&t);
	int left = result == 0 ? leave_recovery(cli, identity->name, &has_recovery, &err) : 0;
	file_close(&lock_fd);
	int loaded = was_loaded ? client_call_name(&cli->paths, "identity.load", identity->name, &reload) : 0;
	interrupt_release();
	int status = result == 0 && left == 0 ? tell(cli, identity, (unsigned long long)st.st_size, has_recovery) : cli_fail(&err);
	if (loaded != 0)
		return cli_fail_with(CLI_FAILED, "the node let identity %s go for the export and did not take it in again: %s; "
		    "after `smtorp down` and `smtorp up` it is there", identity->name, reload.text);
	return status;
}

int
cmd_identity_export(struct cli *cli)
{
	struct identity identity;
	int status = cmd_identity_load(cli, &identity);
	if (status != CLI_OK)
		return status;
	char *passphrase = secret_new(ASK_LINE_MAX);
	status = passphrase_ask_new(cli, "the file", passphrase);
	if (status == CLI_OK)
		status = export(cli, &identity, passphrase);
	secret_free(passphrase);
	return status;
}
