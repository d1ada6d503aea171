/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tor/torrc.h"

static struct buffer out;

static int
set_up(void **state)
{
	(void)state;
	buffer_init(&out, 65536);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	buffer_finish(&out);
	return 0;
}

static const char *
text(void)
{
	assert_int_equal(buffer_append(&out, "", 1, NULL), 0);
	return (const char *)buffer_bytes(&out);
}

static void
paths_are_quoted_for_tor(void **state)
{
	(void)state;
	assert_int_equal(torrc_write("/home/al ice/#1 \"x\"\\/tor", "/run/a b/#\"\\\n", &out, NULL), 0);
	const char *torrc = text();
	assert_non_null(strstr(torrc, "DataDirectory \"/home/al ice/#1 \\\"x\\\"\\\\/tor\"\n"));
	assert_non_null(strstr(torrc, "SocksPort \"unix:\\\"/run/a b/#\\\\\\\"\\\\\\\\\\\\x0a\\\" IsolateSOCKSAuth "
	    "ExtendedErrors OnionTrafficOnly\"\n"));
}

static void
opens_no_control_port(void **state)
{
	(void)state;
	assert_int_equal(torrc_write("/d", "/s", &out, NULL), 0);
	assert_non_null(strstr(text(), "\nControlPort 0\n"));
}

static void
paths_must_be_absolute_and_short(void **state)
{
	(void)state;
	struct error err = { 0 };
	char long_path[200];
	memset(long_path, 'x', sizeof long_path);
	long_path[0] = '/';
	long_path[108] = '\0';
	assert_int_equal(torrc_write("d", "/s", &out, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(torrc_write("/d", "s", &out, &err), -1);
	assert_int_equal(torrc_write("/d", long_path, &out, &err), -1);
	assert_int_equal(buffer_len(&out), 0);
	long_path[107] = '\0';
	assert_int_equal(torrc_write("/d", long_path, &out, &err), 0);
}

static void
an_extra_line_stays_one_line(void **state)
{
	(void)state;
	struct error err = { 0 };
	static const char *const bad[] = { "A 1\nB 2", "A 1\rB", "A 1\\", "A \x01", "A \x7f" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(torrc_add_line(bad[i], &out, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
	assert_int_equal(torrc_add_line("TestingTorNetwork 1", &out, &err), 0);
	assert_int_equal(torrc_add_line("ContactInfo \"a\\\\b\" # \t comment", &out, &err), 0);
	assert_string_equal(text(), "TestingTorNetwork 1\nContactInfo \"a\\\\b\" # \t comment\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(paths_are_quoted_for_tor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(opens_no_control_port, set_up, tear_down),
		cmocka_unit_test_setup_teardown(paths_must_be_absolute_and_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_extra_line_stays_one_line, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
