/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test_folder.h"
#include "queue/queue.h"
#include "queue/record.h"
#include "store/schema.h"

#define FIRST_MS 30000
#define MOST_MS ((int64_t)4 * 3600 * 1000)
#define EXPIRE_MS ((int64_t)7 * 24 * 3600 * 1000)
#define NOW 1000000

static const struct schedule schedule = { FIRST_MS, MOST_MS, EXPIRE_MS };
static struct error err;

/* A queue with its database, in a folder of its own. */
struct fixture {
	struct database *db;
	struct queue *queue;
	int dir_fd;
};

static int
open_queue(struct fixture *f)
{
	if (database_open("mail.db", true, schema_versions, SCHEMA_VERSIONS, &f->db, &err) != 0)
		return -1;
	return queue_open(f->db, f->dir_fd, &schedule, &f->queue, &err);
}

static void
close_queue(struct fixture *f)
{
	queue_free(f->queue);
	database_close(f->db);
}

static int
begin(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	if (mkdir("mail", 0700) != 0 || chdir("mail") != 0 ||
	    file_open_private_dir(AT_FDCWD, "queue", &f->dir_fd, &err) != 0 || open_queue(f) != 0)
		return -1;
	*state = f;
	return 0;
}

static int
end(void **state)
{
	struct fixture *f = *state;
	close_queue(f);
	file_close(&f->dir_fd);
	free(f);
	return chdir("..") != 0 ? -1 : file_remove_tree(AT_FDCWD, "mail", NULL);
}

static void
add(struct fixture *f, uint64_t id, uint64_t body, const char *onion, const char *sender, size_t recipients,
    int64_t now_ms)
{
	struct buffer list;
	buffer_init(&list, 20000);
	for (size_t i = 0; i < recipients; i++) {
		char mailbox[100];
		snprintf(mailbox, sizeof mailbox, "user%zu@%s", i, onion);
		assert_int_equal(pack_string(&list, slice_of_string(mailbox), &err), 0);
	}
	struct queue_new new = { .id = id, .body = body, .body_bytes = 5, .onion = slice_of_string(onion),
		.reverse_path = slice_of_string(sender), .recipients = slice_of(buffer_bytes(&list), buffer_len(&list)),
		.arrival_s = 1700000000 };
	assert_int_equal(database_begin(f->db, &err), 0);
	assert_int_equal(queue_add(f->queue, &new, now_ms, &err), 0);
	assert_int_equal(database_commit(f->db, &err), 0);
	buffer_finish(&list);
}

/* Delivers the next item due for onion with these codes (0 ends them). */
static void
deliver(struct fixture *f, const char *onion, int64_t now_ms, const unsigned *codes)
{
	struct queue_item item;
	struct buffer results;
	buffer_init(&results, 10000);
	assert_int_equal(queue_next_item(f->queue, onion, now_ms, &item, &err), 1);
	for (; *codes != 0; codes++) {
		struct pack_result r = { *codes, slice_of_string("x.y.z"), slice_of_string("said the server") };
		assert_int_equal(pack_result(&results, &r, &err), 0);
	}
	assert_int_equal(queue_result(f->queue, onion, &item, slice_of(buffer_bytes(&results), buffer_len(&results)), now_ms,
	    0, &err), 0);
	buffer_finish(&results);
	queue_item_finish(&item);
}

static size_t
waiting(struct fixture *f, const char *onion, int64_t now_ms)
{
	struct queue_item item;
	size_t count = 0;
	int found = queue_next_item(f->queue, onion, now_ms, &item, &err);
	assert_true(found >= 0);
	if (found == 1)
		count = item.recipient_count;
	queue_item_finish(&item);
	return count;
}

static uint64_t
items(struct fixture *f)
{
	uint64_t count;
	assert_int_equal(queue_count(f->queue, &count, &err), 0);
	return count;
}

static bool
nobody(void *context, const char *onion)
{
	return context != NULL && strcmp(context, onion) == 0;
}

/* When the first peer is due, INT64_MAX: none waits. busy may be NULL. */
static int64_t
next_due(struct fixture *f, const char *busy, char onion[IPC_ONION_MAX + 1])
{
	struct peer peer;
	int found = peers_next(queue_peers(f->queue), NOW, nobody, (void *)(uintptr_t)busy, &peer, &err);
	assert_true(found >= 0);
	if (found == 0)
		return INT64_MAX;
	strcpy(onion, peer.onion);
	return peer.due_ms;
}

