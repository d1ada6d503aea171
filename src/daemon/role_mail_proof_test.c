/* SPDX-License-Identifier: ISC
 *
 * Drives the real executable (its path is the argument): what is signed when it leaves, and what is believed of what comes in.
 */
#include "daemon/test_mail.h"

#define BY_BOB "SMTorP-Verdict: unproved;\n came=" BOB "\n"

static const char claim[] = "From: bob@" BOB "\r\nSubject: claim\r\n\r\nHello\r\n";

/* content: says what it has found of a message's sender. verdict: enum onionsig_verdict. */
static void
check(struct mail_process *p, unsigned verdict, const char *sender, const char *why)
{
	give_content(p);
	struct ipc_message m = next_to_content(p, IPC_TYPE_CHECK), result = { .type = IPC_TYPE_CHECKED, .fd = -1 };
	assert_string_equal(m.check.onion, OWN);
	file_close(&m.fd);
	result.checked.request_id = m.check.request_id;
	result.checked.code = 250;
	result.checked.verdict = (uint8_t)verdict;
	strcpy(result.checked.sender, sender);
	strcpy(result.checked.text, why);
	test_role_send(p->content, &result);
}

enum { UNCLAIMED, MISSING, WRONG, PROVED };

static void
a_proved_sender_is_named_in_the_mailbox(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 1, claim);
	check(p, PROVED, "bob@" BOB, "");
	expect_done(p, p->smtp, 1, 250);
	await_files("Maildir/new", "Return-Path: <bob@" BOB ">\nSMTorP-Verdict: proved;\n sender=bob@" BOB ";\n first-contact=yes;\n came=unknown\nFrom: bob@", 1);
}

static void
a_false_sender_is_refused_before_anything_is_kept(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 1, claim);
	check(p, MISSING, "", "");
	expect_done(p, p->smtp, 1, 550);
	receive_text(p, 2, claim);
	check(p, WRONG, "", "the signature is of another onion");
	struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_INTAKE_DONE);
	assert_int_equal(m.intake_done.code, 550);
	assert_non_null(strstr(m.intake_done.text, "of another onion"));
	receive_text(p, 3, "Subject: plain\r\n\r\n");
	expect_done(p, p->smtp, 3, 250);
	await_files("Maildir/new", NULL, 1);
	await_files("Maildir/new", UNPROVED "Subject: plain", 1);
}

static void
what_claims_nothing_is_unproved(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 1, "From: \"onion soup\" <cook@example.org>\r\nSubject: x\r\n\r\n");
	check(p, UNCLAIMED, "", "");
	expect_done(p, p->smtp, 1, 250);
	await_files("Maildir/new", UNPROVED "From: \"onion soup\"", 1);
}

/* Names of fields are anybody's, and stand in what content says. */
static void
no_word_of_others_begins_a_tag(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 1, "From: a@example.org\r\nContent-Type: multipart/signed\r\n\r\n");
	if (p->content < 0) {
		test_role_next(&p->role, p->role.parent, IPC_TYPE_NEED_CONTENT);
		p->content = test_role_give_peer(&p->role, ROLE_CONTENT, "");
	}
	struct ipc_message m = next_to_content(p, IPC_TYPE_CHECK), result = { .type = IPC_TYPE_CHECKED, .fd = -1, .checked = {
		.request_id = m.check.request_id, .code = 250, .has_more = 1 } };
	test_role_send(p->content, &result);
	m = next_to_content(p, IPC_TYPE_OPEN);
	result = (struct ipc_message){ .type = IPC_TYPE_OPENED, .fd = -1, .opened = { .request_id = m.open.request_id, .code = 250,
		.text = "the field X;signed=A; is none" } };
	test_role_send(p->content, &result);
	expect_done(p, p->smtp, 1, 250);
	await_files("Maildir/new", ";\n trouble=the field X,signed=A, is none\nFrom: a@", 1);
}

/* content@ID parses what strangers send: whoever took it over speaks for a message, but adds nothing to it. */
static void
what_content_says_stays_in_its_line(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 1, claim);
	check(p, PROVED, "bob@" BOB "\r\nX-Added: 1\r\n\r\n", "");
	expect_done(p, p->smtp, 1, 250);
	await_files("Maildir/new", ";\n sender=bob@" BOB "??X-Added: 1????;\n first-contact=yes;", 1);
}

static void
verdicts_of_strangers_are_dropped(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 1, "Subject: x\r\nSMTorP-Verdict: proved;\r\n sender=eve\r\nTo: y\r\n\r\nSMTorP-Verdict: text\r\n");
	expect_done(p, p->smtp, 1, 250);
	await_files("Maildir/new", UNPROVED "Subject: x\nTo: y\n\nSMTorP-Verdict: text\n", 1);
	await_files("Maildir/new", "sender=eve", 0);
}

