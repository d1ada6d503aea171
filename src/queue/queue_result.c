/* SPDX-License-Identifier: ISC
 *
 * What became of items and of whole destinations.
 */
#include <stdlib.h>

#include "queue/queue_internal.h"

#define EXPIRED_AT_ONCE 256
#define ENHANCED_MAX 9 /* "5.123.123" */

int
queue_count_left(struct queue *q, uint64_t item, uint64_t *waiting, uint64_t *all, struct error *err)
{
	struct statement *s = queue_with_id(q, QUEUE_LEFT, item);
	int row = statement_step(s, err);
	if (row != 1)
		return row == 0 ? error_set(err, ERROR_IO, "the database mail.db gave no answer") : -1;
	*waiting = (uint64_t)statement_int(s, 0);
	*all = (uint64_t)statement_int(s, 1);
	statement_reset(s);
	return 0;
}

int
queue_delete_item(struct queue *q, uint64_t item, uint64_t body, struct error *err)
{
	if (statement_run(queue_with_id(q, QUEUE_DELETE_ITEM, item), err) != 0)
		return -1;
	return queue_drop_body(q, body, err);
}

int
queue_drop_body(struct queue *q, uint64_t body, struct error *err)
{
	struct statement *s = queue_with_id(q, QUEUE_BODY_IS_USED, body);
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	statement_reset(s);
	if (row == 1)
		return 0;
	if (statement_run(queue_with_id(q, QUEUE_DROP_NOTES, body), err) != 0)
		return -1;
	return statement_run(queue_with_id(q, QUEUE_ADD_TRASH, body), err);
}

/* After its recipients changed: the item waits, owes a bounce, or is gone. */
static int
settle_item(struct queue *q, uint64_t item, uint64_t body, int64_t due_ms, struct error *err)
{
	uint64_t waiting, all;
	if (queue_count_left(q, item, &waiting, &all, err) != 0)
		return -1;
	if (all == 0)
		return queue_delete_item(q, item, body, err);
	struct statement *s = queue_with_id(q, QUEUE_DEFER_ITEM, item);
	if (waiting > 0)
		statement_bind_int(s, 2, due_ms);
	else
		statement_bind_null(s, 2);
	return statement_run(s, err);
}

static int
set_recipient(struct queue *q, uint64_t item, int64_t position, bool failed, bool is_null_sender,
    const struct pack_result *r, struct error *err)
{
	/* Nobody is told of a failed message with the null reverse-path (RFC 5321 6.1). */
	bool done = r->code >= 200 && r->code < 300;
	bool forget = done || (failed && is_null_sender);
	struct statement *s = queue_with_id(q, forget ? QUEUE_DELETE_RECIPIENT : QUEUE_SET_RECIPIENT, item);
	statement_bind_int(s, 2, position);
	if (!forget) {
		statement_bind_int(s, 3, failed);
		statement_bind_int(s, 4, r->code);
		statement_bind_text(s, 5, r->enhanced);
		statement_bind_text(s, 6, r->text);
	}
	return statement_run(s, err);
}