#define CODES(...) ((const unsigned[]){ __VA_ARGS__, 0 })

static void
each_recipient_has_its_own_fate(void **state)
{
	struct fixture *f = *state;
	struct queue_bounce b;
	char onion[IPC_ONION_MAX + 1];
	add(f, 1, 1, "b.onion", "alice@a.onion", 3, NOW);
	assert_int_equal(waiting(f, "b.onion", NOW), 3);
	deliver(f, "b.onion", NOW, CODES(250, 450, 550));
	assert_int_equal(waiting(f, "b.onion", NOW), 0); /* not now */
	assert_true(next_due(f, NULL, onion) >= NOW + FIRST_MS * 3 / 4);
	assert_int_equal(waiting(f, "b.onion", NOW + FIRST_MS * 2), 1);
	assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 1);
	struct slice list = slice_of(buffer_bytes(&b.failures), buffer_len(&b.failures)), mailbox;
	struct pack_result why;
	assert_true(pack_next_failure(&list, &mailbox, &why));
	assert_true(slice_is(mailbox, "user2@b.onion"));
	assert_int_equal(why.code, 550);
	assert_true(slice_is(why.text, "said the server"));
	assert_int_equal(list.len, 0);
	uint64_t reported;
	struct slice positions = slice_of(buffer_bytes(&b.positions), buffer_len(&b.positions));
	for (uint64_t expected = 1; expected < 2; expected--) { /* 1, then 0 */
		assert_int_equal(database_begin(f->db, &err), 0);
		assert_int_equal(queue_reported(f->queue, b.item, positions, &reported, &err), 0);
		assert_int_equal(database_commit(f->db, &err), 0);
		assert_int_equal(reported, expected);
	}
	queue_bounce_finish(&b);
	assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 0);
	deliver(f, "b.onion", NOW + FIRST_MS * 2, CODES(250));
	assert_int_equal(items(f), 0);
	assert_true(next_due(f, NULL, onion) == INT64_MAX);
}

/* A peer with many words for many recipients: more than fits into one bounce. */
static void
failures_that_are_too_many_for_one_bounce(void **state)
{
	struct fixture *f = *state;
	char words[481], onion[IPC_ONION_MAX + 1];
	size_t told = 0, bounces = 0;
	struct queue_item item;
	struct queue_bounce b;
	struct buffer results;
	memset(words, 'w', 480);
	words[480] = '\0';
	memset(onion, 'b', sizeof onion);
	strcpy(onion + IPC_ONION_MAX - 6, ".onion");
	buffer_init(&results, 100000);
	add(f, 1, 1, onion, "alice@a.onion", 140, NOW);
	assert_int_equal(queue_next_item(f->queue, onion, NOW, &item, &err), 1);
	for (size_t i = 0; i < item.recipient_count; i++) {
		struct pack_result r = { 550, slice_of_string("5.1.1"), slice_of_string(words) };
		assert_int_equal(pack_result(&results, &r, &err), 0);
	}
	assert_int_equal(queue_result(f->queue, onion, &item, slice_of(buffer_bytes(&results), buffer_len(&results)), NOW, 0,
	    &err), 0);
	buffer_finish(&results);
	queue_item_finish(&item);
	while (queue_next_bounce(f->queue, 0, &b, &err) == 1) {
		struct slice list = slice_of(buffer_bytes(&b.failures), buffer_len(&b.failures)), mailbox;
		struct pack_result why;
		uint64_t reported;
		size_t count = 0;
		while (pack_next_failure(&list, &mailbox, &why))
			count++;
		assert_int_equal(list.len, 0); /* whole failures only */
		assert_int_equal(database_begin(f->db, &err), 0);
		assert_int_equal(queue_reported(f->queue, b.item, slice_of(buffer_bytes(&b.positions), buffer_len(&b.positions)),
		    &reported, &err), 0);
		assert_int_equal(database_commit(f->db, &err), 0);
		assert_int_equal(reported, count);
		queue_bounce_finish(&b);
		told += count;
		bounces++;
	}
	assert_int_equal(told, 140);
	assert_int_equal(bounces, 2);
}

