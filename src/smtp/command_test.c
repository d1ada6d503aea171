/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "smtp/command.h"
#include "smtp/xtext.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TEXT(literal) { (const unsigned char *)(literal), sizeof(literal) - 1 }

static void
tells_verb_and_argument(void **state)
{
	(void)state;
	static const struct {
		struct slice line;
		enum command_verb verb;
		const char *argument;
	} cases[] = {
		{ TEXT("EHLO example.onion"), COMMAND_EHLO, "example.onion" },
		{ TEXT("ehlo  example.onion \t "), COMMAND_EHLO, "example.onion" },
		{ TEXT("MAIL FROM:<a@b> SIZE=1"), COMMAND_MAIL, "FROM:<a@b> SIZE=1" },
		{ TEXT("DATA"), COMMAND_DATA, "" },
		{ TEXT("DATA "), COMMAND_DATA, "" },
		{ TEXT("StartTLS"), COMMAND_STARTTLS, "" },
		{ TEXT("DATAX"), COMMAND_UNKNOWN, "" },
		{ TEXT(" QUIT"), COMMAND_UNKNOWN, "" },
		{ TEXT(""), COMMAND_UNKNOWN, "" },
		{ TEXT("\xff\xfe"), COMMAND_UNKNOWN, "" },
		{ TEXT("GET / HTTP/1.1"), COMMAND_UNKNOWN, "/ HTTP/1.1" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct command command;
		assert_true(command_parse(cases[i].line, &command));
		assert_int_equal(command.verb, cases[i].verb);
		assert_int_equal(command.argument.len, strlen(cases[i].argument));
		assert_memory_equal(command.argument.data, cases[i].argument, command.argument.len);
	}
}

static void
is_no_command_with_nul_cr_or_lf(void **state)
{
	(void)state;
	static const struct slice lines[] = { TEXT("NOOP\r"), TEXT("NOOP\nRSET"), TEXT("NO\0OP"), TEXT("NOOP a\rb") };
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct command command;
		assert_false(command_parse(lines[i], &command));
	}
}

static void
reads_numbers_without_wrap(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_fine;
		uint64_t value;
	} cases[] = {
		{ "0", true, 0 }, { "00012", true, 12 }, { "4294967297", true, 4294967297 },
		{ "18446744073709551615", true, UINT64_MAX }, { "18446744073709551616", true, UINT64_MAX },
		{ "99999999999999999999", true, UINT64_MAX }, { "100000000000000000000", false, 0 },
		{ "", false, 0 }, { "-1", false, 0 }, { "+1", false, 0 }, { "1 ", false, 0 }, { "0x10", false, 0 },
		{ "1e3", false, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t value = 0;
		assert_int_equal(command_parse_number(slice_of_string(cases[i].text), &value), cases[i].is_fine);
		assert_true(value == cases[i].value);
	}
}

static void
reads_chunk_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_fine;
		uint64_t bytes;
		bool last;
	} cases[] = {
		{ "1000", true, 1000, false }, { "0 LAST", true, 0, true }, { "86  last", true, 86, true },
		{ "4294967297 LAST", true, 4294967297, true }, { "18446744073709551616 LAST", true, UINT64_MAX, true },
		{ "", false, 0, false }, { "LAST", false, 0, false }, { "-1", false, 0, false }, { "1 LAST x", false, 0, false },
		{ "1 FIRST", false, 0, false }, { "1LAST", false, 0, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t bytes = 0;
		bool last;
		assert_int_equal(command_parse_bdat(slice_of_string(cases[i].text), &bytes, &last), cases[i].is_fine);
		if (cases[i].is_fine) {
			assert_true(bytes == cases[i].bytes);
			assert_int_equal(last, cases[i].last);
		}
	}
}

static void
takes_what_clients_call_themselves(void **state)
{
	(void)state;
	char longest[257];
	memset(longest, 'a', 256);
	longest[256] = '\0';
	assert_true(command_is_hello_name(slice_of_string("example.onion")));
	assert_true(command_is_hello_name(slice_of_string("[127.0.0.1]")));
	assert_true(command_is_hello_name(slice_of(longest, 255)));
	assert_false(command_is_hello_name(slice_of(longest, 256)));
	assert_false(command_is_hello_name(slice_of_string("")));
	assert_false(command_is_hello_name(slice_of_string("two words")));
	assert_false(command_is_hello_name(slice_of_string("a\tb")));
}

static void
finds_line_ends_hidden_in_xtext(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_fine;
	} cases[] = {
		{ "<>", true }, { "alice+2Bx@example.onion", true }, { "+41", true }, { "", false }, { "a+00", false },
		{ "a+0D+0AX", false }, { "a+0A", false }, { "a+4", false }, { "a+", false }, { "a+0d", false },
		{ "a=b", false }, { "a b", false }, { "\xc3\xbc", false }, { "a\rb", false },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(xtext_is_valid(slice_of_string(cases[i].text)), cases[i].is_fine);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_verb_and_argument),
		cmocka_unit_test(is_no_command_with_nul_cr_or_lf),
		cmocka_unit_test(reads_numbers_without_wrap),
		cmocka_unit_test(reads_chunk_sizes),
		cmocka_unit_test(takes_what_clients_call_themselves),
		cmocka_unit_test(finds_line_ends_hidden_in_xtext),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
