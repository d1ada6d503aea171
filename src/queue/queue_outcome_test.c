/* SPDX-License-Identifier: ISC */
#include "queue/test_queue.h"

static const struct pack_result offline = { 0, { (const unsigned char *)"4.4.1", 5 }, { (const unsigned char *)"offline", 7 } };

struct seen {
	char text[512];
};

static bool
see(void *context, struct slice mailbox, enum queue_outcome outcome, int64_t wall_s)
{
	struct seen *seen = context;
	static const char *const words[] = { "?", "delivered", "failed", "cancelled" };
	size_t len = strlen(seen->text);
	assert_true(wall_s > 1700000000);
	snprintf(seen->text + len, sizeof seen->text - len, "%.*s %s;", (int)mailbox.len, (const char *)mailbox.data, words[outcome]);
	return true;
}

static void
expect_outcomes(struct fixture *f, uint64_t body, const char *expected)
{
	struct seen seen = { 0 };
	assert_int_equal(queue_outcomes(f->queue, body, see, &seen, &err), 0);
	assert_string_equal(seen.text, expected);
}

/* The ended message, 0: none. */
static uint64_t
ended(struct fixture *f, uint64_t after)
{
	uint64_t body = 0;
	assert_true(queue_next_ended(f->queue, after, &body, &err) >= 0);
	return body;
}

static void
fail_peer(struct fixture *f, const char *onion)
{
	assert_int_equal(queue_peer_failed(f->queue, onion, WAIT_REASON_OFFLINE, &offline, NOW, 0, &err), 0);
}

static void
put_body(struct fixture *f, uint64_t body)
{
	char name[32];
	snprintf(name, sizeof name, "%016llx", (unsigned long long)body);
	assert_int_equal(file_replace(f->dir_fd, name, "hello", 5, 0600, &err), 0);
}

static bool
has_body(struct fixture *f, uint64_t body)
{
	uint64_t bytes;
	return queue_body_bytes(f->queue, body, &bytes, &err) == 0 && bytes == 5;
}

static void
what_went_at_once_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	deliver(f, "b.onion", NOW, CODES(250));
	expect_outcomes(f, 1, "");
	add(f, 2, 2, "b.onion", "alice@a.onion", 2, NOW); /* to two, and to a third elsewhere */
	add(f, 3, 2, "c.onion", "alice@a.onion", 1, NOW);
	deliver(f, "b.onion", NOW, CODES(250, 250));
	expect_outcomes(f, 2, "user0@b.onion delivered;user1@b.onion delivered;"); /* the third may have to wait */
	deliver(f, "c.onion", NOW, CODES(250));
	expect_outcomes(f, 2, "");
	assert_true(ended(f, 0) == 0);
}

static void
what_had_to_wait_is_kept_until_it_was_shown(void **state)
{
	struct fixture *f = *state;
	put_body(f, 1);
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	add(f, 2, 1, "c.onion", "alice@a.onion", 1, NOW);
	deliver(f, "b.onion", NOW, CODES(250));
	fail_peer(f, "c.onion");
	assert_true(ended(f, 0) == 0); /* one waits */
	close_queue(f);
	assert_int_equal(open_queue(f), 0);
	deliver(f, "c.onion", NOW + 1, CODES(250));
	assert_true(ended(f, 0) == 1);
	assert_true(ended(f, 1) == 0);
	expect_outcomes(f, 1, "user0@b.onion delivered;user0@c.onion delivered;");
	assert_int_equal(queue_empty_trash(f->queue, &err), 0);
	assert_true(has_body(f, 1));
	assert_int_equal(queue_forget_outcomes(f->queue, 1, &err), 0);
	assert_true(ended(f, 0) == 0);
	assert_int_equal(queue_empty_trash(f->queue, &err), 0);
	assert_false(has_body(f, 1));
}

static void
a_slow_message_has_waited_without_a_failed_try(void **state)
{
	struct fixture *f = *state;
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	deliver(f, "b.onion", NOW + QUEUE_WAITED_MS, CODES(250));
	assert_true(ended(f, 0) == 1);
}

static void
what_reached_nobody_is_not_kept(void **state)
{
	struct fixture *f = *state;
	uint64_t reported;
	struct queue_bounce b;
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	fail_peer(f, "b.onion");
	assert_int_equal(queue_cancel(f->queue, 1, &err), 0);
	expect_outcomes(f, 1, "");
	add(f, 2, 2, "c.onion", "alice@a.onion", 2, NOW);
	deliver(f, "c.onion", NOW, CODES(450, 550));
	expect_outcomes(f, 2, "user1@c.onion failed;");
	assert_int_equal(queue_fail_all(f->queue, "c.onion", &offline, &err), 0);
	expect_outcomes(f, 2, "user0@c.onion failed;user1@c.onion failed;");
	assert_true(ended(f, 0) == 0); /* a bounce is owed */
	assert_int_equal(queue_next_bounce(f->queue, 0, &b, &err), 1);
	assert_int_equal(database_begin(f->db, &err), 0);
	assert_int_equal(queue_reported(f->queue, 2, slice_of(buffer_bytes(&b.positions), buffer_len(&b.positions)), &reported,
	    &err), 0);
	assert_int_equal(database_commit(f->db, &err), 0);
	queue_bounce_finish(&b);
	expect_outcomes(f, 2, "");
	assert_int_equal(items(f), 0);
}

static void
a_part_that_failed_or_was_cancelled_is_told_with_the_rest(void **state)
{
	struct fixture *f = *state;
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	add(f, 2, 1, "c.onion", "alice@a.onion", 1, NOW);
	add(f, 3, 1, "d.onion", "", 1, NOW); /* of whose failure nobody is told */
	fail_peer(f, "b.onion");
	fail_peer(f, "c.onion");
	assert_int_equal(queue_cancel(f->queue, 1, &err), 0);
	assert_int_equal(queue_fail_all(f->queue, "d.onion", &offline, &err), 0);
	deliver(f, "c.onion", NOW + 1, CODES(250));
	assert_true(ended(f, 0) == 1);
	expect_outcomes(f, 1, "user0@b.onion cancelled;user0@c.onion delivered;user0@d.onion failed;");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(what_went_at_once_leaves_nothing),
		WITH_QUEUE(what_had_to_wait_is_kept_until_it_was_shown),
		WITH_QUEUE(a_slow_message_has_waited_without_a_failed_try),
		WITH_QUEUE(what_reached_nobody_is_not_kept),
		WITH_QUEUE(a_part_that_failed_or_was_cancelled_is_told_with_the_rest),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
