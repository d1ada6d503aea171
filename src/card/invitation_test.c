/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include "card/invitation.h"

/* Lines "letters fingerprint fingerprint address proof": see the file. */
static void
proofs_are_those_of_the_specification(void **state)
{
	(void)state;
	char line[512], letters[64], inviting[64], invited[64], address[200], expected[100], proof[INVITATION_PROOF_LEN + 1], again[INVITATION_LETTERS + 1];
	unsigned char secret[INVITATION_SECRET_BYTES];
	unsigned seen = 0;
	FILE *file = test_vectors_open("invitations.txt");
	while (test_vectors_next(file, line, sizeof line)) {
		char text[128];
		assert_int_equal(sscanf(line, "%63s %63s %63s %199s %99s", letters, inviting, invited, address, expected), 5);
		snprintf(text, sizeof text, "END:VCARD\r\n" INVITATION_WORD ": %s\r\n", letters);
		assert_true(invitation_scan(slice_of_string(text), secret));
		invitation_write(secret, again);
		assert_string_equal(again, letters);
		invitation_prove(secret, inviting, invited, address, proof);
		assert_string_equal(proof, expected);
		seen++;
	}
	assert_true(seen >= 2);
}

static void
a_secret_is_found_behind_a_card_and_in_a_link(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_one;
	} table[] = {
		{ "SMTorP-Invitation: aaaaaaaaaaaaaaaaaaaaaaaaaa", true },
		{ "mailto:a@b?SMTorP-Card=AAAA&smtorp-invitation=AAAAAAAAAAAAAAAAAAAAAAAAAA>", true },
		{ "SMTorP-Invitation: none\nSMTorP-Invitation: aaaaaaaaaaaaaaaaaaaaaaaaaa\n", true },
		{ "SMTorP-Invitation: aaaaaaaaaaaaaaaaaaaaaaaaa", false },
		{ "SMTorP-Invitation: aaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
		{ "SMTorP-Invitation: aaaaaaaaaaaaaaaaaaaaaaaaab", false }, /* bits left over */
		{ "SMTorP-Invitation: 1aaaaaaaaaaaaaaaaaaaaaaaaa", false },
		{ "SMTorP-Invitation aaaaaaaaaaaaaaaaaaaaaaaaaa", false },
		{ "SMTorP-Invitation:", false },
		{ "SMTorP-Invitation", false },
		{ "", false },
	};
	unsigned char secret[INVITATION_SECRET_BYTES];
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_int_equal(invitation_scan(slice_of_string(table[i].text), secret), table[i].is_one);
}

static void
everything_that_is_named_is_proved(void **state)
{
	(void)state;
	static const char *const names[][3] = { { "A", "B", "c@d" }, { "B", "A", "c@d" }, { "A", "B", "e@d" }, { "A", "C", "c@d" } };
	unsigned char secret[INVITATION_SECRET_BYTES] = { 1 };
	char first[INVITATION_PROOF_LEN + 1], other[INVITATION_PROOF_LEN + 1];
	invitation_prove(secret, names[0][0], names[0][1], names[0][2], first);
	for (size_t i = 1; i < 4; i++) {
		invitation_prove(secret, names[i][0], names[i][1], names[i][2], other);
		assert_string_not_equal(first, other);
	}
	secret[15] = 1;
	invitation_prove(secret, names[0][0], names[0][1], names[0][2], other);
	assert_string_not_equal(first, other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proofs_are_those_of_the_specification),
		cmocka_unit_test(a_secret_is_found_behind_a_card_and_in_a_link),
		cmocka_unit_test(everything_that_is_named_is_proved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
