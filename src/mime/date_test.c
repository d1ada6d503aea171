/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "mime/date.h"
#include "mime/library.h"

static void
dates_are_read_in_the_forms_that_programs_write(void **state)
{
	(void)state;
	static const struct {
		const char *text, *utc; /* utc NULL: refused */
	} table[] = {
		{ "Sun, 22 Nov 2026 10:47:51 +0000", "Sun, 22 Nov 2026 10:47:51 +0000" },
		{ "Sun, 22 Nov 2026 11:47:51 +0100", "Sun, 22 Nov 2026 10:47:51 +0000" },
		{ "22 Nov 2026 00:17:51 -1030 (HST)", "Sun, 22 Nov 2026 10:47:51 +0000" },
		{ "Sun, 22 Nov 2026 10:47 GMT", "Sun, 22 Nov 2026 10:47:00 +0000" },
		{ "Sun, 22 Nov 2026 05:47:51 EST", "Sun, 22 Nov 2026 10:47:51 +0000" },
		{ "Sun, 22 Nov 2026 10:47:51 -0000", "Sun, 22 Nov 2026 10:47:51 +0000" },
		{ "Fri, 21 Nov 97 09:55:06 -0600", "Fri, 21 Nov 1997 15:55:06 +0000" },
		{ "yesterday", NULL },
		{ "", NULL },
		{ "Sun, 32 Nov 2026 10:47:51 +0000", NULL },
		{ "Sun, 22 Nov 1926 10:47:51 +0000", NULL },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char text[DATE_TEXT_SIZE];
		int64_t time_s;
		int result = date_parse(slice_of_string(table[i].text), &time_s, NULL);
		assert_int_equal(result, table[i].utc == NULL ? -1 : 0);
		if (result != 0)
			continue;
		date_format(time_s, text);
		assert_string_equal(text, table[i].utc);
	}
}

int
main(void)
{
	library_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_read_in_the_forms_that_programs_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