static void
words_without_end_are_cut(void **state)
{
	struct fixture *f = *state;
	static char words[65001];
	struct queue_item item;
	struct queue_bounce b;
	struct buffer results;
	struct pack_result why = { 550, slice_of_string("5.1.1"), { 0 } };
	struct slice mailbox;
	memset(words, 'w', sizeof words - 1);
	why.text = slice_of_string(words);
	buffer_init(&results, 100000);
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	assert_int_equal(queue_next_item(f->queue, "b.onion", NOW, &item, &err), 1);
	assert_int_equal(pack_result(&results, &why, &err), 0);
	assert_int_equal(queue_result(f->queue, "b.onion", &item, slice_of(buffer_bytes(&results), buffer_len(&results)), NOW,
	    0, &err), 0);
	buffer_finish(&results);
	queue_item_finish(&item);
	assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 1);
	struct slice list = slice_of(buffer_bytes(&b.failures), buffer_len(&b.failures));
	assert_true(pack_next_failure(&list, &mailbox, &why));
	assert_true(slice_is(why.enhanced, "5.1.1"));
	assert_int_equal(why.text.len, IPC_TEXT_MAX);
	queue_bounce_finish(&b);
}

static void
missing_results_are_temporary(void **state)
{
	struct fixture *f = *state;
	add(f, 1, 1, "b.onion", "alice@a.onion", 3, NOW);
	deliver(f, "b.onion", NOW, CODES(250, 99));
	assert_int_equal(waiting(f, "b.onion", NOW + FIRST_MS * 2), 2);
	deliver(f, "b.onion", NOW + FIRST_MS * 2, CODES(354, 600));
	assert_int_equal(waiting(f, "b.onion", NOW + FIRST_MS * 10), 2);
}

static void
a_peer_that_is_down_delays_no_other(void **state)
{
	struct fixture *f = *state;
	struct pack_result why = { 451, slice_of_string("4.4.1"), slice_of_string("offline") };
	char onion[IPC_ONION_MAX + 1];
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	add(f, 2, 2, "c.onion", "alice@a.onion", 1, NOW + 5);
	assert_int_equal(next_due(f, NULL, onion), NOW);
	assert_string_equal(onion, "b.onion");
	assert_int_equal(next_due(f, "b.onion", onion), NOW + 5); /* b has a session */
	assert_string_equal(onion, "c.onion");
	assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &why, NOW, 0, &err), 0);
	assert_int_equal(next_due(f, NULL, onion), NOW + 5);
	assert_string_equal(onion, "c.onion");
	assert_int_equal(next_due(f, "c.onion", onion), NOW + FIRST_MS * 3 / 4);
	int64_t due = NOW, before = 0;
	for (int i = 0; i < 20; i++) { /* it backs off up to the longest interval */
		assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &why, due, 0, &err), 0);
		int64_t next = next_due(f, "c.onion", onion);
		assert_true(next - due >= before && next - due <= MOST_MS);
		before = next - due;
		due = next;
	}
	assert_true(before >= MOST_MS * 3 / 4);
	add(f, 3, 3, "b.onion", "alice@a.onion", 1, due - before + 1000); /* a new message tries sooner, not at once */
	assert_int_equal(next_due(f, "c.onion", onion), due - before + 60000);
	assert_int_equal(peers_reached(queue_peers(f->queue), "b.onion", 25, due, &err), 0);
	struct peer peer;
	assert_int_equal(peers_settle(queue_peers(f->queue), slice_of_string("b.onion"), &err), 0);
	char c[] = "c.onion";
	assert_int_equal(peers_next(queue_peers(f->queue), due, nobody, c, &peer, &err), 1);
	assert_int_equal(peer.port, 25);
	assert_true(peer.due_ms <= due);
	assert_int_equal(peers_next(queue_peers(f->queue), due + 24 * 3600 * 1000, nobody, c, &peer, &err), 1);
	assert_int_equal(peer.port, 465); /* it may have learnt smtorp/1 meanwhile */
}

static void
gives_up_by_age_and_tries(void **state)
{
	struct fixture *f = *state;
	struct pack_result why = { 451, slice_of_string("4.4.1"), slice_of_string("offline") };
	struct queue_bounce b;
	add(f, 1, 1, "b.onion", "alice@a.onion", 2, NOW);
	add(f, 2, 2, "b.onion", "alice@a.onion", 1, NOW + EXPIRE_MS); /* young */
	for (int tries = 1; tries < SCHEDULE_TRIES_MIN; tries++) {
		assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &why, NOW + 2 * EXPIRE_MS - 1, 0, &err), 0);
		assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 0);
	}
	assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &why, NOW + 2 * EXPIRE_MS - 1, 0, &err), 0);
	assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 1);
	assert_int_equal(b.item, 1);
	assert_string_equal(b.reverse_path, "alice@a.onion");
	queue_bounce_finish(&b);
	assert_int_equal(queue_next_bounce(f->queue, 1, &b, &err), 0);
	assert_int_equal(waiting(f, "b.onion", NOW + 2 * EXPIRE_MS), 1);
	/* failures before a message came are none of its tries */
	add(f, 3, 3, "b.onion", "alice@a.onion", 1, NOW);
	assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &why, NOW + 2 * EXPIRE_MS - 1, 0, &err), 0);
	assert_int_equal(queue_next_bounce(f->queue, 1, &b, &err), 0);
}

