/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "onionkey/onionkey.h"
#include "tor/access.h"

/* RFC 8032 7.1's first public key, as an onion name */
#define NAME "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
#define LETTERS "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct access_list *list;

static int
set_up(void **state)
{
	(void)state;
	random_init();
	list = access_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	access_free(list);
	return 0;
}

static void
what_is_granted_is_found_again_in_the_file(void **state)
{
	(void)state;
	char line[ACCESS_KEY_LINE_LEN + 1], onion[ACCESS_ONION_LEN + 1];
	struct access_list *other = access_new(), *again = access_new();
	struct buffer text;
	buffer_init(&text, ACCESS_FILE_BYTES_MAX);
	assert_int_equal(access_grant(list, "bob@" NAME ".onion", NAME, line, NULL), 0);
	assert_true(list->is_private);
	/* bob's side has the secret key of what stands here */
	assert_int_equal(access_take_key(other, slice_of_string(line), onion, NULL), 0);
	assert_string_equal(onion, NAME);
	unsigned char public_key[ACCESS_KEY_BYTES];
	onionkey_x25519_public(other->keys[0].secret_key, public_key);
	assert_memory_equal(public_key, list->clients[0].public_key, sizeof public_key);
	assert_int_equal(access_take_key(list, slice_of_string(line), onion, NULL), 0);
	assert_int_equal(access_write(list, &text, NULL), 0);
	assert_int_equal(access_parse(slice_of(buffer_bytes(&text), buffer_len(&text)), again, NULL), 0);
	assert_memory_equal(again, list, sizeof *list);
	buffer_finish(&text);
	access_free(other);
	access_free(again);
}

static void
a_second_key_ends_the_first(void **state)
{
	(void)state;
	char first[ACCESS_KEY_LINE_LEN + 1], second[ACCESS_KEY_LINE_LEN + 1];
	assert_int_equal(access_grant(list, "bob", NAME, first, NULL), 0);
	assert_int_equal(access_grant(list, "bob", NAME, second, NULL), 0);
	assert_string_not_equal(first, second);
	assert_int_equal(list->client_count, 1);
	assert_int_equal(access_withdraw(list, "bob", NULL), 0);
	assert_int_equal(list->client_count, 0);
	assert_true(list->is_private); /* nobody finds it then, not everybody */
	struct error err = { 0 };
	assert_int_equal(access_withdraw(list, "bob", &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void
no_more_than_fit_into_a_descriptor(void **state)
{
	(void)state;
	char line[ACCESS_KEY_LINE_LEN + 1], name[16];
	struct error err = { 0 };
	for (int i = 0; i < ACCESS_CLIENTS_MAX; i++) {
		snprintf(name, sizeof name, "friend%d", i);
		assert_int_equal(access_grant(list, name, NAME, line, NULL), 0);
	}
	assert_int_equal(access_grant(list, "carol", NAME, line, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	assert_int_equal(access_grant(list, "friend7", NAME, line, NULL), 0);
}

static void
lines_that_are_wrong_are_named(void **state)
{
	(void)state;
	static const char *const bad[] = { "key = " NAME ":descriptor:x25519:short", "key = " NAME, "key = " LETTERS "aaaa:descriptor:x25519:" LETTERS,
		"client = bob", "client = bob descriptor:ed25519:" LETTERS, "client = descriptor:x25519:" LETTERS, "client =", "nonsense" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char text[300];
		struct error err = { 0 };
		snprintf(text, sizeof text, "private = yes\nclient = alice descriptor:x25519:" LETTERS "\n%s\n", bad[i]);
		assert_int_equal(access_parse(slice_of_string(text), list, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
		assert_non_null(strstr(err.text, "line 3"));
		assert_int_equal(list->client_count, 0);
	}
}

/* Whoever mistypes is rather not found than found. */
static void
only_a_plain_no_is_public(void **state)
{
	(void)state;
	assert_int_equal(access_parse(slice_of_string("private = no\n"), list, NULL), 0);
	assert_false(list->is_private);
	assert_int_equal(access_parse(slice_of_string("private = nope\n"), list, NULL), 0);
	assert_true(list->is_private);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_granted_is_found_again_in_the_file),
		TEST(a_second_key_ends_the_first),
		TEST(no_more_than_fit_into_a_descriptor),
		TEST(lines_that_are_wrong_are_named),
		TEST(only_a_plain_no_is_public),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
