/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void
texts_are_one_line(void **state)
{
	(void)state;
	struct error err = { 0 };
	assert_int_equal(error_set(&err, ERROR_PROTOCOL, "peer said %s", "a\r\nb\x1b[2J\x7f"), -1);
	assert_int_equal(err.code, ERROR_PROTOCOL);
	assert_string_equal(err.text, "peer said a  b [2J ");
	assert_int_equal(error_set(NULL, ERROR_IO, "nobody wants to know"), -1);
}

static void
texts_may_be_made_of_themselves(void **state)
{
	(void)state;
	struct error err = { 0 };
	error_set(&err, ERROR_INVALID, "no such key");
	error_set(&err, err.code, "line %d: %s", 3, err.text);
	assert_string_equal(err.text, "line 3: no such key");
}

static void
long_texts_end_with_a_whole_character(void **state)
{
	(void)state;
	for (size_t lead = 0; lead < 4; lead++) {
		char text[400] = { 0 };
		struct error err = { 0 };
		memset(text, 'x', lead);
		for (size_t i = 0; i < 90; i++)
			strcat(text, "\xe2\x82\xac");
		error_set(&err, ERROR_INVALID, "%s", text);
		size_t len = strlen(err.text);
		assert_in_range(len, ERROR_TEXT_MAX - 6, ERROR_TEXT_MAX - 1);
		assert_int_equal((len - lead) % 3, 0);
	}
}

static void
system_errors_get_their_code_and_words(void **state)
{
	(void)state;
	static const struct {
		int errnum;
		enum error_code code;
		bool is_temporary;
	} table[] = {
		{ ENOENT, ERROR_NOT_FOUND, false }, { EACCES, ERROR_DENIED, false }, { ENOSPC, ERROR_NO_SPACE, true },
		{ EDQUOT, ERROR_NO_SPACE, true }, { EMFILE, ERROR_BUSY, true }, { EIO, ERROR_IO, true },
		{ ECONNRESET, ERROR_CLOSED, true }, { ENOMEM, ERROR_NO_MEMORY, true },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct error err = { 0 };
		assert_int_equal(error_set_errno(&err, table[i].errnum, "cannot %s", "do it"), -1);
		assert_int_equal(err.code, table[i].code);
		assert_int_equal(error_is_temporary(&err), table[i].is_temporary);
		assert_memory_equal(err.text, "cannot do it: ", 14);
		assert_string_equal(err.text + 14, strerror(table[i].errnum));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_one_line),
		cmocka_unit_test(texts_may_be_made_of_themselves),
		cmocka_unit_test(long_texts_end_with_a_whole_character),
		cmocka_unit_test(system_errors_get_their_code_and_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
