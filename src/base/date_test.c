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

static void
stamps_are_read_as_they_are_written(void **state)
{
	(void)state;
	static const char *const wrong[] = { "", "20261122", "20261122T000000", "20261122T000000z", "20261322T000000Z", "20260229T000000Z",
		"20261122T240000Z", "20261122T006000Z", "19691231T000000Z", "2026-11-22T00:00Z", "20261100T000000Z", "20261132T000000Z" };
	char text[DATE_STAMP_SIZE];
	int64_t time_s = 0;
	date_format_stamp(1795344471, text);
	assert_string_equal(text, "20261122T000000Z");
	assert_int_equal(date_from_stamp(slice_of_string("20261122T104751Z"), &time_s), 0);
	assert_int_equal(time_s, 1795344471 / 86400 * 86400);
	for (int64_t day = 0; day < 2932897; day += 7) { /* to the end of the year 9999 */
		date_format_stamp(day * 86400 + 5, text);
		assert_int_equal(date_from_stamp(slice_of_string(text), &time_s), 0);
		assert_int_equal(time_s, day * 86400);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(date_from_stamp(slice_of_string(wrong[i]), &time_s), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_written_in_utc),
		cmocka_unit_test(stamps_are_read_as_they_are_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