static void
a_deferred_recipient_is_given_up_with_its_last_answer(void **state)
{
	struct fixture *f = *state;
	struct queue_bounce b;
	int64_t now_ms = NOW;
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	for (int i = 0; i < SCHEDULE_TRIES_MIN - 1; i++) {
		deliver(f, "b.onion", now_ms, CODES(452));
		now_ms += EXPIRE_MS;
		assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 0);
	}
	deliver(f, "b.onion", now_ms, CODES(452));
	assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 1);
	queue_bounce_finish(&b);
	assert_int_equal(waiting(f, "b.onion", now_ms + EXPIRE_MS), 0);
}

static void
a_null_sender_is_never_told(void **state)
{
	struct fixture *f = *state;
	struct pack_result why = { 550, slice_of_string("5.1.2"), slice_of_string("no") };
	struct queue_bounce b;
	add(f, 1, 1, "b.onion", "", 2, NOW);
	deliver(f, "b.onion", NOW, CODES(550, 450));
	assert_int_equal(queue_fail_all(f->queue, "b.onion", &why, &err), 0);
	assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 0);
	assert_int_equal(items(f), 0);
}

static void
bodies_go_with_their_last_item(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	assert_int_equal(file_replace(f->dir_fd, "0000000000000001", "hello", 5, 0600, &err), 0);
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	add(f, 2, 1, "c.onion", "alice@a.onion", 1, NOW);
	deliver(f, "b.onion", NOW, CODES(250));
	assert_int_equal(queue_empty_trash(f->queue, &err), 0);
	assert_int_equal(fstatat(f->dir_fd, "0000000000000001", &st, 0), 0);
	deliver(f, "c.onion", NOW, CODES(250));
	close_queue(f); /* before it was unlinked */
	assert_int_equal(open_queue(f), 0);
	assert_int_equal(queue_empty_trash(f->queue, &err), 0);
	assert_int_equal(fstatat(f->dir_fd, "0000000000000001", &st, 0), -1);
	assert_int_equal(queue_empty_trash(f->queue, &err), 0);
}

static void
items_survive_a_restart(void **state)
{
	struct fixture *f = *state;
	char onion[IPC_ONION_MAX + 1];
	add(f, 1, 1, "b.onion", "alice@a.onion", 2, NOW);
	deliver(f, "b.onion", NOW, CODES(250, 450));
	int64_t due = next_due(f, NULL, onion);
	close_queue(f);
	assert_int_equal(open_queue(f), 0);
	assert_int_equal(next_due(f, NULL, onion), due);
	assert_int_equal(waiting(f, "b.onion", due), 1);
}

