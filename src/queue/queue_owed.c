/* SPDX-License-Identifier: ISC
 *
 * What the queue still owes: bounces to local senders, and the unlinking of bodies.
 */
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "queue/queue_internal.h"
#include "queue/record.h"
#include "store/numbered.h"

#define TRASH_AT_ONCE 256

void
queue_bounce_finish(struct queue_bounce *b)
{
	buffer_finish(&b->failures);
	buffer_finish(&b->positions);
	*b = (struct queue_bounce){ 0 };
}

static int
load_failures(struct queue *q, struct queue_bounce *b, struct error *err)
{
	struct statement *s = queue_with_id(q, QUEUE_FAILURES, b->item);
	int row;
	while ((row = statement_step(s, err)) == 1) {
		struct pack_result r = { (unsigned)statement_int(s, 2), statement_bytes(s, 3), statement_bytes(s, 4) };
		struct error full = { 0 };
		if (pack_failure(&b->failures, statement_bytes(s, 1), &r, &full) != 0)
			break; /* the rest is reported by another bounce */
		if (record_add_position(&b->positions, (uint32_t)statement_int(s, 0), err) != 0) {
			statement_reset(s);
			return -1;
		}
	}
	if (row >= 0)
		statement_reset(s);
	return row < 0 ? -1 : 0;
}

int
queue_next_bounce(struct queue *q, uint64_t after, struct queue_bounce *out, struct error *err)
{
	*out = (struct queue_bounce){ 0 };
	int row = queue_first_id(queue_with_id(q, QUEUE_NEXT_BOUNCE, after), &out->item, err);
	if (row != 1)
		return row;
	struct statement *s = queue_with_id(q, QUEUE_ITEM, out->item);
	row = statement_step(s, err);
	if (row == 0)
		error_set(err, ERROR_DAMAGED, "the database mail.db is damaged: a recipient without an item");
	if (row != 1)
		return -1;
	out->body = (uint64_t)statement_int(s, 0);
	queue_copy_string(out->reverse_path, sizeof out->reverse_path, statement_bytes(s, 1));
	out->body_bytes = (uint64_t)statement_int(s, 6);
	out->arrival_s = statement_int(s, 7);
	statement_reset(s);
	buffer_init(&out->failures, IPC_RECIPIENTS_MAX);
	buffer_init(&out->positions, IPC_RECIPIENTS_MAX);
	if (load_failures(q, out, err) != 0) {
		queue_bounce_finish(out);
		return -1;
	}
	return 1;
}

int
queue_reported(struct queue *q, uint64_t item, struct slice positions, uint64_t *reported, struct error *err)
{
	uint32_t position;
	uint64_t waiting, all;
	struct queue_facts f;
	*reported = 0;
	while (record_next_position(&positions, &position)) {
		struct statement *s = queue_with_id(q, QUEUE_DELETE_FAILED, item);
		statement_bind_int(s, 2, position);
		if (statement_run(s, err) != 0)
			return -1;
		*reported += (uint64_t)database_changes(q->db);
	}
	if (*reported == 0)
		return 0;
	if (queue_count_left(q, item, &waiting, &all, err) != 0)
		return -1;
	if (all > 0)
		return 0;
	if (queue_look_up(q, item, &f, err) != 0)
		return -1;
	return queue_delete_item(q, item, f.body, err);
}

/* ---- delays */

int
queue_told(struct queue *q, uint64_t *below, struct error *err)
{
	struct statement *s = q->statements[QUEUE_TOLD];
	int row = statement_step(s, err);
	if (row != 1)
		return row == 0 ? error_set(err, ERROR_DAMAGED, "the database mail.db is damaged: it has no state") : -1;
	*below = (uint64_t)statement_int(s, 0);
	statement_reset(s);
	return 0;
}

int
queue_tell(struct queue *q, uint64_t body, bool *is_news, struct error *err)
{
	uint64_t below, last;
	struct statement *s = queue_with_id(q, QUEUE_BODY_ITEMS, body);
	if (statement_step(s, err) != 1)
		return -1; /* an aggregate always has a row */
	last = (uint64_t)statement_int(s, 0);
	*is_news = statement_int(s, 1) > 0; /* NULL: there is no item */
	statement_reset(s);
	if (!*is_news)
		return 0;
	if (queue_told(q, &below, err) != 0)
		return -1;
	*is_news = last >= below;
	return *is_news ? statement_run(queue_with_id(q, QUEUE_TELL, last + 1), err) : 0;
}

/* ---- what is left over */

/* Unlinks them for good, before they are forgotten: a folder that is not synced may have them again after a power cut. */
static int
unlink_bodies(struct queue *q, const uint64_t *bodies, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		char name[NUMBERED_NAME_BYTES];
		numbered_name(bodies[i], name);
		if (unlinkat(q->dir_fd, name, 0) != 0 && errno != ENOENT)
			log_warn("cannot unlink a message that was sent");
	}
	return fsync(q->dir_fd) == 0 ? 0 : error_set_errno(err, errno, "cannot make the queue's folder durable");
}

int
queue_empty_trash(struct queue *q, struct error *err)
{
	uint64_t bodies[TRASH_AT_ONCE];
	size_t count = TRASH_AT_ONCE;
	while (count == TRASH_AT_ONCE) {
		struct statement *s = queue_with_id(q, QUEUE_TRASH, TRASH_AT_ONCE);
		int row = 0;
		for (count = 0; count < TRASH_AT_ONCE && (row = statement_step(s, err)) == 1; count++)
			bodies[count] = (uint64_t)statement_int(s, 0);
		if (row < 0)
			return -1;
		statement_reset(s);
		if (count == 0)
			return 0;
		if (unlink_bodies(q, bodies, count, err) != 0 || database_begin(q->db, err) != 0)
			return -1;
		for (size_t i = 0; i < count; i++)
			if (statement_run(queue_with_id(q, QUEUE_DELETE_TRASH, bodies[i]), err) != 0) {
				database_rollback(q->db);
				return -1;
			}
		if (database_commit(q->db, err) != 0)
			return -1;
	}
	return 0;
}
