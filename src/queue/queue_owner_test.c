/* SPDX-License-Identifier: ISC */
#include "queue/test_queue.h"

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
	assert_int_equal(seen.last.body, 3);
	assert_int_equal(seen.last.arrival_ms, NOW);
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
another_network_hurries_what_could_not_be_reached_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct pack_result why = { 451, slice_of_string("4.4.1"), slice_of_string("no") };
	add(f, 3, 3, "b.onion", "alice@a.onion", 1, NOW);
	add(f, 4, 4, "c.onion", "alice@a.onion", 1, NOW);
	add(f, 5, 5, "d.onion", "alice@a.onion", 1, NOW);
	assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &why, NOW, 0, &err), 0);
	assert_int_equal(queue_peer_failed(f->queue, "c.onion", WAIT_REASON_REFUSED, &why, NOW, 0, &err), 0);
	deliver(f, "d.onion", NOW, CODES(450));
	assert_int_equal(queue_retry_network(f->queue, NOW + 1, &err), 0);
	assert_int_equal(look(f, 0, 1).last.due_ms, NOW);
	assert_true(look(f, 3, 1).last.due_ms > NOW + 1);
	assert_true(look(f, 4, 1).last.due_ms > NOW + 1);
}

/* b is away for so long that the pauses are long; c has put something off itself; d is away, too. */
static void
a_peer_that_proves_to_be_there_gets_what_waits_for_it(void **state)
{
	struct fixture *f = *state;
	struct pack_result why = { 451, slice_of_string("4.4.1"), slice_of_string("no") };
	add(f, 3, 3, "b.onion", "alice@a.onion", 1, NOW);
	add(f, 4, 4, "c.onion", "alice@a.onion", 1, NOW);
	add(f, 5, 5, "d.onion", "alice@a.onion", 1, NOW);
	deliver(f, "c.onion", NOW, CODES(450));
	for (int i = 0; i < 8; i++) {
		assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &why, NOW, 0, &err), 0);
		assert_int_equal(queue_peer_failed(f->queue, "d.onion", WAIT_REASON_OFFLINE, &why, NOW, 0, &err), 0);
	}
	int64_t of_b = look(f, 0, 1).last.due_ms, of_c = look(f, 3, 1).last.due_ms, of_d = look(f, 4, 1).last.due_ms;
	assert_true(of_b > NOW + 20 * PEERS_PROVED_SPACING_MS && of_c > NOW + 1);
	assert_int_equal(queue_retry_proved(f->queue, "e.onion", NOW + 1, &err), 0); /* nothing waits for it */
	assert_int_equal(look(f, 0, 1).last.due_ms, of_b);
	assert_int_equal(queue_retry_proved(f->queue, "c.onion", NOW + 1, &err), 0);
	assert_int_equal(look(f, 3, 1).last.due_ms, of_c);
	assert_int_equal(queue_retry_proved(f->queue, "b.onion", of_b + 1, &err), 0); /* it is never later for that */
	assert_int_equal(look(f, 0, 1).last.due_ms, of_b);
	assert_int_equal(queue_retry_proved(f->queue, "b.onion", NOW + 10 * PEERS_PROVED_SPACING_MS, &err), 0);
	assert_int_equal(look(f, 0, 1).last.due_ms, NOW + 10 * PEERS_PROVED_SPACING_MS);
	assert_int_equal(queue_retry_proved(f->queue, "b.onion", NOW + 1, &err), 0); /* it was tried just now */
	assert_int_equal(look(f, 0, 1).last.due_ms, NOW + PEERS_PROVED_SPACING_MS);
	assert_int_equal(look(f, 4, 1).last.due_ms, of_d);
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
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(a_look_says_why_each_item_waits),
		WITH_QUEUE(another_network_hurries_what_could_not_be_reached_and_nothing_else),
		WITH_QUEUE(a_database_of_the_version_before_is_taken_over),
		WITH_QUEUE(a_look_goes_on_where_it_ended),
		WITH_QUEUE(a_peer_that_proves_to_be_there_gets_what_waits_for_it),
		WITH_QUEUE(a_retry_does_not_wait_for_the_schedule),
		WITH_QUEUE(a_cancelled_item_is_gone_and_nobody_is_told),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
