/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "smtpc/dot.h"

static void
dots_are_doubled_however_the_body_is_cut(void **state)
{
	(void)state;
	static const struct {
		const char *body, *wire;
	} table[] = {
		{ "", ".\r\n" },
		{ "a\r\n", "a\r\n.\r\n" },
		{ "a", "a\r\n.\r\n" },
		{ ".", "..\r\n.\r\n" },
		{ ".\r\n", "..\r\n.\r\n" },
		{ "\r\n.\r\n", "\r\n..\r\n.\r\n" },
		{ "..\r\n.a\r\nb.\r\n", "...\r\n..a\r\nb.\r\n.\r\n" },
		{ "a\r\n\r\n.\r\n\r\n", "a\r\n\r\n..\r\n\r\n.\r\n" },
		{ "a\n.b", "a\n.b\r\n.\r\n" }, /* no line begins behind a bare LF */
		{ "a\r", "a\r\r\n.\r\n" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		for (size_t in_step = 1; in_step < 12; in_step++) {
			for (size_t out_step = 2; out_step < 12; out_step++) {
				struct dot_encoder encoder = { 0 };
				char wire[100];
				size_t used = 0, left = strlen(table[i].body);
				const char *at = table[i].body;
				while (left > 0) {
					size_t len = left < in_step ? left : in_step;
					struct slice piece = slice_of(at, len);
					while (piece.len > 0)
						used += dot_encode(&encoder, &piece, (unsigned char *)wire + used, out_step);
					at += len;
					left -= len;
				}
				strcpy(wire + used, dot_end(&encoder));
				assert_string_equal(wire, table[i].wire);
			}
		}
	}
}

static void
bare_line_ends_are_found(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		bool good;
	} table[] = { { "", true }, { "a", true }, { "a\r\n", true }, { "\r\n\r\n", true }, { "\r\n.\r\n", true }, { "\n", false },
		{ "\r", false }, { "a\n", false }, { "a\r", false }, { "\r\r\n", false }, { "\n\r\n", false }, { "\r\n\n", false },
		{ "a\r\nb\rc\r\n", false }, { "a\r\nb\nc\r\n", false }, { "a\r\n\r", false }, { "\r\n\r.\r\n", false } };
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		for (size_t step = 1, len = strlen(table[i].body); step <= len + 1; step++) {
			bool after_cr = false, good = true;
			for (size_t at = 0; at < len; at += step)
				good = good && dot_has_only_crlf(slice_of(table[i].body + at, len - at < step ? len - at : step), &after_cr);
			assert_int_equal(good && !after_cr, table[i].good);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dots_are_doubled_however_the_body_is_cut),
		cmocka_unit_test(bare_line_ends_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
