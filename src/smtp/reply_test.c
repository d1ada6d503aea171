/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "smtp/reply.h"

static struct reply reply;
static struct reply_extensions extensions;

/* Gives text in steps of `step` bytes; tells how many bytes the reply took. */
static enum reply_progress
read_reply(const char *text, size_t step, size_t *taken, struct error *err)
{
	size_t size = strlen(text);
	reply_init(&reply);
	memset(&extensions, 0, sizeof extensions);
	for (size_t at = 0; at < size;) {
		size_t len = size - at < step ? size - at : step;
		struct slice input = slice_of(text + at, len);
		while (input.len > 0) {
			enum reply_progress progress = reply_take(&reply, &input, err);
			*taken = at + len - input.len;
			if ((progress == REPLY_LINE || progress == REPLY_COMPLETE) && reply.line_count > 1)
				reply_take_extension(&extensions, reply_line(&reply));
			if (progress == REPLY_COMPLETE || progress == REPLY_MALFORMED)
				return progress;
		}
		at += len;
	}
	return REPLY_NEEDS_MORE;
}

static void
replies_are_read_however_they_are_cut(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		unsigned code;
		const char *enhanced, *text;
		size_t left;
	} table[] = {
		{ "250 ok\r\n", 250, "", "ok", 0 },
		{ "250 2.1.5 Ok\r\n", 250, "2.1.5", "Ok", 0 },
		{ "250\r\n", 250, "", "", 0 },
		{ "250 \r\n", 250, "", "", 0 },
		{ "250\n354 go\r\n", 250, "", "", 8 },
		{ "550-5.1.1 The mailbox\r\n550 5.1.1 does not exist\r\n250 next", 550, "5.1.1", "The mailbox does not exist", 8 },
		{ "550-First\r\n550 5.7.1 Second\r\n", 550, "5.7.1", "First Second", 0 },
		{ "550-5.1.1\r\n550-\r\n550 5.1.2 x\r\n", 550, "5.1.1", "x", 0 },
		{ "550 2.1.1 other class\r\n", 550, "", "2.1.1 other class", 0 },
		{ "550 5.1234.1 no\r\n", 550, "", "5.1234.1 no", 0 },
		{ "550 5.1.1.2 no\r\n", 550, "", "5.1.1.2 no", 0 },
		{ "550 5.1.1: no\r\n", 550, "", "5.1.1: no", 0 },
		{ "554 5.999.999 x\r\n", 554, "5.999.999", "x", 0 },
		{ "571 old\r\n", 571, "", "old", 0 },
		{ "250 a\rb\tc\x01\x7f\r\n", 250, "", "a?b c??", 0 },
		{ "250 gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xac\r\n", 250, "", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x93\xac", 0 },
		{ "250 \xff\xc0\x80\xed\xa0\x80\xc2\x9b\xe2\x80\xae\xc3\r\n", 250, "", "????????" "?", 0 },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		for (size_t step = 1; step <= strlen(table[i].bytes); step++) {
			size_t taken = 0;
			struct error err;
			assert_int_equal(read_reply(table[i].bytes, step, &taken, &err), REPLY_COMPLETE);
			assert_int_equal(reply.code, table[i].code);
			assert_string_equal(reply.enhanced, table[i].enhanced);
			assert_string_equal(reply.text, table[i].text);
			assert_int_equal(reply.text_len, strlen(reply.text));
			assert_int_equal(strlen(table[i].bytes) - taken, table[i].left);
		}
	}
}

static void
nonsense_is_refused(void **state)
{
	(void)state;
	static const char *const table[] = { "\r\n", "ok\r\n", "25\r\n", "25 ok\r\n", "2500 ok\r\n", "150 ok\r\n", "650 ok\r\n",
		"2x0 ok\r\n", "+250 ok\r\n", " 250 ok\r\n", "250-a\r\n251 b\r\n", "250-a\r\nb\r\n", "250\tok\r\n", "250_ok\r\n",
		"SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\n" };
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		for (size_t step = 1; step <= strlen(table[i]); step++) {
			size_t taken;
			struct error err = { 0 };
			assert_int_equal(read_reply(table[i], step, &taken, &err), REPLY_MALFORMED);
			assert_int_equal(err.code, ERROR_PROTOCOL);
		}
	}
}

