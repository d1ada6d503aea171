/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buffer.h"
#include "openpgp/openpgp.h"

#define SLICE(text) slice_of(text, sizeof text - 1)
#define CONSTANT(text) { (const unsigned char *)text, sizeof text - 1 }

static void
packets_of_all_lengths_are_parted(void **state)
{
	(void)state;
	static const struct {
		struct slice data;
		unsigned tag;
		size_t bytes, left;
	} packets[] = {
		{ CONSTANT("\x88\x02xy" "rest"), 2, 2, 4 },               /* old format, one octet */
		{ CONSTANT("\x89\x00\x02xyrest"), 2, 2, 4 },              /* two */
		{ CONSTANT("\x8a\x00\x00\x00\x02xyrest"), 2, 2, 4 },      /* four */
		{ CONSTANT("\x8b" "xyrest"), 2, 6, 0 },                   /* to the end */
		{ CONSTANT("\xc2\x02xyrest"), 2, 2, 4 },                  /* new format, one octet */
		{ CONSTANT("\xc2\xff\x00\x00\x00\x02xyrest"), 2, 2, 4 },  /* five */
		{ CONSTANT("\xd2\xe1xy\xe0z\x01wrest"), 18, 4, 4 },       /* in parts of 2, 1 and 1 */
		{ CONSTANT("\xcd\x00"), 13, 0, 0 },
	};
	for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
		struct slice data = packets[i].data;
		struct openpgp_packet p;
		assert_int_equal(openpgp_packet_scan(&data, &p, NULL), 1);
		assert_int_equal(p.tag, packets[i].tag);
		assert_int_equal(p.bytes, packets[i].bytes);
		assert_int_equal(data.len, packets[i].left);
	}
	unsigned char two_octets[2 + 1 + 200] = { 0xc2, 192, 8 };
	struct slice data = slice_of(two_octets, sizeof two_octets);
	struct openpgp_packet p;
	assert_int_equal(openpgp_packet_scan(&data, &p, NULL), 1);
	assert_int_equal(p.bytes, 200);
}

static void
what_breaks_off_is_no_packet(void **state)
{
	(void)state;
	static const struct slice broken[] = {
		CONSTANT("\x02"), CONSTANT("\x88"), CONSTANT("\x88\x02x"), CONSTANT("\x89\x00"), CONSTANT("\xc2"), CONSTANT("\xc2\xc0"), CONSTANT("\xc2\xff\x00"),
		CONSTANT("\xc2\xff\xff\xff\xff\xffx"), CONSTANT("\xd2\xe1xy"), CONSTANT("\xd2\xe1xy\xe5z"), CONSTANT("\xc0\x00"), CONSTANT("\x80\x00"),
		CONSTANT("plain text"),
	};
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		struct slice data = broken[i];
		struct openpgp_packet p;
		struct error err = { 0 };
		if (openpgp_packet_scan(&data, &p, &err) != -1 || err.code != ERROR_INVALID)
			fail_msg("number %zu was taken", i);
	}
}

static void
expect_key(struct slice key, enum error_code code)
{
	struct error err = { 0 };
	int result = openpgp_key_scan(key, &err);
	assert_int_equal(result, code == ERROR_NONE ? 0 : -1);
	assert_int_equal(err.code, code);
}

#define ED25519_KEY "\xc6\x06\x04\x00\x00\x00\x00\x16"

static void
only_one_small_key_of_version_4_is_shown_to_the_library(void **state)
{
	(void)state;
	struct buffer b;
	expect_key(SLICE(ED25519_KEY "\xcd\x01" "a"), ERROR_NONE);
	expect_key(SLICE(""), ERROR_INVALID);
	expect_key(SLICE("\xcd\x01" "a"), ERROR_INVALID);                               /* begins with a name */
	expect_key(SLICE(ED25519_KEY ED25519_KEY), ERROR_INVALID);                      /* two */
	expect_key(SLICE(ED25519_KEY "\xcb\x01" "a"), ERROR_INVALID);                   /* with text in it */
	expect_key(SLICE("\xc6\x06\x06\x00\x00\x00\x00\x16"), ERROR_INVALID);           /* version 6 */
	expect_key(SLICE("\xc6\x05\x04\x00\x00\x00\x00"), ERROR_INVALID);               /* breaks off */
	expect_key(SLICE("\xc6\x08\x04\x00\x00\x00\x00\x01\x10\x00"), ERROR_NONE);      /* RSA of 4096 bits */
	expect_key(SLICE("\xc6\x08\x04\x00\x00\x00\x00\x01\x10\x01"), ERROR_TOO_LARGE); /* and one more */
	buffer_init(&b, 2 * OPENPGP_KEY_MAX_BYTES);
	assert_int_equal(buffer_append(&b, ED25519_KEY, 8, NULL), 0);
	for (unsigned i = 1; i < OPENPGP_KEY_MAX_PACKETS; i++)
		assert_int_equal(buffer_append(&b, "\xcd\x01" "a", 3, NULL), 0);
	expect_key(slice_of(buffer_bytes(&b), buffer_len(&b)), ERROR_NONE);
	assert_int_equal(buffer_append(&b, "\xcd\x01" "a", 3, NULL), 0);
	expect_key(slice_of(buffer_bytes(&b), buffer_len(&b)), ERROR_TOO_LARGE);
	buffer_finish(&b);
}

static void
expect_message(struct slice message, enum error_code code)
{
	struct error err = { 0 };
	int result = openpgp_message_scan(message, &err);
	assert_int_equal(result, code == ERROR_NONE ? 0 : -1);
	assert_int_equal(err.code, code);
}

static void
only_encryption_with_integrity_is_a_message(void **state)
{
	(void)state;
	expect_message(SLICE("\xc1\x01k\xd2\x02\x01x"), ERROR_NONE);
	expect_message(SLICE("\xc1\x01k"), ERROR_INVALID);
	expect_message(SLICE(""), ERROR_INVALID);
	expect_message(SLICE("\xc1\x01k\xc9\x02\x01x"), ERROR_DENIED);          /* without integrity */
	expect_message(SLICE("\xc1\x01k\xd2\x02\x02x"), ERROR_DENIED);          /* SEIPD version 2 */
	expect_message(SLICE("\xc1\x01k\xd2\x02\x01x\xcb\x01t"), ERROR_INVALID); /* a text behind it */
	expect_message(SLICE("\xcb\x01t"), ERROR_INVALID);
	expect_message(SLICE("\xc8\x01t"), ERROR_INVALID);                      /* compressed, not encrypted */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_of_all_lengths_are_parted),
		cmocka_unit_test(what_breaks_off_is_no_packet),
		cmocka_unit_test(only_one_small_key_of_version_4_is_shown_to_the_library),
		cmocka_unit_test(only_encryption_with_integrity_is_a_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
