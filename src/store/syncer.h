/* SPDX-License-Identifier: ISC
 *
 * Waits for the disk in the event loop's place: a thread that makes one call at a time, such as fdatasync(2) or syncfs(2), and
 * tells its result through a descriptor. The thread touches nothing else of the process, and takes no signals.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct syncer;

typedef int syncer_call(int fd); /* 0, or -1 with errno */

int syncer_new(struct syncer **out, struct error *err);
void syncer_free(struct syncer *syncer); /* waits for what is under way; takes NULL */

/* Readable once a call has ended, until syncer_take(). */
int syncer_fd(const struct syncer *syncer);

/* Begins a call; fd stays open until its result was taken. No other may be under way. */
void syncer_start(struct syncer *syncer, syncer_call *call, int fd);

/* Takes the result of the call that was begun: 0 or an errno. false: it has not ended, which does not happen with `wait`. */
bool syncer_take(struct syncer *syncer, bool wait, int *errnum);
