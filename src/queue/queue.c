/* SPDX-License-Identifier: ISC */
#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "queue/record.h"
#include "store/filegroup.h"

#define EXPIRED_AT_ONCE 256
#define TRASH_AT_ONCE 256

enum {
	ADD_ITEM, ADD_RECIPIENT, NEXT_ITEM, NEXT_DUE, WAITING, ITEM, DELETE_RECIPIENT, SET_RECIPIENT, FAIL_WAITING, DELETE_WAITING,
	LEFT, DEFER_ITEM, DELETE_ITEM, BODY_IS_USED, ADD_TRASH, TRASH, DELETE_TRASH, EXPIRED, ALL_OF_PEER,
	NEXT_BOUNCE, FAILURES, DELETE_FAILED, COUNT, STATEMENTS
};

static const char *const sql[STATEMENTS] = {
	[ADD_ITEM] = "INSERT INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 0, ?9)",
	[ADD_RECIPIENT] = "INSERT INTO recipients VALUES (?1, ?2, ?3, 0, 0, '', '')",
	[NEXT_ITEM] = "SELECT id, body, bytes, reverse_path, flags FROM items WHERE onion = ?1 AND due_ms <= ?2"
	              " ORDER BY due_ms LIMIT 1",
	[NEXT_DUE] = "SELECT due_ms FROM items WHERE onion = ?1 AND due_ms IS NOT NULL ORDER BY due_ms LIMIT 1",
	[WAITING] = "SELECT position, mailbox FROM recipients WHERE item = ?1 AND state = 0 ORDER BY position",
	[ITEM] = "SELECT body, reverse_path, arrival_ms, tries, peer_failures, onion, bytes, arrival_s FROM items WHERE id = ?1",
	[DELETE_RECIPIENT] = "DELETE FROM recipients WHERE item = ?1 AND position = ?2",
	[SET_RECIPIENT] = "UPDATE recipients SET state = ?3, code = ?4, enhanced = ?5, reply = ?6"
	                  " WHERE item = ?1 AND position = ?2",
	[FAIL_WAITING] = "UPDATE recipients SET state = 1, code = ?2, enhanced = ?3, reply = ?4"
	                 " WHERE item = ?1 AND state = 0",
	[DELETE_WAITING] = "DELETE FROM recipients WHERE item = ?1 AND state = 0",
	[LEFT] = "SELECT sum(state = 0), count(*) FROM recipients WHERE item = ?1",
	[DEFER_ITEM] = "UPDATE items SET due_ms = ?2, tries = tries + 1 WHERE id = ?1",
	[DELETE_ITEM] = "DELETE FROM items WHERE id = ?1",
	[BODY_IS_USED] = "SELECT 1 FROM items WHERE body = ?1 LIMIT 1",
	[ADD_TRASH] = "INSERT OR IGNORE INTO trash VALUES (?1)",
	[TRASH] = "SELECT body FROM trash LIMIT ?1",
	[DELETE_TRASH] = "DELETE FROM trash WHERE body = ?1",
	[EXPIRED] = "SELECT id FROM items WHERE onion = ?1 AND arrival_ms <= ?2 AND tries + ?3 - peer_failures >= ?4"
	            " AND due_ms IS NOT NULL ORDER BY arrival_ms LIMIT ?5",
	[ALL_OF_PEER] = "SELECT id FROM items WHERE onion = ?1 AND due_ms IS NOT NULL LIMIT ?2",
	[NEXT_BOUNCE] = "SELECT item FROM recipients WHERE state = 1 AND item > ?1 ORDER BY item LIMIT 1",
	[FAILURES] = "SELECT position, mailbox, code, enhanced, reply FROM recipients WHERE item = ?1 AND state = 1"
	             " ORDER BY position",
	[DELETE_FAILED] = "DELETE FROM recipients WHERE item = ?1 AND position = ?2 AND state = 1",
	[COUNT] = "SELECT count(*) FROM items",
};

struct queue {
	struct database *db;
	int dir_fd;
	const struct schedule *schedule;
	struct peers *peers;
	struct statement *statements[STATEMENTS];
};

