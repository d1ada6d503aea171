/* SPDX-License-Identifier: ISC */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static sigset_t
ends(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
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
	sigset_t set;
	return sigpending(&set) == 0 &&
	    (sigismember(&set, SIGINT) == 1 || sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGHUP) == 1);
}

void
interrupt_release(void)
{
	sigset_t set = ends();
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
