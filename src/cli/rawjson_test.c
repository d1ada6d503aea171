/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/rawjson.h"

static const char sample[] = "{\"a\":[1,{\"b\":\"]}\\\"\"},[]],\"text\":\"a \\\"b\\\\ \\u0041\\n\xc3\xb6\",\"n\":-12,\"none\":null,\"e\":[]}";

static void
members_are_found_as_they_stand(void **state)
{
	(void)state;
	struct slice object = slice_of_string(sample);
	char text[32];
	assert_true(slice_is(rawjson_member(object, "a"), "[1,{\"b\":\"]}\\\"\"},[]]"));
	assert_true(slice_is(rawjson_member(object, "none"), "null"));
	assert_true(slice_is(rawjson_member(object, "e"), "[]"));
	assert_int_equal(rawjson_member(object, "b").len, 0);
	assert_int_equal(rawjson_number(rawjson_member(object, "n"), 0), -12);
	assert_int_equal(rawjson_number(rawjson_member(object, "none"), 7), 7);
	assert_int_equal(rawjson_number(rawjson_member(object, "text"), 7), 7);
	rawjson_text(rawjson_member(object, "text"), text, sizeof text);
	assert_string_equal(text, "a \"b\\ A \xc3\xb6");
	rawjson_text(rawjson_member(object, "text"), text, 4);
	assert_string_equal(text, "a \"");
	rawjson_text(rawjson_member(object, "n"), text, sizeof text);
	assert_string_equal(text, "");
}

static void
elements_come_one_by_one(void **state)
{
	(void)state;
	static const char *const expected[] = { "1", "{\"b\":\"]}\\\"\"}", "[]" };
	struct slice rest = rawjson_member(slice_of_string(sample), "a"), value;
	for (size_t i = 0; i < 3; i++) {
		assert_true(rawjson_next_element(&rest, &value));
		assert_true(slice_is(value, expected[i]));
	}
	assert_false(rawjson_next_element(&rest, &value));
	rest = rawjson_member(slice_of_string(sample), "e");
	assert_false(rawjson_next_element(&rest, &value));
}

/* Whatever is cut off: it ends, and nothing behind the end is read (each piece has memory of its own). */
static void
what_is_cut_off_is_not_read_beyond(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof sample; len++) {
		char *piece = malloc(len > 0 ? len : 1), text[8];
		struct slice rest, name, value, inner;
		assert_non_null(piece);
		memcpy(piece, sample, len);
		rest = slice_of(piece, len);
		while (rawjson_next_member(&rest, &name, &value)) {
			rawjson_text(value, text, sizeof text);
			for (struct slice list = value; rawjson_next_element(&list, &inner);)
				rawjson_text(inner, text, sizeof text);
		}
		free(piece);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_as_they_stand),
		cmocka_unit_test(elements_come_one_by_one),
		cmocka_unit_test(what_is_cut_off_is_not_read_beyond),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
