/* SPDX-License-Identifier: ISC
 *
 * What the owner sees of the queue, and orders.
 */
#include <stdio.h>

#include "queue/queue_internal.h"

/* ---- looking */

static void
clear(struct buffer *b)
{
	buffer_consume(b, buffer_len(b));
}

/* "450 4.2.0 text", or only the text when it is ours. A buffer that is full keeps what fits. */
static void
say_reply(struct buffer *out, const struct pack_result *r)
{
	char code[16];
	snprintf(code, sizeof code, "%u", r->code);
	clear(out);
	if (r->code == 0 && r->text.len <= IPC_TEXT_MAX)
		buffer_append(out, r->text.data, r->text.len, NULL);
	if (r->code == 0 || buffer_append_string(out, code, NULL) != 0 || r->enhanced.len + r->text.len + 2 > IPC_TEXT_MAX - sizeof code)
		return;
	if (r->enhanced.len > 0 && buffer_append_string(out, " ", NULL) == 0)
		buffer_append(out, r->enhanced.data, r->enhanced.len, NULL);
	if (r->text.len > 0 && buffer_append_string(out, " ", NULL) == 0)
		buffer_append(out, r->text.data, r->text.len, NULL);
}

static int
look_at_recipients(struct queue *q, struct queue_row *row, bool has_replies, struct error *err)
{
	struct statement *s = queue_with_id(q, QUEUE_LOOK_RECIPIENTS, row->id);
	bool is_full = false;
	int found;
	clear(&row->recipients);
	row->recipient_count = 0;
	while ((found = statement_step(s, err)) == 1) {
		struct pack_result r = { (unsigned)statement_int(s, 1), statement_bytes(s, 2), statement_bytes(s, 3) };
		bool failed = statement_int(s, 4) == 1;
		bool was_tried = r.code != 0 || r.enhanced.len > 0; /* the words may be our own */
		bool counts = was_tried && failed == (row->due_ms == QUEUE_NO_TRY);
		if (counts && row->reason == WAIT_REASON_NEW) {
			row->reason = failed ? WAIT_REASON_FAILED : r.code != 0 ? WAIT_REASON_REPLY : WAIT_REASON_LOST;
			say_reply(&row->text, &r);
		}
		if (!has_replies)
			r.enhanced = r.text = slice_of("", 0);
		is_full = is_full || pack_failure(&row->recipients, statement_bytes(s, 0), &r, NULL) != 0;
		row->recipient_count++;
	}
	if (found == 0)
		statement_reset(s);
	return found;
}

/* The item and its peer; what the peer's last failure was says more than what the recipients were told before. */
static void
read_row(const struct statement *s, struct queue_row *row)
{
	row->id = (uint64_t)statement_int(s, 0);
	row->onion = statement_bytes(s, 1);
	row->body_bytes = (uint64_t)statement_int(s, 2);
	row->reverse_path = statement_bytes(s, 3);
	row->arrival_s = statement_int(s, 4);
	row->body = (uint64_t)statement_int(s, 11);
	row->arrival_ms = statement_int(s, 12);
	row->tries = (uint64_t)statement_int(s, 6);
	row->due_ms = statement_is_null(s, 5) ? QUEUE_NO_TRY : statement_int(s, 5);
	if (row->due_ms != QUEUE_NO_TRY && row->due_ms < statement_int(s, 7))
		row->due_ms = statement_int(s, 7);
	row->reason = WAIT_REASON_NEW;
	clear(&row->text);
	if (row->due_ms == QUEUE_NO_TRY || statement_int(s, 8) == 0)
		return;
	int64_t reason = statement_int(s, 9);
	row->reason = reason > WAIT_REASON_NEW && reason < WAIT_REASON_COUNT ? (enum ipc_wait_reason)reason : WAIT_REASON_OTHER;
	struct slice reply = statement_bytes(s, 10);
	buffer_append(&row->text, reply.data, reply.len < IPC_TEXT_MAX ? reply.len : IPC_TEXT_MAX, NULL);
}