static int
positions_of(struct queue *q, const struct queue_item *item, int64_t **out, struct error *err)
{
	struct statement *s = queue_with_id(q, QUEUE_WAITING, item->id);
	size_t at = 0;
	int row = 0;
	int64_t *positions = calloc(item->recipient_count + 1, sizeof *positions);
	if (positions == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	while (at < item->recipient_count && (row = statement_step(s, err)) == 1)
		positions[at++] = statement_int(s, 0);
	if (row >= 0)
		statement_reset(s);
	if (row < 0 || at != item->recipient_count) {
		free(positions);
		return row < 0 ? -1 : error_set(err, ERROR_IO, "an item of the queue has changed under way");
	}
	*out = positions;
	return 0;
}

/* smtp has cut the peer's words already. Were it to lie, no bounce could hold them. */
static void
cut(struct pack_result *r)
{
	if (r->enhanced.len > ENHANCED_MAX)
		r->enhanced.len = 0;
	if (r->text.len > IPC_TEXT_MAX)
		r->text.len = IPC_TEXT_MAX;
}

/* Sets every waiting recipient of the item by its result. expired: a temporary answer is the last one. */
static int
apply_results(struct queue *q, const struct queue_item *item, const struct queue_facts *f, struct slice results, bool expired,
    struct error *err)
{
	int64_t *positions = NULL;
	int result = 0;
	bool is_shared = false;
	if (queue_is_shared(q, f->body, &is_shared, err) != 0 || positions_of(q, item, &positions, err) != 0)
		return -1;
	bool is_noted = is_shared || f->has_waited || item->recipient_count > 1;
	for (size_t i = 0; i < item->recipient_count && result == 0; i++) {
		struct pack_result r;
		if (!pack_next_result(&results, &r) || r.code < 200 || r.code > 599) {
			r = (struct pack_result){ 0, slice_of_string("4.4.2"), slice_of_string("the connection broke") };
			results = slice_of("", 0);
		}
		cut(&r);
		bool done = r.code >= 200 && r.code < 300;
		bool failed = r.code >= 500 || (!done && expired);
		if (is_noted && (done || failed))
			result = queue_note(q, item->id, f->body, positions[i], done ? QUEUE_DELIVERED : QUEUE_FAILED, f->has_waited, err);
		if (result == 0)
			result = set_recipient(q, item->id, positions[i], failed, item->reverse_path[0] == '\0', &r, err);
	}
	free(positions);
	return result;
}

int
queue_look_up(struct queue *q, uint64_t id, struct queue_facts *out, struct error *err)
{
	uint64_t failures;
	struct statement *s = queue_with_id(q, QUEUE_ITEM, id);
	int row = statement_step(s, err);
	if (row == 0) {
		statement_reset(s);
		return error_set(err, ERROR_NOT_FOUND, "no such item in the queue");
	}
	if (row < 0)
		return -1;
	out->body = (uint64_t)statement_int(s, 0);
	out->is_null_sender = statement_bytes(s, 1).len == 0;
	out->arrival_ms = statement_int(s, 2);
	out->tries = (uint64_t)statement_int(s, 3) - (uint64_t)statement_int(s, 4);
	int result = peers_failures(q->peers, statement_bytes(s, 5), &failures, err);
	if (result == 0)
		out->tries += failures;
	statement_reset(s);
	return result;
}

static int
write_result(struct queue *q, const char *onion, const struct queue_item *item, struct slice results, int64_t now_ms,
    uint64_t random, struct error *err)
{
	struct queue_facts f;
	if (queue_look_up(q, item->id, &f, err) != 0)
		return -1;
	f.has_waited = f.tries > 0 || now_ms - f.arrival_ms >= QUEUE_WAITED_MS;
	bool expired = schedule_is_expired(q->schedule, now_ms - f.arrival_ms, f.tries + 1);
	if (apply_results(q, item, &f, results, expired, err) != 0)
		return -1;
	if (settle_item(q, item->id, f.body, now_ms + schedule_delay_ms(q->schedule, f.tries + 1, random), err) != 0)
		return -1;
	return peers_settle(q->peers, slice_of_string(onion), err);
}

int
queue_result(struct queue *q, const char *onion, const struct queue_item *item, struct slice results,
    int64_t now_ms, uint64_t random, struct error *err)
{
	if (database_begin(q->db, err) != 0)
		return -1;
	if (write_result(q, onion, item, results, now_ms, random, err) == 0)
		return database_commit(q->db, err);
	database_rollback(q->db);
	return -1;
}

static int
refuse(struct queue *q, const char *onion, const struct queue_item *item, struct slice results, struct error *err)
{
	struct pack_result r;
	struct queue_facts f;
	uint64_t waiting, all;
	int64_t *positions = NULL;
	int result = queue_look_up(q, item->id, &f, err);
	if (result == 0)
		result = positions_of(q, item, &positions, err);
	for (size_t i = 0; result == 0 && i < item->recipient_count && pack_next_result(&results, &r); i++)
		if (r.enhanced.len > 0) {
			result = queue_note(q, item->id, f.body, positions[i], QUEUE_FAILED, f.tries > 0, err);
			if (result == 0)
				result = set_recipient(q, item->id, positions[i], true, f.is_null_sender, &r, err);
		}
	free(positions);
	if (result != 0 || queue_count_left(q, item->id, &waiting, &all, err) != 0)
		return -1;
	if (waiting == 0 && settle_item(q, item->id, f.body, 0, err) != 0)
		return -1;
	return peers_settle(q->peers, slice_of_string(onion), err);
}

int
queue_refuse(struct queue *q, const char *onion, const struct queue_item *item, struct slice results, struct error *err)
{
	if (database_begin(q->db, err) != 0)
		return -1;
	if (refuse(q, onion, item, results, err) == 0)
		return database_commit(q->db, err);
	database_rollback(q->db);
	return -1;
}

/* ---- whole destinations */

static int
fail_item(struct queue *q, uint64_t id, const struct pack_result *why, struct error *err)
{
	struct queue_facts f;
	if (queue_look_up(q, id, &f, err) != 0 ||
	    queue_note(q, id, f.body, QUEUE_ALL_WAITING, QUEUE_FAILED, f.tries > 0, err) != 0)
		return -1;
	struct statement *s = queue_with_id(q, f.is_null_sender ? QUEUE_DELETE_WAITING : QUEUE_FAIL_WAITING, id);
	if (!f.is_null_sender) {
		statement_bind_int(s, 2, why->code);
		statement_bind_text(s, 3, why->enhanced);
		statement_bind_text(s, 4, why->text);
	}
	if (statement_run(s, err) != 0)
		return -1;
	return settle_item(q, id, f.body, 0, err);
}

/* Fails all items that the bound statement names, which is reset. */
static int
fail_items(struct queue *q, struct statement *s, const struct pack_result *why, size_t *failed, struct error *err)
{
	uint64_t ids[EXPIRED_AT_ONCE];
	int row = 0;
	*failed = 0;
	while (*failed < EXPIRED_AT_ONCE && (row = statement_step(s, err)) == 1)
		ids[(*failed)++] = (uint64_t)statement_int(s, 0);
	if (row < 0)
		return -1;
	statement_reset(s);
	for (size_t i = 0; i < *failed; i++)
		if (fail_item(q, ids[i], why, err) != 0)
			return -1;
	return 0;
}

static int
fail_expired(struct queue *q, const char *onion, const struct pack_result *why, int64_t now_ms, struct error *err)
{
	uint64_t failures;
	size_t failed;
	struct statement *s = q->statements[QUEUE_EXPIRED];
	if (peers_failures(q->peers, slice_of_string(onion), &failures, err) != 0)
		return -1;
	do {
		statement_bind_string(s, 1, onion);
		statement_bind_int(s, 2, now_ms - q->schedule->expire_ms);
		statement_bind_int(s, 3, (int64_t)failures);
		statement_bind_int(s, 4, SCHEDULE_TRIES_MIN);
		statement_bind_int(s, 5, EXPIRED_AT_ONCE);
		if (fail_items(q, s, why, &failed, err) != 0)
			return -1;
	} while (failed == EXPIRED_AT_ONCE);
	return 0;
}

int
queue_peer_failed(struct queue *q, const char *onion, enum ipc_wait_reason reason, const struct pack_result *why,
    int64_t now_ms, uint64_t random, struct error *err)
{
	if (database_begin(q->db, err) != 0)
		return -1;
	if (peers_failed(q->peers, onion, reason, why->text, now_ms, random, err) == 0 &&
	    fail_expired(q, onion, why, now_ms, err) == 0 &&
	    peers_settle(q->peers, slice_of_string(onion), err) == 0)
		return database_commit(q->db, err);
	database_rollback(q->db);
	return -1;
}

int
queue_fail_all(struct queue *q, const char *onion, const struct pack_result *why, struct error *err)
{
	size_t failed = EXPIRED_AT_ONCE;
	struct statement *s = q->statements[QUEUE_ALL_OF_PEER];
	if (database_begin(q->db, err) != 0)
		return -1;
	while (failed == EXPIRED_AT_ONCE) {
		statement_bind_string(s, 1, onion);
		statement_bind_int(s, 2, EXPIRED_AT_ONCE);
		if (fail_items(q, s, why, &failed, err) != 0)
			goto fail;
	}
	if (peers_settle(q->peers, slice_of_string(onion), err) == 0)
		return database_commit(q->db, err);
fail:
	database_rollback(q->db);
	return -1;
}
