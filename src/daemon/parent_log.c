/* SPDX-License-Identifier: ISC
 *
 * Standard error of every process of the node is one pipe, which smtorp-log reads. The parent keeps both ends, so that a
 * smtorp-log that died can be started again and nobody is hurt in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log_files.h"
#include "base/log.h"
#include "daemon/parent.h"

#define PIPE_BYTES (1 << 20)
#define LAST_WORDS_MS 2000

static int
start(struct process *process, struct error *err)
{
	struct parent *parent = process->parent;
	struct parent_log *log = &parent->log;
	char program[PATH_MAX + 16];
	snprintf(program, sizeof program, "%s/smtorp-log", parent->role_folder);
	const char *const arguments[] = { "smtorp-log", parent->config.log_addresses ? "show" : "hide", NULL };
	const struct process_spawn how = { .program = program, .arguments = arguments, .fd3 = log->read_fd,
		.fd4 = -1, .directory_fd = log->folder_fd, .stderr_fd = log->stderr_fd };
	if (parent_process_spawn(process, &how, err) != 0)
		return -1;
	for (const struct parent_identity *i = parent->identities; i != NULL; i = i->next)
		parent_log_hide_identity(parent, &i->is);
	return 0;
}

/* It ends when nobody can write any more, and the parent is the last. */
static void
ask_to_end(struct process *process)
{
	struct parent_log *log = &process->parent->log;
	dup2(log->stderr_fd, STDERR_FILENO);
	log->is_open = false;
}

void
parent_log_hide(struct parent *parent, const char *word)
{
	char line[256];
	int len = snprintf(line, sizeof line, "\001%.200s\n", word);
	if (parent->log.is_open && write(STDERR_FILENO, line, (size_t)len) != len)
		log_warn("the log is full, and may show a name"); /* which it cannot say either, most likely */
}

void
parent_log_hide_identity(struct parent *parent, const struct identity *identity)
{
	parent_log_hide(parent, identity->name);
	parent_log_hide(parent, identity->local_part);
}

int
parent_log_start(struct parent *parent, struct error *err)
{
	static const struct process_kind kind = { start, NULL, ask_to_end, STOP_LOG, 0, false };
	struct parent_log *log = &parent->log;
	int ends[2];
	if (file_open_private_dir(parent->data_fd, LOG_FOLDER, &log->folder_fd, err) != 0)
		return -1;
	log->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (log->stderr_fd < 0 || pipe2(ends, O_CLOEXEC) != 0)
		return error_set_errno(err, errno, "cannot prepare the log");
	log->read_fd = ends[0];
	/* Who writes never waits: lines that do not fit are lost, which is better than a node that stands still. */
	bool well = fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO;
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* as much as we may have */
	close(ends[1]);
	if (!well)
		return error_set_errno(err, errno, "cannot prepare the log");
	log->is_open = true;
	parent_process_init(&log->program, parent, &kind, "log");
	parent_process_want(&log->program);
	return 0;
}

void
parent_log_finish(struct parent *parent)
{
	struct parent_log *log = &parent->log;
	struct process *program = &log->program;
	if (log->is_open)
		ask_to_end(program); /* the node did not come so far that it would have stopped in order */
	int64_t deadline_ms = clock_monotonic_ms() + LAST_WORDS_MS;
	while (program->pid != 0 && waitpid(program->pid, NULL, WNOHANG) != program->pid) {
		if (clock_monotonic_ms() > deadline_ms)
			kill(program->pid, SIGKILL);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	program->pid = 0;
	parent_process_finish(program);
	file_close(&log->read_fd);
	file_close(&log->stderr_fd);
	file_close(&log->folder_fd);
}
