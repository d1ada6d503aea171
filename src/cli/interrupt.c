/* SPDX-License-Identifier: ISC */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
#define NUMBERS (sizeof numbers / sizeof numbers[0])

/* Those that would end the process: not such as are ignored, as nohup has it of SIGHUP, which would wait all the same. */
static sigset_t
ends(void)
{
	sigset_t set;
	struct sigaction action;
	sigemptyset(&set);
	for (size_t i = 0; i < NUMBERS; i++)
		if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&set, numbers[i]);
	return set;
}

void
interrupt_hold(void)
{
	sigset_t set = ends();
	sigprocmask(SIG_BLOCK, &set, NULL);
}

bool
interrupt_is_due(void)
{
	sigset_t waiting, set = ends();
	if (sigpending(&waiting) != 0)
		return false;
	for (size_t i = 0; i < NUMBERS; i++)
		if (sigismember(&set, numbers[i]) == 1 && sigismember(&waiting, numbers[i]) == 1)
			return true;
	return false;
}

void
interrupt_release(void)
{
	sigset_t set = ends();
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
