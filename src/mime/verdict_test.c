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
		{ " ; encrypted=yes\r\n\t; signed=A\r\nSubject: x\r\n y\r\n\r\n z", "Subject: x\r\n y\r\n\r\n z" },
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

/* Whatever is cut where, and however long the lines are. */
static void
long_headers_are_scanned_in_pieces(void **state)
{
	(void)state;
	static const struct { const char *text; bool asked, verdict, ended; } table[] = {
		{ "From: alice@x.onion\r\n\r\n", true, false, true }, { "X: y\r\nfrom \t : a\r\n b@x . oOnion\r\n", true, false, false },
		{ "X: y\r\nOnion-Signature: x\r\n\r\n", true, false, true }, { "a: b\nSMTorP-Verdict: x\n\n", false, true, true },
		{ "To: bob@x.onion\r\n\r\nFrom: alice@x.onion\r\nSMTorP-Verdict: x\r\n", false, false, true },
		{ "From: a@b\r\nTo: c@x.onion\r\n", false, false, false }, { "X-From: a@x.onion\r\n SMTorP-Verdict: y\r\n\r\n", false, false, true },
		{ "Fromfromfromfromfromfromfromfrom: x.onion\n\n", false, false, true },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		for (size_t step = 1; step < 8; step++) {
			struct verdict_scan scan = { 0 };
			size_t len = strlen(table[i].text);
			for (size_t at = 0; at < len; at += step)
				verdict_scan_update(&scan, table[i].text + at, step < len - at ? step : len - at);
			assert_int_equal(scan.is_asked_for, table[i].asked);
			assert_int_equal(scan.has_verdict, table[i].verdict);
			assert_int_equal(scan.has_ended, table[i].ended);
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
		cmocka_unit_test(long_headers_are_scanned_in_pieces),
		cmocka_unit_test(ends_of_headers_are_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