int
queue_open(struct database *db, int dir_fd, const struct schedule *schedule, struct queue **out, struct error *err)
{
	struct queue *q = calloc(1, sizeof *q);
	if (q == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	*q = (struct queue){ .db = db, .dir_fd = dir_fd, .schedule = schedule };
	if (peers_open(db, schedule, &q->peers, err) != 0)
		goto fail;
	for (size_t i = 0; i < STATEMENTS; i++)
		if (statement_new(db, sql[i], &q->statements[i], err) != 0)
			goto fail;
	*out = q;
	return 0;
fail:
	queue_free(q);
	return -1;
}

void
queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		statement_free(q->statements[i]);
	peers_free(q->peers);
	free(q);
}

struct peers *
queue_peers(struct queue *q)
{
	return q->peers;
}

static struct statement *
with_id(struct queue *q, int which, uint64_t id)
{
	statement_bind_int(q->statements[which], 1, (int64_t)id);
	return q->statements[which];
}

static void
copy_string(char *out, size_t room, struct slice s)
{
	size_t len = s.len < room - 1 ? s.len : room - 1; /* it was checked when it came */
	memcpy(out, s.data, len);
	out[len] = '\0';
}

/* ---- adding */

int
queue_add(struct queue *q, const struct queue_new *new, int64_t now_ms, struct error *err)
{
	uint64_t failures;
	uint32_t position = 0;
	struct slice list = new->recipients, mailbox;
	if (peers_failures(q->peers, new->onion, &failures, err) != 0)
		return -1;
	struct statement *s = with_id(q, ADD_ITEM, new->id);
	statement_bind_text(s, 2, new->onion);
	statement_bind_int(s, 3, (int64_t)new->body);
	statement_bind_int(s, 4, (int64_t)new->body_bytes);
	statement_bind_text(s, 5, new->reverse_path);
	statement_bind_int(s, 6, new->flags);
	statement_bind_int(s, 7, new->arrival_s);
	statement_bind_int(s, 8, now_ms);
	statement_bind_int(s, 9, (int64_t)failures);
	if (statement_run(s, err) != 0)
		return -1;
	while (pack_next(&list, &mailbox)) {
		s = with_id(q, ADD_RECIPIENT, new->id);
		statement_bind_int(s, 2, position++);
		statement_bind_text(s, 3, mailbox);
		if (statement_run(s, err) != 0)
			return -1;
	}
	return peers_wake(q->peers, new->onion, now_ms, err);
}

/* ---- delivering */

void
queue_item_finish(struct queue_item *item)
{
	buffer_finish(&item->recipients);
	*item = (struct queue_item){ 0 };
}

static int
load_recipients(struct queue *q, struct queue_item *item, struct error *err)
{
	struct statement *s = with_id(q, WAITING, item->id);
	int row;
	while ((row = statement_step(s, err)) == 1) {
		if (pack_string(&item->recipients, statement_bytes(s, 1), err) != 0) {
			statement_reset(s);
			return -1;
		}
		item->recipient_count++;
	}
	if (row == 0)
		statement_reset(s);
	return row;
}

int
queue_next_item(struct queue *q, const char *onion, int64_t now_ms, struct queue_item *out, struct error *err)
{
	struct statement *s = q->statements[NEXT_ITEM];
	*out = (struct queue_item){ 0 };
	statement_bind_string(s, 1, onion);
	statement_bind_int(s, 2, now_ms);
	int row = statement_step(s, err);
	if (row == 1) {
		out->id = (uint64_t)statement_int(s, 0);
		out->body = (uint64_t)statement_int(s, 1);
		out->body_bytes = (uint64_t)statement_int(s, 2);
		copy_string(out->reverse_path, sizeof out->reverse_path, statement_bytes(s, 3));
		out->flags = (uint8_t)statement_int(s, 4);
		buffer_init(&out->recipients, IPC_RECIPIENTS_MAX);
	}
	if (row >= 0)
		statement_reset(s);
	if (row == 1 && load_recipients(q, out, err) != 0) {
		queue_item_finish(out);
		return -1;
	}
	return row;
}

int
queue_next_due(struct queue *q, const char *onion, int64_t *due_ms, struct error *err)
{
	struct statement *s = q->statements[NEXT_DUE];
	statement_bind_string(s, 1, onion);
	int row = statement_step(s, err);
	if (row == 1)
		*due_ms = statement_int(s, 0);
	if (row >= 0)
		statement_reset(s);
	return row;
}

