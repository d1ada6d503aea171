/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "daemon/parent.h"

#define RESTART_FIRST_MS 100
#define RESTART_MOST_MS 10000
#define RESTART_SPREAD_PERCENT 20
#define STEADY_MS 10000      /* who ran that long is started again without a long wait */
#define OFTEN_MS 60000       /* PROCESS_DEATHS within that are too many */
#define ASK_AGAIN_MS 500     /* a program that has just been started may miss the first time */
#define OFFSET_ABOVE_OURS 10 /* descriptors of the child that must survive the placing of 0 to 4 */

static void on_timer(void *context);

void
parent_process_init(struct process *p, struct parent *parent, const struct process_kind *kind, const char *name)
{
	*p = (struct process){ .kind = kind, .parent = parent, .interval_ms = RESTART_FIRST_MS };
	snprintf(p->name, sizeof p->name, "%s", name);
	p->timer = timer_new(parent->loop, on_timer, p);
	p->next = parent->processes;
	parent->processes = p;
}

void
parent_process_finish(struct process *p)
{
	if (p->parent == NULL)
		return;
	assert(p->pid == 0);
	timer_free(p->timer);
	struct process **at = &p->parent->processes;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	*p = (struct process){ 0 };
}

static void
start_later(struct process *p)
{
	int64_t wait_ms = random_jitter_ms(p->interval_ms, RESTART_SPREAD_PERCENT);
	timer_start(p->timer, wait_ms);
	p->interval_ms = p->interval_ms * 2 > RESTART_MOST_MS ? RESTART_MOST_MS : p->interval_ms * 2;
}

static void
start(struct process *p)
{
	struct error err = { 0 };
	if (p->kind->start(p, &err) == 0)
		return;
	log_error("%s does not start: %s", p->name, err.text);
	if (p->pid == 0)
		start_later(p);
	else
		kill(p->pid, SIGKILL); /* it started, but could not be told what it must know */
}

static void
on_timer(void *context)
{
	struct process *p = context;
	if (p->pid != 0 && clock_monotonic_ms() < p->kill_ms) {
		p->kind->ask_to_end(p);
		timer_start(p->timer, ASK_AGAIN_MS);
	} else if (p->pid != 0) {
		log_warn("%s does not end in time and is killed", p->name);
		kill(p->pid, SIGKILL);
	} else if (p->wanted) {
		start(p);
	}
}

void
parent_process_want(struct process *p)
{
	p->wanted = true;
	if (p->pid == 0 && !timer_is_running(p->timer))
		start(p);
}

static void
ask_to_end(struct process *p)
{
	if (p->pid == 0) {
		timer_stop(p->timer);
		return;
	}
	if (p->ending)
		return;
	p->ending = true;
	p->kill_ms = clock_monotonic_ms() + PARENT_GRACE_MS;
	timer_start(p->timer, ASK_AGAIN_MS);
	p->kind->ask_to_end(p);
}

void
parent_process_end(struct process *p)
{
	p->wanted = false;
	ask_to_end(p);
}

void
parent_process_renew(struct process *p)
{
	bool wanted = p->wanted;
	ask_to_end(p);
	if (wanted)
		parent_process_want(p);
}

/* ---- after fork(): only async-signal-safe calls until exec */

static const char *
sanitizer_options(const char *variable, char *out, size_t size)
{
	const char *value = getenv(variable);
	if (value == NULL)
		return NULL;
	snprintf(out, size, "%s=%s", variable, value);
	return out;
}

/* Nothing of the owner's environment goes on, but for the switches of builds with sanitizers. */
static char *const *
environment(void)
{
	static char asan[256], ubsan[256];
	static const char *all[6] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8", "DOVECOT_HOSTNAME=localhost" /* else its Maildir names tell the machine's name */ };
	size_t n = 3;
	if ((all[n] = sanitizer_options("ASAN_OPTIONS", asan, sizeof asan)) != NULL)
		n++;
	if ((all[n] = sanitizer_options("UBSAN_OPTIONS", ubsan, sizeof ubsan)) != NULL)
		n++;
	all[n] = NULL;
	return (char *const *)(uintptr_t)all;
}

static void
reset_signals(void)
{
	sigset_t none;
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL); /* the ones that cannot be set fail, which is right */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
place(int fd, int where)
{
	if (fd >= 0)
		dup2(fd, where);
	else
		close(where);
}

