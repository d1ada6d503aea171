/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include "base/encode.h"
#include "onionkey/onionkey.h"
#include "proof/dkim.h"

/* RFC 8463, appendix A. */
static const char rfc_header[] =
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n";
static const char rfc_body[] = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
static const char rfc_signature[] =
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    " d=football.example.com; i=@football.example.com;\r\n"
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    " subject : date : message-id : from : subject : date;\r\n"
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n";
static const char rfc_public_key[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
static const char rfc_secret_key[] = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";

static void
body_digest(const char *text, unsigned char out[32])
{
	struct dkim_body body;
	dkim_body_init(&body);
	dkim_body_update(&body, text, strlen(text));
	dkim_body_final(&body, out);
}

static struct header_field
only_field(const char *text)
{
	struct header_scan scan;
	struct header_field field;
	struct error err = { 0 };
	header_scan_init(&scan, slice_of_string(text));
	assert_int_equal(header_scan_next(&scan, &field, &err), 1);
	return field;
}

static void
the_example_of_rfc_8463_verifies(void **state)
{
	(void)state;
	struct header_field field = only_field(rfc_signature);
	struct dkim_tags tags;
	struct error err = { 0 };
	unsigned char digest[32], key[32];
	size_t len = sizeof key;
	assert_int_equal(encode_from_base64(key, &len, rfc_public_key, strlen(rfc_public_key), &err), 0);
	assert_int_equal(dkim_parse(field.value, &tags, &err), 0);
	assert_true(slice_is(tags.selector, "brisbane"));
	body_digest(rfc_body, digest);
	assert_memory_equal(tags.body_digest, digest, sizeof digest);
	assert_int_equal(dkim_digest(slice_of_string(rfc_header), &field, &tags, digest, &err), 0);
	assert_int_equal(onionkey_verify(key, slice_of(digest, sizeof digest), tags.signature, &err), 0);
}

static void
the_example_is_signed_as_rfc_8463_does(void **state)
{
	(void)state;
	struct header_field field = only_field(rfc_signature);
	struct dkim_tags tags;
	struct onionkey key;
	unsigned char digest[32], seed[32], signature[64];
	size_t len = sizeof seed;
	assert_int_equal(encode_from_base64(seed, &len, rfc_secret_key, strlen(rfc_secret_key), NULL), 0);
	onionkey_from_seed(seed, &key);
	assert_int_equal(dkim_parse(field.value, &tags, NULL), 0);
	assert_int_equal(dkim_digest(slice_of_string(rfc_header), &field, &tags, digest, NULL), 0);
	onionkey_sign(&key, slice_of(digest, sizeof digest), signature);
	assert_memory_equal(signature, tags.signature, sizeof signature);
}

static void
digest_of(const char *section, unsigned char out[32])
{
	struct header_field field = only_field(rfc_signature);
	struct dkim_tags tags;
	assert_int_equal(dkim_parse(field.value, &tags, NULL), 0);
	assert_int_equal(dkim_digest(slice_of_string(section), &field, &tags, out, NULL), 0);
}

static void
folding_and_case_of_names_do_not_count_and_everything_else_does(void **state)
{
	(void)state;
	unsigned char original[32], other[32];
	digest_of(rfc_header, original);
	digest_of("FROM : \t Joe\r\n  SixPack\t<joe@football.example.com>  \r\n"
	          "to:Suzie Q <suzie@shopping.example.net>\r\n"
	          "X-Other: of no concern\r\n"
	          "Subject: Is dinner ready?\r\n"
	          "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
	          "Message-ID:\r\n <20030712040037.46341.5F8J@football.example.com>\r\n", other);
	assert_memory_equal(original, other, 32);
	static const char *const changed[] = {
		"From: Joe Sixpack <joe@football.example.com>\r\n", /* before the others: a second From, which h= names */
		"Subject: another\r\n", "Date: now\r\n",
	};
	for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++) {
		char text[2048];
		snprintf(text, sizeof text, "%s%s", changed[i], rfc_header);
		digest_of(text, other);
		assert_memory_not_equal(original, other, 32);
	}
	digest_of("From: Joe SixPack <joe@football.example.com>\r\n", other);
	assert_memory_not_equal(original, other, 32);
}

