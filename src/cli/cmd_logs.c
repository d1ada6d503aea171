/* SPDX-License-Identifier: ISC */
#include "cli/cmd_logs.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log_files.h"
#include "base/logline.h"
#include "config/value.h"

#define SINCE_MOST_S (10u * 365 * 24 * 60 * 60)

const struct cli_option cmd_logs_options[] = {
	{ "follow", NULL, "go on with what is written from now on, until Ctrl-C" },
	{ "json", NULL, "print JSON, an object for each line" },
	{ "role", "ROLE", "only what this one wrote, such as mail or tor" },
	{ "since", "TIME", "only what is younger than 10m, 2h or 3d, or than 2026-11-22T10:00 (UTC)" },
	{ 0 },
};

const char *const cmd_logs_roles[] = { "parent", "tor", "smtp", "submission", "mail", "content", "control", "tor-program",
	"dovecot", "program", NULL };

struct logs {
	const struct cli *cli;
	const char *role;          /* NULL: all */
	char since[LOGLINE_TIME_LEN + 1];
	bool json;
	int folder_fd;
	FILE *file;                /* the one that is written now */
	char *line;
	size_t line_size;
};

static void
show(struct logs *logs)
{
	struct logline l;
	size_t len = strcspn(logs->line, "\n");
	if (!logline_parse(slice_of(logs->line, len), &l) || (logs->role != NULL && !slice_is(l.who, logs->role)) ||
	    strncmp((const char *)l.time.data, logs->since, strlen(logs->since)) < 0)
		return;
	if (!logs->json) {
		printf("%.*s\n", (int)len, logs->line);
		return;
	}
	json_t *object = json_pack("{s:s%, s:s%, s:s%}", "time", l.time.data, l.time.len, "level", l.level.data, l.level.len,
	    "role", l.who.data, l.who.len);
	/* What others wrote need not be UTF-8. */
	json_t *text = json_stringn((const char *)l.text.data, l.text.len);
	json_object_set_new(object, "text", text != NULL ? text : json_string("(not UTF-8)"));
	json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(object);
}

/* All whole lines from where the file is; half of one is left for the next time. */
static void
show_rest(struct logs *logs, FILE *file)
{
	ssize_t n;
	while ((n = getline(&logs->line, &logs->line_size, file)) > 0) {
		if (logs->line[n - 1] != '\n') {
			fseek(file, -n, SEEK_CUR);
			break;
		}
		show(logs);
	}
	clearerr(file);
}

static FILE *
open_log(const struct logs *logs, unsigned age)
{
	char name[32];
	snprintf(name, sizeof name, age == 0 ? LOG_FILE : LOG_FILE ".%u", age);
	int fd = openat(logs->folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (file == NULL)
		file_close(&fd);
	return file;
}

static void
show_old(struct logs *logs)
{
	for (unsigned age = LOG_FILES_OLD; age > 0; age--) {
		FILE *file = open_log(logs, age);
		if (file == NULL)
			continue;
		show_rest(logs, file);
		fclose(file);
	}
}

static void
show_current(struct logs *logs)
{
	struct stat ours, now;
	if (logs->file != NULL) {
		show_rest(logs, logs->file);
		if (fstat(fileno(logs->file), &ours) == 0 && fstatat(logs->folder_fd, LOG_FILE, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		    ours.st_ino == now.st_ino)
			return;
		fclose(logs->file);
	}
	logs->file = open_log(logs, 0);
	if (logs->file != NULL)
		show_rest(logs, logs->file);
}

/* Until it is interrupted or nobody reads. */
static int
follow(struct logs *logs, int watch_fd)
{
	char events[4096];
	while (fflush(stdout) == 0 && !ferror(stdout)) {
		if (read(watch_fd, events, sizeof events) < 0 && errno != EINTR)
			return cli_fail_with(CLI_FAILED, "cannot watch the log: %s", strerror(errno));
		show_current(logs);
	}
	return CLI_OK;
}

static int
take_since(struct logs *logs, const char *value)
{
	struct error err;
	uint32_t ago_s;
	if (value == NULL)
		return 0;
	if (strlen(value) >= 10 && strlen(value) <= LOGLINE_TIME_LEN && value[4] == '-') {
		snprintf(logs->since, sizeof logs->since, "%s", value);
		return 0;
	}
	if (value_duration(slice_of_string(value), 1, SINCE_MOST_S, &ago_s, &err) != 0)
		return cli_fail_with(CLI_USAGE, "--since takes a time like 10m, 2h, 3d or 2026-11-22T10:00, not '%s'", value);
	time_t from = (time_t)(clock_wall_s() - ago_s);
	struct tm utc;
	strftime(logs->since, sizeof logs->since, "%Y-%m-%dT%H:%M:%S", gmtime_r(&from, &utc));
	return 0;
}

static int
take_role(struct logs *logs, const char *value)
{
	if (value == NULL)
		return 0;
	for (size_t i = 0; cmd_logs_roles[i] != NULL; i++)
		if (strcmp(value, cmd_logs_roles[i]) == 0) {
			logs->role = value;
			return 0;
		}
	return cli_fail_with(CLI_USAGE, "there is no role '%s': parent, tor, smtp, submission, mail, content, control, or "
	    "tor-program, dovecot and program, which are not ours", value);
}

static int
open_folder(struct logs *logs)
{
	char path[PATHS_MAX + 8];
	snprintf(path, sizeof path, "%s/" LOG_FOLDER, logs->cli->paths.data);
	logs->folder_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (logs->folder_fd >= 0)
		return 0;
	if (errno == ENOENT)
		return cli_fail_with(CLI_NOT_FOUND, "there is no log in %s: no node has run there", logs->cli->paths.data);
	return cli_fail_with(CLI_FAILED, "cannot open %s: %s", path, strerror(errno));
}

int
cmd_logs_main(struct cli *cli)
{
	struct logs logs = { .cli = cli, .json = cli_has(cli, "json"), .folder_fd = -1 };
	char path[64];
	int watch_fd = -1, result = take_since(&logs, cli_option_value(cli, "since"));
	if (result == 0)
		result = take_role(&logs, cli_option_value(cli, "role"));
	if (result == 0)
		result = open_folder(&logs);
	if (result == 0 && cli_has(cli, "follow")) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", logs.folder_fd);
		watch_fd = inotify_init1(IN_CLOEXEC);
		if (watch_fd < 0 || inotify_add_watch(watch_fd, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
			result = cli_fail_with(CLI_FAILED, "cannot watch the log: %s", strerror(errno));
	}
	if (result == 0) {
		show_old(&logs);
		show_current(&logs);
		result = watch_fd >= 0 ? follow(&logs, watch_fd) : cli_end_output();
	}
	if (logs.file != NULL)
		fclose(logs.file);
	free(logs.line);
	file_close(&logs.folder_fd);
	file_close(&watch_fd);
	return result;
}
