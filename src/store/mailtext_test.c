/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "store/mailtext.h"

static const struct {
	const char *wire, *mailbox;
	bool has_bare;
} table[] = {
	{ "", "", false },
	{ "Subject: x\r\n\r\nbody\r\n", "Subject: x\n\nbody\n", false },
	{ "\r\nbody", "\nbody", false },
	{ "Subject: no end", "Subject: no end", false },
	{ "Return-Path: <a@b>\r\nSubject: x\r\n\r\n", "Subject: x\n\n", false },
	{ "A: 1\r\nRETURN-path: <a@b>\r\n folded\r\n\tmore\r\nB: 2\r\n\r\n", "A: 1\nB: 2\n\n", false },
	{ "A: 1\r\n Return-Path: <a@b>\r\n\r\n", "A: 1\n Return-Path: <a@b>\n\n", false }, /* part of A */
	{ "Return-Pathology: x\r\nReturn-Pat: y\r\nReturn-Path\r\n\r\n",
	    "Return-Pathology: x\nReturn-Pat: y\nReturn-Path\n\n", false },
	{ "A: 1\r\n\r\nReturn-Path: <a@b>\r\n", "A: 1\n\nReturn-Path: <a@b>\n", false }, /* body */
	{ "Return-Path:", "", false },
	{ "Return-Pa", "Return-Pa", false },
	{ "A: 1\r\n\r\none\rtwo\nthree\r\r\n", "A: 1\n\none\rtwo\nthree\r\n", true },
	{ "A\r1\r\nB\n2\r\n\r\n", "A\r1\nB\n2\n\n", true },
	{ "A: 1\r\n\r\nlast\r", "A: 1\n\nlast\r", true },
	{ "A: 1\r", "A: 1\r", true },
	{ "A: 1\r\n\r\n\n\r\n", "A: 1\n\n\n\n", true },
	{ "Re\rturn-Path: x\r\n\r\n", "Re\rturn-Path: x\n\n", true },
};

static void
converts_however_it_is_cut(void **state)
{
	(void)state;
	struct error err = { 0 };
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		size_t len = strlen(table[i].wire);
		for (size_t first = 0; first <= len; first++)
			for (size_t second = first; second <= len; second++) {
				struct mailtext text;
				struct buffer out;
				buffer_init(&out, 1000);
				mailtext_init(&text);
				assert_int_equal(mailtext_feed(&text, slice_of(table[i].wire, first), &out, &err), 0);
				assert_int_equal(mailtext_feed(&text, slice_of(table[i].wire + first, second - first), &out, &err), 0);
				assert_int_equal(mailtext_feed(&text, slice_of(table[i].wire + second, len - second), &out, &err), 0);
				assert_int_equal(mailtext_finish(&text, &out, &err), 0);
				assert_int_equal(buffer_len(&out), strlen(table[i].mailbox));
				assert_memory_equal(buffer_bytes(&out), table[i].mailbox, buffer_len(&out));
				assert_int_equal(text.has_bare, table[i].has_bare);
				buffer_finish(&out);
			}
	}
}

static void
tells_the_length_of_the_wire_form(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct mailtext text;
	struct buffer out;
	const char *wire = "A: 1\r\nB: 2\r\n\r\nbody\r\n\r\nend\r\n";
	buffer_init(&out, 1000);
	mailtext_init(&text);
	assert_int_equal(mailtext_feed(&text, slice_of_string(wire), &out, &err), 0);
	assert_int_equal(buffer_len(&out) + text.lines, strlen(wire));
	buffer_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converts_however_it_is_cut),
		cmocka_unit_test(tells_the_length_of_the_wire_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