static void
bodies_are_the_same_if_their_relaxed_form_is(void **state)
{
	(void)state;
	static const struct {
		const char *one, *other;
		bool same;
	} pairs[] = {
		{ "", "\r\n\r\n", true }, { "", " \r\n\t\r\n", true }, { "", "  ", true }, { "", "x", false },
		{ "a\r\n", "a", true }, { "a\r\n", "a\r\n\r\n\r\n", true }, { "a\r\n", "a \t\r\n \r\n", true },
		{ "a b\r\n", "a \t b\r\n", true }, { "ab\r\n", "a b\r\n", false }, { "\r\na\r\n", "a\r\n", false },
		{ "\r\na\r\n", " \r\na\r\n", true }, { " a\r\n", "\ta\r\n", true }, { " a\r\n", "a\r\n", false },
		{ "a\r\n\r\nb\r\n", "a\r\nb\r\n", false }, { "a\rb\r\n", "a\r\nb\r\n", false }, { "a\nb\r\n", "a\r\nb\r\n", false },
		{ "a\r", "a", false }, { "a\r\r\n", "a\r\n", false }, { "a \rb\r\n", "a\rb\r\n", false },
	};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		unsigned char one[32], other[32];
		body_digest(pairs[i].one, one);
		body_digest(pairs[i].other, other);
		if ((memcmp(one, other, 32) == 0) != pairs[i].same)
			fail_msg("pair %zu: \"%s\" and \"%s\"", i, pairs[i].one, pairs[i].other);
	}
	/* RFC 6376 3.4.4: the digest of an empty body */
	unsigned char empty[32];
	char base64[ENCODE_BASE64_LEN(32) + 1];
	body_digest("", empty);
	encode_base64(base64, empty, sizeof empty);
	assert_string_equal(base64, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

static void
a_body_may_come_in_any_pieces(void **state)
{
	(void)state;
	static const char text[] = "\r\n a \t b \r\n\r\n\r\nc\r \r\nd\n\r\n \t\r\n\r\n";
	unsigned char whole[32], pieces[32];
	body_digest(text, whole);
	for (size_t cut = 1; cut < sizeof text; cut++) {
		struct dkim_body body;
		dkim_body_init(&body);
		for (size_t at = 0; at < sizeof text - 1; at += cut)
			dkim_body_update(&body, text + at, sizeof text - 1 - at < cut ? sizeof text - 1 - at : cut);
		dkim_body_final(&body, pieces);
		assert_memory_equal(whole, pieces, sizeof whole);
	}
}

#define BH " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;"
#define B " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
#define KIND " v=1; a=ed25519-sha256; c=relaxed/relaxed; d=x; s=y;"

static void
a_signature_with_choices_of_its_own_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		bool is_good;
	} values[] = {
		{ KIND " h=From;" BH B, true }, { KIND " h=From;" BH B " ; ", true }, { B ";" BH KIND "h = From", true },
		{ KIND " h=From;" BH B ";;", false }, { KIND " h=From;" BH B "; h=To", false }, { KIND " h=From;" BH B "; l=3", false },
		{ KIND " h=From;" BH B "; x=1", false }, { KIND " h=From;" BH B "; z=From:a", false }, { KIND " h=From;" BH B "; t=1", true },
		{ KIND " h=From;" BH, false }, { KIND " h=From;" B, false }, { KIND BH B, false }, { KIND " h=;" BH B, false },
		{ " v=2; a=ed25519-sha256; c=relaxed/relaxed; d=x; s=y; h=From;" BH B, false },
		{ " v=1; a=rsa-sha256; c=relaxed/relaxed; d=x; s=y; h=From;" BH B, false },
		{ " v=1; a=ed25519-sha256; c=simple/relaxed; d=x; s=y; h=From;" BH B, false },
		{ " v=1; a=ed25519-sha256; d=x; s=y; h=From;" BH B, false },
		{ KIND " h=From; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv==;" B, false },
		{ KIND " h=From;" BH " b=AAAA", false }, { KIND " h=From; 1=2;" BH B, false }, { KIND " h=From; nothing;" BH B, false },
		{ "", false }, { ";", false }, { "=", false },
	};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		struct dkim_tags tags;
		struct error err = { 0 };
		if ((dkim_parse(slice_of_string(values[i].value), &tags, &err) == 0) != values[i].is_good)
			fail_msg("%s: %s", values[i].value, err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_8463_verifies),
		cmocka_unit_test(the_example_is_signed_as_rfc_8463_does),
		cmocka_unit_test(folding_and_case_of_names_do_not_count_and_everything_else_does),
		cmocka_unit_test(bodies_are_the_same_if_their_relaxed_form_is),
		cmocka_unit_test(a_body_may_come_in_any_pieces),
		cmocka_unit_test(a_signature_with_choices_of_its_own_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
