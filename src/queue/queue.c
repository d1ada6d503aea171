/* SPDX-License-Identifier: ISC */
#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "queue/queue_internal.h"
#include "store/numbered.h"

static const char *const sql[QUEUE_STATEMENTS] = {
	[QUEUE_ADD_ITEM] = "INSERT INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 0, ?9)",
	[QUEUE_ADD_RECIPIENT] = "INSERT INTO recipients VALUES (?1, ?2, ?3, 0, 0, '', '')",
	[QUEUE_NEXT_ITEM] = "SELECT id, body, bytes, reverse_path, flags FROM items WHERE onion = ?1 AND due_ms <= ?2"
	              " ORDER BY due_ms LIMIT 1",
	[QUEUE_NEXT_DUE] = "SELECT due_ms FROM items WHERE onion = ?1 AND due_ms IS NOT NULL ORDER BY due_ms LIMIT 1",
	[QUEUE_WAITING] = "SELECT position, mailbox FROM recipients WHERE item = ?1 AND state = 0 ORDER BY position",
	[QUEUE_ITEM] = "SELECT body, reverse_path, arrival_ms, tries, peer_failures, onion, bytes, arrival_s FROM items"
	               " WHERE id = ?1",
	[QUEUE_DELETE_RECIPIENT] = "DELETE FROM recipients WHERE item = ?1 AND position = ?2",
	[QUEUE_SET_RECIPIENT] = "UPDATE recipients SET state = ?3, code = ?4, enhanced = ?5, reply = ?6"
	                  " WHERE item = ?1 AND position = ?2",
	[QUEUE_FAIL_WAITING] = "UPDATE recipients SET state = 1, code = ?2, enhanced = ?3, reply = ?4"
	                 " WHERE item = ?1 AND state = 0",
	[QUEUE_DELETE_WAITING] = "DELETE FROM recipients WHERE item = ?1 AND state = 0",
	[QUEUE_LEFT] = "SELECT sum(state = 0), count(*) FROM recipients WHERE item = ?1",
	[QUEUE_DEFER_ITEM] = "UPDATE items SET due_ms = ?2, tries = tries + 1 WHERE id = ?1",
	[QUEUE_DELETE_ITEM] = "DELETE FROM items WHERE id = ?1",
	[QUEUE_BODY_IS_USED] = "SELECT 1 FROM items WHERE body = ?1 LIMIT 1",
	[QUEUE_ADD_TRASH] = "INSERT OR IGNORE INTO trash VALUES (?1)",
	[QUEUE_TRASH] = "SELECT body FROM trash WHERE body NOT IN (SELECT body FROM outcomes) LIMIT ?1",
	[QUEUE_DELETE_TRASH] = "DELETE FROM trash WHERE body = ?1",
	[QUEUE_EXPIRED] = "SELECT id FROM items WHERE onion = ?1 AND arrival_ms <= ?2 AND tries + ?3 - peer_failures >= ?4"
	            " AND due_ms IS NOT NULL ORDER BY arrival_ms LIMIT ?5",
	[QUEUE_ALL_OF_PEER] = "SELECT id FROM items WHERE onion = ?1 AND due_ms IS NOT NULL LIMIT ?2",
	[QUEUE_NEXT_BOUNCE] = "SELECT item FROM recipients WHERE state = 1 AND item > ?1 ORDER BY item LIMIT 1",
	[QUEUE_FAILURES] = "SELECT position, mailbox, code, enhanced, reply FROM recipients WHERE item = ?1 AND state = 1"
	             " ORDER BY position",
	[QUEUE_DELETE_FAILED] = "DELETE FROM recipients WHERE item = ?1 AND position = ?2 AND state = 1",
	[QUEUE_COUNT] = "SELECT count(*) FROM items",
	[QUEUE_LOOK] = "SELECT id, items.onion, bytes, reverse_path, arrival_s, items.due_ms,"
	               " items.tries - peer_failures + ifnull(failures, 0), peers.due_ms, peers.tries, reason, reply,"
	               " body, arrival_ms"
	               " FROM items LEFT JOIN peers ON peers.onion = items.onion WHERE id > ?1 ORDER BY id",
	[QUEUE_LOOK_RECIPIENTS] = "SELECT mailbox, code, enhanced, reply, state FROM recipients WHERE item = ?1"
	                          " ORDER BY position",
	[QUEUE_HURRY] = "UPDATE items SET due_ms = min(due_ms, ?2) WHERE id = ?1 AND due_ms IS NOT NULL",
	[QUEUE_HURRY_ALL] = "UPDATE items SET due_ms = min(due_ms, ?1) WHERE due_ms IS NOT NULL",
	[QUEUE_DELETE_ALL] = "DELETE FROM recipients WHERE item = ?1",
	[QUEUE_SET_NOT_DUE] = "UPDATE items SET due_ms = NULL WHERE id = ?1",
	[QUEUE_TOLD] = "SELECT told FROM state",
	[QUEUE_TELL] = "UPDATE state SET told = ?1",
	[QUEUE_IS_SHARED] = "SELECT EXISTS (SELECT 1 FROM outcomes WHERE body = ?1)"
	                    " OR (SELECT count(*) FROM (SELECT 1 FROM items WHERE body = ?1 LIMIT 2)) > 1",
	[QUEUE_NOTE] = "INSERT OR REPLACE INTO outcomes SELECT ?1, item, position, mailbox, ?4, ?5, ?6 FROM recipients"
	               " WHERE item = ?2 AND state = 0 AND (?3 < 0 OR position = ?3)",
	/* What was never shown as waiting, or reached nobody, is not shown as delivered. */
	[QUEUE_DROP_NOTES] = "DELETE FROM outcomes WHERE body = ?1 AND NOT"
	                     " (EXISTS (SELECT 1 FROM outcomes WHERE body = ?1 AND waited)"
	                     " AND EXISTS (SELECT 1 FROM outcomes WHERE body = ?1 AND outcome = 1))",
	[QUEUE_NEXT_ENDED] = "SELECT body FROM outcomes WHERE body > ?1 AND NOT EXISTS"
	                     " (SELECT 1 FROM items WHERE items.body = outcomes.body) ORDER BY body LIMIT 1",
	[QUEUE_OUTCOMES] = "SELECT mailbox, outcome, wall_s FROM outcomes WHERE body = ?1 ORDER BY item, position",
	[QUEUE_FORGET] = "DELETE FROM outcomes WHERE body = ?1",
	[QUEUE_MAKE_READY] = "UPDATE items SET body = ?2, bytes = ?3, flags = ?4 WHERE id = ?1",
	[QUEUE_WAITS] = "SELECT body FROM items WHERE id = ?1 AND flags & 128 AND due_ms IS NOT NULL",
	[QUEUE_BODY_ITEMS] = "SELECT max(id), sum(due_ms IS NOT NULL) FROM items WHERE body = ?1",
};

