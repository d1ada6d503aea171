/* SPDX-License-Identifier: ISC */
#include "cli/doctor_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "cli/doctor_machine.h"

#define OWN "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion"
#define OTHER "p53lf57qovyuvwsc6xnrppyply3vtqm7l6pcobkmyqsiofyeznfu5uqd.onion"

static const char *const words[] = { "laptop", "laptop.home.example", "vm", "mail", "carol", "/home/carol", "198.51.100.7", "Berlin", OTHER };
#define WORDS (sizeof words / sizeof words[0])

static void
replies_that_tell_something_are_found(void **state)
{
	static const struct {
		const char *text;
		enum judge_leak leak; /* JUDGE_NOTHING: none */
		const char *word;
	} rows[] = {
		{ "220 " OWN " ESMTP\r\n", JUDGE_NOTHING, "" },
		{ "250-" OWN "\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250 CHUNKING\r\n", JUDGE_NOTHING, "" },
		{ "220 342wva2i4u4amvbmvuqc4vo5srlm7cfh7m3wpd3nwohkc4halm5infyd.onion ESMTP\r\n", JUDGE_HOST,
		    "342wva2i4u4amvbmvuqc4vo5srlm7cfh7m3wpd3nwohkc4halm5infyd.onion" }, /* not our own */
		{ "250 2.1.5 OK\r\n550 5.1.1 No such mailbox here\r\n", JUDGE_NOTHING, "" },
		{ "554 denied (#5.7.1)\r\n214 2.0.0 See RFC 5321\r\n", JUDGE_NOTHING, "" },
		{ "550 5.7.1 Mail for other domains is not taken here\r\n", JUDGE_NOTHING, "" }, /* though a machine is called mail */
		{ "500 5.5.2 A command ends with CRLF and holds no other CR, LF or NUL\r\n", JUDGE_NOTHING, "" },
		{ "250 " OWN " Hello stranger.invalid\r\n", JUDGE_NOTHING, "" },
		{ "250 fingerprint." OWN "\r\n", JUDGE_NOTHING, "" },
		{ "220 laptop ESMTP\r\n", JUDGE_MACHINE, "laptop" },
		{ "220 x ESMTP\r\n554 5.7.1 <LAPTOP.home.example>: no\r\n", JUDGE_MACHINE, "laptop" },
		{ "220 laptops ESMTP\r\n", JUDGE_NOTHING, "" },
		{ "220 vm.example.org ESMTP\r\n", JUDGE_MACHINE, "vm.example.org" }, /* short, but in a host's name */
		{ "220 mail.example.org ESMTP\r\n", JUDGE_MACHINE, "mail.example.org" },
		{ "220 mx.mail.example.org ESMTP\r\n", JUDGE_MACHINE, "mx.mail.example.org" },
		{ "550 cannot open /home/carol/Maildir\r\n", JUDGE_MACHINE, "carol" },
		{ "250 hello [198.51.100.7]\r\n", JUDGE_MACHINE, "198.51.100.7" },
		{ "250 the same as " OTHER "\r\n", JUDGE_MACHINE, OTHER },
		{ "220 mx.example.org ESMTP\r\n", JUDGE_HOST, "mx.example.org" },
		{ "220 mx.example.org. ESMTP\r\n", JUDGE_HOST, "mx.example.org" },
		{ "550 see https://www.example.org/x?y\r\n", JUDGE_HOST, "www.example.org" },
		{ "250 mx hello [192.0.2.1]\r\n", JUDGE_ADDRESS, "192.0.2.1" },
		{ "250 mx hello [2001:db8::1]\r\n", JUDGE_ADDRESS, "2001:db8::1" },
		{ "220 x ESMTP Postfix (Debian/GNU)\r\n", JUDGE_SOFTWARE, "Postfix" },
		{ "220 x ESMTP exim4\r\n", JUDGE_SOFTWARE, "exim4" },
		{ "220 x ESMTP 4.96\r\n", JUDGE_VERSION, "4.96" },
		{ "220 x ESMTP v8.17.1\r\n", JUDGE_VERSION, "v8.17.1" },
		{ "220 x ESMTP Sun, 22 Nov 2026 14:00:01 +0100\r\n", JUDGE_DATE, "Nov" },
		{ "220 x ESMTP 14:00:01\r\n", JUDGE_DATE, "14:00:01" },
		{ "220 x ESMTP 2026-11-22\r\n", JUDGE_DATE, "2026-11-22" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct judge_leaks leaks;
		bool is_any = judge_text(slice_of_string(rows[i].text), OWN, words, WORDS, &leaks);
		if (is_any != (rows[i].leak != JUDGE_NOTHING) || (is_any && strcmp(leaks.word[rows[i].leak], rows[i].word) != 0)) {
			print_error("%s", rows[i].text);
			for (size_t leak = 0; leak < JUDGE_LEAKS; leak++)
				print_error("  %zu: '%s'\n", leak, leaks.word[leak]);
			fail();
		}
	}
}

static void
no_onion_name_is_taken_for_something_else(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint32_t x = 1;
	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct judge_leaks leaks;
		char own[] = OWN, text[128];
		for (int k = 0; k < 56; k++) {
			x = x * 1664525 + 1013904223;
			own[k] = i % 2 == 0 && k < i % 7 ? "234567"[(x >> 24) % 6] : letters[x >> 27];
		}
		snprintf(text, sizeof text, "220 %s ESMTP\r\n250-%s\r\n", own, own);
		if (judge_text(slice_of_string(text), own, words, WORDS, &leaks))
			fail_msg("%s", text);
	}
}

