/* SPDX-License-Identifier: ISC */
#include "cli/doctor_node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/file.h"
#include "cli/view.h"
#include "identity/certificate.h"
#include "identity/identity.h"
#include "identity/lock.h"
#include "tor/status.h"

#define FILE_MAX_BYTES (64 * 1024 * 1024)
#define CONSENSUS_HEAD_BYTES 4096
#define PATH_LEN (PATHS_MAX + 100)
#define TORRC "/etc/tor/torrc"

/* ---- files */

static bool
check_path(struct doctor *d, const char *path, mode_t forbidden, const char *what)
{
	struct stat found;
	char todo[PATH_LEN + 80];
	if (lstat(path, &found) != 0)
		return true;
	bool is_ours = found.st_uid == geteuid() || (found.st_uid == 0 && (forbidden & 0044) == 0);
	if ((found.st_mode & forbidden) == 0 && is_ours)
		return true;
	snprintf(todo, sizeof todo, is_ours ? "chmod %s '%s'" : "Give it to the node's user: chown: %s '%s'",
	    !is_ours ? "" : (forbidden & 0044) != 0 ? "go=" : "go-w", path);
	report_add(d->report, REPORT_WRONG, todo, "%s %s: %s (mode %03o)", what, is_ours ? "is open to others" : "belongs to somebody else",
	    path, (unsigned)found.st_mode & 0777);
	return false;
}

static bool
check_identity(struct doctor *d, const char *name)
{
	static const char *const secrets[] = { IDENTITY_ONION_KEY_FILE, CERTIFICATE_KEY_FILE, IDENTITY_OPENPGP_FILE, IDENTITY_PASSWORD_FILE, LOCK_FILE, NULL };
	char path[PATH_LEN];
	snprintf(path, sizeof path, "%s/identities/%s", d->paths->data, name);
	bool is_fine = check_path(d, path, 0077, "the folder of an identity");
	snprintf(path, sizeof path, "%s/identities/%s/%s", d->paths->data, name, IDENTITY_MAIL_FOLDER);
	is_fine &= check_path(d, path, 0077, "a mail folder");
	for (size_t i = 0; secrets[i] != NULL; i++) {
		snprintf(path, sizeof path, "%s/identities/%s/%s", d->paths->data, name, secrets[i]);
		is_fine &= check_path(d, path, 0077, "a secret");
	}
	return is_fine;
}

int
doctor_files(struct doctor *d, struct error *err)
{
	char path[PATH_LEN];
	size_t count = 0;
	int fd = -1;
	char (*names)[IDENTITY_NAME_MAX + 1] = calloc(IDENTITIES_MAX, sizeof *names);
	if (names == NULL)
		return error_set(err, ERROR_NO_MEMORY, "not enough memory");
	int result = identity_open_all(d->paths->data, false, &fd, err);
	if (result == 0)
		result = identity_list(fd, names, IDENTITIES_MAX, &count, err);
	bool is_fine = check_path(d, d->paths->config_file, 0022, "the configuration");
	is_fine &= check_path(d, d->paths->data, 0077, "the node's folder");
	snprintf(path, sizeof path, "%s/node/%s", d->paths->data, CERTIFICATE_KEY_FILE);
	is_fine &= check_path(d, path, 0077, "a secret");
	for (size_t i = 0; i < count; i++)
		is_fine &= check_identity(d, names[i]);
	if (is_fine && result == 0)
		report_add(d->report, REPORT_OK, "", "configuration, keys and mail are open to the node's user alone");
	free(names);
	file_close(&fd);
	return result;
}

/* ---- the kernel's walls */

int
doctor_sandbox(struct doctor *d, struct error *err)
{
	size_t i, open = 0, landlocked = 0, count = 0;
	json_t *row;
	(void)err;
	json_array_foreach(json_object_get(d->status, "roles"), i, row) {
		json_t *sandbox = json_object_get(row, "sandbox");
		if (!json_is_true(json_object_get(row, "ready")))
			continue;
		count++;
		open += !json_is_true(json_object_get(sandbox, "seccomp"));
		landlocked += view_number(sandbox, "landlock") > 0;
	}
	if (open > 0)
		report_add(d->report, REPORT_WRONG, "Run the node on a kernel with seccomp: a fault in one process would be one in all.",
		    "%zu of %zu processes are not held by the kernel", open, count);
	else
		report_add(d->report, REPORT_OK, "", "the kernel holds all %zu processes of the node by seccomp, and %zu by Landlock", count, landlocked);
	return 0;
}

