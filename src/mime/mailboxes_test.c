/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mime/library.h"
#include "mime/mailboxes.h"

static const struct {
	const char *value;
	enum error_code code;
} mailboxes[] = {
	{ "alice@own.onion", ERROR_NONE },
	{ "Alice <alice@own.onion>", ERROR_NONE },
	{ "\"Alice, of \\\"Wonderland\\\"\" <alice@own.onion>", ERROR_NONE },
	{ "A. L. Ice <alice@own.onion>", ERROR_NONE },
	{ "<alice+list@own.onion>", ERROR_NONE },
	{ "ALICE@Own.Onion", ERROR_NONE },
	{ "alice@own.onion (a comment (in a comment), with bob@other.onion)", ERROR_NONE },
	{ "=?UTF-8?Q?J=C3=B6?= <alice@own.onion>", ERROR_NONE },
	{ "=?ISO-2022-JP?B?GyRCJUYbKEI=?= <alice@own.onion>", ERROR_NONE },
	{ "J\xc3\xb6 <alice@own.onion>", ERROR_NONE },
	{ "\"bob@other.onion\" <alice@own.onion>", ERROR_NONE },
	{ "alice@own.onion, Alice <alice+x@own.onion>", ERROR_NONE },
	{ "bob@own.onion", ERROR_DENIED },
	{ "alice@other.onion", ERROR_DENIED },
	{ "alice@x.own.onion", ERROR_DENIED },
	{ "alice@own.onion.", ERROR_INVALID },
	{ "<alice@own.onion. >", ERROR_INVALID },
	{ "Alice J. <alice@own.onion>, \"A.\" <alice@own.onion>", ERROR_NONE },
	{ "alicex@own.onion", ERROR_DENIED },
	{ "alic@own.onion", ERROR_DENIED },
	{ "alice", ERROR_DENIED },
	{ "alice@own.onion, bob@other.onion", ERROR_DENIED },
	{ "alice@own.onion,, <bob@other.onion>", ERROR_DENIED },
	{ "Alice <bob@other.onion>", ERROR_DENIED },
	{ "<alice@own.onion> bob", ERROR_DENIED },
	{ "alice@own.onion bob@other.onion", ERROR_INVALID },
	{ "bob@other.onion <alice@own.onion>", ERROR_INVALID },
	{ "<alice@own.onion> <bob@other.onion>", ERROR_INVALID },
	{ "alice@own.onion; bob@other.onion", ERROR_INVALID },
	{ "friends: alice@own.onion;", ERROR_INVALID },
	{ "undisclosed:;", ERROR_INVALID },
	{ "<@relay.onion:alice@own.onion>", ERROR_INVALID },
	{ "alice@[127.0.0.1]", ERROR_INVALID },
	{ "alice@own.onion)", ERROR_INVALID },
	{ "(alice@own.onion", ERROR_INVALID },
	{ "\"alice@own.onion", ERROR_INVALID },
	{ "Alice <alice@own.onion", ERROR_INVALID },
	{ "alice@own.onion>", ERROR_INVALID },
	{ "<alice@own.onion, bob@other.onion>", ERROR_INVALID },
	{ "Alice <alice@abcd2345.own.onion>", ERROR_NONE },
	{ "alice+shop@ABCD2345ABCD2345ABCD2345ABCD2345ABCD2345ABCD2345ABCD.Own.Onion", ERROR_NONE },
	{ "alice@abcd234.own.onion", ERROR_DENIED },
	{ "alice@abcd2345abcd2345abcd2345abcd2345abcd2345abcd2345abcda.own.onion", ERROR_DENIED },
	{ "alice@abcd2341.own.onion", ERROR_DENIED },
	{ "alice@abcd2345.abcd2345.own.onion", ERROR_DENIED },
	{ "alice@abcd2345.other.onion", ERROR_DENIED },
	{ "bob@abcd2345.own.onion", ERROR_DENIED },
	{ "", ERROR_INVALID },
	{ "<>", ERROR_INVALID },
	{ "Alice", ERROR_DENIED },
};

static void
only_own_mailboxes_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mailboxes / sizeof mailboxes[0]; i++) {
		struct error err = { 0 };
		int result = mailboxes_are_own(slice_of_string(mailboxes[i].value), "alice", "own.onion", &err);
		if (err.code != mailboxes[i].code)
			print_error("%s: %d %s\n", mailboxes[i].value, (int)err.code, err.text);
		assert_int_equal(err.code, mailboxes[i].code);
		assert_int_equal(result, mailboxes[i].code == ERROR_NONE ? 0 : -1);
	}
}

static void
the_text_names_both_addresses(void **state)
{
	(void)state;
	struct error err = { 0 };
	assert_int_equal(mailboxes_are_own(slice_of_string("Bob <bob@other.onion>"), "alice", "own.onion", &err), -1);
	assert_non_null(strstr(err.text, "bob@other.onion"));
	assert_non_null(strstr(err.text, "alice@own.onion"));
	/* an onion's own address is not cut; of longer ones the text says that they are */
	static const char whole[] = "alice@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.onion";
	assert_int_equal(mailboxes_are_own(slice_of_string(whole), "alice", "own.onion", &err), -1);
	assert_non_null(strstr(err.text, whole));
	assert_int_equal(mailboxes_are_own(slice_of_string("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.a.b.c.d.e.f@"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.onion"), "alice", "own.onion", &err), -1);
	assert_non_null(strstr(err.text, "a... but this login is alice@own.onion"));
}

static void
large_values_end_quickly(void **state)
{
	(void)state;
	static const char *const repeated[] = { "a@b,", "(", "((a)", "\"", "<", ",", "a ", "a:", "=?", "\\" };
	for (size_t i = 0; i < sizeof repeated / sizeof repeated[0]; i++) {
		size_t each = strlen(repeated[i]), len = MAILBOXES_VALUE_MAX_BYTES / each * each;
		char *value = malloc(len + 2 * each);
		assert_non_null(value);
		for (size_t at = 0; at < len + 2 * each; at += each)
			memcpy(value + at, repeated[i], each);
		assert_int_equal(mailboxes_are_own(slice_of(value, len), "alice", "own.onion", NULL), -1);
		struct error err = { 0 };
		assert_int_equal(mailboxes_are_own(slice_of(value, MAILBOXES_VALUE_MAX_BYTES + 1), "alice", "own.onion", &err), -1);
		assert_int_equal(err.code, ERROR_TOO_LARGE);
		free(value);
	}
}

int
main(void)
{
	library_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_own_mailboxes_pass),
		cmocka_unit_test(the_text_names_both_addresses),
		cmocka_unit_test(large_values_end_quickly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
