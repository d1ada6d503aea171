/* SPDX-License-Identifier: ISC
 *
 * inject-fault PID [CALL NUMBER FAULT]: counts the system calls of a running process (all of its threads), and makes the
 * NUMBERth one of that name, counted from now on, fail: FAULT is the name of an error (the call is not made), "late-" and the
 * name of an error (it is made, and said to have failed), or "short" (only half of the bytes are read or written).
 *
 * Prints "ready" once it looks on, and "injected" when the fault came. On SIGTERM, or when the process has ended, it lets go and
 * prints "ended" in the latter case, and "call NAME COUNT" for each. A fault that no kernel has, such as half of an
 * eventfd's number, is left out. Needs CAP_SYS_PTRACE for processes that cannot be traced otherwise.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS_MAX 1024
#define THREADS_MAX 64
#define SYSCALL_STOP (SIGTRAP | 0x80)

struct thread {
	pid_t tid;
	bool is_faulty;       /* between the entry of the call that fails and its exit */
	long result;          /* what it is to return; 0: what it returns */
};

static const struct {
	const char *name;
	int number;
} errors[] = { { "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EMFILE", EMFILE }, { "ENFILE", ENFILE }, { "ENOMEM", ENOMEM }, { "EINTR", EINTR },
	{ "EAGAIN", EAGAIN }, { "ENOBUFS", ENOBUFS }, { "ECONNABORTED", ECONNABORTED }, { "ECONNRESET", ECONNRESET }, { "EROFS", EROFS },
	{ "EDQUOT", EDQUOT } };

static struct {
	pid_t pid;
	int call, error;
	unsigned long number;
	bool is_short, is_late, has_ended, is_leaving;
	unsigned long counts[CALLS_MAX];
	struct thread threads[THREADS_MAX];
	size_t thread_count;
} self;

/* ---- the threads */

static struct thread *
thread_of(pid_t tid)
{
	for (size_t i = 0; i < self.thread_count; i++)
		if (self.threads[i].tid == tid)
			return &self.threads[i];
	if (self.thread_count == THREADS_MAX)
		errx(2, "too many threads");
	self.threads[self.thread_count] = (struct thread){ .tid = tid };
	return &self.threads[self.thread_count++];
}

static void
forget(pid_t tid)
{
	*thread_of(tid) = self.threads[self.thread_count - 1];
	self.thread_count--;
}

static void
seize_all(void)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task", (int)self.pid);
	DIR *dir = opendir(path);
	struct dirent *entry;
	if (dir == NULL)
		err(2, "%s", path);
	while ((entry = readdir(dir)) != NULL) {
		pid_t tid = (pid_t)atoi(entry->d_name);
		if (tid <= 0)
			continue;
		if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) != 0 ||
		    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0)
			err(2, "cannot trace %d", (int)tid);
		thread_of(tid);
	}
	closedir(dir);
}

/* ---- the call that fails */

/* What is no file and no socket (eventfd, epoll) is never half read and has no errors of a disk. */
static bool
is_anonymous(unsigned long fd)
{
	char path[64], target[64];
	snprintf(path, sizeof path, "/proc/%d/fd/%lu", (int)self.pid, fd);
	ssize_t n = readlink(path, target, sizeof target - 1);
	return n > 0 && (target[n] = '\0', strncmp(target, "anon_inode:", 11) == 0);
}

static bool
make_short(pid_t tid, struct user_regs_struct *regs)
{
	switch (regs->orig_rax) {
	case SYS_read:
	case SYS_pread64:
	case SYS_recvfrom:
	case SYS_write:
	case SYS_pwrite64:
	case SYS_sendto:
		regs->rdx /= 2;
		return regs->rdx > 0;
	case SYS_writev:
	case SYS_pwritev: { /* half of its first piece */
		errno = 0;
		unsigned long base = (unsigned long)ptrace(PTRACE_PEEKDATA, tid, (void *)regs->rsi, NULL);
		unsigned long len = (unsigned long)ptrace(PTRACE_PEEKDATA, tid, (void *)(regs->rsi + sizeof base), NULL);
		if (errno != 0 || len < 2)
			return false;
		regs->orig_rax = regs->orig_rax == SYS_writev ? SYS_write : SYS_pwrite64;
		regs->rsi = base;
		regs->rdx = len / 2;
		return true;
	}
	default:
		return false;
	}
}