/* ---- tor */

static int
load(const char *path, struct buffer *out, struct error *err)
{
	buffer_init(out, FILE_MAX_BYTES);
	return file_load(AT_FDCWD, path, out, err);
}

int
doctor_system_tor(struct doctor *d, struct error *err)
{
	struct buffer text;
	char line[NODE_LINE_MAX + 1];
	json_t *tor = json_object_get(d->status, "tor");
	const char *version = view_text(tor, "version");
	struct status status = { 0 };
	if (status_set_version(&status, slice_of_string(version), err) != 0)
		report_add(d->report, REPORT_WRONG, "Install a newer tor.", "tor is %s: %s", version[0] != '\0' ? version : "not there", err->text);
	else
		report_add(d->report, REPORT_OK, "", "tor %s is new enough", version);
	if (view_text(tor, "control")[0] == '\0')
		return 0;
	int result = load(TORRC, &text, err);
	if (result == 0 && node_find_tcp_port(slice_of(buffer_bytes(&text), buffer_len(&text)), line))
		report_add(d->report, REPORT_WRONG, "Lead it to a Unix socket, or let the mail server behind it trust nobody on 127.0.0.1: it "
		    "takes all of Tor for this machine.", "%s leads mail to a TCP port: %s", TORRC, line);
	buffer_finish(&text);
	return result == 0 || err->code == ERROR_NOT_FOUND ? 0 : -1;
}

static void
report_clock(struct doctor *d, enum node_clock clock, int64_t after_s, int64_t until_s)
{
	char after[DATE_TEXT_SIZE], until[DATE_TEXT_SIZE], now[DATE_TEXT_SIZE];
	date_format(after_s, after);
	date_format(until_s, until);
	date_format(clock_wall_s(), now);
	if (clock == NODE_CLOCK_SLOW)
		report_add(d->report, REPORT_WRONG, "Set it right (or its time zone): services with a wrong clock are found by it, and cannot be reached.",
		    "this machine's clock is slow: it says %s, and Tor's network was at %s already", now, after);
	else if (clock == NODE_CLOCK_FAST)
		report_add(d->report, REPORT_WRONG, "Set it right (or its time zone), or find out why Tor gets no news: `smtorp status`.",
		    "this machine's clock is fast, or Tor has heard nothing of its network since %s: the clock says %s", until, now);
	else
		report_add(d->report, REPORT_OK, "", "the clock agrees with Tor's network, as far as that tells: between %s and a day after %s", after,
		    until);
}

int
doctor_clock(struct doctor *d, struct error *err)
{
	char path[PATH_LEN];
	struct buffer text;
	int64_t after_s, until_s;
	json_t *tor = json_object_get(d->status, "tor");
	if (strstr(view_text(tor, "hint"), "clock") != NULL) {
		report_add(d->report, REPORT_WRONG, "Set it right; the node goes on by itself.", "%s", view_text(tor, "hint"));
		return 0;
	}
	if (view_text(tor, "control")[0] != '\0') {
		report_add(d->report, REPORT_OK, "", "tor has no complaint about the clock");
		return 0;
	}
	snprintf(path, sizeof path, "%s/tor/cached-microdesc-consensus", d->paths->data);
	int result = load(path, &text, err);
	size_t len = buffer_len(&text) < CONSENSUS_HEAD_BYTES ? buffer_len(&text) : CONSENSUS_HEAD_BYTES;
	enum node_clock clock = node_judge_clock(slice_of(buffer_bytes(&text), len), clock_wall_s(), &after_s, &until_s);
	buffer_finish(&text);
	if (result != 0)
		return -1;
	if (clock == NODE_CLOCK_NOBODY)
		return error_set(err, ERROR_INVALID, "tor's consensus tells no time");
	report_clock(d, clock, after_s, until_s);
	return 0;
}
