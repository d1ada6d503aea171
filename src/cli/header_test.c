/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "cli/header.h"

/* Joins the addresses with '|'. */
static int
join(void *context, struct slice address, struct error *err)
{
	char *out = context;
	(void)err;
	size_t used = strlen(out);
	snprintf(out + used, 2000 - used, "%s%.*s", used > 0 ? "|" : "", (int)address.len, address.data);
	return 0;
}

static void
lists_of_addresses_are_taken_apart(void **state)
{
	(void)state;
	static const struct {
		const char *list, *addresses; /* NULL: refused */
	} table[] = {
		{ "", "" }, { " , ,", "" }, { "a@x.onion", "a@x.onion" }, { "a@x , b@y", "a@x|b@y" },
		{ "Alice <a@x>", "a@x" }, { "Alice Liddell <a@x>, Bob <b@y>", "a@x|b@y" },
		{ "\"Liddell, Alice\" <a@x>", "a@x" }, { "\"a \\\" b\" <a@x>", "a@x" }, { "<a@x>", "a@x" }, { "<>", "" },
		{ "a@x (Alice, the (nested) one)", "a@x" }, { "(x) a (y) @ (z) x (\\) )", "a@x" },
		{ "friends: a@x, Bob <b@y>;, c@z", "a@x|b@y|c@z" }, { "nobody:;", "" }, { "a @ x . y", "a@x.y" },
		{ "\"a b\"@x", "\"a b\"@x" }, { "a@[127.0.0.1]", "a@[127.0.0.1]" }, { "Z\xc3\xb6\xc3\xab <z@x>", "z@x" },
		{ "=?utf-8?q?Al=2Cice?= <a@x>", "a@x" }, { "\"Alice\r\n Liddell\"\r\n <a@x>", "a@x" },
		{ "<@a,@b:c@x>", "@a,@b:c@x" }, { "Alice a@x", NULL }, { "a@x b@y", NULL }, { "\"a <b@x>", NULL },
		{ "(a <b@x>", NULL }, { "a@x>", NULL }, { "<a@x", NULL }, { "<<a@x>", NULL }, { "a\x01@x", NULL },
		{ "\"a\x01\"@x", NULL }, { "\"a\\", NULL }, { "(\\", NULL }, { "<a@x> <b@y>", NULL },
		{ "\"a\r\nDATA\r\n\"@x", "\"aDATA\"@x" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char found[2000] = "";
		struct error err;
		int result = header_list(slice_of_string(table[i].list), join, found, &err);
		if ((result == 0) != (table[i].addresses != NULL) || (result == 0 && strcmp(found, table[i].addresses) != 0))
			fail_msg("'%s' became %d '%s'", table[i].list, result, found);
	}
}

static void
overlong_addresses_are_refused(void **state)
{
	(void)state;
	static char list[2000];
	char found[2000] = "";
	struct error err;
	memset(list, 'a', sizeof list - 1);
	assert_int_equal(header_list(slice_of_string(list), join, found, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
}

static void
fields_are_found_unfolded_and_without_case(void **state)
{
	(void)state;
	static const char header[] = "Subject: to: no@x\r\nTO : a@x,\r\n\tb@x\r\n  ,c@x\r\nto: d@x\nToo: no@x\nX-To: no@x\nCc: e@x\n";
	static const struct {
		const char *field, *addresses;
	} table[] = { { "To", "a@x|b@x|c@x|d@x" }, { "Cc", "e@x" }, { "Bcc", "" }, { "Subject", "no@x" } };
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char found[2000] = "";
		struct error err = { 0 };
		assert_int_equal(header_addresses(slice_of_string(header), table[i].field, join, found, &err), 0);
		assert_string_equal(found, table[i].addresses);
	}
	struct error err;
	char found[2000] = "";
	assert_int_equal(header_addresses(slice_of_string("To: a b@x\n"), "To", join, found, &err), -1);
	assert_memory_equal(err.text, "To: ", 4);
}

static void
the_end_of_the_header_is_found(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int start, end; /* -1: it goes on, when there is more */
		bool is_blank_missing;
	} table[] = {
		{ "A: b\n\nbody", 0, 6, false }, { "A: b\r\n\r\nbody", 0, 8, false }, { "A: b\n c\n\n", 0, 9, false },
		{ "\nbody", 0, 1, false }, { "body\n", 0, 0, true }, { "A: b\nbody\n", 0, 5, true },
		{ " folded: no\n\n", 0, 0, true }, { "From a@x Thu\nA: b\n\nbody", 13, 19, false },
		{ "From a@x\nbody\n", 9, 9, true }, { "A: b\n", -1, 5, true }, { "", -1, 0, true }, { "A: b", -1, 4, true },
		{ "From: a\n\n", 0, 9, false }, { "Not a field: x\n\n", 0, 0, true }, { "A\xc3\xab: x\n\n", 0, 0, true },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct header_end end;
		struct slice text = slice_of_string(table[i].text);
		assert_int_equal(header_find_end(text, false, &end), table[i].start != -1);
		assert_true(header_find_end(text, true, &end));
		if ((int)end.start != (table[i].start > 0 ? table[i].start : 0) || (int)end.end != table[i].end ||
		    end.is_blank_missing != table[i].is_blank_missing)
			fail_msg("'%s': start %zu, end %zu, blank %d", table[i].text, end.start, end.end, end.is_blank_missing);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_addresses_are_taken_apart),
		cmocka_unit_test(overlong_addresses_are_refused),
		cmocka_unit_test(fields_are_found_unfolded_and_without_case),
		cmocka_unit_test(the_end_of_the_header_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
