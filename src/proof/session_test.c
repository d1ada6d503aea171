/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include "base/encode.h"
#include "proof/session.h"

static struct onionkey alice, bob, carol;
static unsigned char exporter[CONTEXT_EXPORTER_BYTES];

static void
key_of(unsigned char octet, struct onionkey *out)
{
	unsigned char seed[32];
	memset(seed, octet, sizeof seed);
	onionkey_from_seed(seed, out);
}

static void
prove(const struct onionkey *signer, const unsigned char *client, const unsigned char *server, char out[SESSION_PROOF_LEN + 1])
{
	unsigned char text[CONTEXT_TEXT_MAX], signature[ONIONKEY_SIGNATURE_BYTES];
	size_t len = context_session_text(client, server, exporter, text);
	onionkey_sign(signer, slice_of(text, len), signature);
	session_proof_write(client, signature, out);
}

static int
check(const char *proof, const struct onionkey *server)
{
	unsigned char found[ONIONKEY_PUBLIC_BYTES];
	struct error err = { 0 };
	return session_proof_check(slice_of_string(proof), server->public_key, exporter, found, &err) == 0 ? 0 : (int)err.code;
}

static int
begin(void **state)
{
	(void)state;
	key_of(1, &alice);
	key_of(2, &bob);
	key_of(4, &carol);
	memset(exporter, 3, sizeof exporter);
	return 0;
}

static void
proofs_are_those_of_the_specification(void **state)
{
	(void)state;
	char line[512], proof[SESSION_PROOF_LEN + 1];
	unsigned char found[ONIONKEY_PUBLIC_BYTES];
	unsigned seen = 0;
	FILE *file = test_vectors_open("session-proof.txt");
	while (test_vectors_next(file, line, sizeof line)) {
		prove(&alice, alice.public_key, bob.public_key, proof);
		assert_string_equal(line, proof);
		assert_int_equal(session_proof_check(slice_of_string(line), bob.public_key, exporter, found, NULL), 0);
		assert_memory_equal(found, alice.public_key, sizeof found);
		seen++;
	}
	assert_int_equal(seen, 1);
}

static void
a_proof_holds_for_one_server_and_one_session(void **state)
{
	(void)state;
	char proof[SESSION_PROOF_LEN + 1];
	prove(&alice, alice.public_key, bob.public_key, proof);
	assert_int_equal(check(proof, &bob), 0);
	assert_int_equal(check(proof, &carol), ERROR_DENIED); /* whom bob would pass it on to */
	assert_int_equal(check(proof, &alice), ERROR_DENIED);
	exporter[31] ^= 1;
	assert_int_equal(check(proof, &bob), ERROR_DENIED);
}

static void
nobody_proves_to_be_somebody_else(void **state)
{
	(void)state;
	char proof[SESSION_PROOF_LEN + 1];
	prove(&carol, alice.public_key, bob.public_key, proof);
	assert_int_equal(check(proof, &bob), ERROR_DENIED);
}

/* A point of order 8, alone and added to nothing: its signatures verify for whoever guesses a few bits. */
static void
a_key_with_torsion_proves_nothing(void **state)
{
	(void)state;
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"C7176A703D4DD84FBA3C0B760D10670F2A2053FA2C39CCC64EC7FD7792AC037A",
		"26E8958FC2B227B045C3F489F2EF98F0D5DFAC05D3C63339B13802886D53FC05",
	};
	char proof[SESSION_PROOF_LEN + 1];
	for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
		unsigned char key[ONIONKEY_PUBLIC_BYTES], signature[ONIONKEY_SIGNATURE_BYTES] = { 1 };
		for (size_t k = 0; k < sizeof key; k++) {
			unsigned octet;
			assert_int_equal(sscanf(points[i] + 2 * k, "%2x", &octet), 1);
			key[k] = (unsigned char)octet;
		}
		session_proof_write(key, signature, proof);
		assert_int_equal(check(proof, &bob), ERROR_INVALID);
	}
}

static void
what_is_no_proof_is_refused(void **state)
{
	(void)state;
	char proof[SESSION_PROOF_LEN + 1], longer[SESSION_PROOF_LEN + 5];
	prove(&alice, alice.public_key, bob.public_key, proof);
	snprintf(longer, sizeof longer, "%sAAAA", proof);
	assert_int_equal(check(longer, &bob), ERROR_INVALID);
	assert_int_equal(check("", &bob), ERROR_INVALID);
	assert_int_equal(check("=", &bob), ERROR_INVALID);
	for (size_t i = 0; i < SESSION_PROOF_LEN; i++) {
		char was = proof[i];
		proof[i] = '*';
		assert_int_equal(check(proof, &bob), ERROR_INVALID);
		proof[i] = was == 'A' ? 'B' : 'A';
		assert_int_not_equal(check(proof, &bob), 0);
		proof[i] = was;
	}
	proof[SESSION_PROOF_LEN - 1] = '='; /* as long in letters, and an octet shorter */
	assert_int_equal(check(proof, &bob), ERROR_INVALID);
	proof[SESSION_PROOF_LEN - 4] = '\0';
	assert_int_equal(check(proof, &bob), ERROR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(proofs_are_those_of_the_specification, begin),
		cmocka_unit_test_setup(a_proof_holds_for_one_server_and_one_session, begin),
		cmocka_unit_test_setup(nobody_proves_to_be_somebody_else, begin),
		cmocka_unit_test_setup(a_key_with_torsion_proves_nothing, begin),
		cmocka_unit_test_setup(what_is_no_proof_is_refused, begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
