/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/wire.h"

static const struct {
	const char *text, *wire;
} table[] = {
	{ "", ".\r\n" }, { "a", "a\r\n.\r\n" }, { "a\n", "a\r\n.\r\n" }, { "a\r\n", "a\r\n.\r\n" }, { "a\rb\n", "a\r\nb\r\n.\r\n" },
	{ ".", "..\r\n.\r\n" }, { ".\n", "..\r\n.\r\n" }, { "a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a\n..b", "a\r\n...b\r\n.\r\n" }, { "a.\n", "a.\r\n.\r\n" }, { "\n\n", "\r\n\r\n.\r\n" }, { "\r\r\n", "\r\n\r\n.\r\n" },
	{ "a\r.\rMAIL FROM:<x>\r", "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n" }, { "a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n" },
	{ "a\r\n.\nQUIT\n", "a\r\n..\r\nQUIT\r\n.\r\n" },
};

static void
lines_end_in_crlf_and_dots_are_doubled_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		size_t len = strlen(table[i].text);
		for (size_t cut = 0; cut <= len; cut++) {
			struct wire wire = { 0 };
			struct buffer out;
			buffer_init(&out, 1000);
			assert_int_equal(wire_append(&wire, slice_of(table[i].text, cut), &out, NULL), 0);
			assert_int_equal(wire_append(&wire, slice_of(table[i].text + cut, len - cut), &out, NULL), 0);
			assert_int_equal(wire_finish(&wire, &out, NULL), 0);
			if (!slice_is(slice_of(buffer_bytes(&out), buffer_len(&out)), table[i].wire))
				fail_msg("row %zu cut at %zu became '%.*s'", i, cut, (int)buffer_len(&out), buffer_bytes(&out));
			buffer_finish(&out);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_in_crlf_and_dots_are_doubled_however_it_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
