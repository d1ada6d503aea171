/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "cli/wrap.h"

static const struct {
	const char *text;
	size_t column, width;
	const char *wanted;
} cases[] = {
	{ "", 4, 20, "\n" },
	{ "one two three", 0, WRAP_NEVER, "one two three\n" },
	{ "one two three", 0, 13, "one two three\n" },
	{ "one two three", 0, 12, "one two\nthree\n" },
	{ "one two three", 3, 11, "one two\n   three\n" },
	{ "one two three", 3, 9, "one\n   two\n   three\n" },
	{ "one averylongword", 2, 8, "one\n  averylongword\n" }, /* a word is never cut */
	{ "one two", 9, 8, "one\n         two\n" },
	{ "\xc3\xa4\xc3\xb6\xc3\xbc \xc3\xa4\xc3\xb6\xc3\xbc", 0, 7, "\xc3\xa4\xc3\xb6\xc3\xbc \xc3\xa4\xc3\xb6\xc3\xbc\n" },
};

static void
lines_end_between_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);
		assert_non_null(out);
		wrap_print(out, cases[i].text, cases[i].column, cases[i].width);
		fclose(out);
		assert_string_equal(text, cases[i].wanted);
		free(text);
	}
}

static void
what_is_no_terminal_has_no_columns(void **state)
{
	(void)state;
	FILE *out = tmpfile();
	assert_non_null(out);
	assert_int_equal(wrap_columns(out, 118), 118);
	fclose(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_between_words),
		cmocka_unit_test(what_is_no_terminal_has_no_columns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