_Noreturn static void
become(const struct process_spawn *how, const int fds[4], int orphan_signal, pid_t parent, char *const *envp)
{
	int error_fd = fds[3];
	setsid(); /* Ctrl-C at the terminal is for the parent alone */
	if (how->has_children)
		parent = parent_keeper_fork(parent);
	reset_signals();
	prctl(PR_SET_PDEATHSIG, orphan_signal, 0, 0, 0);
	if (getppid() != parent)
		_exit(1); /* it died before that */
	dup2(fds[0], STDIN_FILENO);
	if (how->stderr_fd > 0)
		dup2(how->stderr_fd, STDERR_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	place(fds[1], 3);
	place(fds[2], 4);
	if ((how->directory_fd < 0 ? chdir("/") : fchdir(how->directory_fd)) == 0 &&
	    close_range(5, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		execve(how->program, (char *const *)(uintptr_t)how->arguments, envp);
	int errnum = errno;
	if (write(error_fd, &errnum, sizeof errnum) < 0)
		_exit(126);
	_exit(127);
}

/* The errno of an exec that failed, 0 when it went well: then the pipe was closed by it. */
static int
exec_errno(int fd)
{
	int errnum = 0;
	ssize_t n;
	do
		n = read(fd, &errnum, sizeof errnum);
	while (n < 0 && errno == EINTR);
	return n == sizeof errnum ? errnum : 0;
}

static int
raise_fd(int fd, int *out, struct error *err)
{
	*out = -1;
	if (fd >= 0 && (*out = fcntl(fd, F_DUPFD_CLOEXEC, OFFSET_ABOVE_OURS)) < 0)
		return error_set_errno(err, errno, "cannot duplicate a descriptor");
	return 0;
}

static pid_t
fork_quietly(void)
{
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
	pid_t pid = fork();
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

int
parent_process_spawn(struct process *p, const struct process_spawn *how, struct error *err)
{
	int result = -1, null = -1, ends[2] = { -1, -1 };
	int fds[4] = { -1, -1, -1, -1 };
	char *const *envp = environment();
	pid_t own = getpid();
	assert(p->pid == 0);
	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0 || pipe2(ends, O_CLOEXEC) != 0) {
		error_set_errno(err, errno, "cannot prepare a process");
		goto out;
	}
	if (raise_fd(how->stdin_fd > 0 ? how->stdin_fd : null, &fds[0], err) != 0 || raise_fd(how->fd3, &fds[1], err) != 0 ||
	    raise_fd(how->fd4, &fds[2], err) != 0 || raise_fd(ends[1], &fds[3], err) != 0)
		goto out;
	pid_t pid = fork_quietly();
	if (pid == 0)
		become(how, fds, p->kind->orphan_signal, own, envp);
	file_close(&ends[1]);
	file_close(&fds[3]);
	if (pid < 0) {
		error_set_errno(err, errno, "cannot make a process");
		goto out;
	}
	int errnum = exec_errno(ends[0]);
	if (errnum != 0) {
		waitpid(pid, NULL, 0);
		error_set_errno(err, errnum, "cannot execute %s", how->program);
		goto out;
	}
	p->pid = pid;
	p->ending = false;
	p->started_ms = clock_monotonic_ms();
	result = 0;
out:
	file_close(&null);
	for (int i = 0; i < 4; i++)
		file_close(&fds[i]);
	file_close(&ends[0]);
	file_close(&ends[1]);
	return result;
}

/* ---- deaths */

static void
log_death(const struct process *p, int status)
{
	if (WIFSIGNALED(status))
		log_warn("%s (process %d) was ended by signal %d", p->name, (int)p->pid, WTERMSIG(status));
	else
		log_warn("%s (process %d) ended with status %d", p->name, (int)p->pid, WEXITSTATUS(status));
}

static void
note_death(struct process *p)
{
	int64_t now = clock_monotonic_ms();
	int64_t *oldest = &p->deaths_ms[p->deaths++ % PROCESS_DEATHS];
	*oldest = now;
	oldest = &p->deaths_ms[p->deaths % PROCESS_DEATHS];
	p->restarts++;
	if (now - p->started_ms >= STEADY_MS) {
		p->interval_ms = RESTART_FIRST_MS;
		p->said_often = false;
	}
	if (p->deaths < PROCESS_DEATHS || now - *oldest >= OFTEN_MS)
		return;
	p->interval_ms = RESTART_MOST_MS;
	if (!p->said_often)
		log_error("%s died %d times within a minute; it is tried again every %d seconds", p->name, PROCESS_DEATHS,
		    RESTART_MOST_MS / 1000);
	p->said_often = true;
}

static void
on_death(struct process *p, int status)
{
	bool idle = p->kind->may_end && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool renew = p->ending;
	if (idle)
		p->wanted = false;
	if (!idle && !p->ending) {
		log_death(p, status);
		note_death(p);
	}
	p->pid = 0;
	p->ending = false;
	timer_stop(p->timer);
	if (p->wanted && renew)
		timer_start(p->timer, 0);
	else if (p->wanted)
		start_later(p);
	if (p->kind->on_dead != NULL)
		p->kind->on_dead(p);
	parent_sweep_soon(p->parent);
}

void
parent_process_reap(struct parent *parent)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct process *p = parent->processes;
		while (p != NULL && p->pid != pid)
			p = p->next;
		if (p != NULL)
			on_death(p, status);
	}
}

bool
parent_process_any_is_running(const struct parent *parent, enum stop_phase up_to)
{
	for (const struct process *p = parent->processes; p != NULL; p = p->next)
		if (p->pid != 0 && p->kind->stop_phase <= up_to)
			return true;
	return false;
}
