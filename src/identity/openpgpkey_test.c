/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "identity/openpgpkey.h"

static const struct identity alice = { "alice", "alice", "own.onion", "2026-01-31" };

static struct slice
all_of(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

static void
make(struct buffer *out)
{
	struct error err = { 0 };
	buffer_init(out, IDENTITY_OPENPGP_MAX_BYTES);
	if (openpgpkey_make(&alice, out, &err) != 0)
		fail_msg("%s", err.text);
}

static void
a_key_is_of_the_day_for_the_bare_address_and_does_not_expire(void **state)
{
	(void)state;
	struct buffer key;
	struct openpgp_key seen;
	make(&key);
	assert_int_equal(openpgp_look(all_of(&key), &seen, NULL), 0);
	assert_string_equal(seen.user_id, "alice@own.onion");
	assert_int_equal(seen.created_s, 1769817600); /* the 31st of January, 0:00 */
	assert_int_equal(seen.expires_s, 0);
	assert_true(seen.has_secret && seen.can_encrypt && seen.can_sign);
	openpgpkey_wipe(&key);
	assert_null(key.data);
}

static void
the_newest_key_stands_first_and_the_others_still_decrypt(void **state)
{
	(void)state;
	struct buffer first, second, both, armoured, public, text;
	struct slice keys[OPENPGP_OWN_KEYS_MAX];
	struct openpgp *before, *after;
	struct openpgp_verdict verdict;
	struct error err = { 0 };
	size_t count;
	make(&first);
	make(&second);
	buffer_init(&both, IDENTITY_OPENPGP_MAX_BYTES);
	assert_int_equal(openpgpkey_put_first(all_of(&first), all_of(&second), &both, &err), 0);
	assert_int_equal(openpgpkey_list(all_of(&both), keys, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_true(keys[0].len == buffer_len(&second) && memcmp(keys[0].data, buffer_bytes(&second), keys[0].len) == 0);
	assert_true(keys[1].len == buffer_len(&first) && memcmp(keys[1].data, buffer_bytes(&first), keys[1].len) == 0);
	assert_int_equal(openpgp_new(&keys[1], 1, &before, &err), 0);
	assert_int_equal(openpgp_new(keys, 2, &after, &err), 0);
	buffer_init(&armoured, 10000);
	buffer_init(&public, 10000);
	buffer_init(&text, 100);
	assert_int_equal(openpgp_public_key(before, &public, &err), 0);
	struct slice old = all_of(&public);
	assert_int_equal(openpgp_encrypt(before, &old, 1, 1900000000, slice_of_string("Hello"), &armoured, &err), 0);
	assert_int_equal(openpgp_decrypt(after, NULL, 0, all_of(&armoured), &text, &verdict, &err), 0);
	assert_true(slice_is(all_of(&text), "Hello"));
	openpgp_free(before);
	openpgp_free(after);
	buffer_finish(&armoured);
	buffer_finish(&public);
	buffer_finish(&text);
	assert_int_equal(openpgpkey_put_first(all_of(&both), all_of(&first), &text, &err), -1);
	assert_int_equal(err.code, ERROR_EXISTS);
	openpgpkey_wipe(&first);
	openpgpkey_wipe(&second);
	openpgpkey_wipe(&both);
}

static void
what_is_no_file_of_keys_is_refused(void **state)
{
	(void)state;
	struct buffer key, many;
	struct slice keys[OPENPGP_OWN_KEYS_MAX];
	struct error err = { 0 };
	size_t count;
	make(&key);
	for (size_t cut = 1; cut < buffer_len(&key); cut += 7)
		if (openpgpkey_list(slice_of(buffer_bytes(&key), buffer_len(&key) - cut), keys, &count, &err) == 0)
			assert_int_equal(count, 1); /* cut between two packets */
	assert_int_equal(openpgpkey_list(slice_of("", 0), keys, &count, &err), -1);
	assert_int_equal(openpgpkey_list(slice_of_string("no key"), keys, &count, &err), -1);
	buffer_init(&many, 1 << 20);
	for (size_t i = 0; i <= OPENPGP_OWN_KEYS_MAX; i++)
		assert_int_equal(buffer_append(&many, buffer_bytes(&key), buffer_len(&key), NULL), 0);
	assert_int_equal(openpgpkey_list(all_of(&many), keys, &count, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	buffer_finish(&many);
	openpgpkey_wipe(&key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_of_the_day_for_the_bare_address_and_does_not_expire),
		cmocka_unit_test(the_newest_key_stands_first_and_the_others_still_decrypt),
		cmocka_unit_test(what_is_no_file_of_keys_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