int
queue_open(struct database *db, int dir_fd, const struct schedule *schedule, struct queue **out, struct error *err)
{
	struct queue *q = calloc(1, sizeof *q);
	if (q == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	*q = (struct queue){ .db = db, .dir_fd = dir_fd, .schedule = schedule };
	if (peers_open(db, schedule, &q->peers, err) != 0 || pins_open(db, &q->pins, err) != 0)
		goto fail;
	for (size_t i = 0; i < QUEUE_STATEMENTS; i++)
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
	for (size_t i = 0; i < QUEUE_STATEMENTS; i++)
		statement_free(q->statements[i]);
	peers_free(q->peers);
	pins_free(q->pins);
	free(q);
}

struct peers *
queue_peers(struct queue *q)
{
	return q->peers;
}

struct pins *
queue_pins(struct queue *q)
{
	return q->pins;
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
	struct statement *s = queue_with_id(q, QUEUE_ADD_ITEM, new->id);
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
		s = queue_with_id(q, QUEUE_ADD_RECIPIENT, new->id);
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
	struct statement *s = queue_with_id(q, QUEUE_WAITING, item->id);
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
	struct statement *s = q->statements[QUEUE_NEXT_ITEM];
	*out = (struct queue_item){ 0 };
	statement_bind_string(s, 1, onion);
	statement_bind_int(s, 2, now_ms);
	int row = statement_step(s, err);
	if (row == 1) {
		out->id = (uint64_t)statement_int(s, 0);
		out->body = (uint64_t)statement_int(s, 1);
		out->body_bytes = (uint64_t)statement_int(s, 2);
		queue_copy_string(out->reverse_path, sizeof out->reverse_path, statement_bytes(s, 3));
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
	struct statement *s = q->statements[QUEUE_NEXT_DUE];
	statement_bind_string(s, 1, onion);
	int row = statement_step(s, err);
	if (row == 1)
		*due_ms = statement_int(s, 0);
	if (row >= 0)
		statement_reset(s);
	return row;
}

static int
open_body(struct queue *q, uint64_t body, int *fd, struct error *err)
{
	char name[NUMBERED_NAME_BYTES];
	numbered_name(body, name);
	*fd = openat(q->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return *fd < 0 ? error_set_errno(err, errno, "cannot open a queued message") : 0;
}

int
queue_load_body(struct queue *q, uint64_t body, uint64_t bytes, struct body *out, struct error *err)
{
	int fd;
	if (open_body(q, body, &fd, err) != 0)
		return -1;
	int result = body_from_file(fd, (size_t)bytes, out, err);
	file_close(&fd);
	return result;
}

int
queue_open_body(struct queue *q, uint64_t body, uint64_t bytes, struct body *out, struct error *err)
{
	struct stat st;
	int fd;
	if (bytes <= IPC_BODY_INLINE_MAX)
		return queue_load_body(q, body, bytes, out, err);
	if (open_body(q, body, &fd, err) != 0)
		return -1;
	if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != bytes) {
		file_close(&fd);
		return error_set(err, ERROR_IO, "a queued message has not the size that it had");
	}
	body_of_file(fd, bytes, out);
	return 0;
}

/* ---- small answers */

int
queue_count(struct queue *q, uint64_t *items, struct error *err)
{
	struct statement *s = q->statements[QUEUE_COUNT];
	int row = statement_step(s, err);
	if (row != 1)
		return -1;
	*items = (uint64_t)statement_int(s, 0);
	statement_reset(s);
	return 0;
}
