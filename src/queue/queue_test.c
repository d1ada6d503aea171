/* SPDX-License-Identifier: ISC */
#include "queue/test_queue.h"

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

int
main(void)
{
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
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
