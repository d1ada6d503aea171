/* SPDX-License-Identifier: ISC
 *
 * The kernel holds a role to the role table: from here on it can ask for the system calls of its row only (seccomp), and
 * sees no file but those below its working directory, if that (Landlock). There is no way back.
 *
 * Landlock alone would not do: Debian 12's own kernel (6.1) has no rules for the network in it. seccomp alone would: a
 * role without `open` opens nothing. mail@ID needs both.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "ipc/messages.h"

struct sandbox_holds {
	bool seccomp;
	unsigned landlock;     /* the version of the kernel's interface; 0: it has none */
};

/* For the parent, which opens, forks and executes, before it starts anything: what nothing of the node ever needs is denied to it and to
 * all that it starts (rules_never_calls, and user namespaces). Programs of other machine types are held as well. */
int sandbox_enter_parent(struct sandbox_holds *out, struct error *err);

/* To be called once, when the process has opened and loaded what it needs. Descriptors stay as they are. What the kernel
 * cannot do is no error: *out tells. In a build with sanitizers, whose run-time needs more, nothing is done. */
int sandbox_enter(enum role role, struct sandbox_holds *out, struct error *err);

/* The same for smtorp-scan, which takes strangers' pictures apart. */
int sandbox_enter_scanner(struct sandbox_holds *out, struct error *err);
