/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/test_mailstore.h"
#include "store/journal.h"

static void
a_message_comes_into_the_mailbox_once(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct mailstore *s = open_store();
	assert_int_equal(receive(s, "Subject: one\r\n\r\nbody\r\n", &err), 0);
	assert_int_equal(receive(s, "Subject: one\r\n\r\nbody\r\n", &err), 0); /* in the same group */
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 1);
	assert_int_equal(test_folder_count("Maildir/new", "Return-Path: <bob@" DESTINATION ">\nSubject: one\n\nbody\n"), 1);
	assert_int_equal(receive(s, "Subject: one\r\n\r\nbody\r\n", &err), 0); /* in another */
	assert_int_equal(receive(s, "Subject: two\r\n\r\nbody\r\n", &err), 0);
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 2);
	assert_int_equal(test_folder_count("staging", NULL), 0);
	mailstore_free(s);
	s = open_store(); /* and after a restart */
	assert_int_equal(receive(s, "Subject: two\r\n\r\nbody\r\n", &err), 0);
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 2);
	assert_int_equal(mailstore_backlog_records(s), 0);
	mailstore_free(s);
}

enum { ANSWER_BYTES = 200000 };

static void
write_answer(char out[ANSWER_BYTES + 1000], const char *front, const char *reference, const char *eol, size_t text_bytes)
{
	static char text[ANSWER_BYTES + 1];
	memset(text, 'x', text_bytes);
	text[text_bytes] = '\0';
	snprintf(out, ANSWER_BYTES + 1000, "%sSubject: <0@own.onion>%sReferences: <0@bob>  %s%sMessage-ID: <0@own.onion>%s%s<0@own.onion>%s%s",
	    front, eol, reference, eol, eol, eol, text, eol);
}

/* The queue has the outer id; the owner's copy and answers have the inner one, and nothing else in them is moved or lost. */
static void
answers_carry_the_ids_that_their_owner_wrote(void **state)
{
	(void)state;
	static const char *const inner[] = { "<1@laptop>", "<a-rather-long-id-of-some-mail-program.1234567890@laptop.example>" };
	static char message[ANSWER_BYTES + 1000], expected[ANSWER_BYTES + 1000];
	for (int i = 0; i < 4; i++) {
		struct error err = { 0 };
		char field[200];
		size_t text_bytes = i % 2 == 0 ? 10 : ANSWER_BYTES;
		struct mailstore *s = open_store();
		snprintf(field, sizeof field, "<0@own.onion> %s\n", inner[i / 2]);
		assert_int_equal(submit_with_ids(s, "Message-ID: <0@own.onion>\r\n\r\n", field, &err), 0);
		assert_int_equal(mailstore_commit(s, &err), 0);
		process_all(s);
		assert_int_equal(test_folder_count("queue", "Message-ID: <0@own.onion>\r\n"), 1);
		snprintf(field, sizeof field, "Message-ID: %s\n", inner[i / 2]);
		assert_int_equal(test_folder_count("Maildir/new", field), 1);
		write_answer(message, "", "<0@own.onion>", "\r\n", text_bytes);
		write_answer(expected, "Return-Path: <bob@" DESTINATION ">\n", inner[i / 2], "\n", text_bytes);
		assert_int_equal(receive(s, message, &err), 0);
		assert_int_equal(receive(s, message, &err), 0); /* a duplicate, by what was on the wire */
		assert_int_equal(mailstore_commit(s, &err), 0);
		process_all(s);
		assert_int_equal(test_folder_count("Maildir/new", expected), 1);
		assert_int_equal(test_folder_count("Maildir/new", NULL), 2);
		mailstore_free(s);
		assert_int_equal(leave(state), 0);
		assert_int_equal(enter(state), 0);
	}
}

