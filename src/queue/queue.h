/* SPDX-License-Identifier: ISC
 *
 * The queue of messages that leave: one item for each destination of a message, with frozen bytes in a file that
 * the items of one message share, and a state for each recipient. Crash safety: doc/durability.md.
 *
 * Times are milliseconds of the queue clock unless they are called arrival_s (wall clock). Functions that say
 * "in a transaction" are called between database_begin() and _commit(); the others make their own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "ipc/body.h"
#include "ipc/messages.h"
#include "ipc/pack.h"
#include "queue/peers.h"
#include "queue/pins.h"
#include "store/database.h"

struct queue;

struct queue_new {
	uint64_t id;            /* unique for ever: a journal identifier */
	uint64_t body;          /* names the file in queue/ */
	uint64_t body_bytes;
	struct slice onion;
	struct slice reverse_path;
	struct slice recipients; /* packed */
	uint8_t flags;           /* enum ipc_body_flags */
	int64_t arrival_s;
};

/* An item at hand: what is to be delivered now. */
struct queue_item {
	uint64_t id, body, body_bytes;
	char reverse_path[IPC_MAILBOX_MAX + 1];
	uint8_t flags;
	struct buffer recipients; /* packed, those that still wait, in order */
	size_t recipient_count;
};

/* Recipients of one item that failed and of whom its sender is to be told. */
struct queue_bounce {
	uint64_t item, body, body_bytes;
	char reverse_path[IPC_MAILBOX_MAX + 1];
	int64_t arrival_s;
	int64_t arrival_ms;      /* by the queue clock; only when it is late */
	struct buffer failures;  /* pack_failure() each */
	struct buffer positions; /* record_add_position() each */
};

/* Opens the queue over mail.db and the folder queue/ (both borrowed); schedule is borrowed. */
int queue_open(struct database *db, int dir_fd, const struct schedule *schedule, struct queue **out, struct error *err);
void queue_free(struct queue *queue); /* takes NULL */
struct peers *queue_peers(struct queue *queue); /* borrowed, as the next */
struct pins *queue_pins(struct queue *queue);

/* Adds an item whose body file is durable. In a transaction. */
int queue_add(struct queue *queue, const struct queue_new *new, int64_t now_ms, struct error *err);

/* The item for onion that is due first. 1: *out is the caller's, for queue_item_finish(); 0: none is due. */
int queue_next_item(struct queue *queue, const char *onion, int64_t now_ms, struct queue_item *out, struct error *err);
/* When the next one for onion is due. 1: *due_ms is set; 0: none waits. */
int queue_next_due(struct queue *queue, const char *onion, int64_t *due_ms, struct error *err);
void queue_item_finish(struct queue_item *item); /* fine on a zeroed one */

/* The frozen bytes: *out is the caller's, for body_finish(). */
int queue_load_body(struct queue *queue, uint64_t body, uint64_t bytes, struct body *out, struct error *err);

/* The same for sending: a large one stays in its file, opened for reading. */
int queue_open_body(struct queue *queue, uint64_t body, uint64_t bytes, struct body *out, struct error *err);

/* Writes down what became of the item's recipients: one packed result for each, in order; a result that is missing
 * or has code 0 counts as temporary. */
int queue_result(struct queue *queue, const char *onion, const struct queue_item *item, struct slice results,
    int64_t now_ms, uint64_t random, struct error *err);

/* Fails those recipients of the item whose result has a status, for good; the others are left alone. */
int queue_refuse(struct queue *queue, const char *onion, const struct queue_item *item, struct slice results,
    struct error *err);

/* The peer could not be reached: due again by the schedule. What is too old is failed with the result's text. */
int queue_peer_failed(struct queue *queue, const char *onion, enum ipc_wait_reason reason, const struct pack_result *why,
    int64_t now_ms, uint64_t random, struct error *err);

/* Fails everything that waits for this destination. */
int queue_fail_all(struct queue *queue, const char *onion, const struct pack_result *why, struct error *err);

/* The first item above `after` that owes a bounce. 1: *out is the caller's, for queue_bounce_finish(). */
int queue_next_bounce(struct queue *queue, uint64_t after, struct queue_bounce *out, struct error *err);
void queue_bounce_finish(struct queue_bounce *bounce);

/* Takes the reported recipients away; *reported becomes how many were still there. In a transaction. */
int queue_reported(struct queue *queue, uint64_t item, struct slice positions, uint64_t *reported, struct error *err);

