/* SPDX-License-Identifier: ISC */
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
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/loop.h"

static struct loop *loop;
static char happened[64]; /* a letter for each callback */
static char letters[][6] = { "a", "b", "r", "z", "never" };
static struct timer *timers[4];
static struct watch *watches[2];
static int refusals; /* of the kernel, to come: it has no room for watches */

int
epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	if (operation == EPOLL_CTL_ADD && refusals > 0) {
		refusals--;
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

static int
start(void **state)
{
	(void)state;
	memset(happened, 0, sizeof happened);
	memset(timers, 0, sizeof timers);
	loop = loop_new();
	return 0;
}

static int
finish(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		timer_free(timers[i]);
	loop_free(loop);
	return 0;
}

static void
note(const char *letter)
{
	assert_true(strlen(happened) + 1 < sizeof happened);
	strcat(happened, letter);
}

static void
on_letter(void *context)
{
	note(context);
	if (strcmp(context, "z") == 0)
		loop_stop(loop);
}

static void
timers_fire_in_the_order_of_their_times(void **state)
{
	(void)state;
	timers[0] = timer_new(loop, on_letter, letters[3]);
	timers[1] = timer_new(loop, on_letter, letters[1]);
	timers[2] = timer_new(loop, on_letter, letters[0]);
	timers[3] = timer_new(loop, on_letter, letters[4]);
	int64_t before_ms = clock_monotonic_ms();
	timer_start(timers[0], 1);
	timer_start(timers[0], 60); /* starting again moves it */
	timer_start(timers[1], 30);
	timer_start(timers[2], 0);
	timer_start(timers[3], 10);
	assert_true(timer_is_running(timers[3]));
	timer_stop(timers[3]);
	assert_false(timer_is_running(timers[3]));
	assert_string_equal(happened, ""); /* never from inside the call that registers */
	loop_run(loop);
	assert_string_equal(happened, "abz");
	assert_true(clock_monotonic_ms() - before_ms >= 60);
	assert_false(timer_is_running(timers[0]));
}

static void
on_suicide(void *context)
{
	(void)context;
	note("s");
	timer_free(timers[0]);
	timer_free(timers[1]);
	timers[0] = timers[1] = NULL;
}

static void
a_timer_may_free_itself_and_others_that_are_due(void **state)
{
	(void)state;
	timers[0] = timer_new(loop, on_suicide, NULL);
	timers[1] = timer_new(loop, on_suicide, NULL); /* due in the same round: must not fire */
	timers[2] = timer_new(loop, on_letter, letters[3]);
	timer_start(timers[0], 0);
	timer_start(timers[1], 0);
	timer_start(timers[2], 20);
	loop_run(loop);
	assert_string_equal(happened, "sz");
}

static void
on_either_readable(void *context)
{
	(void)context;
	note("r");
	watch_free(watches[0]);
	watch_free(watches[1]);
	loop_stop(loop);
}

static void
a_watch_may_free_itself_and_others_that_are_ready(void **state)
{
	(void)state;
	int a[2], b[2];
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	watches[0] = watch_new(loop, a[0], WATCH_READ, on_either_readable, NULL);
	watches[1] = watch_new(loop, b[0], WATCH_READ, on_either_readable, NULL);
	watch_enable(watches[0], true);
	watch_enable(watches[1], true);
	assert_int_equal(write(a[1], "x", 1) + write(b[1], "x", 1), 2);
	loop_run(loop);
	assert_string_equal(happened, "r");
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void
a_watch_is_silent_until_it_is_enabled(void **state)
{
	(void)state;
	int a[2];
	assert_int_equal(pipe(a), 0);
	struct watch *watch = watch_new(loop, a[0], WATCH_READ, on_letter, letters[2]);
	assert_int_equal(write(a[1], "x", 1), 1);
	timers[0] = timer_new(loop, on_letter, letters[3]);
	timer_start(timers[0], 0);
	loop_run(loop);
	assert_string_equal(happened, "z");
	watch_free(watch);
	close(a[0]);
	close(a[1]);
}

static void
a_watch_waits_while_the_kernel_has_no_room(void **state)
{
	(void)state;
	int a[2];
	assert_int_equal(pipe(a), 0);
	assert_int_equal(write(a[1], "x", 1), 1);
	struct watch *watch = watch_new(loop, a[0], WATCH_READ, on_letter, letters[3]);
	refusals = 2;
	watch_enable(watch, true);
	assert_int_equal(refusals, 1);
	loop_run(loop);
	assert_int_equal(refusals, 0);
	assert_string_equal(happened, "z");
	watch_free(watch);
	close(a[0]);
	close(a[1]);
}

/* What it waits for is forgotten with it. */
static void
a_watch_that_waits_for_room_may_be_disabled_and_freed(void **state)
{
	(void)state;
	int a[2];
	assert_int_equal(pipe(a), 0);
	assert_int_equal(write(a[1], "x", 1), 1);
	for (int i = 0; i < 2; i++)
		watches[i] = watch_new(loop, a[0], WATCH_READ, on_letter, letters[2]);
	refusals = 2;
	watch_enable(watches[0], true);
	watch_enable(watches[1], true);
	assert_int_equal(refusals, 0);
	watch_enable(watches[0], false);
	watch_free(watches[1]);
	timers[0] = timer_new(loop, on_letter, letters[3]);
	timer_start(timers[0], 300); /* longer than it waits */
	loop_run(loop);
	assert_string_equal(happened, "z");
	watch_free(watches[0]);
	close(a[0]);
	close(a[1]);
}

static void
signals_become_callbacks(void **state)
{
	(void)state;
	loop_on_signal(loop, SIGUSR1, on_letter, letters[3]);
	raise(SIGUSR1);
	loop_run(loop);
	assert_string_equal(happened, "z");
}

/* ---- listeners */

static struct listener *listener;
static int accepted, stop_after, free_after;

static int
listen_somewhere(struct sockaddr_un *address)
{
	static int count;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* abstract: leaves no file behind */
	snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "loop-test-%d-%d", (int)getpid(), count++);
	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
	assert_int_equal(listen(fd, 100), 0);
	return fd;
}

static void
on_accept(void *context, int fd)
{
	(void)context;
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	if (++accepted == free_after) {
		listener_free(listener);
		listener = NULL;
	}
	if (accepted == stop_after)
		loop_stop(loop);
}

static void
accept_some(int connections, int stop, int release)
{
	struct sockaddr_un address;
	int clients[100];
	int fd = listen_somewhere(&address);
	accepted = 0;
	stop_after = stop;
	free_after = release;
	for (int i = 0; i < connections; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&address, sizeof address), 0);
	}
	listener = listener_new(loop, fd, on_accept, NULL);
	loop_run(loop);
	listener_free(listener);
	assert_int_equal(accepted, stop);
	for (int i = 0; i < connections; i++)
		close(clients[i]);
}

