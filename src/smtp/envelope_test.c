/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "smtp/envelope.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define A16 "aaaaaaaaaaaaaaaa"
#define A63 A16 A16 A16 "aaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16

static void
understands_mailboxes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *local_part, *domain, *formatted;
	} cases[] = {
		{ "alice@example.onion", "alice", "example.onion", "alice@example.onion" },
		{ "a.b+c=d{e}|~!#$%&'*/?^_`-@x", "a.b+c=d{e}|~!#$%&'*/?^_`-", "x", "a.b+c=d{e}|~!#$%&'*/?^_`-@x" },
		{ "\"alice\"@x.onion", "alice", "x.onion", "alice@x.onion" },
		{ "\"a b\"@x", "a b", "x", "\"a b\"@x" },
		{ "\"a\\\"b\\\\c\\d\"@x", "a\"b\\cd", "x", "\"a\\\"b\\\\cd\"@x" },
		{ "\"a@b>c\"@x", "a@b>c", "x", "\"a@b>c\"@x" },
		{ "\"a..b\"@x", "a..b", "x", "\"a..b\"@x" },
		{ "\".\"@x", ".", "x", "\".\"@x" },
		{ "postmaster", "postmaster", "", "postmaster" },
		{ "PostMaster", "PostMaster", "", "PostMaster" },
		{ "b\xc3\xbc" "cher@b\xc3\xbc.example", "b\xc3\xbc" "cher", "b\xc3\xbc.example", "b\xc3\xbc" "cher@b\xc3\xbc.example" },
		{ "", "", "", "" },
		{ A64 "@" A63 "." A63 "." A63 "." A63, A64, A63 "." A63 "." A63 "." A63, A64 "@" A63 "." A63 "." A63 "." A63 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path path;
		char text[PATH_MAILBOX_MAX + 1];
		assert_int_equal(path_parse_mailbox(slice_of_string(cases[i].text), &path), SYNTAX_OK);
		assert_string_equal(path.local_part, cases[i].local_part);
		assert_string_equal(path.domain, cases[i].domain);
		path_format(&path, text);
		assert_string_equal(text, cases[i].formatted);
	}
}

static void
refuses_what_is_no_mailbox(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum syntax_problem problem;
	} cases[] = {
		{ "alice", SYNTAX_MAILBOX }, { "alice@", SYNTAX_MAILBOX }, { ";id;", SYNTAX_MAILBOX },
		{ "a@b@c", SYNTAX_MAILBOX }, { ".a@b", SYNTAX_MAILBOX }, { "a.@b", SYNTAX_MAILBOX }, { "a..b@c", SYNTAX_MAILBOX },
		{ "\"\"@x", SYNTAX_MAILBOX }, { "\"a@x", SYNTAX_MAILBOX }, { "\"a\"b@x", SYNTAX_MAILBOX }, { "\"a\\", SYNTAX_MAILBOX },
		{ "a\"b\"@x", SYNTAX_MAILBOX }, { "a b@x", SYNTAX_MAILBOX }, { "a@b c", SYNTAX_MAILBOX }, { "$(id)@x", SYNTAX_MAILBOX },
		{ "\"a\tb\"@x", SYNTAX_MAILBOX }, { "\"a\x7f\"@x", SYNTAX_MAILBOX },
		{ "a@b..c", SYNTAX_MAILBOX }, { "a@.b", SYNTAX_MAILBOX }, { "a@b.", SYNTAX_MAILBOX }, { "a@-b", SYNTAX_MAILBOX },
		{ "a@b-", SYNTAX_MAILBOX }, { "a@b_c", SYNTAX_MAILBOX }, { "a@b/c", SYNTAX_MAILBOX },
		{ "a\xff@b", SYNTAX_MAILBOX }, { "a\xc0\xaf@b", SYNTAX_MAILBOX }, { "a\xed\xa0\x80@b", SYNTAX_MAILBOX },
		{ "a@\xf4\x90\x80\x80", SYNTAX_MAILBOX }, { "a@\xc3", SYNTAX_MAILBOX }, { "\"\\\xc3\xbc\"@b", SYNTAX_MAILBOX },
		{ "@a,@b:c@d", SYNTAX_SOURCE_ROUTE }, { "@", SYNTAX_SOURCE_ROUTE },
		{ "a@[127.0.0.1]", SYNTAX_ADDRESS_LITERAL }, { "a@[IPv6:::1]", SYNTAX_ADDRESS_LITERAL },
		{ A64 "a@x", SYNTAX_LOCAL_PART_LENGTH }, { "\"" A63 "\"@x", SYNTAX_LOCAL_PART_LENGTH },
		{ "a@" A64, SYNTAX_DOMAIN_LENGTH }, { "a@" A63 "." A63 "." A63 "." A63 ".a", SYNTAX_DOMAIN_LENGTH },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path path;
		assert_int_equal(path_parse_mailbox(slice_of_string(cases[i].text), &path), cases[i].problem);
	}
}

