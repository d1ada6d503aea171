/* SPDX-License-Identifier: ISC
 *
 * Whether a role that does not answer the parent's PING is to be killed, so that another one is started.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Counted, not measured: a machine that slept, or that stood still, makes one question late and no more. */
#define PULSE_MS 30000

/* Another process's state, as proc(5) has it in its stat: 'R' running, 'S' sleeping, 'D' waiting for a disk, 'T' stopped; '?' when it cannot be
 * seen, as where /proc hides processes that cannot be traced. */
char pulse_state(pid_t pid);

/* unanswered: how many questions are, not counting the one that is about to be asked. Who sleeps or is stopped has a minute, who is at work five. Who
 * waits for a disk, which a dying one may take long for, has all the time: killing ends no such wait, and what
 * comes then would wait for the same disk. So has one that somebody traces. */
bool pulse_is_lost(unsigned unanswered, char state);