static void
more_than_a_group_is_processed(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct mailstore *s = open_store();
	for (int i = 0; i < MAILSTORE_GROUP_RECORDS * 2 + 1; i++) {
		char body[64];
		snprintf(body, sizeof body, "Subject: %d\r\n\r\n", i);
		assert_int_equal(receive(s, body, &err), 0);
	}
	assert_int_equal(mailstore_commit(s, &err), 0);
	assert_int_equal(mailstore_process(s, &err), 1);
	assert_int_equal(mailstore_process(s, &err), 1);
	assert_int_equal(mailstore_process(s, &err), 0);
	assert_int_equal(test_folder_count("Maildir/new", NULL), MAILSTORE_GROUP_RECORDS * 2 + 1);
	mailstore_free(s);
}

static void
a_missing_database_is_not_made_anew(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct mailstore *s = open_store();
	mailstore_free(s);
	assert_int_equal(rename("mail.db", "elsewhere"), 0);
	assert_int_equal(mailstore_open(&schedule, &s, &err), -1);
	assert_int_equal(err.code, ERROR_DAMAGED);
	assert_int_equal(access("mail.db", F_OK), -1);
	assert_int_equal(rename("elsewhere", "mail.db"), 0);
	mailstore_free(open_store());
}

static void
a_message_is_queued_for_each_destination(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct mailstore *s = open_store();
	struct queue_item item;
	struct body body;
	uint64_t items;
	assert_int_equal(submit(s, "Subject: out\r\n\r\n.\r\n", &err), 0);
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_int_equal(queue_count(mailstore_queue(s), &items, &err), 0);
	assert_int_equal(items, 2);
	assert_int_equal(test_folder_count("Maildir/new", "Subject: out\n"), 1);
	assert_int_equal(test_folder_count("queue", NULL), 1); /* they share the bytes */
	static const char *const onions[] = { DESTINATION, "carol.onion" };
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(queue_next_item(mailstore_queue(s), onions[i], mailstore_now_ms(s), &item, &err), 1);
		assert_string_equal(item.reverse_path, "alice@own.onion");
		assert_int_equal(item.recipient_count, 1);
		assert_int_equal(queue_load_body(mailstore_queue(s), item.body, item.body_bytes, &body, &err), 0);
		assert_true(slice_is(body.bytes, "Subject: out\r\n\r\n.\r\n")); /* byte for byte */
		body_finish(&body);
		struct buffer results;
		struct pack_result ok = { 250, slice_of_string(""), slice_of_string("") };
		buffer_init(&results, 1000);
		assert_int_equal(pack_result(&results, &ok, &err), 0);
		assert_int_equal(queue_result(mailstore_queue(s), onions[i], &item, buffer_slice(&results), mailstore_now_ms(s), 0,
		    &err), 0);
		buffer_finish(&results);
		queue_item_finish(&item);
		assert_int_equal(mailstore_settle(s, &err), 0);
		assert_int_equal(test_folder_count("queue", NULL), i == 0 ? 1 : 0);
	}
	mailstore_free(s);
}

static int
no_space(int fd, off_t offset, off_t len)
{
	(void)fd;
	(void)offset;
	(void)len;
	return ENOSPC;
}

static void
no_space_refuses_and_changes_nothing(void **state)
{
	(void)state;
	struct error err = { 0 };
	const struct journal_calls real = journal_calls;
	struct mailstore *s = open_store();
	journal_calls.allocate = no_space;
	assert_int_equal(receive(s, "Subject: one\r\n\r\n", &err), -1);
	assert_int_equal(err.code, ERROR_NO_SPACE);
	journal_calls = real;
	assert_false(mailstore_is_broken(s));
	assert_int_equal(receive(s, "Subject: one\r\n\r\n", &err), 0);
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 1);
	mailstore_free(s);
}

/* ---- bounces */