static void
an_endless_reply_is_refused(void **state)
{
	(void)state;
	struct error err = { 0 };
	enum reply_progress progress = REPLY_LINE;
	unsigned lines = 0;
	reply_init(&reply);
	while (progress == REPLY_LINE) {
		struct slice input = slice_of_string("553-and one more line for you, which has some text\r\n");
		progress = reply_take(&reply, &input, &err);
		assert_true(reply.text_len <= REPLY_TEXT_MAX);
		assert_true(++lines <= REPLY_LINES_MAX + 1);
	}
	assert_int_equal(progress, REPLY_MALFORMED);
	assert_int_equal(err.code, ERROR_PROTOCOL);
}

static void
an_endless_line_is_refused(void **state)
{
	(void)state;
	struct error err = { 0 };
	char piece[100];
	memset(piece, '2', sizeof piece);
	size_t given = 0;
	enum reply_progress progress;
	reply_init(&reply);
	do {
		struct slice input = slice_of(piece, sizeof piece);
		progress = reply_take(&reply, &input, &err);
		given += sizeof piece;
	} while (progress == REPLY_NEEDS_MORE && given < 100000);
	assert_int_equal(progress, REPLY_MALFORMED);
	assert_true(given <= REPLY_LINE_MAX + sizeof piece);
}

static void
text_is_cut_between_characters(void **state)
{
	(void)state;
	char out[8];
	assert_int_equal(reply_make_printable(out, sizeof out, slice_of_string("abcde\xe2\x82\xac")), 5);
	assert_string_equal(out, "abcde");
	assert_int_equal(reply_make_printable(out, sizeof out, slice_of_string("abcd\xe2\x82\xacx")), 7);
	assert_int_equal(reply_make_printable(out, 1, slice_of_string("abc")), 0);
	assert_string_equal(out, "");
	assert_int_equal(reply_make_printable(out, sizeof out, slice_of("a\0b", 3)), 3);
	assert_string_equal(out, "a?b");
}

static void
extensions_are_found(void **state)
{
	(void)state;
	size_t taken;
	struct error err;
	read_reply("250-SIZE 5\r\n250-pipelining\r\n250-Chunking\r\n250-8BITMIME\r\n250-SMTPUTF8 x\r\n250-STARTTLS\r\n250 SIZE 10240000\r\n",
	    7, &taken, &err);
	assert_true(extensions.pipelining && extensions.chunking && extensions.eight_bit_mime);
	assert_true(extensions.smtputf8 && extensions.starttls && extensions.size);
	assert_true(extensions.size_max_bytes == 10240000);
	read_reply("250-PIPELINING\r\n250-XPIPELINING\r\n250-CHUNKING=\r\n250 \r\n", 7, &taken, &err);
	assert_false(extensions.pipelining || extensions.chunking); /* the first line is a greeting */
	assert_false(extensions.size);
}

static void
sizes_do_not_wrap(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		uint64_t size;
	} table[] = { { "SIZE", 0 }, { "SIZE 0", 0 }, { "SIZE 1", 1 }, { "SIZE 18446744073709551615", UINT64_MAX },
		{ "SIZE 18446744073709551616", 0 }, { "SIZE 99999999999999999999999", 0 }, { "SIZE -1", 0 }, { "SIZE x", 0 },
		{ "SIZE ", 0 }, { "SIZE 12 34", 0 } };
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct reply_extensions found = { .size_max_bytes = 7 };
		reply_take_extension(&found, slice_of_string(table[i].line));
		assert_true(found.size);
		assert_true(found.size_max_bytes == table[i].size);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read_however_they_are_cut),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(an_endless_reply_is_refused),
		cmocka_unit_test(an_endless_line_is_refused),
		cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(extensions_are_found),
		cmocka_unit_test(sizes_do_not_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
