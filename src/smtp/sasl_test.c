/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/encode.h"
#include "smtp/sasl.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TEXT(literal) { (const unsigned char *)(literal), sizeof(literal) - 1 }

static struct slice
base64(struct slice bytes, char *out)
{
	encode_base64(out, bytes.data, bytes.len);
	return slice_of_string(out);
}

static void
decodes_plain(void **state)
{
	(void)state;
	static const struct {
		struct slice message;
		bool is_fine;
	} cases[] = {
		{ TEXT("\0alice@x.onion\0secret"), true },
		{ TEXT("alice@x.onion\0alice@x.onion\0secret"), true },
		{ TEXT("bob@x.onion\0alice@x.onion\0secret"), false },
		{ TEXT("\0alice@x.onion\0"), false }, { TEXT("\0\0secret"), false }, { TEXT("\0\0"), false }, { TEXT(""), false },
		{ TEXT("alice@x.onion\0secret"), false }, { TEXT("\0alice@x.onion\0sec\0ret"), false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[200];
		struct sasl_credentials credentials;
		assert_int_equal(sasl_decode_plain(base64(cases[i].message, text), &credentials), cases[i].is_fine);
		if (cases[i].is_fine) {
			assert_string_equal(credentials.login, "alice@x.onion");
			assert_int_equal(credentials.password_len, 6);
			assert_memory_equal(credentials.password, "secret", 6);
		}
	}
}

static void
decodes_login(void **state)
{
	(void)state;
	struct sasl_credentials credentials;
	char text[100];
	assert_true(sasl_decode_login(base64(slice_of_string("alice@x.onion"), text), &credentials));
	assert_true(sasl_decode_password(base64(slice_of_string("secret"), text), &credentials));
	assert_string_equal(credentials.login, "alice@x.onion");
	assert_int_equal(credentials.password_len, 6);
	assert_false(sasl_decode_login(slice_of_string(""), &credentials));
	assert_false(sasl_decode_password(slice_of_string(""), &credentials));
	assert_false(sasl_decode_login(slice_of_string("AA=="), &credentials)); /* NUL */
	sasl_wipe(&credentials);
	assert_int_equal(credentials.password_len, 0);
}

static void
refuses_what_is_no_base64_or_too_long(void **state)
{
	(void)state;
	static const char *const texts[] = { "*", "=", "!!!!", "YQ", "YQ=", "YQ== ", " YQ==", "YQ==YQ==", "\xff\xff\xff\xff" };
	struct sasl_credentials credentials;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_false(sasl_decode_plain(slice_of_string(texts[i]), &credentials));
		assert_false(sasl_decode_login(slice_of_string(texts[i]), &credentials));
		assert_false(sasl_decode_password(slice_of_string(texts[i]), &credentials));
	}
	unsigned char bytes[SASL_PASSWORD_MAX + 1];
	char text[ENCODE_BASE64_LEN(sizeof bytes) + 1];
	memset(bytes, 'a', sizeof bytes);
	assert_true(sasl_decode_login(base64(slice_of(bytes, SASL_LOGIN_MAX), text), &credentials));
	assert_false(sasl_decode_login(base64(slice_of(bytes, SASL_LOGIN_MAX + 1), text), &credentials));
	assert_true(sasl_decode_password(base64(slice_of(bytes, SASL_PASSWORD_MAX), text), &credentials));
	assert_false(sasl_decode_password(base64(slice_of(bytes, SASL_PASSWORD_MAX + 1), text), &credentials));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_plain),
		cmocka_unit_test(decodes_login),
		cmocka_unit_test(refuses_what_is_no_base64_or_too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
