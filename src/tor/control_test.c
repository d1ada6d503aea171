/* SPDX-License-Identifier: ISC
 *
 * What a real tor does not do for a test: talk nonsense, hang, end in the middle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "tor/control.h"

static struct loop *loop;
static struct timer *deadline;
static struct control *control;
static int tor_fd;
static char told[1024]; /* everything that the callbacks heard */
static enum error_code end_code;
static unsigned ends;

static void
note(const char *who, const struct control_reply *r)
{
	struct slice text = control_reply_text(r, 0);
	size_t used = strlen(told);
	snprintf(told + used, sizeof told - used, "%s %u %.*s\n", who, r->code, (int)text.len, (const char *)text.data);
}

static void
on_event(void *context, const struct control_reply *event)
{
	(void)context;
	note("event", event);
}

static void
on_end(void *context, const struct error *err)
{
	(void)context;
	end_code = err->code;
	ends++;
	loop_stop(loop);
}

static void
on_deadline(void *context)
{
	(void)context;
	loop_stop(loop);
}

static void
on_answer(void *context, const struct control_reply *answer)
{
	note(context, answer);
}

static void
on_last_answer(void *context, const struct control_reply *answer)
{
	note(context, answer);
	loop_stop(loop);
}

static void
on_answer_that_asks(void *context, const struct control_reply *answer)
{
	note(context, answer);
	static char again[] = "again";
	assert_int_equal(control_send(control, slice_of_string("AGAIN"), on_last_answer, again, NULL), 0);
}

static const struct control_events events = { on_event, on_end };

static int
set_up(void **state)
{
	(void)state;
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return -1;
	loop = loop_new();
	deadline = timer_new(loop, on_deadline, NULL);
	control = control_new(loop, fds[0], 60000, &events, NULL);
	tor_fd = fds[1];
	told[0] = '\0';
	ends = 0;
	end_code = ERROR_NONE;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	control_free(control);
	timer_free(deadline);
	loop_free(loop);
	file_close(&tor_fd);
	return 0;
}

static void
ask(const char *command, control_callback *callback, const char *name)
{
	assert_int_equal(control_send(control, slice_of_string(command), callback, (void *)(uintptr_t)name, NULL), 0);
}

static void
run(void)
{
	timer_start(deadline, 20000);
	loop_run(loop);
	assert_true(timer_is_running(deadline));
	timer_stop(deadline);
}

/* One round of the loop or a few, so that commands go out. */
static void
run_once(void)
{
	timer_start(deadline, 0);
	loop_run(loop);
}

static void
tor_says(const char *text)
{
	assert_int_equal(file_write_all(tor_fd, text, strlen(text), NULL), 0);
}

static void
answers_belong_to_commands_in_order(void **state)
{
	(void)state;
	char got[64];
	ask("ONE", on_answer, "one");
	ask("TWO", NULL, NULL);
	ask("THREE", on_last_answer, "three");
	run_once();
	run_once();
	ssize_t n = read(tor_fd, got, sizeof got);
	assert_int_equal(n, 17);
	assert_memory_equal(got, "ONE\r\nTWO\r\nTHREE\r\n", 17);
	tor_says("650 EVENT a\r\n250-first\r\n250 OK\r\n650 EVENT b\r\n552 no\r\n250 third\r\n");
	run();
	assert_string_equal(told, "event 650 EVENT a\none 250 first\nevent 650 EVENT b\nthree 250 third\n");
	assert_int_equal(ends, 0);
}

static void
an_answer_may_ask_again(void **state)
{
	(void)state;
	ask("ONE", on_answer_that_asks, "one");
	run_once();
	tor_says("250 a\r\n");
	run_once();
	run_once();
	tor_says("250 b\r\n");
	run();
	assert_string_equal(told, "one 250 a\nagain 250 b\n");
}

static void
nonsense_ends_the_connection(void **state)
{
	(void)state;
	static const char *const nonsense[] = {
		"250 nobody asked\r\n", "hello\r\n", "250 OK\n", "650-EVENT\r\n250 OK\r\n",
	};
	for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
		if (i > 0)
			set_up(NULL);
		tor_says(nonsense[i]);
		run();
		assert_int_equal(ends, 1);
		assert_int_equal(end_code, ERROR_PROTOCOL);
		assert_string_equal(told, "");
		if (i + 1 < sizeof nonsense / sizeof nonsense[0])
			tear_down(NULL);
	}
}

static void
the_end_of_tor_fires_once_and_no_answer_after_it(void **state)
{
	(void)state;
	struct error err = { 0 };
	ask("ONE", on_answer, "one");
	ask("TWO", on_answer, "two");
	run_once();
	tor_says("250 a\r\n250 half");
	file_close(&tor_fd);
	run();
	assert_string_equal(told, "one 250 a\n");
	assert_int_equal(ends, 1);
	assert_true(end_code == ERROR_CLOSED);
	assert_int_equal(control_send(control, slice_of_string("X"), NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERROR_CLOSED);
}

static void
a_tor_that_does_not_answer_is_given_up(void **state)
{
	(void)state;
	int fds[2];
	control_free(control);
	close(tor_fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	tor_fd = fds[1];
	control = control_new(loop, fds[0], 20, &events, NULL);
	tor_says("650 EVENT\r\n");
	ask("ONE", on_answer, "one");
	run();
	assert_int_equal(ends, 1);
	assert_int_equal(end_code, ERROR_TIMEOUT);
}

static void
a_command_is_one_line(void **state)
{
	(void)state;
	struct error err = { 0 };
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = { { "A\r\nB", 4 }, { "A\n", 2 }, { "A\r", 2 }, { "A\0B", 3 } };
	char large[CONTROL_COMMAND_MAX_BYTES + 1];
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(control_send(control, slice_of(bad[i].bytes, bad[i].len), NULL, NULL, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
	memset(large, 'x', sizeof large);
	assert_int_equal(control_send(control, slice_of(large, sizeof large), NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	for (int i = 0; i < CONTROL_QUEUE_MAX; i++)
		ask("X", NULL, NULL);
	assert_int_equal(control_send(control, slice_of_string("X"), NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERROR_BUSY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_belong_to_commands_in_order),
		TEST(an_answer_may_ask_again),
		TEST(nonsense_ends_the_connection),
		TEST(the_end_of_tor_fires_once_and_no_answer_after_it),
		TEST(a_tor_that_does_not_answer_is_given_up),
		TEST(a_command_is_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