static void
accepts_all_that_wait(void **state)
{
	(void)state;
	accept_some(60, 60, 0);
}

static void
a_listener_may_be_freed_while_it_accepts(void **state)
{
	(void)state;
	accept_some(10, 3, 3);
}

static void
on_give_descriptors_back(void *context)
{
	note("g");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, context), 0);
}

static void
a_listener_waits_when_descriptors_run_out(void **state)
{
	(void)state;
	const char *preloaded = getenv("LD_PRELOAD");
	if (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL)
		return; /* valgrind keeps limits of its own, and the loop would wait for ever */
	struct sockaddr_un address;
	struct rlimit usual;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	accepted = free_after = 0;
	stop_after = 1;
	listener = listener_new(loop, listen_somewhere(&address), on_accept, NULL);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
	struct rlimit none_left = { (rlim_t)client + 1, usual.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
	timers[0] = timer_new(loop, on_give_descriptors_back, &usual);
	timer_start(timers[0], 300);
	struct rusage before, after;
	getrusage(RUSAGE_SELF, &before);
	loop_run(loop);
	getrusage(RUSAGE_SELF, &after);
	assert_string_equal(happened, "g");
	assert_int_equal(accepted, 1);
	/* it slept: a spinning loop would have burnt most of a second */
	int64_t burnt_us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec -
	    before.ru_stime.tv_sec) * INT64_C(1000000) + after.ru_utime.tv_usec - before.ru_utime.tv_usec +
	    after.ru_stime.tv_usec - before.ru_stime.tv_usec;
	assert_true(burnt_us < 200000);
	listener_free(listener);
	close(client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timers_fire_in_the_order_of_their_times, start, finish),
		cmocka_unit_test_setup_teardown(a_timer_may_free_itself_and_others_that_are_due, start, finish),
		cmocka_unit_test_setup_teardown(a_watch_may_free_itself_and_others_that_are_ready, start, finish),
		cmocka_unit_test_setup_teardown(a_watch_is_silent_until_it_is_enabled, start, finish),
		cmocka_unit_test_setup_teardown(a_watch_waits_while_the_kernel_has_no_room, start, finish),
		cmocka_unit_test_setup_teardown(a_watch_that_waits_for_room_may_be_disabled_and_freed, start, finish),
		cmocka_unit_test_setup_teardown(signals_become_callbacks, start, finish),
		cmocka_unit_test_setup_teardown(accepts_all_that_wait, start, finish),
		cmocka_unit_test_setup_teardown(a_listener_may_be_freed_while_it_accepts, start, finish),
		cmocka_unit_test_setup_teardown(a_listener_waits_when_descriptors_run_out, start, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
