/* SPDX-License-Identifier: ISC
 *
 * What is known of each destination: when to dial it, how often that failed, and which port speaks to us. Times are
 * milliseconds of the queue clock. Every change is part of the caller's transaction if there is one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "ipc/messages.h"
#include "queue/schedule.h"
#include "store/database.h"

#define PEERS_PORT_SMTORP 465
#define PEERS_PORT_SMTP 25

struct peers;

struct peer {
	char onion[IPC_ONION_MAX + 1];
	int64_t due_ms;
	uint16_t port; /* where to try first */
	bool is_doubtful; /* it took no mail when it was last tried */
};

/* schedule is borrowed for the life of the object. */
int peers_open(struct database *db, const struct schedule *schedule, struct peers **out, struct error *err);
void peers_free(struct peers *peers); /* takes NULL */

/* A new message is there for it: due now, or a minute after the last failed try. */
int peers_wake(struct peers *peers, struct slice onion, int64_t now_ms, struct error *err);

/* The peer that is due first, leaving out those for which is_out says so. 1: found (due_ms may be in the future);
 * 0: nothing waits. A port 465 that was not there is looked for again after a day. */
typedef bool peers_is_out(void *context, const struct peer *peer);
int peers_next(struct peers *peers, int64_t now_ms, peers_is_out *is_out, void *context, struct peer *out,
    struct error *err);

/* It could not be reached at all, or the session broke: due again after a delay by the schedule. reason and reply
 * (what was said) are kept for the owner's eyes. */
int peers_failed(struct peers *peers, const char *onion, enum ipc_wait_reason reason, struct slice reply, int64_t now_ms,
    uint64_t random, struct error *err);

/* Whoever has mail waiting is due now, however often it failed; onion NULL: all of them. */
int peers_hurry(struct peers *peers, const char *onion, int64_t now_ms, struct error *err);

/* The same for all that were not reached, for reasons that may lie in our own network. */
int peers_hurry_network(struct peers *peers, int64_t now_ms, struct error *err);

/* The same for one peer, which has shown that it is there: due at at_ms, though not sooner after the last try than this, however often it shows it. */
#define PEERS_PROVED_SPACING_MS (60 * 1000)
int peers_hurry_proved(struct peers *peers, const char *onion, int64_t at_ms, struct error *err);

/* It takes mail on this port. Writes nothing when that is known and nothing had failed. */
int peers_reached(struct peers *peers, const char *onion, uint16_t port, int64_t now_ms, struct error *err);
int peers_forget_port(struct peers *peers, const char *onion, struct error *err);

/* Whole-peer failures so far: tries of every item that was there meanwhile. */
int peers_failures(struct peers *peers, struct slice onion, uint64_t *failures, struct error *err);

/* Sets when it is due from the items that wait for it. */
int peers_settle(struct peers *peers, struct slice onion, struct error *err);

/* It had no card to show (doc/spec/cards.md), and is not to be asked for one again within a day. */
int peers_note_cardless(struct peers *peers, const char *onion, int64_t now_ms, struct error *err);
int peers_is_cardless(struct peers *peers, const char *onion, int64_t now_ms, bool *is_cardless, struct error *err);
