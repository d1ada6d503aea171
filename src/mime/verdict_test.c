/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mime/verdict.h"

static void
asked_for_when_an_onion_is_claimed(void **state)
{
	(void)state;
	static const char *const yes[] = { "From: alice@x.onion\r\n\r\n", "from : \"a\" <alice@x . ONION>\r\n\r\n", "Subject: x\r\nFrom: a\r\n <b@x.onion>\r\n\r\n",
		"Onion-Signature: x\r\n\r\n", "ONION-signature\t:x\n\n", "Subject: a\nFrom: alice@x.onion\n\n", "From: a@b\r\nFrom: alice@x.onion\r\n\r\n" };
	static const char *const no[] = { "", "\r\nFrom: alice@x.onion\r\n", "From: alice@example.org\r\nTo: bob@x.onion\r\n onion\r\n\r\nFrom: alice@x.onion\r\n",
		"X-From: alice@x.onion\r\n\r\n", "From: a@b\n\nOnion-Signature: x\r\n", "Subject: x\r\n Onion-Signature: x\r\n\r\n", "onion" };
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		assert_true(verdict_is_asked_for(slice_of_string(yes[i])));
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		assert_false(verdict_is_asked_for(slice_of_string(no[i])));
}

static void
verdicts_of_others_are_dropped(void **state)
{
	(void)state;
	static const struct { const char *before, *after; } table[] = {
		{ "SMTorP-Verdict: proved\r\nSubject: x\r\n\r\nSMTorP-Verdict: text\r\n", "Subject: x\r\n\r\nSMTorP-Verdict: text\r\n" },
		{ "Subject: x\r\nsmtorp-VERDICT \t: proved;\r\n sender=a\r\n\tb\r\nTo: y\r\n z\r\n\r\n", "Subject: x\r\nTo: y\r\n z\r\n\r\n" },
		{ "Subject: x\nSMTorP-Verdict: proved\n\nbody", "Subject: x\n\nbody" },
		{ "SMTorP-Verdict: proved\r\nSMTorP-Verdict: again", "" },
		{ "SMTorP-Verdicts: x\r\nX-SMTorP-Verdict: y\r\n\r\n", "SMTorP-Verdicts: x\r\nX-SMTorP-Verdict: y\r\n\r\n" },
		{ "", "" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		unsigned char text[200];
		size_t len = strlen(table[i].before);
		memcpy(text, table[i].before, len);
		assert_int_equal(verdict_drop(text, len), strlen(table[i].after));
		assert_memory_equal(text, table[i].after, strlen(table[i].after));
	}
}

static void
ends_of_headers_are_seen(void **state)
{
	(void)state;
	assert_true(verdict_header_ends(slice_of_string("a: b\r\n\r\n")));
	assert_true(verdict_header_ends(slice_of_string("a: b\n\nc")));
	assert_true(verdict_header_ends(slice_of_string("\r\nc")));
	assert_false(verdict_header_ends(slice_of_string("a: b\r\n")));
	assert_false(verdict_header_ends(slice_of_string("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked_for_when_an_onion_is_claimed),
		cmocka_unit_test(verdicts_of_others_are_dropped),
		cmocka_unit_test(ends_of_headers_are_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
