/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mime/header.h"

#define FIELDS_MOST 4

static void
fields_are_ranges_of_the_message(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		size_t count;
		struct { const char *name, *raw, *unfolded; } fields[FIELDS_MOST];
		const char *body;
		bool has_empty_line;
	} table[] = {
		{ "A: b\r\n\r\nbody", 1, { { "A", "A: b\r\n", "b" } }, "body", true },
		{ "A: b\r\n\r\n\r\nx\r\n", 1, { { "A", "A: b\r\n", "b" } }, "\r\nx\r\n", true },
		{ "A: b\r\n", 1, { { "A", "A: b\r\n", "b" } }, "", false },
		{ "", 0, { { 0 } }, "", false },
		{ "\r\nonly a body", 0, { { 0 } }, "only a body", true },
		{ "A:\r\nB-c :  d \r\n\r\n", 2, { { "A", "A:\r\n", "" }, { "B-c", "B-c :  d \r\n", "d" } }, "", true },
		{ "A: one\r\n\ttwo\r\n  three\r\nB: x\r\n\r\n", 2,
		  { { "A", "A: one\r\n\ttwo\r\n  three\r\n", "one\ttwo  three" }, { "B", "B: x\r\n", "x" } }, "", true },
		{ "A: x\r\n \r\n\r\nbody", 1, { { "A", "A: x\r\n \r\n", "x" } }, "body", true },
		{ "A:\r\n b:c\r\n\r\n", 1, { { "A", "A:\r\n b:c\r\n", "b:c" } }, "", true },
		{ "S: J\xc3\xb6\r\n\r\n", 1, { { "S", "S: J\xc3\xb6\r\n", "J\xc3\xb6" } }, "", true },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct header_scan scan;
		struct header_field field;
		size_t count = 0;
		header_scan_init(&scan, slice_of_string(table[i].message));
		while (header_scan_next(&scan, &field, NULL) == 1) {
			struct buffer value;
			buffer_init(&value, 100);
			assert_true(count < table[i].count);
			assert_true(slice_is(field.name, table[i].fields[count].name));
			assert_true(slice_is(field.raw, table[i].fields[count].raw));
			assert_int_equal(header_unfold(field.value, &value, NULL), 0);
			assert_true(slice_is(slice_of(buffer_bytes(&value), buffer_len(&value)), table[i].fields[count].unfolded));
			buffer_finish(&value);
			count++;
		}
		assert_int_equal(count, table[i].count);
		assert_true(slice_is(scan.rest, table[i].body));
		assert_int_equal(scan.has_empty_line, table[i].has_empty_line);
	}
}

static void
what_is_no_field_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		size_t len;
	} table[] = {
#define ROW(text) { text, sizeof(text) - 1 }
		ROW("no colon\r\n\r\n"), ROW(": no name\r\n\r\n"), ROW(" folded first\r\n\r\n"),
		ROW("From alice Mon Jan  1 10:00:00 2026\r\nA: b\r\n\r\n"), ROW("A: b\n\r\n"), ROW("A: b\rc\r\n\r\n"),
		ROW("A: b\r\r\n\r\n"), ROW("A: b"), ROW("A: b\r"), ROW("A: \0\r\n\r\n"), ROW("\xc3\xa4: b\r\n\r\n"),
		ROW("A: b\r\n c"), ROW("A\r\n : b\r\n\r\n"),
#undef ROW
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct header_scan scan;
		struct header_field field;
		struct error err = { 0 };
		header_scan_init(&scan, slice_of(table[i].message, table[i].len));
		assert_int_equal(header_scan_next(&scan, &field, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
}

/* Scans a header of so many fields "A: xxx…" of so many bytes each. */
static int
scan_many(size_t fields, size_t value_len, enum error_code *code)
{
	size_t each = 3 + value_len + 2, len = fields * each;
	char *message = malloc(len);
	assert_non_null(message);
	memset(message, 'x', len);
	for (size_t i = 0; i < fields; i++) {
		memcpy(message + i * each, "A: ", 3);
		memcpy(message + (i + 1) * each - 2, "\r\n", 2);
	}
	struct header_scan scan;
	struct header_field field;
	struct error err = { 0 };
	int got;
	header_scan_init(&scan, slice_of(message, len));
	while ((got = header_scan_next(&scan, &field, &err)) == 1)
		;
	*code = err.code;
	free(message);
	return got;
}

static void
every_maximum_is_kept(void **state)
{
	(void)state;
	enum error_code code;
	assert_int_equal(scan_many(1, HEADER_LINE_MAX_BYTES - 3, &code), 0);
	assert_int_equal(scan_many(1, HEADER_LINE_MAX_BYTES - 2, &code), -1);
	assert_int_equal(code, ERROR_INVALID);
	assert_int_equal(scan_many(HEADER_FIELDS_MAX, 1, &code), 0);
	assert_int_equal(scan_many(HEADER_FIELDS_MAX + 1, 1, &code), -1);
	assert_int_equal(code, ERROR_TOO_LARGE);
	/* one field, folded over as many lines as go into the section, and one more */
	for (size_t lines = HEADER_SECTION_MAX_BYTES / 4; lines <= HEADER_SECTION_MAX_BYTES / 4 + 1; lines++) {
		struct header_scan scan;
		struct header_field field;
		char *message = malloc(lines * 4);
		assert_non_null(message);
		for (size_t i = 0; i < lines; i++)
			memcpy(message + i * 4, i == 0 ? "A:\r\n" : " x\r\n", 4);
		header_scan_init(&scan, slice_of(message, lines * 4));
		assert_int_equal(header_scan_next(&scan, &field, NULL), lines * 4 <= HEADER_SECTION_MAX_BYTES ? 1 : -1);
		free(message);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_ranges_of_the_message),
		cmocka_unit_test(what_is_no_field_is_refused),
		cmocka_unit_test(every_maximum_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
