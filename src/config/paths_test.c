/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/paths.h"

#define LONG_HOME "/home/alice/a/folder/with/quite/a/long/name/for/a/socket"

/* NULL: not set. A runtime of "/tmp/smtorp-" stands for the folder with the hash. */
static const struct {
	const char *option, *home_variable, *home, *xdg_config, *xdg_data, *xdg_runtime;
	const char *config_file, *data, *runtime;
} places[] = {
	{ "/n", NULL, NULL, NULL, NULL, NULL, "/n/smtorp.conf", "/n", "/n/run" },
	{ "/n/./x//", "/other", NULL, NULL, NULL, "/run/user/7", "/n/x/smtorp.conf", "/n/x", "/n/x/run" },
	{ NULL, "/n", "/home/alice", NULL, NULL, "/run/user/7", "/n/smtorp.conf", "/n", "/n/run" },
	{ "n", NULL, NULL, NULL, NULL, NULL, "/tmp/n/smtorp.conf", "/tmp/n", "/tmp/n/run" },
	{ NULL, NULL, "/home/alice", NULL, NULL, "/run/user/7", "/home/alice/.config/smtorp/smtorp.conf",
	    "/home/alice/.local/share/smtorp", "/run/user/7/smtorp" },
	{ NULL, "", "/home/alice", "/c", "/d", NULL, "/c/smtorp/smtorp.conf", "/d/smtorp", "/d/smtorp/run" },
	{ NULL, NULL, "/home/alice", "relative", "relative", "relative", "/home/alice/.config/smtorp/smtorp.conf",
	    "/home/alice/.local/share/smtorp", "/home/alice/.local/share/smtorp/run" },
	{ "/var/lib//smtorp/", NULL, NULL, NULL, NULL, "/run/user/7", "/etc/smtorp/smtorp.conf", "/var/lib/smtorp",
	    "/run/smtorp" },
	{ NULL, "/var/lib/smtorp", "/home/alice", "/c", "/d", NULL, "/etc/smtorp/smtorp.conf", "/var/lib/smtorp",
	    "/run/smtorp" },
	{ "/var/lib/smtorp/x", NULL, NULL, NULL, NULL, NULL, "/var/lib/smtorp/x/smtorp.conf", "/var/lib/smtorp/x",
	    "/var/lib/smtorp/x/run" },
	{ LONG_HOME, NULL, NULL, NULL, NULL, NULL, LONG_HOME "/smtorp.conf", LONG_HOME, "/tmp/smtorp-" },
	{ "/a b", NULL, NULL, NULL, NULL, NULL, "/a b/smtorp.conf", "/a b", "/tmp/smtorp-" },
};

static void
set(const char *variable, const char *value)
{
	if (value == NULL)
		unsetenv(variable);
	else
		setenv(variable, value, 1);
}

static void
files_are_where_the_header_says(void **state)
{
	(void)state;
	assert_int_equal(chdir("/tmp"), 0);
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		struct paths paths;
		set("SMTORP_HOME", places[i].home_variable);
		set("HOME", places[i].home);
		set("XDG_CONFIG_HOME", places[i].xdg_config);
		set("XDG_DATA_HOME", places[i].xdg_data);
		set("XDG_RUNTIME_DIR", places[i].xdg_runtime);
		assert_int_equal(paths_resolve(places[i].option, &paths, NULL), 0);
		assert_string_equal(paths.config_file, places[i].config_file);
		assert_string_equal(paths.data, places[i].data);
		assert_true(strlen(paths.runtime) <= PATHS_RUNTIME_MAX);
		if (strcmp(places[i].runtime, "/tmp/smtorp-") == 0)
			assert_memory_equal(paths.runtime, "/tmp/smtorp-", 12);
		else
			assert_string_equal(paths.runtime, places[i].runtime);
	}
}

static void
long_homes_have_runtime_folders_of_their_own(void **state)
{
	(void)state;
	struct paths one, other, again;
	assert_int_equal(paths_resolve(LONG_HOME "/1", &one, NULL), 0);
	assert_int_equal(paths_resolve(LONG_HOME "/2", &other, NULL), 0);
	assert_int_equal(paths_resolve(LONG_HOME "/./1/", &again, NULL), 0);
	assert_string_not_equal(one.runtime, other.runtime);
	assert_string_equal(one.runtime, again.runtime);
}

static void
the_system_s_node_is_started_by_systemd(void **state)
{
	(void)state;
	struct paths paths;
	assert_int_equal(paths_resolve(PATHS_SYSTEM_HOME, &paths, NULL), 0);
	assert_string_equal(paths_start_command(&paths), "systemctl start smtorp");
	assert_int_equal(paths_resolve("/home/alice/node", &paths, NULL), 0);
	assert_string_equal(paths_start_command(&paths), "smtorp up");
}

static void
without_any_home_the_error_says_what_to_do(void **state)
{
	(void)state;
	struct paths paths;
	struct error err = { 0 };
	unsetenv("SMTORP_HOME");
	unsetenv("HOME");
	unsetenv("XDG_CONFIG_HOME");
	assert_int_equal(paths_resolve(NULL, &paths, &err), -1);
	assert_non_null(strstr(err.text, "--home"));
}

static void
too_long_and_odd_names_are_refused(void **state)
{
	(void)state;
	struct paths paths;
	struct error err = { 0 };
	char name[PATHS_MAX + 1] = "/";
	memset(name + 1, 'a', PATHS_MAX - 1);
	assert_int_equal(paths_resolve(name, &paths, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	assert_int_equal(paths_resolve("/a\nb", &paths, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_where_the_header_says),
		cmocka_unit_test(long_homes_have_runtime_folders_of_their_own),
		cmocka_unit_test(the_system_s_node_is_started_by_systemd),
		cmocka_unit_test(without_any_home_the_error_says_what_to_do),
		cmocka_unit_test(too_long_and_odd_names_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
