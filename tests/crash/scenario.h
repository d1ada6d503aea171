/* SPDX-License-Identifier: ISC
 *
 * A run of a mail store drawn by chance, what is known of it at any moment of its trace, and whether a folder holds what it
 * should: after a crash the folder is opened by the same code as ever, and looked at.
 *
 * What must hold (doc/durability.md):
 *  - what was answered with 250 is there once: in the mailbox, or in the queue for each destination with its body;
 *  - what was not is there once or not at all, for all destinations or for none;
 *  - what was delivered is not in the queue; what failed is in one bounce; until the result is written down it may still wait;
 *  - a message that the reader moved or deleted stays so, if the disk has that change: it is not published again;
 *  - all bytes are as they were; nothing is left over in staging/ and queue/; nothing is set aside, and nothing is logged;
 *  - mail is accepted and published as before.
 */
#pragma once

#include "trace.h"

#define SCENARIO_MESSAGES 18
#define SCENARIO_LATER 4 /* what is accepted after a crash, one at each */
#define SCENARIO_ALL (SCENARIO_MESSAGES + SCENARIO_LATER)
#define SCENARIO_DESTINATIONS 3

enum fate { FATE_WAITS, FATE_DELIVERED, FATE_FAILED };

struct message {
	bool is_submitted, to_self;
	unsigned same_as;      /* of the same sender, recipients and bytes as this one; itself: none */
	unsigned body_bytes;
	unsigned destinations; /* beside the own mailbox */
	enum fate fates[SCENARIO_DESTINATIONS];
};

struct scenario {
	uint64_t seed;
	bool has_threads; /* that wait for the disk */
	struct message messages[SCENARIO_ALL];
};

struct knowledge {
	bool acknowledged[SCENARIO_ALL];
	bool began[SCENARIO_ALL][SCENARIO_DESTINATIONS]; /* its result was being written down */
	bool done[SCENARIO_ALL][SCENARIO_DESTINATIONS];
	uint32_t reader[SCENARIO_ALL];                   /* MARK_MOVED, MARK_DELETED, or 0 */
};

enum { MARK_ACKNOWLEDGED = 1, MARK_BEGAN, MARK_DONE, MARK_MOVED, MARK_DELETED };

void scenario_draw(uint64_t seed, struct scenario *out);

/* In the working folder, which is empty. Ends the process when something fails. */
void scenario_run(const struct scenario *scenario);

/* Opens the working folder, finishes what is to be done there, and accepts the later message `later`. Prints to standard error
 * what is wrong, and returns -1. */
int scenario_recover(const struct scenario *scenario, const struct knowledge *known, unsigned later);

/* Adds what was acknowledged in the first `length` operations, and which of the reader's changes are on the disk. */
void scenario_learn(const struct trace *trace, uint32_t length, const unsigned char *kept, struct knowledge *known);
