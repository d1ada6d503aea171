/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "identity/sheet.h"

static const struct identity alice = { .name = "alice", .local_part = "alice",
	.onion = "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion", .created = "2026-01-31" };

static void
make_key(unsigned char first, struct onionkey *out, struct identity *identity)
{
	unsigned char seed[32] = { first };
	onionkey_from_seed(seed, out);
	*identity = alice;
	onionkey_name(out->public_key, identity->onion);
	strcat(identity->onion, ".onion");
}

/* The sheet as a string; the caller frees it. */
static char *
print(const struct identity *identity, const struct onionkey *key)
{
	static const struct recovery recovery = { { 1, 2, 3 } };
	struct recovery again;
	struct buffer out;
	struct error err;
	buffer_init(&out, SHEET_TEXT_MAX);
	assert_int_equal(sheet_write(identity, key, &recovery, "2026-11-22", &out, &err), 0);
	char *text = strndup((const char *)buffer_bytes(&out), buffer_len(&out));
	assert_int_equal(recovery_read_text(slice_of_string(text), &again, &err), 0);
	assert_memory_equal(&again, &recovery, sizeof again);
	buffer_finish(&out);
	return text;
}

static int
read_text(const char *text, struct onionkey *key, struct error *err)
{
	struct sheet_reader r;
	sheet_reader_init(&r);
	sheet_reader_take_text(&r, slice_of_string(text));
	return sheet_reader_finish(&r, key, err);
}

/* Where the symbols of a line begin. */
static char *
find_line(char *text, unsigned number)
{
	char mark[12];
	snprintf(mark, sizeof mark, "\n    %u:  ", number);
	char *at = strstr(text, mark);
	assert_non_null(at);
	return at + strlen(mark);
}

static void
a_sheet_gives_its_key_back(void **state)
{
	(void)state;
	struct onionkey key, again;
	struct identity identity;
	for (unsigned char i = 0; i < 50; i++) {
		make_key(i, &key, &identity);
		char *text = print(&identity, &key);
		assert_int_equal(read_text(text, &again, NULL), 0);
		assert_memory_equal(&again, &key, sizeof key);
		free(text);
	}
}

static void
a_sheet_fits_on_a_page(void **state)
{
	(void)state;
	struct onionkey key;
	struct identity identity;
	make_key(7, &key, &identity);
	memset(identity.name, 'n', IDENTITY_NAME_MAX);
	memset(identity.local_part, 'a', ADDRESS_LOCAL_PART_MAX);
	char *text = print(&identity, &key), *save = NULL;
	unsigned lines = 0;
	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	assert_true(lines <= 60);
	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if (strlen(line) > 79)
			fail_msg("too long: %s", line);
		for (const char *p = line; *p != '\0'; p++)
			assert_true(*p >= ' ' && *p < 0x7f);
	}
	free(text);
}

/* How people and scanners write what they see. */
static void
case_spaces_and_look_alikes_do_not_matter(void **state)
{
	(void)state;
	struct onionkey key, again;
	struct identity identity;
	char typed[1024] = "";
	for (unsigned char i = 0; i < 50; i++) {
		make_key(i, &key, &identity);
		size_t n = 0;
		for (unsigned number = SHEET_LINES; number > 0; number--) { /* in another order */
			char line[SHEET_LINE_LEN + 1];
			sheet_write_line(&key, number, line);
			n += (size_t)snprintf(typed + n, sizeof typed - n, number % 3 == 0 ? "> %u) " : number % 3 == 1 ? "%u " : "\t%u:-", number);
			for (const char *p = line; *p != '\0'; p++)
				if (*p != ' ')
					typed[n++] = *p == '0' ? 'o' : *p == '1' ? (i % 2 ? 'l' : 'I') : *p == 'V' ? 'u' : (char)tolower(*p);
			n += (size_t)snprintf(typed + n, sizeof typed - n, " \r\n\n");
		}
		assert_int_equal(read_text(typed, &again, NULL), 0);
		assert_memory_equal(&again, &key, sizeof key);
	}
}

static void
every_wrong_symbol_is_found_in_its_line(void **state)
{
	(void)state;
	struct onionkey key, again;
	struct identity identity;
	struct error err;
	make_key(3, &key, &identity);
	char *text = print(&identity, &key);
	for (unsigned number = 1; number <= SHEET_LINES; number++)
		for (unsigned at = 0; at < SHEET_LINE_LEN; at++) {
			char *p = find_line(text, number) + at, before = *p, expected[40];
			if (before == ' ')
				continue;
			*p = before == '7' ? '8' : '7';
			assert_int_equal(read_text(text, &again, &err), -1);
			snprintf(expected, sizeof expected, "typing errors in line %u:", number);
			assert_non_null(strstr(err.text, expected));
			*p = before;
		}
	assert_int_equal(read_text(text, &again, &err), 0);
	free(text);
}