static int
bounce(struct mailstore *s, const struct queue_bounce *b, struct error *err)
{
	struct record r = { .type = RECORD_BOUNCE, .arrival_ms = 1700000000000, .reverse_path = slice_of_string(""),
		.item = b->item, .positions = buffer_slice(&b->positions) };
	return mailstore_bounce(s, &r, BODY_BORROWED(slice_of_string("Subject: bounce\r\n\r\n")), err);
}

static void
a_bounce_is_published_once(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct mailstore *s = open_store();
	struct queue_bounce b, none;
	struct pack_result why = { 550, slice_of_string("5.1.1"), slice_of_string("no such mailbox") };
	assert_int_equal(submit(s, "Subject: out\r\n\r\n", &err), 0);
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_int_equal(queue_fail_all(mailstore_queue(s), DESTINATION, &why, &err), 0);
	assert_int_equal(queue_next_bounce(mailstore_queue(s), 0, &b, &err), 1);
	struct slice failures = buffer_slice(&b.failures), recipient;
	struct pack_result result;
	assert_true(pack_next_failure(&failures, &recipient, &result));
	assert_true(slice_is(recipient, "bob@" DESTINATION));
	assert_int_equal(result.code, 550);
	assert_int_equal(bounce(s, &b, &err), 0);
	assert_true(mailstore_has_bounce(s));
	assert_int_equal(mailstore_commit(s, &err), 0);
	mailstore_free(s);
	s = open_store();
	assert_true(mailstore_has_bounce(s)); /* known again before the first composition */
	assert_int_equal(bounce(s, &b, &err), 0); /* repeated all the same */
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_false(mailstore_has_bounce(s));
	assert_int_equal(test_folder_count("Maildir/new", "Return-Path: <>\nSubject: bounce"), 1);
	assert_int_equal(queue_next_bounce(mailstore_queue(s), 0, &none, &err), 0);
	queue_bounce_finish(&b);
	uint64_t items;
	assert_int_equal(queue_count(mailstore_queue(s), &items, &err), 0);
	assert_int_equal(items, 1);
	mailstore_free(s);
}

static int
tell(struct mailstore *s, uint64_t body, struct error *err)
{
	struct record r = { .type = RECORD_DELAY, .arrival_ms = 1700000000000, .reverse_path = slice_of_string(""), .item = body };
	return mailstore_bounce(s, &r, BODY_BORROWED(slice_of_string("Subject: late\r\n\r\n")), err);
}

struct rows {
	uint64_t bodies[4];
	size_t count;
};

static bool
take_body(void *context, const struct queue_row *row)
{
	struct rows *rows = context;
	rows->bodies[rows->count++] = row->body;
	return rows->count < 4;
}

static void
a_delay_is_told_once(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct mailstore *s = open_store();
	struct rows rows = { 0 };
	uint64_t told;
	for (int i = 0; i < 2; i++)
		assert_int_equal(submit(s, "Subject: out\r\n\r\n", &err), 0);
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_int_equal(queue_look(mailstore_queue(s), 0, false, take_body, &rows, &err), 0);
	assert_true(rows.count >= 2 && rows.bodies[0] < rows.bodies[rows.count - 1]);
	assert_int_equal(tell(s, rows.bodies[0], &err), 0);
	assert_true(mailstore_has_bounce(s));
	assert_int_equal(mailstore_commit(s, &err), 0);
	mailstore_free(s);
	s = open_store();
	assert_true(mailstore_has_bounce(s)); /* known again before the first composition */
	assert_int_equal(tell(s, rows.bodies[0], &err), 0); /* repeated all the same */
	assert_int_equal(tell(s, 999999, &err), 0); /* it has gone meanwhile: nobody wants to hear of it */
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_false(mailstore_has_bounce(s));
	assert_int_equal(test_folder_count("Maildir/new", "Return-Path: <>\nSubject: late"), 1);
	assert_int_equal(queue_told(mailstore_queue(s), &told, &err), 0);
	assert_true(told > rows.bodies[0] && told <= rows.bodies[rows.count - 1]);
	assert_int_equal(tell(s, rows.bodies[rows.count - 1], &err), 0); /* the other message is another matter */
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_int_equal(test_folder_count("Maildir/new", "Return-Path: <>\nSubject: late"), 2);
	mailstore_free(s);
}