int
queue_look(struct queue *q, uint64_t after, bool has_replies, queue_take_row *take, void *context, struct error *err)
{
	struct statement *s = queue_with_id(q, QUEUE_LOOK, after);
	struct queue_row row = { 0 };
	int found;
	buffer_init(&row.text, IPC_TEXT_MAX);
	buffer_init(&row.recipients, IPC_RECIPIENTS_MAX);
	while ((found = statement_step(s, err)) == 1) {
		read_row(s, &row);
		if (look_at_recipients(q, &row, has_replies, err) != 0) {
			found = -1;
			statement_reset(s);
			break;
		}
		if (!take(context, &row))
			break;
	}
	if (found >= 0)
		statement_reset(s);
	buffer_finish(&row.text);
	buffer_finish(&row.recipients);
	return found < 0 ? -1 : 0;
}

/* ---- orders */

/* What an order needs to know of an item. */
struct named {
	char onion[IPC_ONION_MAX + 1];
	uint64_t body;
};

static int
find(struct queue *q, uint64_t item, struct named *out, struct error *err)
{
	struct statement *s = queue_with_id(q, QUEUE_ITEM, item);
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	if (row == 1) {
		out->body = (uint64_t)statement_int(s, 0);
		queue_copy_string(out->onion, sizeof out->onion, statement_bytes(s, 5));
	}
	statement_reset(s);
	return row == 1 ? 0 : error_set(err, ERROR_NOT_FOUND, "there is no such message in the queue: it has gone, or never was");
}

static int
hurry(struct queue *q, uint64_t item, int64_t now_ms, uint64_t *count, struct error *err)
{
	struct named n;
	if (item != 0 && find(q, item, &n, err) != 0)
		return -1;
	struct statement *s = q->statements[item != 0 ? QUEUE_HURRY : QUEUE_HURRY_ALL];
	statement_bind_int(s, item != 0 ? 2 : 1, now_ms);
	if (item != 0)
		statement_bind_int(s, 1, (int64_t)item);
	if (statement_run(s, err) != 0)
		return -1;
	*count = (uint64_t)database_changes(q->db);
	return peers_hurry(q->peers, item != 0 ? n.onion : NULL, now_ms, err);
}

int
queue_retry(struct queue *q, uint64_t item, int64_t now_ms, uint64_t *count, struct error *err)
{
	*count = 0;
	if (database_begin(q->db, err) != 0)
		return -1;
	if (hurry(q, item, now_ms, count, err) == 0)
		return database_commit(q->db, err);
	database_rollback(q->db);
	return -1;
}

int
queue_retry_network(struct queue *q, int64_t now_ms, struct error *err)
{
	return peers_hurry_network(q->peers, now_ms, err);
}

int
queue_retry_proved(struct queue *q, const char *onion, int64_t at_ms, struct error *err)
{
	return peers_hurry_proved(q->peers, onion, at_ms, err);
}

static int
cancel(struct queue *q, uint64_t item, struct error *err)
{
	struct named n;
	uint64_t waiting, all;
	if (find(q, item, &n, err) != 0 || queue_count_left(q, item, &waiting, &all, err) != 0 ||
	    queue_note(q, item, n.body, QUEUE_ALL_WAITING, QUEUE_CANCELLED, false, err) != 0)
		return -1;
	if (statement_run(queue_with_id(q, waiting > 0 ? QUEUE_DELETE_WAITING : QUEUE_DELETE_ALL, item), err) != 0)
		return -1;
	int result = waiting > 0 && waiting < all ? statement_run(queue_with_id(q, QUEUE_SET_NOT_DUE, item), err)
	                                          : queue_delete_item(q, item, n.body, err);
	return result != 0 ? -1 : peers_settle(q->peers, slice_of_string(n.onion), err);
}

int
queue_cancel(struct queue *q, uint64_t item, struct error *err)
{
	if (database_begin(q->db, err) != 0)
		return -1;
	if (cancel(q, item, err) == 0)
		return database_commit(q->db, err);
	database_rollback(q->db);
	return -1;
}
