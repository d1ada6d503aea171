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

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/test_mailstore.h"

#define MESSAGES 6

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
work(int report, bool threads)
{
	struct error err = { 0 };
	struct mailstore *s;
	char body[64];
	if (mailstore_open(&schedule, &s, &err) != 0 || (threads && mailstore_start_threads(s, &err) != 0))
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
		if (commit(s, &err) != 0)
			_exit(5);
		const char done[] = { (char)i, (char)(i + 1) };
		if (write(report, done, sizeof done) != (ssize_t)sizeof done)
			_exit(6);
		if (process(s, &err) < 0)
			_exit(7);
	}
	if (threads)
		mailstore_stop_threads(s);
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

enum child { WORKS, WORKS_WITH_THREADS, RECOVERS };

/* Runs a child that is killed after this many steps; true when it came to its end before. */
static bool
run_child(enum child kind, unsigned steps, char acknowledged[MESSAGES])
{
	int report[2], status;
	char k;
	assert_int_equal(pipe(report), 0);
	pid_t child = fork();
	if (child == 0) {
		close(report[0]);
		steps_left = steps;
		mailstore_on_step = die_when_it_is_time;
		if (kind == RECOVERS)
			recover();
		work(report[1], kind == WORKS_WITH_THREADS);
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
kill_anywhere(enum child kind, void **state)
{
	bool finished = false;
	for (unsigned steps = 0; !finished; steps++) {
		char acknowledged[MESSAGES] = { 0 };
		finished = run_child(kind, steps, acknowledged);
		check_all(acknowledged);
		assert_true(steps < 1000);
		assert_int_equal(leave(state), 0);
		assert_int_equal(enter(state), 0);
	}
}

static void
nothing_is_lost_or_doubled_by_a_kill_anywhere(void **state)
{
	kill_anywhere(WORKS, state);
}

static void
nor_while_threads_wait_for_the_disk(void **state)
{
	kill_anywhere(WORKS_WITH_THREADS, state);
}

static void
nor_by_kills_while_it_recovers(void **state)
{
	bool finished = false;
	for (unsigned steps = 5; !finished; steps += 3) {
		char acknowledged[MESSAGES] = { 0 };
		finished = run_child(WORKS, steps, acknowledged);
		for (unsigned again = 0; !run_child(RECOVERS, again, acknowledged); again++)
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
		IN_FOLDER(nothing_is_lost_or_doubled_by_a_kill_anywhere),
		IN_FOLDER(nor_while_threads_wait_for_the_disk),
		IN_FOLDER(nor_by_kills_while_it_recovers),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