static void
a_body_cut_short_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct body body;
	assert_int_equal(file_replace(f->dir_fd, "0000000000000001", "hell", 4, 0600, &err), 0);
	assert_int_equal(queue_load_body(f->queue, 1, 5, &body, &err), -1);
	assert_int_equal(err.code, ERROR_IO);
	assert_int_equal(queue_load_body(f->queue, 2, 5, &body, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
}

/* ---- what the owner sees and orders */

struct seen {
	uint64_t ids[8];
	struct queue_row last; /* its slices and buffers are not to be used */
	char text[IPC_TEXT_MAX + 1];
	size_t count, most, packed;
};

static bool
see(void *context, const struct queue_row *row)
{
	struct seen *seen = context;
	struct slice list = slice_of(buffer_bytes(&row->recipients), buffer_len(&row->recipients)), mailbox;
	struct pack_result r;
	if (seen->count == seen->most)
		return false;
	seen->ids[seen->count++] = row->id;
	seen->last = *row;
	snprintf(seen->text, sizeof seen->text, "%.*s", (int)buffer_len(&row->text), (const char *)buffer_bytes(&row->text));
	for (seen->packed = 0; pack_next_failure(&list, &mailbox, &r);)
		seen->packed++;
	return true;
}

static struct seen
look(struct fixture *f, uint64_t after, size_t most)
{
	struct seen seen = { .most = most };
	assert_int_equal(queue_look(f->queue, after, true, see, &seen, &err), 0);
	return seen;
}

static void
a_look_says_why_each_item_waits(void **state)
{
	struct fixture *f = *state;
	struct pack_result why = { 451, slice_of_string("4.4.1"), slice_of_string("it went offline") };
	struct pack_result no = { 550, slice_of_string("5.1.2"), slice_of_string("no such onion") };
	add(f, 3, 3, "b.onion", "alice@a.onion", 2, NOW);
	struct seen seen = look(f, 0, 8);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.last.reason, WAIT_REASON_NEW);
	assert_int_equal(seen.last.tries, 0);
	assert_int_equal(seen.last.due_ms, NOW);
	assert_int_equal(seen.last.body_bytes, 5);
	assert_int_equal(seen.last.arrival_s, 1700000000);
	assert_int_equal(seen.packed, 2);
	deliver(f, "b.onion", NOW, CODES(250, 450));
	seen = look(f, 0, 8);
	assert_int_equal(seen.last.reason, WAIT_REASON_REPLY);
	assert_string_equal(seen.text, "450 x.y.z said the server");
	assert_int_equal(seen.last.tries, 1);
	assert_int_equal(seen.packed, 1);
	assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &why, NOW, 0, &err), 0);
	close_queue(f); /* it is known after a restart as well */
	assert_int_equal(open_queue(f), 0);
	seen = look(f, 0, 8);
	assert_int_equal(seen.last.reason, WAIT_REASON_OFFLINE);
	assert_string_equal(seen.text, "it went offline");
	assert_int_equal(seen.last.tries, 2);
	assert_true(seen.last.due_ms >= NOW + FIRST_MS * 3 / 4);
	assert_int_equal(peers_reached(queue_peers(f->queue), "b.onion", 465, NOW, &err), 0);
	assert_int_equal(look(f, 0, 8).last.reason, WAIT_REASON_REPLY); /* it is there, and said so */
	assert_int_equal(queue_fail_all(f->queue, "b.onion", &no, &err), 0);
	seen = look(f, 0, 8);
	assert_int_equal(seen.last.reason, WAIT_REASON_FAILED);
	assert_string_equal(seen.text, "550 5.1.2 no such onion");
	assert_true(seen.last.due_ms == QUEUE_NO_TRY);
}

static void
a_database_of_the_version_before_is_taken_over(void **state)
{
	struct fixture *f = *state;
	close_queue(f);
	assert_int_equal(file_remove_tree(AT_FDCWD, "mail.db", NULL), 0);
	assert_int_equal(database_open("mail.db", true, schema_versions, 1, &f->db, &err), 0);
	assert_int_equal(database_run(f->db, "INSERT INTO items VALUES (1, 'b.onion', 1, 5, 'alice@a.onion', 0, 0, 0, 50, 0, 0);"
	    "INSERT INTO recipients VALUES (1, 0, 'bob@b.onion', 0, 0, '', '');"
	    "INSERT INTO peers VALUES ('b.onion', 70, 60, 0, 2, 2, 0, 0);", &err), 0);
	database_close(f->db);
	assert_int_equal(open_queue(f), 0);
	struct seen seen = look(f, 0, 8);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.last.reason, WAIT_REASON_OTHER); /* it was not written down then */
	assert_int_equal(seen.last.tries, 2);
	assert_int_equal(seen.last.due_ms, 70);
	add(f, 2, 2, "b.onion", "alice@a.onion", 1, NOW);
	add(f, 3, 3, "c.onion", "alice@a.onion", 1, NOW);
	assert_int_equal(look(f, 0, 8).count, 3);
}

static void
a_look_goes_on_where_it_ended(void **state)
{
	struct fixture *f = *state;
	for (uint64_t id = 1; id <= 5; id++)
		add(f, id * 10, id, id % 2 == 0 ? "b.onion" : "c.onion", "alice@a.onion", 1, NOW);
	struct seen seen = look(f, 0, 2);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.ids[1], 20);
	deliver(f, "b.onion", NOW, CODES(250)); /* the one it would go on from is gone */
	seen = look(f, 20, 8);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.ids[0], 30);
	assert_int_equal(seen.ids[2], 50);
	assert_int_equal(look(f, 50, 8).count, 0);
}

