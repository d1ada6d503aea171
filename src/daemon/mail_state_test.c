/* SPDX-License-Identifier: ISC */
#include "queue/test_queue.h"

#include <time.h>

#include "daemon/mail_state.h"

#define MINUTE_MS (60 * 1000)

static const struct pack_result offline = { 0, { (const unsigned char *)"4.4.1", 5 }, { (const unsigned char *)"it is off", 9 } };

static bool
take(void *context, const struct queue_row *row)
{
	return mail_state_add(context, row, NULL, NOW);
}

/* How the first message stands. */
static void
look(struct fixture *f, struct mail_state *s)
{
	*s = (struct mail_state){ 0 };
	assert_int_equal(queue_look(f->queue, 0, true, take, s, &err), 0);
	assert_int_equal(mail_state_end(s, f->queue, &err), 0);
}

static char *
words(const struct mail_state *s, int64_t now_ms, bool is_cut, char mark[MAIL_STATE_MARK_MAX])
{
	struct buffer text;
	buffer_init(&text, 65536);
	mail_state_say(s, now_ms, EXPIRE_MS, is_cut, mark, &text);
	char *out = strndup((const char *)buffer_bytes(&text), buffer_len(&text));
	buffer_finish(&text);
	return out;
}

static void
set_due(struct fixture *f, int64_t due_ms)
{
	char sql[100];
	snprintf(sql, sizeof sql, "UPDATE peers SET due_ms = %lld; UPDATE items SET due_ms = 0", (long long)due_ms);
	assert_int_equal(database_run(f->db, sql, &err), 0);
}

static void
a_copy_says_why_and_until_when(void **state)
{
	struct fixture *f = *state;
	struct mail_state s;
	char mark[MAIL_STATE_MARK_MAX];
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	look(f, &s);
	assert_false(s.has_waited); /* it has only just come */
	mail_state_finish(&s);
	assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &offline, NOW, 0, &err), 0);
	look(f, &s);
	assert_true(s.has_waited && s.waiting == 1);
	char *text = words(&s, NOW, false, mark);
	assert_string_equal(mark, "offline");
	assert_non_null(strstr(text, "Waiting:\n  user0@b.onion\n    it is off\n"));
	assert_non_null(strstr(text, "has not arrived yet."));
	assert_non_null(strstr(text, "within a quarter of an hour"));
	assert_non_null(strstr(text, "given up, and you will be told"));
	assert_null(strstr(text, "MiB"));
	free(text);
	s.body_bytes = 26 * 1024 * 1024;
	text = words(&s, NOW, true, mark);
	assert_non_null(strstr(text, "What it holds (26.0 MiB) is not kept here"));
	free(text);
	mail_state_finish(&s);
}

static void
a_time_is_named_when_it_is_far(void **state)
{
	struct fixture *f = *state;
	struct mail_state s;
	char mark[MAIL_STATE_MARK_MAX], expected[40], hour[8];
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &offline, NOW, 0, &err), 0);
	set_due(f, NOW + 14 * MINUTE_MS);
	look(f, &s);
	uint64_t soon = s.look_soon;
	assert_true(mail_state_is_shown(&s, soon, NOW));
	mail_state_finish(&s);
	set_due(f, NOW + 10 * MINUTE_MS);
	look(f, &s);
	assert_true(mail_state_is_shown(&s, soon, NOW)); /* another time, but no news */
	mail_state_finish(&s);
	set_due(f, NOW + 90 * MINUTE_MS);
	look(f, &s);
	assert_false(mail_state_is_shown(&s, soon, NOW));
	uint64_t exact = s.look_exact;
	assert_true(mail_state_is_shown(&s, exact, NOW));
	assert_true(mail_state_is_shown(&s, exact, NOW + 85 * MINUTE_MS)); /* what it says is right until then */
	time_t now_s = time(NULL);
	free(words(&s, NOW, false, mark));
	bool is_right = false;
	for (int i = 0; i < 2; i++) { /* the minute may end meanwhile */
		time_t due_s = now_s + 90 * 60 + i;
		strftime(hour, sizeof hour, "%H:%M", localtime(&due_s));
		snprintf(expected, sizeof expected, "offline, again at %s", hour);
		is_right = is_right || strcmp(mark, expected) == 0;
	}
	assert_true(is_right);
	mail_state_finish(&s);
	set_due(f, NOW + 91 * MINUTE_MS);
	look(f, &s);
	assert_false(mail_state_is_shown(&s, exact, NOW));
	mail_state_finish(&s);
}

