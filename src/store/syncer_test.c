/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "store/syncer.h"

static int gate[2];

/* Ends when the test writes to the gate. */
static int
wait_for_gate(int fd)
{
	char byte;
	return read(fd, &byte, 1) == 1 ? 0 : -1;
}

static int
fail_with_io(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}

static int
say_which_signals(int fd)
{
	sigset_t blocked;
	(void)fd;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	errno = EINVAL;
	return sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGCHLD) == 1 ? 0 : -1;
}

static struct syncer *
new_syncer(void)
{
	struct error err = { 0 };
	struct syncer *s;
	if (syncer_new(&s, &err) != 0)
		fail_msg("%s", err.text);
	return s;
}

static int
events(const struct syncer *s, int timeout_ms)
{
	struct pollfd p = { syncer_fd(s), POLLIN, 0 };
	return poll(&p, 1, timeout_ms);
}

static void
nobody_waits_while_a_call_is_under_way(void **state)
{
	(void)state;
	int errnum = -1;
	struct syncer *s = new_syncer();
	assert_int_equal(pipe(gate), 0);
	syncer_start(s, wait_for_gate, gate[0]);
	assert_false(syncer_take(s, false, &errnum));
	assert_int_equal(events(s, 0), 0);
	assert_int_equal(write(gate[1], "x", 1), 1);
	assert_int_equal(events(s, -1), 1);
	assert_true(syncer_take(s, false, &errnum));
	assert_int_equal(errnum, 0);
	assert_int_equal(events(s, 0), 0); /* the result was taken */
	syncer_free(s);
	close(gate[0]);
	close(gate[1]);
}

static void
an_error_is_told_once(void **state)
{
	(void)state;
	int errnum = -1;
	struct syncer *s = new_syncer();
	syncer_start(s, fail_with_io, 0);
	assert_true(syncer_take(s, true, &errnum));
	assert_int_equal(errnum, EIO);
	syncer_start(s, fsync, STDIN_FILENO + 1000); /* there is none */
	assert_true(syncer_take(s, true, &errnum));
	assert_int_equal(errnum, EBADF);
	syncer_start(s, say_which_signals, 0);
	assert_true(syncer_take(s, true, &errnum));
	assert_int_equal(errnum, 0); /* signals are blocked there */
	syncer_free(s);
}

static void
the_end_waits_for_what_is_under_way(void **state)
{
	(void)state;
	char byte;
	struct syncer *s = new_syncer();
	assert_int_equal(pipe(gate), 0);
	assert_int_equal(write(gate[1], "x", 1), 1);
	syncer_start(s, wait_for_gate, gate[0]);
	syncer_free(s); /* nobody has taken the result */
	close(gate[1]);
	assert_int_equal(read(gate[0], &byte, 1), 0); /* the call was made */
	close(gate[0]);
	syncer_free(NULL);
	syncer_free(new_syncer()); /* never used */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_while_a_call_is_under_way),
		cmocka_unit_test(an_error_is_told_once),
		cmocka_unit_test(the_end_waits_for_what_is_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