/* Whoever brought it has proved an onion, and may name another one in the envelope. Directly it came only when the sender is proved, too. */
static void
who_brought_a_message_is_told(void **state)
{
	struct mail_process *p = *state;
	static const struct {
		const char *reverse_path, *proved, *expected;
	} cases[] = {
		{ "bob@" BOB, OWN, "SMTorP-Verdict: unproved;\n came=" OWN ";\n reverse-path=other\nSubject: 0" },
		{ "bob@x.onion", BOB, "SMTorP-Verdict: unproved;\n came=" BOB ";\n reverse-path=other\nSubject: 1" },
		{ "bob@" BOB, BOB, BY_BOB "Subject: 2" },
		{ "bob@abcdefgh." BOB, BOB, BY_BOB "Subject: 3" },
		{ "bob@" BOB, "", UNPROVED "Subject: 4" },
		{ "", BOB, BY_BOB "Subject: 5" },
		{ "bob@example.org", BOB, BY_BOB "Subject: 6" },
		{ "bob@" BOB, "x\r\nSubject: y", UNPROVED "Subject: 7" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[40];
		snprintf(text, sizeof text, "Subject: %zu\r\n\r\n", i);
		intake_proved(p->smtp, i, cases[i].reverse_path, cases[i].proved, "alice@" OWN, slice_of_string(text));
		expect_done(p, p->smtp, i, 250);
		await_files("Maildir/new", cases[i].expected, 1);
	}
	intake_proved(p->smtp, 99, "bob@" BOB, OWN, "alice@" OWN, slice_of_string(claim));
	check(p, PROVED, "bob@" BOB, "");
	expect_done(p, p->smtp, 99, 250);
	await_files("Maildir/new", " first-contact=yes;\n came=" OWN ";\n reverse-path=other\nFrom: bob@", 1);
	intake_proved(p->smtp, 100, "bob@" BOB, BOB, "alice@" OWN, slice_of_string("From: bob@" BOB "\r\n\r\nAnother\r\n"));
	check(p, PROVED, "bob@" BOB, "");
	expect_done(p, p->smtp, 100, 250);
	await_files("Maildir/new", ";\n came=directly\nFrom: bob@", 1);
}

/* A stranger may write as long a header as he likes, but nothing in it that is ours, or claimed without being looked at. */
static void
long_headers_hide_nothing(void **state)
{
	struct mail_process *p = *state;
	static char text[100000] = "Subject: long\r\n";
	size_t len = strlen(text);
	for (; len + 500 < sizeof text; len += strlen(text + len))
		strcpy(text + len, "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n");
	receive_text(p, 1, text);
	expect_done(p, p->smtp, 1, 250);
	strcpy(text + len, "SMTorP-Verdict: proved\r\n\r\n");
	receive_text(p, 2, text);
	expect_done(p, p->smtp, 2, 554);
	strcpy(text + len, "From: bob@" BOB "\r\n\r\n");
	receive_text(p, 3, text);
	check(p, MISSING, "", "");
	expect_done(p, p->smtp, 3, 550);
	await_files("Maildir/new", UNPROVED "Subject: long", 1);
}

/* A message that content dies of twice is refused for now, and its sender tries again. */
static void
what_cannot_be_looked_at_is_refused_for_now(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 1, claim);
	for (int i = 0; i < 2; i++) {
		give_content(p);
		test_role_next(&p->role, p->content, IPC_TYPE_CHECK);
		file_close(&p->content);
	}
	expect_done(p, p->smtp, 1, 451);
}

/* However many claims strangers make, there is room for what the owner submits. */
static void
strangers_leave_room_for_the_owner(void **state)
{
	struct mail_process *p = *state;
	for (uint64_t i = 0; i < 40; i++)
		receive_text(p, i, claim);
	for (unsigned i = 0; i < 40 - 32; i++) /* content has the others, and is not here yet */
		expect_done(p, p->smtp, 32 + i, 451);
	intake(p->submission, 100, "alice@" OWN, "bob@" BOB, slice_of_string("Subject: out\r\n\r\nHello\r\n"));
	for (unsigned i = 0; i < 32; i++)
		check(p, WRONG, "", "no");
	prepare(p);
	expect_done(p, p->submission, 100, 250);
}

static void
the_role_that_signs_may_be_started_again(void **state)
{
	struct mail_process *p = *state;
	intake(p->submission, 1, "alice@" OWN, "bob@" BOB, slice_of_string("Subject: out\r\n\r\nHello\r\n"));
	file_close(&p->sign);
	give_content(p);
	p->sign = test_role_give_peer(&p->role, ROLE_SIGN, "");
	prepare(p);
	expect_done(p, p->submission, 1, 250);
}

static void
what_cannot_be_signed_is_refused_for_now(void **state)
{
	struct mail_process *p = *state;
	intake(p->submission, 1, "alice@" OWN, "bob@" BOB, slice_of_string("Subject: out\r\n\r\nHello\r\n"));
	give_content(p);
	struct ipc_message m = next_to_content(p, IPC_TYPE_PREPARE), result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	result.content_result.request_id = m.prepare.request_id;
	result.content_result.code = 250;
	result.content_result.body = slice_of_string("Subject: out\r\n\r\n");
	begin_field(&m, &result);
	test_role_send(p->content, &result);
	m = test_role_next(&p->role, p->sign, IPC_TYPE_SIGN);
	const struct ipc_message none = { .type = IPC_TYPE_SIGNED, .fd = -1, .signed_.request_id = m.sign.request_id };
	test_role_send(p->sign, &none);
	expect_done(p, p->submission, 1, 451);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_proved_sender_is_named_in_the_mailbox),
		TEST(a_false_sender_is_refused_before_anything_is_kept),
		TEST(what_claims_nothing_is_unproved),
		TEST(what_content_says_stays_in_its_line),
		TEST(verdicts_of_strangers_are_dropped),
		TEST(no_word_of_others_begins_a_tag),
		TEST(who_brought_a_message_is_told),
		TEST(long_headers_hide_nothing),
		TEST(what_cannot_be_looked_at_is_refused_for_now),
		TEST(strangers_leave_room_for_the_owner),
		TEST(the_role_that_signs_may_be_started_again),
		TEST(what_cannot_be_signed_is_refused_for_now),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