int
queue_load_body(struct queue *q, uint64_t body, uint64_t bytes, struct body *out, struct error *err)
{
	char name[FILEGROUP_NAME_BYTES];
	filegroup_name(body, name);
	int fd = openat(q->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open a queued message");
	int result = body_from_file(fd, (size_t)bytes, out, err);
	file_close(&fd);
	return result;
}

/* ---- results */

static int
count_left(struct queue *q, uint64_t item, uint64_t *waiting, uint64_t *all, struct error *err)
{
	struct statement *s = with_id(q, LEFT, item);
	int row = statement_step(s, err);
	if (row != 1)
		return row == 0 ? error_set(err, ERROR_IO, "the database mail.db gave no answer") : -1;
	*waiting = (uint64_t)statement_int(s, 0);
	*all = (uint64_t)statement_int(s, 1);
	statement_reset(s);
	return 0;
}

static int
delete_item(struct queue *q, uint64_t item, uint64_t body, struct error *err)
{
	if (statement_run(with_id(q, DELETE_ITEM, item), err) != 0)
		return -1;
	struct statement *s = with_id(q, BODY_IS_USED, body);
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	statement_reset(s);
	return row == 1 ? 0 : statement_run(with_id(q, ADD_TRASH, body), err);
}

/* After its recipients changed: the item waits, owes a bounce, or is gone. */
static int
settle_item(struct queue *q, uint64_t item, uint64_t body, int64_t due_ms, struct error *err)
{
	uint64_t waiting, all;
	if (count_left(q, item, &waiting, &all, err) != 0)
		return -1;
	if (all == 0)
		return delete_item(q, item, body, err);
	struct statement *s = with_id(q, DEFER_ITEM, item);
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
	struct statement *s = with_id(q, done || (failed && is_null_sender) ? DELETE_RECIPIENT : SET_RECIPIENT, item);
	statement_bind_int(s, 2, position);
	if (s == q->statements[SET_RECIPIENT]) {
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
	struct statement *s = with_id(q, WAITING, item->id);
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

/* Sets every waiting recipient of the item by its result. expired: a temporary answer is the last one. */
static int
apply_results(struct queue *q, const struct queue_item *item, struct slice results, bool expired, struct error *err)
{
	int64_t *positions = NULL;
	int result = 0;
	if (positions_of(q, item, &positions, err) != 0)
		return -1;
	for (size_t i = 0; i < item->recipient_count && result == 0; i++) {
		struct pack_result r;
		if (!pack_next_result(&results, &r) || r.code < 200 || r.code > 599) {
			r = (struct pack_result){ 451, slice_of_string("4.4.2"), slice_of_string("the connection broke") };
			results = slice_of("", 0);
		}
		bool failed = r.code >= 500 || ((r.code < 200 || r.code >= 300) && expired);
		result = set_recipient(q, item->id, positions[i], failed, item->reverse_path[0] == '\0', &r, err);
	}
	free(positions);
	return result;
}

static int
look_up_item(struct queue *q, uint64_t id, uint64_t *body, int64_t *arrival_ms, uint64_t *tries,
    bool *is_null_sender, struct error *err)
{
	uint64_t failures;
	struct statement *s = with_id(q, ITEM, id);
	int row = statement_step(s, err);
	if (row != 1) {
		if (row == 0)
			statement_reset(s);
		return row == 0 ? error_set(err, ERROR_NOT_FOUND, "no such item in the queue") : -1;
	}
	*body = (uint64_t)statement_int(s, 0);
	*is_null_sender = statement_bytes(s, 1).len == 0;
	*arrival_ms = statement_int(s, 2);
	*tries = (uint64_t)statement_int(s, 3) - (uint64_t)statement_int(s, 4);
	int result = peers_failures(q->peers, statement_bytes(s, 5), &failures, err);
	*tries += failures;
	statement_reset(s);
	return result;
}

static int
write_result(struct queue *q, const char *onion, const struct queue_item *item, struct slice results, int64_t now_ms,
    uint64_t random, struct error *err)
{
	uint64_t body, tries;
	int64_t arrival_ms;
	bool is_null_sender;
	if (look_up_item(q, item->id, &body, &arrival_ms, &tries, &is_null_sender, err) != 0)
		return -1;
	bool expired = schedule_is_expired(q->schedule, now_ms - arrival_ms, tries + 1);
	if (apply_results(q, item, results, expired, err) != 0)
		return -1;
	if (settle_item(q, item->id, body, now_ms + schedule_delay_ms(q->schedule, tries + 1, random), err) != 0)
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

/* ---- whole destinations */

static int
fail_item(struct queue *q, uint64_t id, const struct pack_result *why, struct error *err)
{
	uint64_t body, tries;
	int64_t arrival_ms;
	bool is_null_sender;
	if (look_up_item(q, id, &body, &arrival_ms, &tries, &is_null_sender, err) != 0)
		return -1;
	struct statement *s = with_id(q, is_null_sender ? DELETE_WAITING : FAIL_WAITING, id);
	if (!is_null_sender) {
		statement_bind_int(s, 2, why->code);
		statement_bind_text(s, 3, why->enhanced);
		statement_bind_text(s, 4, why->text);
	}
	if (statement_run(s, err) != 0)
		return -1;
	return settle_item(q, id, body, 0, err);
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
	struct statement *s = q->statements[EXPIRED];
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
queue_peer_failed(struct queue *q, const char *onion, const struct pack_result *why, int64_t now_ms,
    uint64_t random, struct error *err)
{
	if (database_begin(q->db, err) != 0)
		return -1;
	if (peers_failed(q->peers, onion, now_ms, random, err) == 0 && fail_expired(q, onion, why, now_ms, err) == 0 &&
	    peers_settle(q->peers, slice_of_string(onion), err) == 0)
		return database_commit(q->db, err);
	database_rollback(q->db);
	return -1;
}

int
queue_fail_all(struct queue *q, const char *onion, const struct pack_result *why, struct error *err)
{
	size_t failed = EXPIRED_AT_ONCE;
	struct statement *s = q->statements[ALL_OF_PEER];
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

/* ---- bounces */

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
	struct statement *s = with_id(q, FAILURES, b->item);
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
	struct statement *s = with_id(q, NEXT_BOUNCE, after);
	*out = (struct queue_bounce){ 0 };
	int row = statement_step(s, err);
	if (row == 1)
		out->item = (uint64_t)statement_int(s, 0);
	if (row >= 0)
		statement_reset(s);
	if (row != 1)
		return row;
	s = with_id(q, ITEM, out->item);
	row = statement_step(s, err);
	if (row == 0)
		error_set(err, ERROR_IO, "the database mail.db is damaged: a recipient without an item");
	if (row != 1)
		return -1;
	out->body = (uint64_t)statement_int(s, 0);
	copy_string(out->reverse_path, sizeof out->reverse_path, statement_bytes(s, 1));
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
	uint64_t waiting, all, body, tries;
	int64_t arrival_ms;
	bool is_null_sender;
	*reported = 0;
	while (record_next_position(&positions, &position)) {
		struct statement *s = with_id(q, DELETE_FAILED, item);
		statement_bind_int(s, 2, position);
		if (statement_run(s, err) != 0)
			return -1;
		*reported += (uint64_t)database_changes(q->db);
	}
	if (*reported == 0)
		return 0;
	if (count_left(q, item, &waiting, &all, err) != 0)
		return -1;
	if (all > 0)
		return 0;
	if (look_up_item(q, item, &body, &arrival_ms, &tries, &is_null_sender, err) != 0)
		return -1;
	return delete_item(q, item, body, err);
}

/* ---- what is left over */

int
queue_empty_trash(struct queue *q, struct error *err)
{
	uint64_t bodies[TRASH_AT_ONCE];
	size_t count = TRASH_AT_ONCE;
	while (count == TRASH_AT_ONCE) {
		struct statement *s = with_id(q, TRASH, TRASH_AT_ONCE);
		int row = 0;
		for (count = 0; count < TRASH_AT_ONCE && (row = statement_step(s, err)) == 1; count++)
			bodies[count] = (uint64_t)statement_int(s, 0);
		if (row < 0)
			return -1;
		statement_reset(s);
		if (count == 0)
			return 0;
		if (database_begin(q->db, err) != 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			char name[FILEGROUP_NAME_BYTES];
			filegroup_name(bodies[i], name);
			if (unlinkat(q->dir_fd, name, 0) != 0 && errno != ENOENT)
				log_warn("cannot unlink a message that was sent");
			if (statement_run(with_id(q, DELETE_TRASH, bodies[i]), err) != 0) {
				database_rollback(q->db);
				return -1;
			}
		}
		if (database_commit(q->db, err) != 0)
			return -1;
	}
	return 0;
}

int
queue_count(struct queue *q, uint64_t *items, struct error *err)
{
	struct statement *s = q->statements[COUNT];
	int row = statement_step(s, err);
	if (row != 1)
		return -1;
	*items = (uint64_t)statement_int(s, 0);
	statement_reset(s);
	return 0;
}
