/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include "base/encode.h"
#include "onionkey/onionkey.h"
#include "proof/context.h"

static void
key_of(unsigned char octet, struct onionkey *out)
{
	unsigned char seed[32];
	memset(seed, octet, sizeof seed);
	onionkey_from_seed(seed, out);
}

static void
assert_signed(const struct onionkey *key, struct slice text, const char *hex)
{
	unsigned char signature[ONIONKEY_SIGNATURE_BYTES];
	char got[ENCODE_HEX_LEN(ONIONKEY_SIGNATURE_BYTES) + 1];
	onionkey_sign(key, text, signature);
	encode_hex(got, signature, sizeof signature);
	assert_string_equal(got, hex);
}

/* Lines "number-of-context signature", and "session signature": see the file. */
static void
signatures_are_those_of_the_specification(void **state)
{
	(void)state;
	char line[512], name[32], hex[200];
	unsigned char digest[CONTEXT_DIGEST_BYTES], text[CONTEXT_TEXT_MAX];
	struct onionkey one, two;
	unsigned seen = 0;
	memset(digest, 3, sizeof digest);
	key_of(1, &one);
	key_of(2, &two);
	FILE *file = test_vectors_open("contexts.txt");
	while (test_vectors_next(file, line, sizeof line)) {
		assert_int_equal(sscanf(line, "%31s %199s", name, hex), 2);
		size_t len = strcmp(name, "session") == 0 ? context_session_text(one.public_key, two.public_key, digest, text) :
		    context_text((unsigned)atoi(name), digest, text);
		assert_true(len > 0 && len <= sizeof text);
		assert_signed(&one, slice_of(text, len), hex);
		seen++;
	}
	assert_int_equal(seen, CONTEXT_COUNT + 1);
}

/* Whoever can have one text signed must not get the signature of another by it. */
static void
no_text_begins_another_and_only_messages_have_32_octets(void **state)
{
	(void)state;
	unsigned char digest[CONTEXT_DIGEST_BYTES] = { 0 }, texts[CONTEXT_COUNT + 1][CONTEXT_TEXT_MAX];
	size_t lens[CONTEXT_COUNT + 1];
	struct onionkey key;
	key_of(1, &key);
	for (unsigned i = 0; i < CONTEXT_COUNT; i++)
		lens[i] = context_text(i, digest, texts[i]);
	lens[CONTEXT_COUNT] = context_session_text(key.public_key, key.public_key, digest, texts[CONTEXT_COUNT]);
	assert_int_equal(lens[CONTEXT_MESSAGE], CONTEXT_DIGEST_BYTES);
	for (unsigned i = 1; i <= CONTEXT_COUNT; i++) {
		assert_true(lens[i] > CONTEXT_DIGEST_BYTES);
		for (unsigned k = 1; k <= CONTEXT_COUNT; k++)
			assert_true(i == k || strcmp((const char *)texts[i], (const char *)texts[k]) != 0);
	}
	assert_int_equal(context_text(CONTEXT_COUNT, digest, texts[0]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_are_those_of_the_specification),
		cmocka_unit_test(no_text_begins_another_and_only_messages_have_32_octets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
