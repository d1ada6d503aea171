/* SPDX-License-Identifier: ISC
 *
 * What each role may ask of the kernel: the "system calls" rows of ARCHITECTURE.md's role table. tools/check-roles holds
 * the two against each other, word by word.
 */
#pragma once

#include <stdbool.h>

#include "ipc/messages.h"

struct sandbox_rules {
	const char *calls;      /* names of system calls, beyond rules_common_calls, with a space between them */
	bool own_folder;        /* files below the working directory; all others have none */
	bool without_common;    /* calls is all there is */
};

/* Allowed to every role that has an event loop. */
extern const char rules_common_calls[];

/* Denied to the parent and to all that it starts, which inherit it: other people's programs among them, tor, transports, Dovecot. */
extern const char rules_never_calls[];

/* Of smtorp-scan, which is no role: the owner's command starts it. */
const struct sandbox_rules *rules_of_scanner(void);

/* NULL for the parent, which is an ordinary program of its user. */
const struct sandbox_rules *rules_of(enum role role);
