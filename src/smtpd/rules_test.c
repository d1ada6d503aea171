/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "smtpd/rules.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define LETTERS "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid"
#define ONION LETTERS ".onion"
#define UPPER "2GZYXA5IHM7NSGGFXNU52RCK2VV4RVMDLKIU3ZZUI5DU4XYCLEN53WID.ONION"
#define OTHER "zqktlwiuavvvqqt4ybvgvi7tyo4hjl5xgfuvpdf6otjiycgwqbym2qad.onion"
#define FINGERPRINT "abcd2345ghijklmnopqrstuvwxyz" "abcdefghijklmnopqrstuvwa"
#define F26 "abcdefghijklmnopqrstuvwxyz"

static void
parse(const char *text, struct path *path, char mailbox[PATH_MAILBOX_MAX + 1])
{
	assert_int_equal(path_parse_mailbox(slice_of_string(text), path), SYNTAX_OK);
	path_format(path, mailbox);
}

static void
strangers_reach_the_mailbox_and_postmaster_only(void **state)
{
	(void)state;
	static const struct {
		const char *recipient;
		enum smtpd_verdict verdict;
		const char *mailbox;
	} cases[] = {
		{ "alice@" ONION, SMTPD_ACCEPT, "alice@" ONION },
		{ "ALICE@" UPPER, SMTPD_ACCEPT, "ALICE@" UPPER },
		{ "alice+x+y@" ONION, SMTPD_ACCEPT, "alice+x+y@" ONION },
		{ "alice@abcd2345." ONION, SMTPD_ACCEPT, "alice@" ONION },
		{ "Alice+x@ABCD2345GHI." UPPER, SMTPD_ACCEPT, "Alice+x@" ONION },
		{ "alice@" FINGERPRINT "." ONION, SMTPD_ACCEPT, "alice@" ONION },
		{ "postmaster@abcd2345." ONION, SMTPD_ACCEPT, "postmaster@" ONION },
		{ "bob@abcd2345." ONION, SMTPD_NO_MAILBOX, NULL },
		{ "alice@abcd2346." ONION, SMTPD_NO_MAILBOX, NULL },
		{ "alice@" F26 F26 "." ONION, SMTPD_NO_MAILBOX, NULL },
		{ "postmaster@abcd2346." ONION, SMTPD_NO_MAILBOX, NULL },
		{ "postmaster@" ONION, SMTPD_ACCEPT, "postmaster@" ONION },
		{ "Postmaster", SMTPD_ACCEPT, "postmaster@" ONION },
		{ "bob@" ONION, SMTPD_NO_MAILBOX, NULL },
		{ "alicex@" ONION, SMTPD_NO_MAILBOX, NULL },
		{ "alic@" ONION, SMTPD_NO_MAILBOX, NULL },
		{ "postmaster+x@" ONION, SMTPD_NO_MAILBOX, NULL },
		{ "\"+alice\"@" ONION, SMTPD_NO_MAILBOX, NULL },
		{ "alice@" OTHER, SMTPD_FOREIGN, NULL },
		{ "postmaster@" OTHER, SMTPD_FOREIGN, NULL },
		{ "alice@x." ONION, SMTPD_FOREIGN, NULL },
		{ "alice@abcdefg." ONION, SMTPD_FOREIGN, NULL },
		{ "alice@" F26 F26 "a." ONION, SMTPD_FOREIGN, NULL },
		{ "alice@abcd2341." ONION, SMTPD_FOREIGN, NULL },
		{ "alice@abcdefgh.abcdefgh." ONION, SMTPD_FOREIGN, NULL },
		{ "alice@x" ONION, SMTPD_FOREIGN, NULL },
		{ "alice@" LETTERS, SMTPD_FOREIGN, NULL },
		{ "alice@localhost", SMTPD_FOREIGN, NULL },
		{ "b%" ONION "@example.com", SMTPD_FOREIGN, NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path path;
		char mailbox[PATH_MAILBOX_MAX + 1];
		parse(cases[i].recipient, &path, mailbox);
		assert_int_equal(rules_inbound_recipient(ONION, FINGERPRINT, "alice", &path, mailbox), cases[i].verdict);
		if (cases[i].mailbox != NULL)
			assert_string_equal(mailbox, cases[i].mailbox);
	}
}

static void
the_owner_sends_as_the_mailbox_only(void **state)
{
	(void)state;
	static const struct {
		const char *sender;
		bool is_own;
	} cases[] = {
		{ "alice@" ONION, true }, { "Alice+shop@" UPPER, true }, { "alice@abcd2345." ONION, true },
		{ "bob@" ONION, false }, { "alice@" OTHER, false }, { "alice@example.com", false }, { "postmaster@" ONION, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path path;
		char mailbox[PATH_MAILBOX_MAX + 1];
		parse(cases[i].sender, &path, mailbox);
		assert_int_equal(rules_is_own_sender(ONION, "alice", &path), cases[i].is_own);
	}
	const struct path none = { 0 };
	assert_false(rules_is_own_sender(ONION, "alice", &none));
}

static void
the_owner_writes_to_onions_only(void **state)
{
	(void)state;
	static const struct {
		const char *recipient;
		enum smtpd_verdict verdict;
		const char *result; /* the mailbox, or a word of the text */
	} cases[] = {
		{ "Bob@" UPPER, SMTPD_ACCEPT, "Bob@" ONION },
		{ "bob@ABCD2345." ONION, SMTPD_ACCEPT, "bob@abcd2345." ONION },
		{ "carol@example.com", SMTPD_NOT_ONION, "<carol@example.com>" },
		{ "postmaster", SMTPD_NOT_ONION, "<postmaster>" },
		{ "carol@onion.example.com", SMTPD_NOT_ONION, "<carol@onion.example.com>" },
		{ "bob@3gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion", SMTPD_BAD_ADDRESS, "checksum" },
		{ "bob@expyuzz4wqqyqhjn.onion", SMTPD_BAD_ADDRESS, "version 2" },
		{ "bob@x.onion", SMTPD_BAD_ADDRESS, "" },
		{ "bob@onion", SMTPD_BAD_ADDRESS, "" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path path;
		char mailbox[PATH_MAILBOX_MAX + 1], text[ERROR_TEXT_MAX] = "";
		parse(cases[i].recipient, &path, mailbox);
		assert_int_equal(rules_outbound_recipient(&path, mailbox, text), cases[i].verdict);
		if (cases[i].verdict == SMTPD_ACCEPT)
			assert_string_equal(mailbox, cases[i].result);
		else
			assert_non_null(strstr(text, cases[i].result));
		assert_true(cases[i].verdict == SMTPD_ACCEPT || text[0] != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_reach_the_mailbox_and_postmaster_only),
		cmocka_unit_test(the_owner_sends_as_the_mailbox_only),
		cmocka_unit_test(the_owner_writes_to_onions_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
