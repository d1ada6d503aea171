/* SPDX-License-Identifier: ISC */
#include "queue/test_queue.h"

#include "daemon/mail_delay.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static int64_t next_ms;

/* The body of the message that is late, 0: none. */
static uint64_t
find(struct fixture *f, uint64_t passed_over, int64_t now_ms, char *recipients, size_t room)
{
	struct queue_bounce b;
	struct pack_result r;
	struct slice list, mailbox;
	if (mail_delay_find(f->queue, passed_over, now_ms, DAY_MS, &b, &next_ms, &err) == 0)
		return 0;
	assert_string_equal(b.reverse_path, "alice@a.onion");
	size_t len = 0;
	list = slice_of(buffer_bytes(&b.failures), buffer_len(&b.failures));
	while (pack_next_failure(&list, &mailbox, &r))
		len += (size_t)snprintf(recipients + len, room - len, "%.*s %u %.*s;", (int)mailbox.len, (const char *)mailbox.data,
		    r.code, (int)r.text.len, (const char *)r.text.data);
	uint64_t body = b.body;
	queue_bounce_finish(&b);
	return body;
}

static void
tell(struct fixture *f, uint64_t body)
{
	bool is_news;
	assert_int_equal(database_begin(f->db, &err), 0);
	assert_int_equal(queue_tell(f->queue, body, &is_news, &err), 0);
	assert_int_equal(database_commit(f->db, &err), 0);
	assert_true(is_news);
}

static void
a_message_is_late_once_with_all_that_wait(void **state)
{
	struct fixture *f = *state;
	static const struct pack_result offline = { 0, { (const unsigned char *)"4.4.1", 5 }, { (const unsigned char *)"it is off", 9 } };
	char text[300] = "";
	assert_true(find(f, 0, NOW, text, sizeof text) == 0 && next_ms == MAIL_DELAY_NEVER);
	add(f, 1, 1, "b.onion", "alice@a.onion", 3, NOW);
	add(f, 2, 1, "c.onion", "alice@a.onion", 1, NOW);
	add(f, 3, 1, "d.onion", "alice@a.onion", 1, NOW);
	add(f, 4, 4, "c.onion", "alice@a.onion", 1, NOW + 5000);
	deliver(f, "b.onion", NOW, CODES(250, 450, 550));
	deliver(f, "d.onion", NOW, CODES(250));
	assert_int_equal(queue_peer_failed(f->queue, "c.onion", WAIT_REASON_OFFLINE, &offline, NOW, 0, &err), 0);
	assert_true(find(f, 0, NOW + DAY_MS - 1, text, sizeof text) == 0);
	assert_true(next_ms == NOW + DAY_MS);
	assert_true(find(f, 0, NOW + DAY_MS, text, sizeof text) == 1);
	assert_string_equal(text, "user1@b.onion 450 said the server;user0@c.onion 0 it is off;");
	assert_true(find(f, 3, NOW + DAY_MS, text, sizeof text) == 0); /* put off */
	tell(f, 1);
	assert_true(find(f, 0, NOW + DAY_MS, text, sizeof text) == 0);
	assert_true(next_ms == NOW + 5000 + DAY_MS);
	close_queue(f);
	assert_int_equal(open_queue(f), 0);
	assert_true(find(f, 0, NOW + 2 * DAY_MS, text, sizeof text) == 4);
	tell(f, 4);
	assert_true(find(f, 0, NOW + 9 * DAY_MS, text, sizeof text) == 0 && next_ms == MAIL_DELAY_NEVER);
}

static void
nobody_is_told_of_what_nobody_sent_or_what_failed(void **state)
{
	struct fixture *f = *state;
	static const struct pack_result no = { 0, { (const unsigned char *)"5.1.2", 5 }, { (const unsigned char *)"no such onion", 13 } };
	char text[300] = "";
	add(f, 1, 1, "b.onion", "", 1, NOW);
	add(f, 2, 2, "c.onion", "alice@a.onion", 1, NOW);
	assert_int_equal(queue_fail_all(f->queue, "c.onion", &no, &err), 0); /* its bounce is owed */
	assert_true(find(f, 0, NOW + DAY_MS, text, sizeof text) == 0 && next_ms == MAIL_DELAY_NEVER);
	add(f, 3, 3, "d.onion", "alice@a.onion", 1, NOW);
	assert_true(find(f, 0, NOW + DAY_MS, text, sizeof text) == 3); /* behind them */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(a_message_is_late_once_with_all_that_wait),
		WITH_QUEUE(nobody_is_told_of_what_nobody_sent_or_what_failed),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
