/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/random.h"
#include "onionkey/onionkey.h"

/* RFC 8032 section 7.1, tests 1 to 3. */
static const struct {
	const char *seed, *public_key, *message, *signature;
} rfc8032[] = {
	{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
	{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
	{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
	    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
};

static size_t
from_hex(unsigned char *out, size_t room, const char *text)
{
	size_t len = 0;
	assert_int_equal(sodium_hex2bin(out, room, text, strlen(text), NULL, &len, NULL), 0);
	return len;
}

static void
signs_as_rfc_8032_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rfc8032 / sizeof rfc8032[0]; i++) {
		unsigned char seed[32], public_key[32], message[8], expected[64], signature[64];
		struct onionkey key;
		from_hex(seed, sizeof seed, rfc8032[i].seed);
		from_hex(public_key, sizeof public_key, rfc8032[i].public_key);
		size_t len = from_hex(message, sizeof message, rfc8032[i].message);
		from_hex(expected, sizeof expected, rfc8032[i].signature);
		onionkey_from_seed(seed, &key);
		assert_memory_equal(key.public_key, public_key, 32);
		onionkey_sign(&key, slice_of(message, len), signature);
		assert_memory_equal(signature, expected, 64);
		assert_int_equal(onionkey_verify(public_key, slice_of(message, len), signature, NULL), 0);
	}
}

static void
signs_the_same_bytes_as_libsodium(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		unsigned char seed[32], public_key[32], secret[64], message[200], expected[64], signature[64];
		struct onionkey key;
		random_bytes(seed, sizeof seed);
		random_bytes(message, sizeof message);
		size_t len = random_below(sizeof message + 1);
		crypto_sign_seed_keypair(public_key, secret, seed);
		crypto_sign_detached(expected, NULL, message, len, secret);
		onionkey_from_seed(seed, &key);
		assert_memory_equal(key.public_key, public_key, 32);
		onionkey_sign(&key, slice_of(message, len), signature);
		assert_memory_equal(signature, expected, 64);
	}
}

static void
a_changed_signature_text_or_key_is_refused(void **state)
{
	(void)state;
	unsigned char seed[32] = { 1 }, signature[64];
	struct onionkey key;
	struct error err;
	onionkey_from_seed(seed, &key);
	onionkey_sign(&key, slice_of_string("text"), signature);
	assert_int_equal(onionkey_verify(key.public_key, slice_of_string("text"), signature, &err), 0);
	assert_int_equal(onionkey_verify(key.public_key, slice_of_string("tex!"), signature, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	for (size_t i = 0; i < sizeof signature; i++) {
		signature[i] ^= 1;
		assert_int_equal(onionkey_verify(key.public_key, slice_of_string("text"), signature, &err), -1);
		signature[i] ^= 1;
	}
	key.public_key[5] ^= 1;
	assert_int_equal(onionkey_verify(key.public_key, slice_of_string("text"), signature, &err), -1);
}

static void
a_key_survives_its_file(void **state)
{
	(void)state;
	unsigned char seed[32], file[ONIONKEY_FILE_BYTES];
	struct onionkey key, back;
	struct error err;
	random_bytes(seed, sizeof seed);
	onionkey_from_seed(seed, &key);
	onionkey_to_file(&key, file);
	assert_memory_equal(file, "== ed25519v1-secret: type0 ==\0\0\0", 32);
	assert_int_equal(onionkey_from_file(slice_of(file, sizeof file), &back, &err), 0);
	assert_memory_equal(&key, &back, sizeof key);
	assert_int_equal(onionkey_from_file(slice_of(file, sizeof file - 1), &back, &err), -1);
	file[32] ^= 1; /* no longer clamped */
	assert_int_equal(onionkey_from_file(slice_of(file, sizeof file), &back, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	file[32] ^= 1;
	file[3] ^= 1;
	assert_int_equal(onionkey_from_file(slice_of(file, sizeof file), &back, &err), -1);
	onionkey_wipe(&back);
	assert_true(sodium_is_zero((const unsigned char *)&back, sizeof back));
}

static void
the_control_blob_is_the_expanded_key(void **state)
{
	(void)state;
	unsigned char seed[32] = { 7 }, decoded[ONIONKEY_SECRET_BYTES];
	char blob[ONIONKEY_CONTROL_LEN + 1];
	struct onionkey key;
	onionkey_from_seed(seed, &key);
	onionkey_control_blob(&key, blob);
	assert_int_equal(strlen(blob), ONIONKEY_CONTROL_LEN);
	assert_memory_equal(blob, "ED25519-V3:", 11);
	size_t len = sizeof decoded;
	assert_int_equal(encode_from_base64(decoded, &len, blob + 11, strlen(blob + 11), NULL), 0);
	assert_int_equal(len, sizeof decoded);
	assert_memory_equal(decoded, key.secret, sizeof decoded);
}

/* A word of the error's text for each reason of the vectors. */
static const char *
word_of_reason(const char *reason)
{
	static const struct {
		const char *reason, *word;
	} words[] = {
		{ "length", "56 letters" }, { "version-2", "version 2" }, { "alphabet", "only a-z and 2-7" },
		{ "checksum", "checksum" }, { "version", "has version" }, { "torsion", "torsion" },
	};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i].reason, reason) == 0)
			return words[i].word;
	fail_msg("unknown reason %s", reason);
	return NULL;
}

static void
check_vector(const char *kind, const char *letters, const char *last)
{
	unsigned char public_key[32], expected[32];
	char name[ONIONKEY_NAME_LEN + 1], lower[ONIONKEY_NAME_LEN + 1] = "";
	struct error err = { 0 };
	int result = onionkey_parse_name(slice_of_string(letters), public_key, &err);
	if (strcmp(kind, "valid") == 0) {
		assert_int_equal(result, 0);
		from_hex(expected, sizeof expected, last);
		assert_memory_equal(public_key, expected, sizeof expected);
		onionkey_name(public_key, name);
		for (size_t i = 0; letters[i] != '\0'; i++)
			lower[i] = (char)tolower((unsigned char)letters[i]);
		assert_string_equal(name, lower);
		return;
	}
	if (result != -1 || err.code != ERROR_INVALID || strstr(err.text, word_of_reason(last)) == NULL)
		fail_msg("%s is to be refused for its %s, not: %s", letters, last, err.text);
}

static void
names_are_read_as_the_specification_says(void **state)
{
	(void)state;
	char line[256], kind[16], letters[100], last[100];
	unsigned count = 0;
	FILE *file = test_vectors_open("onion-names.txt");
	while (test_vectors_next(file, line, sizeof line)) {
		assert_int_equal(sscanf(line, "%15s %99s %99s", kind, letters, last), 3);
		check_vector(kind, letters, last);
		count++;
	}
	assert_true(count >= 30);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_as_rfc_8032_does),
		cmocka_unit_test(signs_the_same_bytes_as_libsodium),
		cmocka_unit_test(a_changed_signature_text_or_key_is_refused),
		cmocka_unit_test(a_key_survives_its_file),
		cmocka_unit_test(the_control_blob_is_the_expanded_key),
		cmocka_unit_test(names_are_read_as_the_specification_says),
	};
	random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