static void
two_symbols_that_changed_places_are_found(void **state)
{
	(void)state;
	struct onionkey key, again;
	struct identity identity;
	struct error err;
	make_key(4, &key, &identity);
	char *text = print(&identity, &key);
	for (unsigned number = 1; number <= SHEET_LINES; number++) {
		char *p = find_line(text, number), first = p[0];
		if (p[0] == p[1])
			continue;
		p[0] = p[1];
		p[1] = first;
		assert_int_equal(read_text(text, &again, &err), -1);
		p[1] = p[0];
		p[0] = first;
	}
	free(text);
}

static void
the_text_names_all_lines_that_are_wrong_or_missing(void **state)
{
	(void)state;
	struct onionkey key, again;
	struct identity identity;
	struct error err;
	make_key(5, &key, &identity);
	char *text = print(&identity, &key);
	*find_line(text, 2) = *find_line(text, 2) == 'Z' ? 'Y' : 'Z';
	find_line(text, 4)[SHEET_LINE_LEN - 1] = '\n';  /* one is missing */
	*find_line(text, 9) = '!';
	find_line(text, 6)[-5] = 'x';
	assert_int_equal(read_text(text, &again, &err), -1);
	assert_string_equal(err.text, "typing errors in lines 2, 4 and 9, and missing: line 6: compare with the sheet");
	free(text);
	assert_int_equal(read_text("a letter to a friend\n1. buy bread\n", &again, &err), -1);
	assert_int_equal(read_text("", &again, &err), -1);
	assert_non_null(strstr(err.text, "no line of a recovery sheet"));
}

static void
a_line_says_what_is_wrong_with_it(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "AAAA AAAA AAAA AAA", "line 3: these are 15 letters" },
		{ "AAAA AAAA AAAA AAAAA", "line 3: these are 17 letters" },
		{ "", "line 3: these are 0 letters" },
		{ "AAAA AAAA AAAA AAA?", "line 3: only letters and digits" },
		{ "AAAA AAAA AAAA AAAA", "line 3: there is a typing error" },
	};
	struct sheet_reader r;
	struct error err;
	sheet_reader_init(&r);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(sheet_reader_take(&r, 3, slice_of_string(cases[i].text), &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
		assert_non_null(strstr(err.text, cases[i].says));
	}
}

static void
a_line_that_was_right_before_stays(void **state)
{
	(void)state;
	struct onionkey key, again;
	struct identity identity;
	make_key(6, &key, &identity);
	struct sheet_reader r;
	char line[SHEET_LINE_LEN + 1];
	sheet_reader_init(&r);
	assert_int_equal(sheet_reader_take(&r, 1, slice_of_string("0000 0000 0000 0000"), NULL), -1);
	for (unsigned i = 1; i <= SHEET_LINES; i++) {
		sheet_write_line(&key, i, line);
		assert_int_equal(sheet_reader_take(&r, i, slice_of_string(line), NULL), 0);
	}
	assert_int_equal(sheet_reader_take(&r, 1, slice_of_string("0000 0000 0000 0000"), NULL), -1);
	assert_int_equal(sheet_reader_finish(&r, &again, NULL), 0);
	assert_memory_equal(&again, &key, sizeof key);
}

static void
lines_and_addresses_of_two_sheets_do_not_mix(void **state)
{
	(void)state;
	struct onionkey key, other, again;
	struct identity identity, other_identity;
	struct error err;
	make_key(8, &key, &identity);
	make_key(9, &other, &other_identity);
	char *text = print(&identity, &key);
	char line[SHEET_LINE_LEN + 1];
	sheet_write_line(&other, 5, line);
	memcpy(find_line(text, 5), line, SHEET_LINE_LEN);
	assert_int_equal(read_text(text, &again, &err), -1);
	assert_non_null(strstr(err.text, "do not belong together"));
	free(text);
	text = print(&other_identity, &key);
	assert_int_equal(read_text(text, &again, &err), -1);
	assert_non_null(strstr(err.text, "the address with them is another"));
	free(text);
	/* a line under another number */
	struct sheet_reader r;
	sheet_reader_init(&r);
	sheet_write_line(&key, 2, line);
	assert_int_equal(sheet_reader_take(&r, 3, slice_of_string(line), &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sheet_gives_its_key_back),
		cmocka_unit_test(a_sheet_fits_on_a_page),
		cmocka_unit_test(case_spaces_and_look_alikes_do_not_matter),
		cmocka_unit_test(every_wrong_symbol_is_found_in_its_line),
		cmocka_unit_test(two_symbols_that_changed_places_are_found),
		cmocka_unit_test(the_text_names_all_lines_that_are_wrong_or_missing),
		cmocka_unit_test(a_line_says_what_is_wrong_with_it),
		cmocka_unit_test(a_line_that_was_right_before_stays),
		cmocka_unit_test(lines_and_addresses_of_two_sheets_do_not_mix),
	};
	random_init();
	return cmocka_run_group_tests_name("identity/sheet", tests, NULL, NULL);
}
