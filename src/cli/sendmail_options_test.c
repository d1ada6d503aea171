/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/sendmail_options.h"

static void
the_letters_that_programs_use_are_understood(void **state)
{
	(void)state;
	static const struct {
		const char *words[8];
		const char *sender, *home, *first;
		bool takes_recipients;
	} table[] = {
		{ { "a@x" }, NULL, NULL, "a@x", false },
		{ { "-t" }, NULL, NULL, NULL, true },
		{ { "-ti", "-f", "a@x" }, "a@x", NULL, NULL, true },
		{ { "-fa@x", "b@x" }, "a@x", NULL, "b@x", false },
		{ { "-f", "", "b@x" }, "", NULL, "b@x", false },
		{ { "-r", "a@x", "--", "-b@x" }, "a@x", NULL, "-b@x", false },
		{ { "-oem", "-oi", "-f", "a@x", "--", "b@x" }, "a@x", NULL, "b@x", false },
		{ { "-f", "a@x", "-f", "c@x", "b@x" }, "c@x", NULL, "b@x", false },
		{ { "-F", "Alice", "-B8BITMIME", "-N", "never", "b@x" }, NULL, NULL, "b@x", false },
		{ { "-bm", "-i", "-odi", "b@x" }, NULL, NULL, "b@x", false },
		{ { "--home", "/h", "-t" }, NULL, "/h", NULL, true },
		{ { "--home=/h", "b@x" }, NULL, "/h", "b@x", false },
		{ { "-FAlice", "-t" }, NULL, NULL, NULL, true },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char *argv[10] = { (char *)"sendmail" };
		struct sendmail_options options;
		memcpy(argv + 1, table[i].words, sizeof table[i].words);
		assert_int_equal(sendmail_options_parse(argv, &options), 0);
		assert_int_equal(options.takes_recipients, table[i].takes_recipients);
		const char *pairs[][2] = { { options.sender, table[i].sender }, { options.home, table[i].home },
			{ options.recipients[0], table[i].first } };
		for (size_t j = 0; j < 3; j++)
			if ((pairs[j][0] == NULL) != (pairs[j][1] == NULL) ||
			    (pairs[j][0] != NULL && strcmp(pairs[j][0], pairs[j][1]) != 0))
				fail_msg("row %zu: '%s' instead of '%s'", i, pairs[j][0], pairs[j][1]);
	}
}

static void
other_modes_and_unknown_letters_are_refused(void **state)
{
	(void)state;
	static const char *const words[] = { "-bs", "-bp", "-Z", "--nothing", "-f", "--home", "-tZ" };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		char *argv[] = { (char *)"sendmail", (char *)words[i], NULL };
		struct sendmail_options options;
		assert_int_equal(sendmail_options_parse(argv, &options), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_letters_that_programs_use_are_understood),
		cmocka_unit_test(other_modes_and_unknown_letters_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
