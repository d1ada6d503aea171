/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "socks/socks.h"

#define SLICE(literal) { (const unsigned char *)(literal), sizeof(literal) - 1 }

static void
start(struct socks *s)
{
	struct error err = { 0 };
	assert_int_equal(socks_init(s, slice_of_string(SOCKS_TOR_USERNAME), slice_of_string("secret"),
	    slice_of_string("name.onion"), 465, &err), 0);
}

/* Feeds the replies in pieces of at most `piece` bytes, never more than is wanted. Returns what was not taken, or -1. */
static long
feed(struct socks *s, struct slice replies, size_t piece, struct error *err)
{
	while (replies.len > 0 && socks_wants(s) > 0) {
		size_t len = socks_wants(s) < piece ? socks_wants(s) : piece;
		bool stepped;
		if (len > replies.len)
			len = replies.len;
		if (socks_take(s, replies.data, len, &stepped, err) != 0)
			return -1;
		replies = slice_of(replies.data + len, replies.len - len);
	}
	return (long)replies.len;
}

static void
sends_one_request_at_a_time(void **state)
{
	(void)state;
	struct socks s;
	bool stepped;
	start(&s);
	static const struct {
		struct slice request, reply;
	} steps[] = {
		{ SLICE("\x05\x01\x02"), SLICE("\x05\x02") },
		{ SLICE("\x01\x09<torS0X>0\x06secret"), SLICE("\x01\x00") },
		{ SLICE("\x05\x01\x00\x03\x0aname.onion\x01\xd1"), SLICE("\x05\x00\x00\x01\0\0\0\0\0\0") },
	};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(socks_output(&s).len, steps[i].request.len);
		assert_memory_equal(socks_output(&s).data, steps[i].request.data, steps[i].request.len);
		for (size_t at = 0; at < steps[i].reply.len; at++) {
			assert_int_equal(socks_take(&s, steps[i].reply.data + at, 1, &stepped, NULL), 0);
			assert_int_equal(stepped, at + 1 == steps[i].reply.len);
		}
	}
	assert_true(socks_is_done(&s));
	assert_int_equal(socks_result(&s), SOCKS_SUCCEEDED);
	assert_int_equal(socks_output(&s).len, 0);
	assert_int_equal(socks_wants(&s), 0);
}

static void
leaves_what_follows_the_reply(void **state)
{
	(void)state;
	static const struct slice replies[] = {
		SLICE("\x05\x02\x01\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34" "220 x"),
		SLICE("\x05\x02\x01\x00\x05\x00\x00\x04" "0123456789abcdef" "pp" "220 x"),
		SLICE("\x05\x02\x01\x00\x05\x00\x00\x03\x04" "host" "pp" "220 x"),
		SLICE("\x05\x02\x01\x00\x05\x00\x00\x03\x00" "pp" "220 x"),
	};
	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++)
		for (size_t piece = 1; piece < 30; piece++) {
			struct socks s;
			start(&s);
			assert_int_equal(feed(&s, replies[i], piece, NULL), 5);
			assert_true(socks_is_done(&s));
			assert_int_equal(socks_result(&s), SOCKS_SUCCEEDED);
		}
}

static void
a_name_of_255_bytes_fits(void **state)
{
	(void)state;
	unsigned char reply[4 + 5 + 255 + 2 + 1] = "\x05\x02\x01\x00\x05\x00\x00\x03\xff";
	struct socks s;
	start(&s);
	assert_int_equal(feed(&s, slice_of(reply, sizeof reply), sizeof reply, NULL), 1);
	assert_true(socks_is_done(&s));
}

static void
every_code_has_a_result_and_a_text(void **state)
{
	(void)state;
	static const struct {
		unsigned char code;
		enum socks_result result;
	} table[] = {
		{ 0x00, SOCKS_SUCCEEDED }, { 0x01, SOCKS_FAILED }, { 0x05, SOCKS_REFUSED }, { 0x06, SOCKS_TIMED_OUT },
		{ 0x08, SOCKS_ADDRESS_NOT_SUPPORTED }, { 0x09, SOCKS_FAILED }, { 0xef, SOCKS_FAILED },
		{ 0xf0, SOCKS_NO_DESCRIPTOR }, { 0xf1, SOCKS_DESCRIPTOR_INVALID }, { 0xf2, SOCKS_INTRODUCTION_FAILED },
		{ 0xf3, SOCKS_RENDEZVOUS_FAILED }, { 0xf4, SOCKS_AUTHORIZATION_MISSING },
		{ 0xf5, SOCKS_AUTHORIZATION_WRONG }, { 0xf6, SOCKS_BAD_ADDRESS }, { 0xf7, SOCKS_INTRODUCTION_TIMED_OUT },
		{ 0xf8, SOCKS_FAILED }, { 0xff, SOCKS_FAILED },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		unsigned char replies[] = "\x05\x02\x01\x00\x05_\x00\x01\0\0\0\0\0\0";
		struct socks s;
		replies[5] = table[i].code;
		start(&s);
		assert_int_equal(feed(&s, slice_of(replies, 14), 14, NULL), 0);
		assert_int_equal(socks_result(&s), table[i].result);
		assert_true(strlen(socks_result_text(socks_result(&s))) > 5);
	}
	assert_string_not_equal(socks_result_text(SOCKS_NO_DESCRIPTOR), socks_result_text(SOCKS_INTRODUCTION_FAILED));
}

static void
what_is_not_socks_ends_the_dialogue(void **state)
{
	(void)state;
	static const struct slice bad[] = {
		SLICE("\x04\x02"), SLICE("HTTP"), SLICE("\x05\x00"), SLICE("\x05\x01"), SLICE("\x05\xff"),
		SLICE("\x05\x02\x05\x00"), SLICE("\x05\x02\x01\x01"),
		SLICE("\x05\x02\x01\x00\x04\x00\x00\x01\x00"), SLICE("\x05\x02\x01\x00\x05\x00\x01\x01\x00"),
		SLICE("\x05\x02\x01\x00\x05\x00\x00\x02\x00"), SLICE("\x05\x02\x01\x00\x05\x00\x00\x00\x00"),
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		for (size_t piece = 1; piece < 10; piece++) {
			struct error err = { 0 };
			struct socks s;
			start(&s);
			assert_int_equal(feed(&s, bad[i], piece, &err), -1);
			assert_int_equal(err.code, ERROR_PROTOCOL);
			assert_false(socks_is_done(&s));
		}
}

static void
fields_have_one_to_255_bytes(void **state)
{
	(void)state;
	char field[256];
	memset(field, 'a', sizeof field);
	struct slice ok = slice_of(field, 255), bad[] = { slice_of(field, 256), slice_of("", 0) };
	struct socks s;
	struct error err = { 0 };
	assert_int_equal(socks_init(&s, ok, ok, ok, 65535, &err), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(socks_init(&s, bad[i], ok, ok, 25, &err), -1);
		assert_int_equal(socks_init(&s, ok, bad[i], ok, 25, &err), -1);
		assert_int_equal(socks_init(&s, ok, ok, bad[i], 25, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
	assert_int_equal(socks_init(&s, ok, ok, ok, 0, &err), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_one_request_at_a_time),
		cmocka_unit_test(leaves_what_follows_the_reply),
		cmocka_unit_test(a_name_of_255_bytes_fits),
		cmocka_unit_test(every_code_has_a_result_and_a_text),
		cmocka_unit_test(what_is_not_socks_ends_the_dialogue),
		cmocka_unit_test(fields_have_one_to_255_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