static void
a_retry_does_not_wait_for_the_schedule(void **state)
{
	struct fixture *f = *state;
	struct pack_result why = { 451, slice_of_string("4.4.1"), slice_of_string("offline") };
	char onion[IPC_ONION_MAX + 1];
	uint64_t count;
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	add(f, 2, 2, "b.onion", "alice@a.onion", 1, NOW);
	add(f, 3, 3, "c.onion", "alice@a.onion", 1, NOW);
	deliver(f, "b.onion", NOW, CODES(450));
	deliver(f, "b.onion", NOW, CODES(450));
	assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_LOST, &why, NOW, 0, &err), 0);
	assert_int_equal(queue_peer_failed(f->queue, "c.onion", WAIT_REASON_LOST, &why, NOW, 0, &err), 0);
	assert_true(next_due(f, NULL, onion) > NOW + 1);
	assert_int_equal(queue_retry(f->queue, 1, NOW + 1, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(next_due(f, NULL, onion), NOW + 1);
	assert_string_equal(onion, "b.onion");
	assert_int_equal(waiting(f, "b.onion", NOW + 1), 1);
	assert_true(next_due(f, "b.onion", onion) > NOW + 1); /* not c */
	assert_int_equal(queue_retry(f->queue, 0, NOW + 1, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_int_equal(next_due(f, "b.onion", onion), NOW + 1);
	assert_int_equal(queue_retry(f->queue, 7, NOW, &count, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	/* and it counts as a try like any other */
	deliver(f, "b.onion", NOW + 1, CODES(450));
	assert_int_equal(look(f, 0, 1).last.tries, 3);
}

static void
a_cancelled_item_is_gone_and_nobody_is_told(void **state)
{
	struct fixture *f = *state;
	struct queue_bounce b;
	struct stat st;
	char onion[IPC_ONION_MAX + 1];
	assert_int_equal(file_replace(f->dir_fd, "0000000000000001", "hello", 5, 0600, &err), 0);
	add(f, 1, 1, "b.onion", "alice@a.onion", 2, NOW);
	assert_int_equal(queue_cancel(f->queue, 1, &err), 0);
	assert_int_equal(items(f), 0);
	assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 0);
	assert_true(next_due(f, NULL, onion) == INT64_MAX);
	assert_int_equal(queue_empty_trash(f->queue, &err), 0);
	assert_int_equal(fstatat(f->dir_fd, "0000000000000001", &st, 0), -1);
	assert_int_equal(queue_cancel(f->queue, 1, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	/* what has failed before is reported all the same */
	add(f, 2, 2, "b.onion", "alice@a.onion", 2, NOW);
	deliver(f, "b.onion", NOW, CODES(550, 450));
	assert_int_equal(queue_cancel(f->queue, 2, &err), 0);
	assert_int_equal(waiting(f, "b.onion", NOW + MOST_MS), 0);
	assert_true(next_due(f, NULL, onion) == INT64_MAX);
	assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 1);
	/* unless the owner does not want to know */
	assert_int_equal(queue_cancel(f->queue, 2, &err), 0);
	assert_int_equal(items(f), 0);
	uint64_t reported; /* a bounce that was in the journal already */
	assert_int_equal(database_begin(f->db, &err), 0);
	assert_int_equal(queue_reported(f->queue, 2, slice_of(buffer_bytes(&b.positions), buffer_len(&b.positions)), &reported,
	    &err), 0);
	assert_int_equal(database_commit(f->db, &err), 0);
	assert_int_equal(reported, 0);
	queue_bounce_finish(&b);
}

int
main(void)
{
#define WITH_QUEUE(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(each_recipient_has_its_own_fate),
		WITH_QUEUE(failures_that_are_too_many_for_one_bounce),
		WITH_QUEUE(words_without_end_are_cut),
		WITH_QUEUE(missing_results_are_temporary),
		WITH_QUEUE(a_peer_that_is_down_delays_no_other),
		WITH_QUEUE(gives_up_by_age_and_tries),
		WITH_QUEUE(a_deferred_recipient_is_given_up_with_its_last_answer),
		WITH_QUEUE(a_null_sender_is_never_told),
		WITH_QUEUE(bodies_go_with_their_last_item),
		WITH_QUEUE(items_survive_a_restart),
		WITH_QUEUE(a_body_cut_short_is_an_error),
		WITH_QUEUE(a_look_says_why_each_item_waits),
		WITH_QUEUE(a_database_of_the_version_before_is_taken_over),
		WITH_QUEUE(a_look_goes_on_where_it_ended),
		WITH_QUEUE(a_retry_does_not_wait_for_the_schedule),
		WITH_QUEUE(a_cancelled_item_is_gone_and_nobody_is_told),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
