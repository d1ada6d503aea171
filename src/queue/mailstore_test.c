/* SPDX-License-Identifier: ISC
 *
 * A process is killed after each step of accepting and publishing, and again while it recovers: nothing that was
 * acknowledged may be lost, and nothing may be there twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/test_folder.h"
#include "ipc/pack.h"
#include "queue/mailstore.h"
#include "store/journal.h"

#define MESSAGES 6
#define DESTINATION "bob.onion"

static const struct schedule schedule = { 30000, 4 * 3600 * 1000, 7 * 24 * 3600 * (int64_t)1000 };

static int
enter(void **state)
{
	(void)state;
	return mkdir("mail", 0700) != 0 || chdir("mail") != 0 ? -1 : 0;
}

static int
leave(void **state)
{
	(void)state;
	return chdir("..") != 0 ? -1 : file_remove_tree(AT_FDCWD, "mail", NULL);
}

static struct mailstore *
open_store(void)
{
	struct error err = { 0 };
	struct mailstore *s;
	if (mailstore_open(&schedule, &s, &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

static void
pack(struct buffer *list, const char *recipient)
{
	buffer_init(list, 1000);
	assert_int_equal(pack_string(list, slice_of_string(recipient), NULL), 0);
}

static struct slice
bytes_of(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

static int
receive(struct mailstore *s, const char *body, struct error *err)
{
	struct buffer recipients;
	pack(&recipients, "alice@own.onion");
	struct record r = { .type = RECORD_RECEIVED, .arrival_ms = 1700000000000,
		.reverse_path = slice_of_string("bob@" DESTINATION), .recipients = bytes_of(&recipients) };
	int result = record_hash(r.reverse_path, r.recipients, BODY_BORROWED(slice_of_string(body)), r.hash, err);
	if (result == 0)
		result = mailstore_receive(s, &r, BODY_BORROWED(slice_of_string(body)), err);
	buffer_finish(&recipients);
	return result;
}

/* To two destinations and the own mailbox. ids: what the message was given, for ids_keep(). */
static int
submit_with_ids(struct mailstore *s, const char *body, const char *ids, struct error *err)
{
	struct buffer recipients, destinations;
	pack(&recipients, "bob@" DESTINATION);
	buffer_init(&destinations, 1000);
	static const char *const onions[] = { DESTINATION, "carol.onion", "" };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(record_add_destination(&destinations, slice_of_string(onions[i]), bytes_of(&recipients), err), 0);
	struct record r = { .type = RECORD_SUBMITTED, .arrival_ms = 1700000000000,
		.ids = slice_of_string(ids), .reverse_path = slice_of_string("alice@own.onion"),
		.destinations = bytes_of(&destinations) };
	int result = mailstore_submit(s, &r, BODY_BORROWED(slice_of_string(body)), err);
	buffer_finish(&recipients);
	buffer_finish(&destinations);
	return result;
}

static int
submit(struct mailstore *s, const char *body, struct error *err)
{
	return submit_with_ids(s, body, "", err);
}

static void
process_all(struct mailstore *s)
{
	struct error err = { 0 };
	int more;
	while ((more = mailstore_process(s, &err)) == 1)
		;
	if (more != 0 || mailstore_settle(s, &err) != 0)
		fail_msg("%s", err.text);
}

