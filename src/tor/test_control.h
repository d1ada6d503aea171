/* SPDX-License-Identifier: ISC
 *
 * What the tests share that talk to tor's control port: the other end of the connection, where the test is tor.
 */
#pragma once

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
#include "base/random.h"
#include "loop/test_round.h"
#include "tor/control.h"

static struct loop *loop;
static struct control *control;
static int tor_fd;

static void
on_control_end(void *context, const struct error *err)
{
	(void)context;
	fail_msg("%s", err->text);
}

/* events is borrowed until disconnect_control(). */
static int
connect_control(const struct control_events *events)
{
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		return -1;
	random_init();
	loop = loop_new();
	control = control_new(loop, fds[0], 60000, events, NULL);
	tor_fd = fds[1];
	return 0;
}

static void
disconnect_control(void)
{
	control_free(control);
	loop_free(loop);
	file_close(&tor_fd);
}

static void
settle(void)
{
	test_run_rounds(loop, 10);
}

/* All that was said to tor since. */
static void
tor_hears(const char *expected)
{
	char got[2048];
	settle();
	ssize_t n = read(tor_fd, got, sizeof got - 1);
	got[n > 0 ? n : 0] = '\0';
	assert_string_equal(got, expected);
}

static void
tor_says(const char *text)
{
	assert_int_equal(file_write_all(tor_fd, text, strlen(text), NULL), 0);
	settle();
}
