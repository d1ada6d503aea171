/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tor/control_reply.h"

static struct control_reply reply;
static struct buffer input;

static int
set_up(void **state)
{
	(void)state;
	control_reply_init(&reply);
	buffer_init(&input, 2 * CONTROL_REPLY_MAX_BYTES);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	control_reply_finish(&reply);
	buffer_finish(&input);
	return 0;
}

static void
put(const void *bytes, size_t len)
{
	assert_int_equal(buffer_append(&input, bytes, len, NULL), 0);
}

static bool
take(void)
{
	bool complete;
	assert_int_equal(control_reply_take(&reply, &input, &complete, NULL), 0);
	return complete;
}

static void
assert_slice(struct slice s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.data, expected, s.len);
}

static const char several[] =
    "250-version=0.4.9.11\r\n"
    "250+data=\r\nfirst\r\n..dot\r\n\r\n.\r\n"
    "250 OK\r\n"
    "650 HS_DESC UPLOADED abc UNKNOWN $AB~relay\r\n"
    "552 Unrecognized key \"x\"\r\n";

static void
check_several(void (*feed_until_complete)(void))
{
	feed_until_complete();
	assert_int_equal(reply.code, 250);
	assert_int_equal(reply.line_count, 3);
	assert_slice(control_reply_text(&reply, 0), "version=0.4.9.11");
	assert_int_equal(control_reply_data(&reply, 0).len, 0);
	assert_slice(control_reply_text(&reply, 1), "data=");
	assert_slice(control_reply_data(&reply, 1), "first\n.dot\n");
	assert_slice(control_reply_text(&reply, 2), "OK");
	struct slice value;
	assert_true(control_reply_value(&reply, "version", &value));
	assert_slice(value, "0.4.9.11");
	assert_false(control_reply_value(&reply, "versio", &value));
	assert_false(control_reply_is_event(&reply));
	feed_until_complete();
	assert_true(control_reply_is_event(&reply));
	assert_slice(control_reply_text(&reply, 0), "HS_DESC UPLOADED abc UNKNOWN $AB~relay");
	feed_until_complete();
	assert_int_equal(reply.code, 552);
}

static void
take_at_once(void)
{
	assert_true(take());
}

static void
takes_one_reply_after_the_other(void **state)
{
	(void)state;
	put(several, sizeof several - 1);
	check_several(take_at_once);
	assert_int_equal(buffer_len(&input), 0);
	assert_false(take());
}

static size_t fed;

static void
take_byte_by_byte(void)
{
	for (;;) {
		assert_true(fed < sizeof several - 1);
		put(several + fed++, 1);
		if (take())
			return;
	}
}

static void
may_be_cut_at_every_byte(void **state)
{
	(void)state;
	fed = 0;
	check_several(take_byte_by_byte);
	assert_int_equal(fed, sizeof several - 1);
}

static void
what_is_not_the_protocol_is_an_error(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"\r\n", "2\r\n", "250\r\n", "25 OK\r\n", "250_OK\r\n", "150 OK\r\n", "750 OK\r\n", "2a0 OK\r\n", "OK\r\n",
		"250 OK\n", "250 O\rK\r\n", "250-a\r\n251 b\r\n", "250-a\r\n650 EVENT\r\n", "250+a\r\nb\n.\r\n",
		"HTTP/1.1 200 OK\r\n", " 250 OK\r\n",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct error err = { 0 };
		bool complete;
		set_up(NULL);
		put(bad[i], strlen(bad[i]));
		assert_int_equal(control_reply_take(&reply, &input, &complete, &err), -1);
		assert_int_equal(err.code, ERROR_PROTOCOL);
		tear_down(NULL);
	}
	bool complete;
	put("250 a\0b\r\n", 9);
	assert_int_equal(control_reply_take(&reply, &input, &complete, NULL), -1);
}

static void
a_line_has_a_maximum(void **state)
{
	(void)state;
	struct error err = { 0 };
	bool complete;
	char *line = malloc(CONTROL_REPLY_LINE_MAX_BYTES + 3);
	memset(line, 'x', CONTROL_REPLY_LINE_MAX_BYTES + 3);
	memcpy(line, "250 ", 4);
	put(line, CONTROL_REPLY_LINE_MAX_BYTES);
	assert_false(take());
	put("\r", 1);
	assert_false(take());
	put("\n", 1);
	assert_true(take());
	put(line, CONTROL_REPLY_LINE_MAX_BYTES + 1);
	assert_false(take());
	put("\r\n", 2);
	assert_int_equal(control_reply_take(&reply, &input, &complete, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	free(line);
}

static void
a_reply_has_a_maximum_of_lines_and_bytes(void **state)
{
	(void)state;
	struct error err = { 0 };
	bool complete;
	for (int i = 0; i < CONTROL_REPLY_LINES_MAX; i++)
		put("250-x\r\n", 7);
	assert_false(take());
	put("250 x\r\n", 7);
	assert_int_equal(control_reply_take(&reply, &input, &complete, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	tear_down(NULL);
	set_up(NULL);
	put("250+x\r\n", 7);
	int result = 0, lines = 0;
	while (result == 0 && lines++ < CONTROL_REPLY_MAX_BYTES) {
		put("data\r\n", 6);
		result = control_reply_take(&reply, &input, &complete, &err);
	}
	assert_int_equal(result, -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	assert_true(lines > 1000);
}

static void
keywords_come_bare_or_quoted(void **state)
{
	(void)state;
	struct slice text = slice_of_string("NOTICE BOOTSTRAP PROGRESS=75 TAG=x SUMMARY=\"a \\\"b\\\" TAG=y\" LAST=1");
	char out[64], small[4];
	static const struct {
		const char *key, *value;
	} table[] = { { "PROGRESS", "75" }, { "TAG", "x" }, { "SUMMARY", "a \"b\" TAG=y" }, { "LAST", "1" } };
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_true(control_reply_keyword(text, table[i].key, out, sizeof out));
		assert_string_equal(out, table[i].value);
	}
	assert_false(control_reply_keyword(text, "NOTICE", out, sizeof out));
	assert_false(control_reply_keyword(text, "RESS", out, sizeof out));
	assert_true(control_reply_keyword(text, "SUMMARY", small, sizeof small));
	assert_string_equal(small, "a \"");
	assert_true(control_reply_keyword(slice_of_string("A=\"open \\"), "A", out, sizeof out));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_one_reply_after_the_other),
		TEST(may_be_cut_at_every_byte),
		TEST(what_is_not_the_protocol_is_an_error),
		TEST(a_line_has_a_maximum),
		TEST(a_reply_has_a_maximum_of_lines_and_bytes),
		TEST(keywords_come_bare_or_quoted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