/* Senders are told once that a message is late: those of items below this id were, or need not be. */
int queue_told(struct queue *queue, uint64_t *below, struct error *err);
/* Notes that the sender of this body's items is told. *is_news: some of them still wait, and nobody was told. In a
 * transaction. */
int queue_tell(struct queue *queue, uint64_t body, bool *is_news, struct error *err);

/* Unlinks the bodies that no item needs. */
int queue_empty_trash(struct queue *queue, struct error *err);

int queue_count(struct queue *queue, uint64_t *items, struct error *err);

/* ---- queue_ready.c: messages that wait for the keys of their recipients (BODY_WAITS) */

struct queue_ready {
	uint64_t item, body, body_bytes; /* the body's file is durable */
	uint8_t flags;
};
/* What is to be sent takes the place of what waited. Where nothing waits any more it is forgotten. In a transaction. */
int queue_make_ready(struct queue *queue, const struct queue_ready *ready, struct error *err);
/* Whether the item is there, and waits. */
int queue_item_waits(struct queue *queue, uint64_t item, bool *waits, struct error *err);

/* ---- queue_owner.c: what the owner sees and orders */

struct queue_row {
	uint64_t id, body, body_bytes;
	struct slice onion, reverse_path; /* borrowed */
	int64_t arrival_s, arrival_ms;
	int64_t due_ms;                   /* the next try; QUEUE_NO_TRY when it failed for good */
	uint64_t tries;
	enum ipc_wait_reason reason;      /* as the database knows it: NEW, REPLY, FAILED or the peer's */
	struct buffer text;               /* what was said: "450 4.2.0 mailbox busy" */
	struct buffer recipients;         /* packed failures: those that still wait or are to be reported */
	uint32_t recipient_count;         /* more than are packed when not all fit */
};
#define QUEUE_NO_TRY INT64_MAX

/* Called for each item in the order of ids, which is that of arrival; false ends it. It must not change the queue. */
typedef bool queue_take_row(void *context, const struct queue_row *row);

/* Items with an id above `after`. has_replies: recipients come with the texts of their last answers. */
int queue_look(struct queue *queue, uint64_t after, bool has_replies, queue_take_row *take, void *context,
    struct error *err);

/* Makes an item (0: every one) due now, and its peer with it. *count becomes how many. ERROR_NOT_FOUND. */
int queue_retry(struct queue *queue, uint64_t item, int64_t now_ms, uint64_t *count, struct error *err);

/* The network is another one: peers that could not be reached are due now. What a peer has put off stays so. */
int queue_retry_network(struct queue *queue, int64_t now_ms, struct error *err);

/* A peer has proved that it is there: what waits because it could not be reached is due at at_ms (peers.h says how often at most). */
int queue_retry_proved(struct queue *queue, const char *onion, int64_t at_ms, struct error *err);

/* Forgets the recipients that wait; nobody is told. Those that failed are reported all the same; if there are none but
 * such, they are forgotten. Not for an item that is being delivered. ERROR_NOT_FOUND. */
int queue_cancel(struct queue *queue, uint64_t item, struct error *err);

/* ---- queue_outcome.c: what became of the recipients of messages that had to wait, for their sender to see */

enum queue_outcome { QUEUE_DELIVERED = 1, QUEUE_FAILED, QUEUE_CANCELLED }; /* kept in databases */

/* A message that has not gone after so long has waited, like one for which a try failed. */
#define QUEUE_WAITED_MS (60 * 1000)

/* The first body above `after` of a message that had to wait, of which something was delivered and nothing is left in the
 * queue. Its file stays until the outcomes are forgotten. 1: *body is set; 0: there is none. */
int queue_next_ended(struct queue *queue, uint64_t after, uint64_t *body, struct error *err);

/* The outcomes that are known of a body's recipients, in order; false from take ends it. */
typedef bool queue_take_outcome(void *context, struct slice mailbox, enum queue_outcome outcome, int64_t wall_s);
int queue_outcomes(struct queue *queue, uint64_t body, queue_take_outcome *take, void *context, struct error *err);
int queue_forget_outcomes(struct queue *queue, uint64_t body, struct error *err);

/* The size of a body's file. ERROR_NOT_FOUND. */
int queue_body_bytes(struct queue *queue, uint64_t body, uint64_t *bytes, struct error *err);
