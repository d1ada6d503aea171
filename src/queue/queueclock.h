/* SPDX-License-Identifier: ISC
 *
 * The clock by which the queue waits and ages (doc/durability.md, "Time"): monotonic while the process runs, and
 * not to be fooled by more than a day across a restart. A sleep of the machine counts for a day at the most, too, since nothing
 * was tried meanwhile: what waited does not wake up too old. Milliseconds.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "store/database.h"

struct queueclock;

int queueclock_open(struct database *db, struct queueclock **out, struct error *err);
void queueclock_free(struct queueclock *clock); /* takes NULL */
int64_t queueclock_now_ms(struct queueclock *clock);

/* Writes it down; part of the caller's transaction if there is one. */
int queueclock_save(struct queueclock *clock, struct error *err);
