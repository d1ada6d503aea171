/* SPDX-License-Identifier: ISC */
#include "seal/test_seal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "seal/autocrypt.h"

static struct buffer keydata;

static int
enter(void **state)
{
	people_come(state);
	buffer_init(&keydata, 20000);
	return openpgp_autocrypt(alice.pgp, &keydata, NULL);
}

static int
leave(void **state)
{
	buffer_finish(&keydata);
	return people_go(state);
}

/* Replaces K by the key in base64, and looks. */
static int
find(const char *header, const char *from, struct autocrypt *found)
{
	struct buffer text, key;
	struct error err = { 0 };
	buffer_init(&text, 1 << 20);
	buffer_init(&key, OPENPGP_AUTOCRYPT_MAX_BYTES);
	for (; *header != '\0'; header++)
		if (*header == '@' && header[1] == '@')
			buffer_append(&text, buffer_bytes(&keydata), buffer_len(&keydata), &err), header++;
		else
			buffer_append(&text, header, 1, &err);
	int result = autocrypt_find(all_of(&text), from, found, &key, &err);
	assert_int_equal(result == 1, buffer_len(&key) > 0);
	buffer_finish(&text);
	buffer_finish(&key);
	return result;
}

/* The key as one line is longer than a line of mail may be. */
static void
fold_keydata(void)
{
	struct buffer folded;
	buffer_init(&folded, 20000);
	for (size_t i = 0; i < buffer_len(&keydata); i += 70)
		buffer_printf(&folded, NULL, "\r\n %.*s", (int)(buffer_len(&keydata) - i < 70 ? buffer_len(&keydata) - i : 70),
		    (const char *)buffer_bytes(&keydata) + i);
	buffer_finish(&keydata);
	keydata = folded;
}

static void
what_is_written_is_found_again(void **state)
{
	(void)state;
	struct buffer header, key;
	struct autocrypt found;
	struct error err = { 0 };
	for (unsigned mutual = 0; mutual < 2; mutual++) {
		buffer_init(&header, AUTOCRYPT_MAX_BYTES);
		buffer_init(&key, OPENPGP_AUTOCRYPT_MAX_BYTES);
		assert_int_equal(autocrypt_write(ALICE, mutual != 0, all_of(&keydata), &header, &err), 0);
		assert_true(has_text(all_of(&header), "keydata="));
		assert_int_equal(autocrypt_find(all_of(&header), ALICE, &found, &key, &err), 1);
		assert_int_equal(found.prefers_encryption, mutual);
		assert_string_equal(found.key.fingerprint, alice.is.fingerprint);
		struct slice learned = all_of(&key);
		struct buffer sealed, opened;
		wrap_payload(&alice, "", slice_of_string("\r\nHello\r\n"), &sealed);
		assert_int_equal(bob_opens(&learned, 1, ALICE, all_of(&sealed), &opened).signature, PGPMIME_SIGNED_GOOD);
		buffer_finish(&sealed);
		buffer_finish(&opened);
		for (size_t i = 0, column = 0; i < buffer_len(&header); i++) {
			column = buffer_bytes(&header)[i] == '\n' ? 0 : column + 1;
			assert_true(column <= 77);
		}
		buffer_finish(&header);
		buffer_finish(&key);
	}
	fold_keydata();
}

static void
each_rule_of_the_specification_is_kept(void **state)
{
	(void)state;
	static const struct {
		const char *header;
		int found, is_mutual;
	} table[] = {
		{ "Autocrypt: addr=" ALICE "; keydata=@@\r\n", 1, 0 },
		{ "autocrypt: addr=ALICE@aliceonion.onion; prefer-encrypt=mutual; keydata=@@\r\n", 1, 1 },
		{ "Autocrypt: addr=" ALICE ";prefer-encrypt=nopreference;keydata=@@\r\n", 1, 0 },
		{ "Autocrypt: addr=" ALICE "; _new=1; keydata=@@\r\n", 1, 0 },
		{ "Autocrypt: addr=" ALICE "; new=1; keydata=@@\r\n", 0, 0 },
		{ "Autocrypt: addr=" ALICE "; type=1; keydata=@@\r\n", 0, 0 },
		{ "Autocrypt: addr=" BOB "; keydata=@@\r\n", 0, 0 },
		{ "Autocrypt: keydata=@@\r\n", 0, 0 },
		{ "Autocrypt: addr=" ALICE "\r\n", 0, 0 },
		{ "Autocrypt: addr=" ALICE "; keydata=@@; prefer-encrypt=mutual\r\n", 0, 0 },
		{ "Autocrypt: addr=" ALICE "; keydata=@@; _last=1\r\n", 0, 0 },
		{ "Autocrypt: addr=" ALICE "; addr=" ALICE "; keydata=@@\r\n", 0, 0 },
		{ "Autocrypt: addr=" ALICE "; keydata=AAAA\r\n", 0, 0 },
		{ "Autocrypt: addr=" ALICE "; keydata=!\r\n", 0, 0 },
		{ "Autocrypt: \r\n", 0, 0 },
		{ "Autocrypt: addr=" ALICE "; keydata=@@\r\nAutocrypt: addr=" ALICE "; keydata=@@\r\n", 0, 0 },
		{ "Autocrypt: addr=" BOB "; keydata=@@\r\nAutocrypt: addr=" ALICE "; keydata=@@\r\n", 1, 0 },
		{ "Autocrypt: addr=" ALICE "; keydata=@@\r\nAutocrypt: x\r\nAutocrypt: x\r\nAutocrypt: x\r\nAutocrypt: x\r\n", 0, 0 },
		{ "Content-Type: multipart/report; boundary=a\r\nAutocrypt: addr=" ALICE "; keydata=@@\r\n", 0, 0 },
		{ "Subject: no key\r\n", 0, 0 },
		{ "", 0, 0 },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct autocrypt found;
		int result = find(table[i].header, ALICE, &found);
		if (result != table[i].found || found.prefers_encryption != (table[i].is_mutual != 0))
			fail_msg("%d for %s", result, table[i].header);
	}
}

static void
a_secret_key_in_a_header_is_not_taken(void **state)
{
	(void)state;
	struct buffer was = keydata;
	struct autocrypt found;
	/* as some program might by mistake: the same five packets, with the secret */
	buffer_init(&keydata, 20000);
	size_t len = buffer_len(&alice.secret);
	char *text = malloc(len * 2);
	assert_non_null(text);

	encode_base64(text, buffer_bytes(&alice.secret), len);
	assert_int_equal(buffer_append_string(&keydata, text, NULL), 0);
	free(text);
	fold_keydata();
	assert_int_equal(find("Autocrypt: addr=" ALICE "; keydata=@@\r\n", ALICE, &found), 0);
	buffer_finish(&keydata);
	keydata = was;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_found_again),
		cmocka_unit_test(each_rule_of_the_specification_is_kept),
		cmocka_unit_test(a_secret_key_in_a_header_is_not_taken),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
