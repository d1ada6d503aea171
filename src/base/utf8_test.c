/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/utf8.h"

static void
lengths_of_characters(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} rows[] = {
		{ "\xc3\xa9", 2 }, { "\xe2\x82\xac", 3 }, { "\xf0\x9f\x98\x80", 4 }, { "\xf4\x8f\xbf\xbf", 4 },
		{ "\x80", 0 }, { "\xc3", 0 }, { "\xc0\x80", 0 }, { "\xe0\x9f\xbf", 0 }, { "\xed\xa0\x80", 0 }, { "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf4\x90\x80\x80", 0 }, { "\xf8\x88\x80\x80\x80", 0 }, { "\xe2\x82", 0 }, { "\xe2\x82z", 0 }, { "\xff", 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(utf8_length(slice_of_string(rows[i].text)), rows[i].length);
}

static void
a_line_is_shown_as_it_stands(void **state)
{
	static const char *const good[] = { "", "Alice", "Zo\xc3\xab O'Neill", "\xd7\xa2\xd7\x93", "a\xc2\xa0z", "\xf0\x9f\x98\x80" };
	static const char *const bad[] = { "a\nb", "a\tb", "\x1b[31m", "\x7f", "\xc2\x85", "\xc2\x9b", "a\xe2\x80\xa8z", "\xe2\x80\xae" "ecila",
		"\xe2\x81\xa6", "\xe2\x80\x8f", "\xd8\x9c", "\xef\xbb\xbf" "a", "caf\xe9", "a\xc3" };
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(utf8_is_line(slice_of_string(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(utf8_is_line(slice_of_string(bad[i])));
	assert_false(utf8_is_line(slice_of("a\0b", 3)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_of_characters),
		cmocka_unit_test(a_line_is_shown_as_it_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