static void
every_kind_is_told_once(void **state)
{
	struct judge_leaks leaks;
	(void)state;
	assert_true(judge_text(slice_of_string("220 laptop.example.org ESMTP Postfix 3.7.11 (Debian); 22 Nov 2026\r\n250 mx.example.net [192.0.2.1]\r\n"),
	    OWN, words, WORDS, &leaks));
	assert_string_equal(leaks.word[JUDGE_MACHINE], "laptop");
	assert_string_equal(leaks.word[JUDGE_HOST], "mx.example.net");
	assert_string_equal(leaks.word[JUDGE_ADDRESS], "192.0.2.1");
	assert_string_equal(leaks.word[JUDGE_SOFTWARE], "Postfix");
	assert_string_equal(leaks.word[JUDGE_VERSION], "3.7.11");
	assert_string_equal(leaks.word[JUDGE_DATE], "Nov");
}

static void
what_is_shown_is_printable_and_short(void **state)
{
	struct judge_leaks leaks;
	char text[1024] = "220 ";
	(void)state;
	memset(text + 4, 'a', 600);
	strcpy(text + 604, ".example.org\x1b[2J\xff\r\n");
	judge_text(slice_of_string(text), OWN, words, WORDS, &leaks);
	judge_text(slice_of("220 \0\0exim\x1b[2J 1.2\r\n", 20), OWN, words, WORDS, &leaks);
	for (const char *p = leaks.word[JUDGE_SOFTWARE]; *p != '\0'; p++)
		assert_in_range(*p, ' ', '~');
	assert_false(judge_text(slice_of("", 0), OWN, words, WORDS, &leaks));
}

static void
only_the_address_asked_about_may_differ(void **state)
{
	static const struct {
		struct judge_answer a, b;
		bool is_same;
	} rows[] = {
		{ { 550, "5.7.1", "No", "x@a.example" }, { 550, "5.7.1", "No", "x@b.example" }, true },
		{ { 554, "5.7.1", "<x@a.example>: denied", "x@a.example" }, { 554, "5.7.1", "<X@B.EXAMPLE>: denied", "x@b.example" }, true },
		{ { 554, "5.7.1", "a.example: denied", "x@a.example" }, { 554, "5.7.1", "bb.example: denied", "x@bb.example" }, true },
		{ { 550, "5.7.1", "No", "x@a.example" }, { 554, "5.7.1", "No", "x@b.example" }, false },
		{ { 550, "5.7.1", "No", "x@a.example" }, { 550, "5.1.1", "No", "x@b.example" }, false },
		{ { 550, "5.7.1", "No", "x@a.example" }, { 550, "5.7.1", "No.", "x@b.example" }, false },
		{ { 550, "5.7.1", "x@a.example", "x@a.example" }, { 550, "5.7.1", "y@b.example", "x@b.example" }, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(judge_is_same(&rows[i].a, &rows[i].b), rows[i].is_same);
}

static void
only_a_gross_delay_counts(void **state)
{
	static const struct {
		int64_t a[8], b[8];
		bool is_slower;
	} rows[] = {
		{ { 400, 410, 420, 390, 400, 405, 415, 395 }, { 401, 411, 421, 391, 401, 406, 416, 396 }, false },
		{ { 900, 910, 920, 890, 900, 905, 915, 895 }, { 401, 411, 421, 391, 401, 406, 416, 396 }, true },
		{ { 401, 411, 421, 391, 401, 406, 416, 396 }, { 900, 910, 920, 890, 900, 905, 915, 895 }, true },
		{ { 900, 910, 920, 890, 900, 905, 915, 399 }, { 401, 411, 421, 391, 401, 406, 416, 396 }, false }, /* one is like the others */
		{ { 5, 5, 5, 5, 5, 5, 5, 5 }, { 50, 50, 50, 50, 50, 50, 50, 50 }, false },                         /* too fine to be told */
		{ { 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007 }, { 1200, 1201, 1202, 1203, 1204, 1205, 1206, 1207 }, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t a[8], b[8], apart_ms;
		memcpy(a, rows[i].a, sizeof a);
		memcpy(b, rows[i].b, sizeof b);
		assert_int_equal(judge_is_slower(a, b, 8, &apart_ms), rows[i].is_slower);
	}
}

static void
the_machine_s_names_are_taken_from_hosts(void **state)
{
	static struct machine m;
	(void)state;
	strcpy(m.host, "laptop");
	machine_take_hosts(&m, slice_of_string("127.0.0.1 localhost\n# 192.0.2.1 laptop.wrong.example laptop\n127.0.1.1\tlaptop.home.example laptop # mine\n"
	    "192.0.2.9 printer.home.example\n192.0.2.7 canary.example laptop"));
	assert_int_equal(m.count, 4);
	assert_string_equal(m.list[0], "laptop.home.example");
	assert_string_equal(m.list[1], "laptop");
	assert_string_equal(m.list[2], "canary.example");
	assert_string_equal(m.list[3], "canary");
	assert_string_equal(m.full_host, "laptop.home.example");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_that_tell_something_are_found),
		cmocka_unit_test(no_onion_name_is_taken_for_something_else),
		cmocka_unit_test(every_kind_is_told_once),
		cmocka_unit_test(what_is_shown_is_printable_and_short),
		cmocka_unit_test(only_the_address_asked_about_may_differ),
		cmocka_unit_test(only_a_gross_delay_counts),
		cmocka_unit_test(the_machine_s_names_are_taken_from_hosts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