static int
notice(struct mailstore *s, uint64_t pin, struct error *err)
{
	struct record r = { .type = RECORD_NOTICE, .arrival_ms = 1700000000000, .reverse_path = slice_of_string(""), .item = pin };
	return mailstore_bounce(s, &r, BODY_BORROWED(slice_of_string("Subject: held\r\n\r\n")), err);
}

static void
a_changed_key_is_told_once(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct mailstore *s = open_store();
	struct pins *pins = queue_pins(mailstore_queue(s));
	struct pin pin;
	assert_int_equal(pins_use(pins, "b.onion", "aaaaaaaa", true, 0, 1, &err), 0);
	assert_int_equal(pins_violated(pins, "b.onion", "bbbbbbbb", 2, &err), 0);
	assert_int_equal(pins_next_untold(pins, &pin, &err), 1);
	assert_int_equal(notice(s, pin.id, &err), 0);
	assert_int_equal(mailstore_commit(s, &err), 0);
	mailstore_free(s);
	s = open_store();
	assert_true(mailstore_has_bounce(s)); /* known again before the first composition */
	assert_int_equal(notice(s, pin.id, &err), 0); /* repeated all the same */
	assert_int_equal(notice(s, pin.id + 1, &err), 0); /* forgotten meanwhile */
	assert_int_equal(mailstore_commit(s, &err), 0);
	process_all(s);
	assert_false(mailstore_has_bounce(s));
	assert_int_equal(test_folder_count("Maildir/new", "Return-Path: <>\nSubject: held"), 1);
	assert_int_equal(pins_next_untold(queue_pins(mailstore_queue(s)), &pin, &err), 0);
	mailstore_free(s);
}

static int
tell_once(void *context, const struct record *record, bool *is_news, struct error *err)
{
	struct mailstore *s = context;
	(void)err;
	assert_true(record->item == 7 && slice_is(record->positions, "word"));
	assert_int_equal(database_run(mailstore_database(s), "UPDATE state SET told = told + 1 WHERE told = 0", err), 0);
	*is_news = database_changes(mailstore_database(s)) == 1;
	return 0;
}

static void
other_news_is_told_once(void **state)
{
	(void)state;
	struct error err = { 0 };
	for (int i = 0; i < 2; i++) { /* at first nobody is there who would know of it */
		struct mailstore *s = open_store();
		struct record r = { .type = RECORD_NOTICE, .arrival_ms = 1700000000000, .reverse_path = slice_of_string(""), .item = 7,
			.positions = slice_of_string("word") };
		if (i == 1)
			mailstore_set_tell(s, tell_once, s);
		for (int n = 0; n < 2; n++)
			assert_int_equal(mailstore_bounce(s, &r, BODY_BORROWED(slice_of_string("Subject: news\r\n\r\n")), &err), 0);
		assert_int_equal(mailstore_commit(s, &err), 0);
		process_all(s);
		assert_int_equal(test_folder_count("Maildir/new", "Return-Path: <>\nSubject: news"), i);
		mailstore_free(s);
	}
}

int
main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_message_comes_into_the_mailbox_once),
		IN_FOLDER(answers_carry_the_ids_that_their_owner_wrote),
		IN_FOLDER(more_than_a_group_is_processed),
		IN_FOLDER(a_missing_database_is_not_made_anew),
		IN_FOLDER(a_message_is_queued_for_each_destination),
		IN_FOLDER(no_space_refuses_and_changes_nothing),
		IN_FOLDER(a_bounce_is_published_once),
		IN_FOLDER(a_delay_is_told_once),
		IN_FOLDER(a_changed_key_is_told_once),
		IN_FOLDER(other_news_is_told_once),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
