/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"

static char folder[] = "/tmp/smtorp-notify-XXXXXX";

static int
set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int
listen_on(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	memcpy(address.sun_path, name, len);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'))), 0);
	return fd;
}

static void
tell(const char *name)
{
	char got[64] = "";
	struct notify notify;
	struct error err = { 0 };
	int fd = listen_on(name);
	assert_int_equal(notify_open(&notify, name, &err), 0);
	notify_send(&notify, "READY=1\nSTATUS=well");
	assert_int_equal(recv(fd, got, sizeof got - 1, 0), 19);
	assert_string_equal(got, "READY=1\nSTATUS=well");
	notify_close(&notify);
	close(fd);
}

static void
a_manager_with_a_path_is_told(void **state)
{
	(void)state;
	char path[64];
	snprintf(path, sizeof path, "%s/s", folder);
	tell(path);
	unlink(path);
}

static void
a_manager_with_an_abstract_name_is_told(void **state)
{
	(void)state;
	char name[64];
	snprintf(name, sizeof name, "@smtorp-notify-test-%d", (int)getpid());
	tell(name);
}

static void
nobody_is_told_when_nobody_asked(void **state)
{
	(void)state;
	struct notify notify;
	assert_int_equal(notify_open(&notify, NULL, NULL), 0);
	assert_int_equal(notify.fd, -1);
	assert_int_equal(notify_open(&notify, "", NULL), 0);
	assert_int_equal(notify.fd, -1);
	notify_send(&notify, "READY=1");
	notify_close(&notify);
}

static void
names_of_no_socket_are_refused(void **state)
{
	(void)state;
	char long_name[200];
	struct notify notify;
	struct error err = { 0 };
	memset(long_name, '/', sizeof long_name);
	long_name[108] = '\0';
	const char *const names[] = { "run/notify", "@", "/", "/tmp/there/is/no/such/socket", long_name };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_int_equal(notify_open(&notify, names[i], &err), -1);
		assert_non_null(strstr(err.text, "NOTIFY_SOCKET"));
		assert_int_equal(notify.fd, -1);
	}
}

static void
a_manager_that_went_away_is_no_trouble(void **state)
{
	(void)state;
	char name[64];
	struct notify notify;
	snprintf(name, sizeof name, "@smtorp-notify-test-gone-%d", (int)getpid());
	int fd = listen_on(name);
	assert_int_equal(notify_open(&notify, name, NULL), 0);
	close(fd);
	notify_send(&notify, "STOPPING=1");
	notify_close(&notify);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manager_with_a_path_is_told),
		cmocka_unit_test(a_manager_with_an_abstract_name_is_told),
		cmocka_unit_test(nobody_is_told_when_nobody_asked),
		cmocka_unit_test(names_of_no_socket_are_refused),
		cmocka_unit_test(a_manager_that_went_away_is_no_trouble),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
