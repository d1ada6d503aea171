/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/logline.h"

static void
assert_slice(struct slice s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.data, expected, s.len);
}

static void
a_line_of_ours_is_taken_apart(void **state)
{
	(void)state;
	struct logline l;
	assert_true(logline_parse(slice_of_string("2026-11-22T10:47:51.000Z warn mail: a: b"), &l));
	assert_slice(l.time, "2026-11-22T10:47:51.000Z");
	assert_slice(l.level, "warn");
	assert_slice(l.who, "mail");
	assert_slice(l.text, "a: b");
}

static void
other_lines_are_not_ours(void **state)
{
	(void)state;
	static const char *const table[] = { "", "hello", "2026-11-22T10:47:51.000Z", "2026-11-22T10:47:51.000Z ",
		"2026-11-22T10:47:51.000Z loud mail: x", "2026-11-22T10:47:51.000Z warn mail", "2026-11-22T10:47:51.000Z warn a@b: x",
		"2026-11-22T10:47:51.000Z warn : x", "2026-11-22T10:47:51.000Z warn averyveryverylongname: x",
		"2026-11-22 10:47:51.000Z warn mail: x" };
	struct logline l;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_false(logline_parse(slice_of_string(table[i]), &l));
}

static void
other_programs_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		const char *line, *level, *who, *text;
	} table[] = {
		{ "Nov 22 10:47:51.000 [notice] Bootstrapped 5%", "info", "tor-program", "Bootstrapped 5%" },
		{ "Nov  2 10:47:51.123 [err] No", "error", "tor-program", "No" },
		{ "Nov  2 10:47:51.123 [warn] Hm", "warn", "tor-program", "Hm" },
		{ "Nov  2 10:47:51.123 [warn", "warn", "program", "Nov  2 10:47:51.123 [warn" },
		{ "dovecot: master: Error: x", "error", "dovecot", "master: Error: x" },
		{ "dovecot: master: Warning: x", "warn", "dovecot", "master: Warning: x" },
		{ "dovecot: imap: Info: x", "info", "dovecot", "imap: Info: x" },
		{ "==1==ERROR: AddressSanitizer: x", "warn", "program", "==1==ERROR: AddressSanitizer: x" },
		{ "", "warn", "program", "" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct logline l;
		logline_parse_foreign(slice_of_string(table[i].line), &l);
		assert_slice(l.level, table[i].level);
		assert_slice(l.who, table[i].who);
		assert_slice(l.text, table[i].text);
		assert_int_equal(l.time.len, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_ours_is_taken_apart),
		cmocka_unit_test(other_lines_are_not_ours),
		cmocka_unit_test(other_programs_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
