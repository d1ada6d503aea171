/* SPDX-License-Identifier: ISC */
#include "cli/cmd_up.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/client.h"
#include "cli/sibling.h"
#include "cli/up_show.h"
#include "cli/up_unlock.h"
#include "identity/identity.h"

#define LOOK_FAST_MS 250  /* while something is to be waited for */
#define LOOK_SLOW_MS 2000
#define STATUS_TIMEOUT_MS 5000
#define DOWN_TIMEOUT_MS 20000
#define LOG_LINE_MAX 1024

const struct cli_option cmd_up_options[] = {
	{ "bridge", "LINE", "reach Tor through this bridge, where Tor is blocked; may be repeated" },
	{ "verbose", NULL, "show the whole log, not only warnings" },
	{ 0 },
};

struct up {
	struct cli *cli;
	struct up_show show;
	struct up_unlock *keys; /* that the node is to be told; NULL: none */
	pid_t child;
	int log_fd;    /* the node's standard error */
	int signal_fd;
	bool verbose;
	bool was_up;   /* the node has answered once */
	unsigned stops; /* signals taken */
	char line[LOG_LINE_MAX];
	size_t line_len;
};

/* The node's words; arguments has room for CLI_OPTIONS_MAX bridges and the home. */
static void
fill_arguments(const struct cli *cli, const char *program, const char *arguments[2 * CLI_OPTIONS_MAX + 4])
{
	size_t n = 0;
	arguments[n++] = program;
	if (cli->home != NULL) {
		arguments[n++] = "--home";
		arguments[n++] = cli->home;
	}
	for (size_t i = 0; i < cli->option_count; i++)
		if (strcmp(cli->options[i]->name, "bridge") == 0) {
			arguments[n++] = "--bridge";
			arguments[n++] = cli->values[i];
		}
	arguments[n] = NULL;
}

static void
run_node(struct up *up, const char *program, int log_write_fd, pid_t parent)
{
	sigset_t none;
	const char *arguments[2 * CLI_OPTIONS_MAX + 4];
	int null_fd = open("/dev/null", O_RDONLY);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0); /* Ctrl-C comes to us alone, so that the node ends in order */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(CLI_FAILED);
	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(log_write_fd, 1) < 0 || dup2(log_write_fd, 2) < 0)
		_exit(CLI_FAILED);
	fill_arguments(up->cli, program, arguments);
	execv(program, (char *const *)arguments);
	fprintf(stderr, "cannot run %s: %s\n", program, strerror(errno));
	_exit(CLI_FAILED);
}

static int
start_node(struct up *up, struct error *err)
{
	char program[PATH_MAX + 32];
	int ends[2];
	pid_t self = getpid();
	if (sibling_find("smtorpd", program, sizeof program, err) != 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set_errno(err, errno, "cannot make a pipe");
	up->child = fork();
	if (up->child == 0)
		run_node(up, program, ends[1], self);
	close(ends[1]);
	if (up->child < 0) {
		close(ends[0]);
		return error_set_errno(err, errno, "cannot start the node");
	}
	up->log_fd = ends[0];
	return 0;
}

static int
take_signals(struct up *up, struct error *err)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	up->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	return up->signal_fd >= 0 ? 0 : error_set_errno(err, errno, "cannot take signals");
}

/* Ours, tor's words for the same, and how Dovecot calls an orderly end. */
static bool
is_only_information(const char *line)
{
	static const char *const words[] = { " info ", " debug ", " [notice] ", " [info] ", " Killed with signal 15 " };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strstr(line, words[i]) != NULL)
			return true;
	return false;
}

static void
show_log_line(struct up *up)
{
	static const char why[] = " error parent: ";
	up->line[up->line_len] = '\0';
	const char *reason = up->was_up || up->verbose ? NULL : strstr(up->line, why);
	if (!up->show.progress.is_terminal)
		fprintf(stderr, "%s\n", up->line); /* a log that nobody looks at now is kept whole */
	else if (reason != NULL)
		progress_say(&up->show.progress, "smtorp: %s", reason + sizeof why - 1); /* why it does not start */
	else if (up->verbose || (up->stops > 0 ? strstr(up->line, " error ") != NULL : !is_only_information(up->line)))
		progress_say(&up->show.progress, "%s", up->line);
	up->line_len = 0;
}

/* false at the end. */
static bool
read_log(struct up *up)
{
	char chunk[4096];
	ssize_t n = read(up->log_fd, chunk, sizeof chunk);
	if (n < 0 && errno == EINTR)
		return true;
	for (ssize_t i = 0; i < n; i++) {
		if (chunk[i] == '\n' || up->line_len == sizeof up->line - 1)
			show_log_line(up);
		if (chunk[i] != '\n')
			up->line[up->line_len++] = chunk[i];
	}
	return n > 0;
}

static void
stop(struct up *up)
{
	struct signalfd_siginfo info;
	if (read(up->signal_fd, &info, sizeof info) != sizeof info)
		return;
	if (up->stops++ == 0) {
		progress_say(&up->show.progress, "Stopping; once more to stop at once.");
		kill(up->child, SIGTERM);
	} else
		kill(up->child, SIGKILL);
}

static void
say_not_unlocked(void *context, const char *text)
{
	struct up *up = context;
	progress_say(&up->show.progress, "%s", text);
}