static void
another_reason_is_news_and_a_try_is_none(void **state)
{
	struct fixture *f = *state;
	struct mail_state s;
	add(f, 1, 1, "b.onion", "alice@a.onion", 1, NOW);
	assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_OFFLINE, &offline, NOW, 0, &err), 0);
	look(f, &s);
	uint64_t before = s.look_soon;
	assert_false(s.is_transient);
	mail_state_finish(&s);
	assert_int_equal(queue_peer_failed(f->queue, "b.onion", WAIT_REASON_TIMEOUT, &offline, NOW, 0, &err), 0);
	look(f, &s);
	assert_false(mail_state_is_shown(&s, before, NOW));
	mail_state_finish(&s);
	assert_int_equal(peers_reached(queue_peers(f->queue), "b.onion", 465, NOW, &err), 0); /* it is being handed over */
	look(f, &s);
	assert_true(s.is_transient && s.has_waited);
	mail_state_finish(&s);
}

static void
one_copy_tells_of_all_recipients(void **state)
{
	struct fixture *f = *state;
	struct mail_state s;
	char mark[MAIL_STATE_MARK_MAX];
	add(f, 1, 1, "b.onion", "alice@a.onion", 3, NOW);
	add(f, 2, 1, "c.onion", "alice@a.onion", 1, NOW);
	add(f, 3, 3, "c.onion", "alice@a.onion", 1, NOW); /* another message */
	deliver(f, "b.onion", NOW, CODES(250, 450, 550));
	assert_int_equal(queue_peer_failed(f->queue, "c.onion", WAIT_REASON_OFFLINE, &offline, NOW, 0, &err), 0);
	look(f, &s);
	assert_int_equal(s.waiting, 2);
	assert_int_equal(s.settled, 2);
	char *text = words(&s, NOW, false, mark);
	assert_string_equal(mark, "2 of 4 waiting: asked to come later");
	assert_non_null(strstr(text, "has not arrived everywhere yet."));
	assert_non_null(strstr(text, "  user1@b.onion\n    The other side said: 450 x.y.z said the server\n"
	    "  user0@c.onion\n    it is off\n\nDelivered:\n  user0@b.onion, "));
	assert_non_null(strstr(text, "\nCould not be delivered; a report in your mailbox says why:\n  user2@b.onion, "));
	free(text);
	uint64_t before = s.look_soon;
	mail_state_finish(&s);
	look(f, &s);
	assert_true(s.look_soon == before);
	mail_state_finish(&s);
}

static void
many_recipients_are_cut_short(void **state)
{
	struct fixture *f = *state;
	struct mail_state s;
	char mark[MAIL_STATE_MARK_MAX];
	for (uint64_t i = 1; i <= 10; i++) {
		char onion[32];
		snprintf(onion, sizeof onion, "b%llu.onion", (unsigned long long)i);
		add(f, i, 1, onion, "alice@a.onion", 500, NOW);
	}
	look(f, &s);
	assert_int_equal(s.waiting, 5000);
	char *text = words(&s, NOW, false, mark);
	assert_in_range(strlen(text), 50000, 65000);
	assert_non_null(strstr(text, "`smtorp queue` takes"));
	free(text);
	mail_state_finish(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_QUEUE(a_copy_says_why_and_until_when),
		WITH_QUEUE(a_time_is_named_when_it_is_far),
		WITH_QUEUE(another_reason_is_news_and_a_try_is_none),
		WITH_QUEUE(one_copy_tells_of_all_recipients),
		WITH_QUEUE(many_recipients_are_cut_short),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
