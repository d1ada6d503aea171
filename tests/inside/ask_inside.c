/* SPDX-License-Identifier: ISC
 *
 * ask-inside PID NUMBER [ARGUMENT]...: makes a running process do a system call, and prints what it returned ("-1" and
 * so on for errors), or "killed by N" when the process did not survive it. An argument is a number, or text, which is
 * laid below the process's stack.
 *
 * The process is stopped where it waits, its registers are changed to those of the call at the instruction that it
 * stopped behind, and put back afterwards. Needs CAP_SYS_PTRACE for processes that cannot be traced otherwise.
 */
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#define ARGUMENTS_MAX 6
#define BELOW_STACK 4096 /* out of the way of the red zone */

static pid_t pid;

static void
trace(enum __ptrace_request request, void *address, void *data)
{
	if (ptrace(request, pid, address, data) == -1)
		err(2, "ptrace request %d", (int)request);
}

/* Whether the process is stopped, and not gone. */
static int
wait_for_stop(void)
{
	int status;
	if (waitpid(pid, &status, __WALL) != pid)
		err(2, "waitpid");
	if (WIFSIGNALED(status)) {
		printf("killed by %d\n", WTERMSIG(status));
		return 0;
	}
	if (!WIFSTOPPED(status))
		errx(2, "unexpected wait status %x", status);
	return 1;
}

static void
write_text(unsigned long address, const char *text)
{
	size_t len = strlen(text) + 1;
	for (size_t at = 0; at < len; at += sizeof(long)) {
		unsigned long word = 0;
		memcpy(&word, text + at, len - at < sizeof word ? len - at : sizeof word);
		trace(PTRACE_POKEDATA, (void *)(address + at), (void *)word);
	}
}

/* The value of an argument; texts are laid one after the other. */
static unsigned long
value_of(const char *argument, unsigned long *below)
{
	if (isdigit((unsigned char)argument[0]) || argument[0] == '-')
		return strtoul(argument, NULL, 0);
	*below -= (strlen(argument) + 16) & ~15UL;
	write_text(*below, argument);
	return *below;
}

static struct user_regs_struct
registers_of_call(struct user_regs_struct saved, int count, char **words)
{
	unsigned long values[ARGUMENTS_MAX] = { 0 }, below = (saved.rsp - BELOW_STACK) & ~15UL;
	for (int i = 1; i < count && i <= ARGUMENTS_MAX; i++)
		values[i - 1] = value_of(words[i], &below);
	saved.rax = strtoul(words[0], NULL, 0);
	saved.orig_rax = (unsigned long)-1; /* so that the call it waits in is not begun again in the midst of ours */
	saved.rdi = values[0];
	saved.rsi = values[1];
	saved.rdx = values[2];
	saved.r10 = values[3];
	saved.r8 = values[4];
	saved.r9 = values[5];
	saved.rip -= 2; /* back onto the `syscall` instruction */
	return saved;
}

int
main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: ask-inside PID NUMBER [ARGUMENT]...");
	pid = (pid_t)atoi(argv[1]);
	struct user_regs_struct saved, call;
	trace(PTRACE_SEIZE, NULL, NULL);
	trace(PTRACE_INTERRUPT, NULL, NULL);
	if (!wait_for_stop())
		return 1;
	trace(PTRACE_GETREGS, NULL, &saved);
	long instruction = ptrace(PTRACE_PEEKTEXT, pid, (void *)(saved.rip - 2), NULL);
	if ((instruction & 0xffff) != 0x050f)
		errx(2, "the process does not wait in a system call");
	call = registers_of_call(saved, argc - 2, argv + 2);
	trace(PTRACE_SETREGS, NULL, &call);
	trace(PTRACE_SINGLESTEP, NULL, NULL);
	if (!wait_for_stop())
		return 0;
	trace(PTRACE_GETREGS, NULL, &call);
	printf("%ld\n", (long)call.rax);
	trace(PTRACE_SETREGS, NULL, &saved);
	trace(PTRACE_DETACH, NULL, NULL);
	return 0;
}
