/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/test_folder.h"
#include "config/config.h"

static struct config config; /* large */

static void
write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
a_file_that_is_not_there_gives_the_defaults(void **state)
{
	(void)state;
	memset(&config, 0xff, sizeof config);
	assert_int_equal(config_load("none.conf", &config, NULL), 0);
	assert_int_equal(config.imap.port, 1143);
	assert_int_equal(config.tor_extra.count, 0);
}

static void
a_symbolic_link_is_followed(void **state)
{
	(void)state;
	write_file("real.conf", "imap.listen = 127.0.0.1:7\n");
	assert_int_equal(symlink("real.conf", "link.conf"), 0);
	assert_int_equal(config_load("link.conf", &config, NULL), 0);
	assert_int_equal(config.imap.port, 7);
}

static void
an_error_names_the_file(void **state)
{
	(void)state;
	struct error err = { 0 };
	write_file("wrong.conf", "\nimap.listn = 127.0.0.1:7\n");
	assert_int_equal(config_load("wrong.conf", &config, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_string_equal(err.text, "wrong.conf: line 2: there is no key 'imap.listn'; did you mean 'imap.listen'?");
	assert_int_equal(config_load("..", &config, &err), -1);
	assert_non_null(strstr(err.text, "..: "));
}

/* Takes the '#' away from what it offers ("#key = value"); words behind "# " are comments. */
static void
uncomment(char *text)
{
	for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (line[0] == '#' && line[1] >= 'a' && line[1] <= 'z')
			line[0] = ' ';
	}
}

static void
the_file_we_install_shows_every_key_with_its_default(void **state)
{
	(void)state;
	static struct config expected;
	char path[4096];
	struct buffer text;
	struct error err = { 0 };
	snprintf(path, sizeof path, "%s/doc/smtorp.conf", getenv("SMTORP_SOURCE"));
	buffer_init(&text, 65536);
	assert_int_equal(file_load(AT_FDCWD, path, &text, NULL), 0);
	assert_int_equal(buffer_append(&text, "", 1, NULL), 0);
	char *file = (char *)text.data + text.start;

	config_defaults(&expected);
	assert_int_equal(config_parse(slice_of_string(file), &config, &err), 0);
	assert_memory_equal(&config, &expected, sizeof config);
	uncomment(file);
	for (const char *const *key = config_keys(); *key != NULL; key++) {
		char line[64];
		snprintf(line, sizeof line, "\n %s = ", *key);
		if (strstr(file, line) == NULL)
			fail_msg("%s does not show %s", path, *key);
	}
	if (config_parse(slice_of_string(file), &config, &err) != 0)
		fail_msg("%s", err.text);
	struct config_lines *const examples[] = { &config.tor_bridge, &config.tor_transport, &config.tor_extra };
	for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) { /* there is no default */
		assert_true(examples[i]->count > 0);
		memset(examples[i], 0, sizeof *examples[i]);
	}
	assert_string_equal(config.tor_control, "unix:/run/tor/control");
	assert_string_equal(config.tor_socks, "unix:/run/tor/socks");
	memset(config.tor_control, 0, sizeof config.tor_control);
	memset(config.tor_socks, 0, sizeof config.tor_socks);
	assert_memory_equal(&config, &expected, sizeof config);
	buffer_finish(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_not_there_gives_the_defaults),
		cmocka_unit_test(a_symbolic_link_is_followed),
		cmocka_unit_test(an_error_names_the_file),
		cmocka_unit_test(the_file_we_install_shows_every_key_with_its_default),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
