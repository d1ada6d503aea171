/* SPDX-License-Identifier: ISC */
#include "queue/queue_internal.h"

_Static_assert(BODY_WAITS == 128, "queue.c asks for this flag");

/* 1: it waits, with that body; 0: it does not; -1. */
static int
look(struct queue *q, uint64_t item, uint64_t *body, struct error *err)
{
	return queue_first_id(queue_with_id(q, QUEUE_WAITS, item), body, err);
}

int
queue_item_waits(struct queue *q, uint64_t item, bool *waits, struct error *err)
{
	uint64_t body;
	int row = look(q, item, &body, err);
	*waits = row == 1;
	return row < 0 ? -1 : 0;
}

int
queue_make_ready(struct queue *q, const struct queue_ready *ready, struct error *err)
{
	uint64_t left = ready->body;
	int row = look(q, ready->item, &left, err);
	if (row < 0)
		return -1;
	if (row == 1) {
		struct statement *s = queue_with_id(q, QUEUE_MAKE_READY, ready->item);
		statement_bind_int(s, 2, (int64_t)ready->body);
		statement_bind_int(s, 3, (int64_t)ready->body_bytes);
		statement_bind_int(s, 4, ready->flags);
		if (statement_run(s, err) != 0)
			return -1;
	}
	return queue_drop_body(q, left, err);
}
