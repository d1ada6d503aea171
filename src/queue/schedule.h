/* SPDX-License-Identifier: ISC
 *
 * When to try again, and when to give up: pure functions. Times are milliseconds of the queue clock
 * (doc/durability.md, "Time").
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_TRIES_MIN 5                                   /* nothing is given up after fewer */
#define SCHEDULE_DOWNTIME_MOST_MS ((int64_t)24 * 3600 * 1000)  /* counted for one restart, or one sleep */

struct schedule {
	int64_t first_ms;  /* after the first failure: less than a minute by default */
	int64_t most_ms;   /* the longest interval */
	int64_t expire_ms; /* the age at which a message is given up */
};

/* The delay after this many failed tries (>= 1): doubles from first_ms, spread evenly over three to five quarters by
 * random (64 bits of a CSPRNG), of which what would be beyond most_ms is left out: no delay is likelier than another,
 * also at the longest, so that the tries of two identities tell nothing of each other. */
int64_t schedule_delay_ms(const struct schedule *schedule, uint64_t tries, uint64_t random);

/* A moment within so long a time, drawn by random: when an identity begins with what all identities of the node are told to do at
 * once. 0 when within_ms is: it is alone. */
int64_t schedule_stagger_ms(int64_t within_ms, uint64_t random);

bool schedule_is_expired(const struct schedule *schedule, int64_t age_ms, uint64_t tries);

/* How much of a time in which nothing could be tried counts as age. */
int64_t schedule_counted_ms(int64_t downtime_ms);

/* What the queue clock shows at a start, from what was saved together with the wall clock (wall_ms 0: never). */
int64_t schedule_resume_ms(int64_t saved_queue_ms, int64_t saved_wall_ms, int64_t wall_ms);
