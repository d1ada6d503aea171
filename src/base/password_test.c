/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/password.h"
#include "base/random.h"

static void
belongs_to_its_own_hash_only(void **state)
{
	(void)state;
	char hash[PASSWORD_HASH_MAX], other[PASSWORD_HASH_MAX];
	assert_int_equal(password_hash(slice_of_string("correct horse"), hash, NULL), 0);
	assert_int_equal(password_hash(slice_of_string("correct horse"), other, NULL), 0);
	assert_string_not_equal(hash, other);
	assert_memory_equal(hash, "$argon2id$v=19$m=16384,t=3,p=1$", 31);
	assert_true(password_verify(hash, slice_of_string("correct horse")));
	assert_true(password_verify(other, slice_of_string("correct horse")));
	assert_false(password_verify(hash, slice_of_string("correct hors")));
	assert_false(password_verify(hash, slice_of_string("")));
}

static void
belongs_to_no_malformed_hash(void **state)
{
	(void)state;
	char longest[1000];
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	const char *const hashes[] = { "", "x", "$argon2id$", "$argon2id$v=19$m=16384,t=3,p=1$", longest, NULL };
	for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++)
		assert_false(password_verify(hashes[i], slice_of_string("x")));
}

static void
a_foreign_cost_is_noticed(void **state)
{
	(void)state;
	char hash[PASSWORD_HASH_MAX];
	assert_int_equal(password_hash(slice_of_string("x"), hash, NULL), 0);
	assert_true(password_is_usual(hash));
	memcpy(strstr(hash, "t=3"), "t=9", 3);
	assert_false(password_is_usual(hash));
	assert_false(password_is_usual(""));
	assert_false(password_is_usual("$argon2id$v=19$m=4194304,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
	                               "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
}

static void
refuses_what_no_password_may_be(void **state)
{
	(void)state;
	char hash[PASSWORD_HASH_MAX];
	struct error err = { 0 };
	unsigned char longest[PASSWORD_MAX_BYTES + 1];
	memset(longest, 'a', sizeof longest);
	assert_int_equal(password_hash(slice_of_string(""), hash, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(password_hash(slice_of(longest, sizeof longest), hash, &err), -1);
	assert_int_equal(password_hash(slice_of(longest, sizeof longest - 1), hash, &err), 0);
	assert_true(password_verify(hash, slice_of(longest, sizeof longest - 1)));
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(belongs_to_its_own_hash_only),
		cmocka_unit_test(belongs_to_no_malformed_hash),
		cmocka_unit_test(a_foreign_cost_is_noticed),
		cmocka_unit_test(refuses_what_no_password_may_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
