/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/encode.h"

/* RFC 4648 section 10; base32 here is lower case and without padding. */
static const struct {
	const char *bytes, *base32, *base64, *hex;
} vectors[] = {
	{ "", "", "", "" },
	{ "f", "my", "Zg==", "66" },
	{ "fo", "mzxq", "Zm8=", "666F" },
	{ "foo", "mzxw6", "Zm9v", "666F6F" },
	{ "foob", "mzxw6yq", "Zm9vYg==", "666F6F62" },
	{ "fooba", "mzxw6ytb", "Zm9vYmE=", "666F6F6261" },
	{ "foobar", "mzxw6ytboi", "Zm9vYmFy", "666F6F626172" },
};

static void
vectors_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		char text[32], back[16];
		size_t len = strlen(vectors[i].bytes), n;
		encode_base32(text, vectors[i].bytes, len);
		assert_string_equal(text, vectors[i].base32);
		assert_int_equal(strlen(text), ENCODE_BASE32_LEN(len));
		n = sizeof back;
		assert_int_equal(encode_from_base32(back, &n, text, strlen(text), NULL), 0);
		assert_int_equal(n, len);
		assert_memory_equal(back, vectors[i].bytes, len);
		encode_base64(text, vectors[i].bytes, len);
		assert_string_equal(text, vectors[i].base64);
		n = sizeof back;
		assert_int_equal(encode_from_base64(back, &n, text, strlen(text), NULL), 0);
		assert_int_equal(n, len);
		encode_hex(text, vectors[i].bytes, len);
		assert_string_equal(text, vectors[i].hex);
	}
}

static void
malformed_is_refused(void **state)
{
	(void)state;
	static const char *const base32[] = { "m", "mz1", "mzx", "mzxw6y", "mz xq", "mzxq====", "mb" };
	static const char *const base64[] = { "Zg", "Zg=", "Zg==x", "Z!==", " Zg==", "Zh==", "\xff\xff\xff\xff", "Zg\xbd=" };
	char out[32];
	for (size_t i = 0; i < sizeof base32 / sizeof base32[0]; i++) {
		size_t n = sizeof out;
		assert_int_equal(encode_from_base32(out, &n, base32[i], strlen(base32[i]), NULL), -1);
	}
	for (size_t i = 0; i < sizeof base64 / sizeof base64[0]; i++) {
		size_t n = sizeof out;
		assert_int_equal(encode_from_base64(out, &n, base64[i], strlen(base64[i]), NULL), -1);
	}
	size_t small = 2;
	assert_int_equal(encode_from_base32(out, &small, "mzxw6", 5, NULL), -1);
	small = 2;
	assert_int_equal(encode_from_base64(out, &small, "Zm9v", 4, NULL), -1);
}

static void
numbers_low_byte_first(void **state)
{
	(void)state;
	unsigned char out[9] = "........";
	encode_number(out, 0x0102030405060708, 8);
	assert_memory_equal(out, "\x08\x07\x06\x05\x04\x03\x02\x01", 9);
	assert_true(encode_from_number(out, 8) == 0x0102030405060708);
	assert_true(encode_from_number(out, 3) == 0x060708);
	encode_number(out, 0xfffe, 1);
	assert_memory_equal(out, "\xfe\x07", 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_both_ways),
		cmocka_unit_test(malformed_is_refused),
		cmocka_unit_test(numbers_low_byte_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
