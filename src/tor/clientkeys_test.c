/* SPDX-License-Identifier: ISC
 *
 * Which keys tor is given, and who may use them. (With a real tor: tests/system/test_presence.py.)
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
#include "base/random.h"
#include "tor/clientkeys.h"

#define NAME "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "eaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ADD_A "ONION_CLIENT_AUTH_ADD " NAME " x25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"
#define ADD_B "ONION_CLIENT_AUTH_ADD " NAME " x25519:IAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n"
#define REMOVE "ONION_CLIENT_AUTH_REMOVE " NAME "\r\n"

static struct loop *loop;
static struct timer *pause_timer;
static struct control *control;
static struct clientkeys *keys;
static struct access_list *access_a, *access_b;
static int tor_fd;

static void
on_event(void *context, const struct control_reply *event)
{
	(void)context;
	(void)event;
}

static void
on_end(void *context, const struct error *err)
{
	(void)context;
	fail_msg("%s", err->text);
}

static void
on_pause(void *context)
{
	(void)context;
	loop_stop(loop);
}

static struct access_list *
make_access(const char *text)
{
	struct access_list *list = access_new();
	assert_int_equal(access_parse(slice_of_string(text), list, NULL), 0);
	return list;
}

static int
set_up(void **state)
{
	(void)state;
	static const struct control_events events = { on_event, on_end };
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		return -1;
	random_init();
	loop = loop_new();
	pause_timer = timer_new(loop, on_pause, NULL);
	control = control_new(loop, fds[0], 60000, &events, NULL);
	keys = clientkeys_new(control);
	tor_fd = fds[1];
	access_a = make_access("key = " NAME ":descriptor:x25519:" KEY_A "\n");
	access_b = make_access("key = " NAME ":descriptor:x25519:" KEY_B "\n");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	access_free(access_a);
	access_free(access_b);
	clientkeys_free(keys);
	control_free(control);
	timer_free(pause_timer);
	loop_free(loop);
	file_close(&tor_fd);
	return 0;
}

static void
tor_hears(const char *expected)
{
	char got[2048];
	for (int i = 0; i < 10; i++) {
		timer_start(pause_timer, 0);
		loop_run(loop);
	}
	ssize_t n = read(tor_fd, got, sizeof got - 1);
	got[n > 0 ? n : 0] = '\0';
	assert_string_equal(got, expected);
	if (n > 0)
		assert_int_equal(file_write_all(tor_fd, "250 OK\r\n", 8, NULL), 0);
}

static void
only_who_has_a_key_may_dial(void **state)
{
	(void)state;
	assert_true(clientkeys_may_dial(keys, "home", NAME ".onion"));
	assert_int_equal(clientkeys_set(keys, "work", access_a, NULL), 0);
	tor_hears(ADD_A);
	assert_true(clientkeys_may_dial(keys, "work", NAME ".onion"));
	assert_false(clientkeys_may_dial(keys, "home", NAME ".onion"));
	assert_true(clientkeys_may_dial(keys, "home", KEY_A "aaaa.onion"));
}

static void
a_key_that_nobody_has_is_taken_back(void **state)
{
	(void)state;
	assert_int_equal(clientkeys_set(keys, "work", access_a, NULL), 0);
	tor_hears(ADD_A);
	assert_int_equal(clientkeys_set(keys, "work", NULL, NULL), 0);
	tor_hears(REMOVE);
	assert_true(clientkeys_may_dial(keys, "home", NAME));
	assert_int_equal(clientkeys_set(keys, "work", NULL, NULL), 0);
	tor_hears("");
}

static void
the_key_of_another_takes_its_place(void **state)
{
	(void)state;
	assert_int_equal(clientkeys_set(keys, "work", access_a, NULL), 0);
	tor_hears(ADD_A);
	assert_int_equal(clientkeys_set(keys, "home", access_b, NULL), 0);
	tor_hears(ADD_B);
	assert_int_equal(clientkeys_set(keys, "home", NULL, NULL), 0);
	tor_hears(ADD_A);
	assert_false(clientkeys_may_dial(keys, "home", NAME));
	assert_true(clientkeys_may_dial(keys, "work", NAME));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_who_has_a_key_may_dial),
		TEST(a_key_that_nobody_has_is_taken_back),
		TEST(the_key_of_another_takes_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