static bool
look(struct up *up)
{
	json_t *status = NULL;
	if (up->stops > 0 || client_call(&up->cli->paths, "status", NULL, STATUS_TIMEOUT_MS, &status, NULL) != 0)
		return false;
	up->was_up = true;
	if (up->keys != NULL) { /* and then the status is another one */
		json_decref(status);
		up_unlock_tell(up->keys, &up->cli->paths, say_not_unlocked, up);
		up->keys = NULL;
		return false;
	}
	return up_show_status(&up->show, status);
}

/* Until the node has closed its log. */
static void
watch(struct up *up)
{
	int64_t next_ms = 0;
	for (;;) {
		int64_t now_ms = clock_monotonic_ms();
		if (now_ms >= next_ms) {
			bool all_well = look(up);
			next_ms = clock_monotonic_ms() + (all_well ? LOOK_SLOW_MS : LOOK_FAST_MS);
			now_ms = clock_monotonic_ms();
		}
		struct pollfd fds[2] = { { .fd = up->log_fd, .events = POLLIN }, { .fd = up->signal_fd, .events = POLLIN } };
		if (poll(fds, 2, (int)(next_ms - now_ms)) <= 0)
			continue;
		if (fds[1].revents != 0)
			stop(up);
		if (fds[0].revents != 0 && !read_log(up))
			return;
	}
}

/* The log hides the names of identities, and here it is all of them. */
static int
say_damaged(const struct up *up)
{
	char names[IDENTITIES_MAX][IDENTITY_NAME_MAX + 1];
	size_t count = 0;
	int fd;
	if (identity_open_all(up->cli->paths.data, false, &fd, NULL) == 0) {
		identity_list(fd, names, IDENTITIES_MAX, &count, NULL);
		file_close(&fd);
	}
	return cli_fail_with(CLI_DATABASE_DAMAGED, "the database of %s is damaged%s; `smtorp identity repair %s`, or `smtorp "
	    "identity import` of an exported copy", count > 0 ? names[0] : "the identity",
	    count > 1 ? ", and those of the others, too" : "", count > 0 ? names[0] : "NAME");
}

static int
end(struct up *up)
{
	int status = 0;
	if (up->line_len > 0)
		show_log_line(up);
	while (waitpid(up->child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		progress_say(&up->show.progress, "The node has stopped.");
		return CLI_OK;
	}
	if (WIFSIGNALED(status) && up->stops > 1)
		return cli_fail_with(CLI_FAILED, "the node was killed; what it had accepted is on disk");
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXITS_DATABASE_DAMAGED)
		return say_damaged(up);
	if (WIFEXITED(status) && WEXITSTATUS(status) >= EXITS_WRONG_USE && WEXITSTATUS(status) <= EXITS_LAST) {
		if (WEXITSTATUS(status) == EXITS_PORT_IN_USE)
			fprintf(stderr, "The configuration is %s%s.\n", up->cli->paths.config_file,
			    access(up->cli->paths.config_file, F_OK) == 0 ? "" : ": make it, it is not there yet");
		return WEXITSTATUS(status); /* its own words are enough */
	}
	if (!up->was_up)
		return cli_fail_with(CLI_FAILED, "the node did not start; its own words are above");
	return cli_fail_with(CLI_FAILED, "the node ended unexpectedly (%s %d); `smtorp up --verbose` shows its log",
	    WIFSIGNALED(status) ? "signal" : "exit status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

int
cmd_up_main(struct cli *cli)
{
	struct up up = { .cli = cli, .log_fd = -1, .signal_fd = -1, .verbose = cli_has(cli, "verbose") };
	struct error err;
	int result;
	if (client_call(&cli->paths, "status", NULL, STATUS_TIMEOUT_MS, NULL, &err) == 0)
		return cli_fail_with(CLI_EXISTS, "the node runs already: see `smtorp status`");
	/* systemd makes the runtime folder of the system's node, which its user cannot. */
	if (strcmp(cli->paths.data, PATHS_SYSTEM_HOME) == 0 && access(cli->paths.runtime, F_OK) != 0 && access("/run", W_OK) != 0)
		return cli_fail_with(CLI_FAILED, "this is the machine's node: `%s` starts it", paths_start_command(&cli->paths));
	up_show_init(&up.show, &cli->paths, stdout);
	progress_say(&up.show.progress, "SMTorP in %s; Ctrl-C stops it.", cli->paths.data);
	up.keys = up_unlock_ask(&cli->paths);
	if (take_signals(&up, &err) != 0 || start_node(&up, &err) != 0)
		result = cli_fail_with(CLI_FAILED, "%s", err.text);
	else {
		watch(&up);
		result = end(&up);
	}
	up_unlock_free(up.keys);
	up_show_finish(&up.show);
	file_close(&up.log_fd);
	file_close(&up.signal_fd);
	return result;
}

int
cmd_up_down(struct cli *cli)
{
	struct error err;
	int64_t deadline_ms = clock_monotonic_ms() + DOWN_TIMEOUT_MS;
	if (client_call(&cli->paths, "stop", NULL, CLIENT_TIMEOUT_MS, NULL, &err) != 0 && err.code != ERROR_CLOSED)
		return cli_fail(&err);
	while (clock_monotonic_ms() < deadline_ms) {
		if (client_call(&cli->paths, "status", NULL, STATUS_TIMEOUT_MS, NULL, &err) != 0 && err.code == ERROR_UNREACHABLE) {
			fputs("The node has stopped.\n", stderr);
			return CLI_OK;
		}
		poll(NULL, 0, 50);
	}
	return cli_fail_with(CLI_TIMEOUT, "the node was told to stop and still runs after %d s", DOWN_TIMEOUT_MS / 1000);
}
