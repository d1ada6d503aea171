/* SPDX-License-Identifier: ISC
 *
 * What queue.c (adding and delivering), queue_result.c and queue_owed.c (bounces, bodies to unlink) share.
 */
#pragma once

#include "queue/queue.h"

enum {
	QUEUE_ADD_ITEM, QUEUE_ADD_RECIPIENT, QUEUE_NEXT_ITEM, QUEUE_NEXT_DUE, QUEUE_WAITING, QUEUE_ITEM,
	QUEUE_DELETE_RECIPIENT, QUEUE_SET_RECIPIENT, QUEUE_FAIL_WAITING, QUEUE_DELETE_WAITING, QUEUE_LEFT,
	QUEUE_DEFER_ITEM, QUEUE_DELETE_ITEM, QUEUE_BODY_IS_USED, QUEUE_ADD_TRASH, QUEUE_TRASH, QUEUE_DELETE_TRASH,
	QUEUE_EXPIRED, QUEUE_ALL_OF_PEER, QUEUE_NEXT_BOUNCE, QUEUE_FAILURES, QUEUE_DELETE_FAILED, QUEUE_COUNT,
	QUEUE_LOOK, QUEUE_LOOK_RECIPIENTS, QUEUE_HURRY, QUEUE_HURRY_ALL, QUEUE_DELETE_ALL, QUEUE_SET_NOT_DUE,
	QUEUE_TOLD, QUEUE_TELL, QUEUE_BODY_ITEMS,
	QUEUE_IS_SHARED, QUEUE_NOTE, QUEUE_DROP_NOTES, QUEUE_NEXT_ENDED, QUEUE_OUTCOMES, QUEUE_FORGET,
	QUEUE_MAKE_READY, QUEUE_WAITS,
	QUEUE_STATEMENTS
};

struct queue {
	struct database *db;
	int dir_fd;
	const struct schedule *schedule;
	struct peers *peers;
	struct pins *pins;
	struct statement *statements[QUEUE_STATEMENTS];
};

/* A prepared statement with its first parameter bound. */
static inline struct statement *
queue_with_id(struct queue *q, int which, uint64_t id)
{
	statement_bind_int(q->statements[which], 1, (int64_t)id);
	return q->statements[which];
}

/* The number in its first row, and no more of them: 1; 0: there is none; -1. */
static inline int
queue_first_id(struct statement *s, uint64_t *id, struct error *err)
{
	int row = statement_step(s, err);
	if (row == 1)
		*id = (uint64_t)statement_int(s, 0);
	if (row >= 0)
		statement_reset(s);
	return row;
}

static inline void
queue_copy_string(char *out, size_t room, struct slice s)
{
	size_t len = s.len < room - 1 ? s.len : room - 1; /* it was checked when it came */
	memcpy(out, s.data, len);
	out[len] = '\0';
}

/* What results and bounces need to know of an item. */
struct queue_facts {
	uint64_t body;
	int64_t arrival_ms;
	uint64_t tries;
	bool is_null_sender;
	bool has_waited; /* set by those who know the time */
};
int queue_look_up(struct queue *q, uint64_t id, struct queue_facts *out, struct error *err); /* ERROR_NOT_FOUND */
int queue_count_left(struct queue *q, uint64_t item, uint64_t *waiting, uint64_t *all, struct error *err);
int queue_delete_item(struct queue *q, uint64_t item, uint64_t body, struct error *err);
int queue_drop_body(struct queue *q, uint64_t body, struct error *err); /* if no item has it */

/* Has the message other recipients, at other nodes, or had it? */
int queue_is_shared(struct queue *q, uint64_t body, bool *is_shared, struct error *err);

/* Notes what became of the item's recipient at this position, or (-1) of all that wait. Before they are changed. */
#define QUEUE_ALL_WAITING (-1)
int queue_note(struct queue *q, uint64_t item, uint64_t body, int64_t position, enum queue_outcome outcome, bool has_waited,
    struct error *err);