static void
understands_mail(void **state)
{
	(void)state;
	static const struct {
		const char *argument;
		enum syntax_problem problem;
		uint64_t size;
		bool is_8bitmime, is_smtputf8;
	} cases[] = {
		{ "FROM:<a@b>", SYNTAX_OK, 0, false, false },
		{ "from: <a@b>", SYNTAX_OK, 0, false, false },
		{ "FROM:<>", SYNTAX_OK, 0, false, false },
		{ "FROM:<> SIZE=12 BODY=8BITMIME SMTPUTF8", SYNTAX_OK, 12, true, true },
		{ "FROM:<a@b> body=7bit  size=0", SYNTAX_OK, 0, false, false },
		{ "FROM:<a@b> SIZE=18446744073709551616", SYNTAX_OK, UINT64_MAX, false, false },
		{ "FROM:<\xc3\xbc@b> SMTPUTF8", SYNTAX_OK, 0, false, true },
		{ "FROM:<\xc3\xbc@b>", SYNTAX_NEEDS_SMTPUTF8, 0, false, false },
		{ "FROM:<postmaster>", SYNTAX_MAILBOX, 0, false, false },
		{ "FROM:a@b", SYNTAX_NO_PATH, 0, false, false },
		{ "FROM:<a@b", SYNTAX_NO_PATH, 0, false, false },
		{ "FROM:", SYNTAX_NO_PATH, 0, false, false },
		{ "", SYNTAX_NO_PATH, 0, false, false },
		{ "TO:<a@b>", SYNTAX_NO_PATH, 0, false, false },
		{ "FROM <a@b>", SYNTAX_NO_PATH, 0, false, false },
		{ "FROM:<a@b>SIZE=1", SYNTAX_NO_PATH, 0, false, false },
		{ "FROM:<;id;>", SYNTAX_MAILBOX, 0, false, false },
		{ "FROM:<a@b> SIZE=-1", SYNTAX_PARAMETER, 0, false, false },
		{ "FROM:<a@b> SIZE=", SYNTAX_PARAMETER, 0, false, false },
		{ "FROM:<a@b> SIZE", SYNTAX_PARAMETER, 0, false, false },
		{ "FROM:<a@b> SIZE=1 SIZE=2", SYNTAX_PARAMETER, 0, false, false },
		{ "FROM:<a@b> SIZE=100000000000000000000000", SYNTAX_PARAMETER, 0, false, false },
		{ "FROM:<a@b> BODY=BINARYMIME", SYNTAX_PARAMETER, 0, false, false },
		{ "FROM:<a@b> BODY", SYNTAX_PARAMETER, 0, false, false },
		{ "FROM:<a@b> SMTPUTF8=1", SYNTAX_PARAMETER, 0, false, false },
		{ "FROM:<a@b> =1", SYNTAX_PARAMETER, 0, false, false },
		{ "FROM:<a@b> X=\x01", SYNTAX_PARAMETER, 0, false, false },
		{ "FROM:<a@b> RET=HDRS", SYNTAX_UNKNOWN_PARAMETER, 0, false, false },
		{ "FROM:<a@b> ENVID=a+00", SYNTAX_UNKNOWN_PARAMETER, 0, false, false },
		{ "FROM:<a@b> AUTH=<>", SYNTAX_UNKNOWN_PARAMETER, 0, false, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct envelope_mail mail;
		assert_int_equal(envelope_parse_mail(slice_of_string(cases[i].argument), false, &mail), cases[i].problem);
		if (cases[i].problem != SYNTAX_OK)
			continue;
		assert_true(mail.size_bytes == cases[i].size);
		assert_int_equal(mail.is_8bitmime, cases[i].is_8bitmime);
		assert_int_equal(mail.is_smtputf8, cases[i].is_smtputf8);
	}
}

static void
knows_auth_where_auth_is_offered(void **state)
{
	(void)state;
	struct envelope_mail mail;
	assert_int_equal(envelope_parse_mail(slice_of_string("FROM:<a@b> AUTH=<>"), true, &mail), SYNTAX_OK);
	assert_int_equal(envelope_parse_mail(slice_of_string("FROM:<a@b> AUTH=a+0D+0Ab"), true, &mail), SYNTAX_PARAMETER);
	assert_int_equal(envelope_parse_mail(slice_of_string("FROM:<a@b> AUTH=a+00"), true, &mail), SYNTAX_PARAMETER);
	assert_int_equal(envelope_parse_mail(slice_of_string("FROM:<a@b> AUTH"), true, &mail), SYNTAX_PARAMETER);
}

static void
understands_rcpt(void **state)
{
	(void)state;
	static const struct {
		const char *argument;
		bool is_smtputf8;
		enum syntax_problem problem;
	} cases[] = {
		{ "TO:<a@b>", false, SYNTAX_OK }, { "to: <a@b> ", false, SYNTAX_OK }, { "TO:<Postmaster>", false, SYNTAX_OK },
		{ "TO:<\"a>b\"@c>", false, SYNTAX_OK }, { "TO:<\xc3\xbc@b>", true, SYNTAX_OK },
		{ "TO:<\xc3\xbc@b>", false, SYNTAX_NEEDS_SMTPUTF8 }, { "TO:<>", false, SYNTAX_MAILBOX },
		{ "TO:<\"\"@b>", false, SYNTAX_MAILBOX }, { "TO:<a@b@c>", false, SYNTAX_MAILBOX },
		{ "TO:<@a,@b:c@d>", false, SYNTAX_SOURCE_ROUTE }, { "TO:<a@[1.2.3.4]>", false, SYNTAX_ADDRESS_LITERAL },
		{ "TO:<a@b> NOTIFY=NEVER", false, SYNTAX_UNKNOWN_PARAMETER },
		{ "TO:<a@b> ORCPT=rfc822;a+0D+0AX", false, SYNTAX_UNKNOWN_PARAMETER },
		{ "TO:<a@b> ;", false, SYNTAX_PARAMETER }, { "FROM:<a@b>", false, SYNTAX_NO_PATH },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct path path;
		assert_int_equal(envelope_parse_rcpt(slice_of_string(cases[i].argument), cases[i].is_smtputf8, &path),
		    cases[i].problem);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands_mailboxes),
		cmocka_unit_test(refuses_what_is_no_mailbox),
		cmocka_unit_test(understands_mail),
		cmocka_unit_test(knows_auth_where_auth_is_offered),
		cmocka_unit_test(understands_rcpt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
