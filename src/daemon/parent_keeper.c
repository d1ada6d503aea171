/* SPDX-License-Identifier: ISC
 *
 * Dovecot loses a SIGTERM that comes while it starts, and when its first process is killed, those that serve IMAP
 * sessions stay. The keeper sees to it that nothing of it survives its end or the parent's.
 *
 * Between fork() and exec: only async-signal-safe calls here.
 */
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/parent.h"

#define PATIENCE_MS 4000 /* less than the parent has with the keeper */
#define ROUND_MS 500

_Noreturn static void
finish(pid_t program, int status)
{
	kill(-program, SIGKILL); /* its group: whatever it left behind */
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

_Noreturn static void
keep(pid_t program)
{
	const struct timespec round = { .tv_nsec = ROUND_MS * 1000000L };
	int64_t deadline = 0;
	sigset_t awaited;
	sigemptyset(&awaited);
	sigaddset(&awaited, SIGTERM);
	sigaddset(&awaited, SIGCHLD);
	for (;;) {
		int status = 0, got = sigtimedwait(&awaited, NULL, &round);
		if (waitpid(program, &status, WNOHANG) == program)
			finish(program, status);
		if (got == SIGTERM && deadline == 0)
			deadline = clock_awake_ms() + PATIENCE_MS;
		if (deadline != 0)
			kill(program, clock_awake_ms() < deadline ? SIGTERM : SIGKILL);
	}
}

pid_t
parent_keeper_fork(pid_t parent)
{
	pid_t keeper = getpid();
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (getppid() != parent)
		_exit(1);
	pid_t program = fork();
	if (program < 0)
		_exit(1);
	if (program == 0) {
		setpgid(0, 0);
		return keeper;
	}
	setpgid(program, program);
	prctl(PR_SET_NAME, "smtorp-keeper", 0, 0, 0);
	close_range(3, ~0U, 0); /* also the pipe that tells how exec went, and the lock */
	keep(program);
}