static void
inject(struct thread *t)
{
	struct user_regs_struct regs;
	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &regs) != 0)
		return;
	bool moves_bytes = regs.orig_rax == SYS_read || regs.orig_rax == SYS_write;
	if (moves_bytes && self.error != EINTR && is_anonymous(regs.rdi))
		return;
	if (self.is_short && !make_short(t->tid, &regs))
		return;
	if (!self.is_short && !self.is_late)
		regs.orig_rax = SYS_getpid; /* every filter lets it through */
	if (ptrace(PTRACE_SETREGS, t->tid, NULL, &regs) != 0)
		err(2, "cannot change a call");
	t->is_faulty = true;
	t->result = self.is_short ? 0 : -self.error;
	puts("injected");
	fflush(stdout);
}

static void
on_call(struct thread *t)
{
	struct __ptrace_syscall_info info;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, (void *)sizeof info, &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr < CALLS_MAX) {
		unsigned long count = ++self.counts[info.entry.nr];
		if ((int)info.entry.nr == self.call && count == self.number)
			inject(t);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->is_faulty) {
		struct user_regs_struct regs;
		t->is_faulty = false;
		if (t->result == 0 || ptrace(PTRACE_GETREGS, t->tid, NULL, &regs) != 0)
			return;
		regs.rax = (unsigned long)t->result;
		if (ptrace(PTRACE_SETREGS, t->tid, NULL, &regs) != 0)
			err(2, "cannot change a result");
	}
}

/* ---- looking on */

static void
on_stop(pid_t tid, int status)
{
	struct thread *t = thread_of(tid);
	int signal_number = WSTOPSIG(status), event = status >> 16;
	if (signal_number == SYSCALL_STOP)
		on_call(t);
	else if (event == PTRACE_EVENT_STOP && signal_number != SIGTRAP && !self.is_leaving) {
		ptrace(PTRACE_LISTEN, tid, NULL, NULL);
		return;
	}
	long pass_on = signal_number == SYSCALL_STOP || event != 0 ? 0 : signal_number;
	if (self.is_leaving && !t->is_faulty) {
		ptrace(PTRACE_DETACH, tid, NULL, (void *)pass_on);
		forget(tid);
	} else {
		ptrace(PTRACE_SYSCALL, tid, NULL, (void *)pass_on);
	}
}

static void
look(void)
{
	int status;
	pid_t tid;
	while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
		if (WIFSTOPPED(status)) {
			on_stop(tid, status);
			continue;
		}
		forget(tid);
		self.has_ended = self.has_ended || tid == self.pid;
	}
}

static void
leave(void)
{
	self.is_leaving = true;
	for (size_t i = 0; i < self.thread_count; i++)
		ptrace(PTRACE_INTERRUPT, self.threads[i].tid, NULL, NULL);
}

static void
report(void)
{
	if (self.has_ended)
		puts("ended");
	for (int i = 0; i < CALLS_MAX; i++) {
		char *name = self.counts[i] == 0 ? NULL : seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);
		if (name != NULL)
			printf("call %s %lu\n", name, self.counts[i]);
		free(name);
	}
}

static void
read_fault(char **words)
{
	const char *fault = words[2];
	self.call = seccomp_syscall_resolve_name(words[0]);
	self.number = strtoul(words[1], NULL, 10);
	self.is_short = strcmp(fault, "short") == 0;
	self.is_late = strncmp(fault, "late-", 5) == 0;
	fault += self.is_late ? 5 : 0;
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		if (strcmp(errors[i].name, fault) == 0)
			self.error = errors[i].number;
	if (self.call < 0 || self.number == 0 || (self.error == 0 && !self.is_short))
		errx(2, "no such fault: %s %s %s", words[0], words[1], words[2]);
}

int
main(int argc, char **argv)
{
	sigset_t wanted;
	if (argc != 2 && argc != 5)
		errx(2, "usage: inject-fault PID [CALL NUMBER FAULT]");
	self.pid = (pid_t)atoi(argv[1]);
	self.call = -1;
	if (argc == 5)
		read_fault(argv + 2);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	seize_all();
	puts("ready");
	fflush(stdout);
	while (self.thread_count > 0) {
		if (sigwaitinfo(&wanted, NULL) == SIGTERM)
			leave();
		look();
	}
	report();
	return 0;
}