/* ---- without crashes */

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
		assert_int_equal(queue_result(mailstore_queue(s), onions[i], &item, bytes_of(&results), mailstore_now_ms(s), 0,
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
		.item = b->item, .positions = bytes_of(&b->positions) };
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
	struct slice failures = bytes_of(&b.failures), recipient;
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

/* ---- with crashes */

static unsigned steps_left;

static void
die_when_it_is_time(enum mailstore_step step)
{
	(void)step;
	if (steps_left-- == 0)
		kill(getpid(), SIGKILL);
}

static void
body_of(int i, bool is_submitted, char out[64])
{
	snprintf(out, 64, "Subject: %s %c\r\n%s\r\n", is_submitted ? "sent" : "received", 'a' + i,
	    is_submitted ? "Message-ID: <outer@x>\r\n" : "");
}

/* In the child: takes messages in, two at a time, and says through the pipe which are acknowledged. */
static void
work(int report)
{
	struct error err = { 0 };
	struct mailstore *s;
	char body[64];
	if (mailstore_open(&schedule, &s, &err) != 0)
		_exit(2);
	for (int i = 0; i < MESSAGES; i += 2) {
		for (int k = i; k < i + 2; k++) {
			body_of(k, false, body);
			for (int time = 0; time < 2; time++)
				if (receive(s, body, &err) != 0)
					_exit(3);
			body_of(k, true, body);
			if (submit_with_ids(s, body, "<outer@x> <inner@x>\n", &err) != 0)
				_exit(4);
		}
		if (mailstore_commit(s, &err) != 0)
			_exit(5);
		const char done[] = { (char)i, (char)(i + 1) };
		if (write(report, done, sizeof done) != (ssize_t)sizeof done)
			_exit(6);
		if (mailstore_process(s, &err) < 0)
			_exit(7);
	}
	if (mailstore_settle(s, &err) != 0)
		_exit(8);
	_exit(0);
}

static void
recover(void)
{
	struct error err = { 0 };
	struct mailstore *s;
	if (mailstore_open(&schedule, &s, &err) != 0)
		_exit(2);
	while (mailstore_process(s, &err) == 1)
		;
	_exit(mailstore_settle(s, &err) == 0 ? 0 : 3);
}

/* Runs a child that is killed after this many steps; true when it came to its end before. */
static bool
run_child(bool recovers, unsigned steps, char acknowledged[MESSAGES])
{
	int report[2], status;
	char k;
	assert_int_equal(pipe(report), 0);
	pid_t child = fork();
	if (child == 0) {
		close(report[0]);
		steps_left = steps;
		mailstore_on_step = die_when_it_is_time;
		if (recovers)
			recover();
		work(report[1]);
	}
	close(report[1]);
	while (read(report[0], &k, 1) == 1)
		acknowledged[(int)k] = 1;
	close(report[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		return false;
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

static void
check_all(const char acknowledged[MESSAGES])
{
	char body[64], text[64];
	struct error err = { 0 };
	uint64_t items, sent = 0;
	struct mailstore *s = open_store();
	process_all(s);
	for (int i = 0; i < MESSAGES; i++)
		for (int is_submitted = 0; is_submitted < 2; is_submitted++) {
			body_of(i, is_submitted, body);
			snprintf(text, sizeof text, "%.*s\n%s", (int)strcspn(body, "\r"), body, is_submitted ? "Message-ID: <inner@x>\n" : "");
			size_t copies = test_folder_count("Maildir/new", text);
			if (copies > 1 || (copies == 0 && acknowledged[i]))
				fail_msg("message %d, submitted %d: %zu copies, acknowledged %d", i, is_submitted, copies, acknowledged[i]);
			if (is_submitted) {
				assert_int_equal(test_folder_count("queue", body), copies); /* as a whole or not at all */
				sent += copies;
			}
		}
	assert_int_equal(queue_count(mailstore_queue(s), &items, &err), 0);
	assert_int_equal(items, sent * 2);
	assert_int_equal(test_folder_count("staging", NULL), 0);
	assert_int_equal(test_folder_count("queue", NULL), sent);
	mailstore_free(s);
}

static void
nothing_is_lost_or_doubled_by_a_kill_anywhere(void **state)
{
	bool finished = false;
	for (unsigned steps = 0; !finished; steps++) {
		char acknowledged[MESSAGES] = { 0 };
		finished = run_child(false, steps, acknowledged);
		check_all(acknowledged);
		assert_true(steps < 1000);
		assert_int_equal(leave(state), 0);
		assert_int_equal(enter(state), 0);
	}
}

static void
nor_by_kills_while_it_recovers(void **state)
{
	bool finished = false;
	for (unsigned steps = 5; !finished; steps += 3) {
		char acknowledged[MESSAGES] = { 0 };
		finished = run_child(false, steps, acknowledged);
		for (unsigned again = 0; !run_child(true, again, acknowledged); again++)
			assert_true(again < 1000);
		check_all(acknowledged);
		assert_int_equal(leave(state), 0);
		assert_int_equal(enter(state), 0);
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
		IN_FOLDER(nothing_is_lost_or_doubled_by_a_kill_anywhere),
		IN_FOLDER(nor_by_kills_while_it_recovers),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
