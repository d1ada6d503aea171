/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/date.h"

static void
dates_are_written_in_utc(void **state)
{
	(void)state;
	static const struct {
		int64_t time_s;
		const char *text;
	} table[] = {
		{ 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ 951782399, "Mon, 28 Feb 2000 23:59:59 +0000" },
		{ 951782400, "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ 1795344471, "Sun, 22 Nov 2026 10:47:51 +0000" },
		{ 2147483648, "Tue, 19 Jan 2038 03:14:08 +0000" },
		{ 253402300799, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ -1, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char text[DATE_TEXT_SIZE];
		date_format(table[i].time_s, text);
		assert_string_equal(text, table[i].text);
	}
	/* every day of four centuries against the C library */
	for (int64_t day = 0; day < 146100; day++) {
		char text[DATE_TEXT_SIZE], expected[DATE_TEXT_SIZE];
		time_t time_s = day * 86400 + 3661;
		struct tm utc;
		gmtime_r(&time_s, &utc);
		strftime(expected, sizeof expected, "%a, %-d %b %Y %H:%M:%S +0000", &utc);
		date_format(time_s, text);
		assert_string_equal(text, expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_written_in_utc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
