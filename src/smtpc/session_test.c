/* SPDX-License-Identifier: ISC */
#include "smtpc/test_session.h"

/* ---- the opening */

static void
an_old_server_is_spoken_to_step_by_step(void **state)
{
	(void)state;
	static const struct line script[] = {
		GREETING,
		{ EHLO, "502 5.5.1 what?\r\n", PLAINLY },
		{ "HELO " OWN "\r\n", "250 hello\r\n", PLAINLY },
		{ MAIL "\r\n", "250 ok\r\n", PLAINLY },
		{ BOB, "250 ok\r\n", PLAINLY },
		{ CAROL, "550 5.1.1 no carol here\r\n", PLAINLY },
		{ "DATA\r\n", "354 go\r\n", PLAINLY },
		{ "Subject: x\r\n\r\n..\r\nhi\r\n.\r\n", "250 2.0.0 taken\r\n", PLAINLY },
		{ MAIL "\r\n", "452 4.3.1 full\r\n", PLAINLY },
		{ "QUIT\r\n", "221 bye\r\n", THEN_CLOSE },
		LAST,
	};
	struct smtpc_message messages[] = { message_of(2, 0, "Subject: x\r\n\r\n.\r\nhi\r\n"), message_of(1, 0, "x\r\n") };
	run_in_pieces(SMTPC_SMTP, script, messages, 2, true,
	    "250 2.0.0 taken\n550 5.1.1 no carol here\n452 4.3.1 full\n");
	assert_int_equal(client.reason, SMTPC_END_QUIT);
	assert_false(client.tls);
}

static void
everything_that_is_offered_is_used(void **state)
{
	(void)state;
	static const struct line script[] = {
		GREETING,
		{ EHLO, "250-peer\r\n250-STARTTLS\r\n250-SIZE 1\r\n250 CHUNKING\r\n", PLAINLY },
		{ "STARTTLS\r\n", "220 go\r\n", THEN_TLS },
		{ EHLO, "250-peer\r\n250-SIZE 1000\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n", PLAINLY },
		{ MAIL " SIZE=7 BODY=8BITMIME SMTPUTF8\r\n" BOB CAROL "BDAT 7 LAST\r\n.\r\n\xc3\xbc\r\n",
		  "250 ok\r\n250 ok\r\n250 ok\r\n250 2.6.0 done\r\n", PLAINLY },
		{ MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\na\r\n", "250 ok\r\n250 ok\r\n250 again\r\n", PLAINLY },
		{ "QUIT\r\n", "221 bye\r\n", THEN_CLOSE },
		LAST,
	};
	struct smtpc_message messages[] = { message_of(2, SMTPC_8BIT | SMTPC_SMTPUTF8, ".\r\n\xc3\xbc\r\n"),
		message_of(1, 0, "a\r\n") };
	run_in_pieces(SMTPC_SMTP, script, messages, 2, true, "250 2.6.0 done\n250 2.6.0 done\n250  again\n");
	assert_true(client.tls);
	assert_true(client.size_max_bytes == 1000);
}

static void
smtorp_goes_in_one_flight(void **state)
{
	(void)state;
	static const struct line script[] = {
		{ EHLO MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\na\r\n",
		  "220 peer ESMTP\r\n250-peer\r\n250 SIZE 1000\r\n250 ok\r\n250 ok\r\n250 2.0.0 done\r\n", PLAINLY },
		{ MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\nb\r\n", "250 ok\r\n550 5.1.1 gone\r\n503 5.5.1 nobody\r\n", PLAINLY },
		{ "RSET\r\n" MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\nc\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n", PLAINLY },
		{ "QUIT\r\n", "221 bye\r\n", THEN_CLOSE },
		LAST,
	};
	struct smtpc_message messages[] = { message_of(1, 0, "a\r\n"), message_of(1, 0, "b\r\n"), message_of(1, 0, "c\r\n") };
	server.alpn = TLS_ALPN_SMTORP;
	run_in_pieces(SMTPC_SMTORP, script, messages, 3, true, "250 2.0.0 done\n550 5.1.1 gone\n250  ok\n");
	assert_true(client.tls);
}

static void
smtorp_takes_the_greeting_when_it_comes(void **state)
{
	(void)state;
	static const struct line script[] = {
		GREETING,
		{ EHLO MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\na\r\n", "250 peer\r\n250 ok\r\n250 ok\r\n250 done\r\n", PLAINLY },
		{ "QUIT\r\n", "", THEN_CLOSE },
		LAST,
	};
	struct smtpc_message message = message_of(1, 0, "a\r\n");
	server.alpn = TLS_ALPN_SMTORP;
	server.speaks_on_tls = true;
	run_in_pieces(SMTPC_SMTORP, script, &message, 1, true, "250  done\n");
}

static void
without_the_alpn_no_mail_is_sent_on_465(void **state)
{
	(void)state;
	static const struct line script[] = { LAST };
	struct smtpc_message message = message_of(1, 0, "a\r\n");
	run_in_pieces(SMTPC_SMTORP, script, &message, 1, true, "");
	assert_int_equal(client.reason, SMTPC_END_NOT_SMTORP);
	assert_int_equal(client.ready, 0);
}

static void
no_tls_on_465_is_not_smtorp(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(send(fds[1], "220 plain\r\n", 11, 0), 11);
	client.session = open_session(fds[0], SMTPC_SMTORP);
	loop_run(loop);
	assert_int_equal(client.reason, SMTPC_END_NOT_SMTORP);
	close(fds[1]);
}

/* A session that gets nowhere: what the server says and how it ends. */
static void
the_opening_can_go_wrong_in_many_ways(void **state)
{
	(void)state;
	static const struct {
		struct line script[5];
		enum smtpc_end reason;
		unsigned code;
		const char *text;
	} table[] = {
		{ { { NULL, "554 5.7.1 go\x1b[1m away\r\n", PLAINLY }, LAST }, SMTPC_END_REFUSED, 554, "go?[1m away" },
		{ { { NULL, "421 busy\r\n", THEN_CLOSE }, LAST }, SMTPC_END_REFUSED, 421, "busy" },
		{ { { NULL, "", THEN_CLOSE }, LAST }, SMTPC_END_LOST, 0, NULL },
		{ { { NULL, "SSH-2.0-x\r\n", PLAINLY }, LAST }, SMTPC_END_PROTOCOL, 0, NULL },
		{ { { NULL, "250 hello\r\n", PLAINLY }, LAST }, SMTPC_END_PROTOCOL, 250, NULL },
		{ { GREETING, { EHLO, "450 later\r\n", PLAINLY }, LAST }, SMTPC_END_REFUSED, 450, "later" },
		{ { GREETING, { EHLO, "500 a\r\n", PLAINLY }, { "HELO " OWN "\r\n", "500 b\r\n", PLAINLY }, LAST },
		  SMTPC_END_REFUSED, 500, "b" },
		{ { GREETING, { EHLO, "250-x\r\n250 STARTTLS\r\n", PLAINLY },
		    { "STARTTLS\r\n", "220 go\r\n250 injected\r\n", PLAINLY }, LAST }, SMTPC_END_PROTOCOL, 0, NULL },
		{ { GREETING, { EHLO, "250-x\r\n250 STARTTLS\r\n", PLAINLY },
		    { "STARTTLS\r\n", "220 go\r\n2", PLAINLY }, LAST }, SMTPC_END_PROTOCOL, 0, NULL },
		{ { GREETING, { EHLO, "250 x\r\n250 unasked\r\n", PLAINLY }, LAST }, SMTPC_END_PROTOCOL, 250, NULL },
		{ { GREETING, { EHLO, "250 x\r\n421 4.3.2 closing\r\n", PLAINLY }, LAST }, SMTPC_END_REFUSED, 421, "closing" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		memset(&client, 0, sizeof client);
		run(SMTPC_SMTP, table[i].script, NULL, 0);
		assert_int_equal(client.reason, table[i].reason);
		assert_int_equal(client.end_code, table[i].code);
		if (table[i].text != NULL)
			assert_string_equal(client.end_text, table[i].text);
	}
}

static void
a_refused_starttls_does_not_matter(void **state)
{
	(void)state;
	static const struct line script[] = {
		GREETING,
		{ EHLO, "250-x\r\n250 STARTTLS\r\n", PLAINLY },
		{ "STARTTLS\r\n", "454 not now\r\n", PLAINLY },
		{ "QUIT\r\n", "", THEN_CLOSE },
		LAST,
	};
	client.quits = true;
	run(SMTPC_SMTP, script, NULL, 0);
	assert_int_equal(client.ready, 1);
	assert_false(client.tls);
	assert_int_equal(client.reason, SMTPC_END_QUIT);
}

/* ---- transactions */

static void
refusals_are_told_for_each_recipient(void **state)
{
	(void)state;
	static const struct {
		struct line script[8];
		const char *results;
	} table[] = {
		/* one after the other */
		{ { OPEN("250 x\r\n"), { MAIL "\r\n", "550 5.7.1 no\r\n", PLAINLY }, QUIT }, "550 5.7.1 no\n550 5.7.1 no\n" },
		{ { OPEN("250 x\r\n"), { MAIL "\r\n", "250 ok\r\n", PLAINLY }, { BOB, "550 a\r\n", PLAINLY },
		    { CAROL, "450 b\r\n", PLAINLY }, QUIT }, "550  a\n450  b\n" },
		{ { OPEN("250 x\r\n"), { MAIL "\r\n", "250 ok\r\n", PLAINLY }, { BOB, "550 a\r\n", PLAINLY },
		    { CAROL, "250 b\r\n", PLAINLY }, { "DATA\r\n", "451 c\r\n", PLAINLY }, QUIT }, "550  a\n451  c\n" },
		/* PIPELINING with DATA */
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "250 m\r\n550 a\r\n551 b\r\n554 none\r\n", PLAINLY }, QUIT },
		  "550  a\n551  b\n" },
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "250 m\r\n550 a\r\n551 b\r\n354 go\r\n", PLAINLY },
		    { ".\r\n", "554 none\r\n", PLAINLY }, QUIT }, "550  a\n551  b\n" },
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "250 m\r\n550 a\r\n551 b\r\n354 go\r\n", PLAINLY },
		    { ".\r\n", "250 whatever\r\n", PLAINLY }, QUIT }, "550  a\n551  b\n" },
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "552 big\r\n503 a\r\n503 b\r\n503 c\r\n", PLAINLY }, QUIT },
		  "552  big\n552  big\n" },
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "552 big\r\n503 a\r\n503 b\r\n354 c\r\n", PLAINLY },
		    { ".\r\n", "503 none\r\n", PLAINLY }, QUIT }, "552  big\n552  big\n" },
		{ { OPEN("250 PIPELINING\r\n"), { MAIL "\r\n" BOB CAROL "DATA\r\n", "250 m\r\n550 a\r\n250 b\r\n354 go\r\n", PLAINLY },
		    { "x\r\n.\r\n", "554 5.6.0 spam\r\n", PLAINLY }, QUIT }, "550  a\n554 5.6.0 spam\n" },
		/* PIPELINING with BDAT */
		{ { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"), { MAIL "\r\n" BOB CAROL "BDAT 3 LAST\r\nx\r\n",
		    "250 m\r\n550 a\r\n551 b\r\n503 c\r\n", PLAINLY }, QUIT }, "550  a\n551  b\n" },
		{ { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"), { MAIL "\r\n" BOB CAROL "BDAT 3 LAST\r\nx\r\n",
		    "550 m\r\n503 a\r\n503 b\r\n503 c\r\n", PLAINLY }, QUIT }, "550  m\n550  m\n" },
		{ { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"), { MAIL "\r\n" BOB CAROL "BDAT 3 LAST\r\nx\r\n",
		    "250 m\r\n550 a\r\n250 b\r\n452 c\r\n", PLAINLY }, QUIT }, "550  a\n452  c\n" },
		/* CHUNKING alone: nothing is sent for nobody */
		{ { OPEN("250 CHUNKING\r\n"), { MAIL "\r\n", "250 ok\r\n", PLAINLY }, { BOB, "550 a\r\n", PLAINLY },
		    { CAROL, "450 b\r\n", PLAINLY }, QUIT }, "550  a\n450  b\n" },
	};
	struct smtpc_message message = message_of(2, 0, "x\r\n");
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		run_in_pieces(SMTPC_SMTP, table[i].script, &message, 1, true, table[i].results);
		assert_int_equal(client.reason, SMTPC_END_QUIT);
	}
}

static void
a_message_that_the_server_cannot_take_is_refused_here(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 SIZE 10\r\n"),
		{ MAIL " SIZE=10\r\n" BOB "DATA\r\n", "250 a\r\n250 b\r\n354 c\r\n", PLAINLY },
		{ "12345678\r\n.\r\n", "250 done\r\n", PLAINLY }, QUIT };
	struct smtpc_message messages[] = {
		message_of(2, SMTPC_8BIT, "x\r\n"), message_of(1, SMTPC_SMTPUTF8, "x\r\n"), message_of(1, 0, "123456789\r\n"),
		message_of(1, 0, "a\nb\r\n"), message_of(1, 0, "12345678\r\n"),
	};
	client.quits = true;
	run(SMTPC_SMTP, script, messages, 5);
	assert_int_equal(client.delivered, 5);
	static const char *const starts[] = { "554 5.6.3 ", "554 5.6.3 ", "550 5.6.7 ", "552 5.3.4 ", "554 5.6.0 ", "250 " };
	const char *at = client.results;
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		assert_memory_equal(at, starts[i], strlen(starts[i]));
		at = strchr(at, '\n') + 1;
	}
}

static void
try_bad_addresses(void)
{
	static const char *const bad[] = { "bob@x.onion>\r\nRSET", "bob@x.onion\n", "bob@x.onion> SIZE=1", "<bob@x.onion", "",
		"\"bob@x.onion", "b\xc3\xbc" "b@x.onion" };
	struct error err = { 0 };
	struct smtpc_message message;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct slice recipient = slice_of_string(bad[i]);
		message = message_of(1, 0, "x\r\n");
		message.recipients = &recipient;
		assert_int_equal(smtpc_session_deliver(client.session, &message, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
	message = message_of(1, 0, "x\r\n");
	message.reverse_path = slice_of_string("a\r\nQUIT");
	assert_int_equal(smtpc_session_deliver(client.session, &message, &err), -1);
}

static void
addresses_cannot_smuggle_commands(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250 x\r\n"), QUIT };
	client.on_ready = try_bad_addresses;
	client.quits = true;
	run(SMTPC_SMTP, script, NULL, 0);
	assert_int_equal(client.reason, SMTPC_END_QUIT);
	assert_int_equal(client.ready, 1);
}

static void
a_lost_reply_leaves_the_message_unknown(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"),
		{ MAIL "\r\n" BOB "BDAT 3 LAST\r\nx\r\n", "250 a\r\n250 b\r\n", THEN_CLOSE }, LAST };
	struct smtpc_message message = message_of(1, 0, "x\r\n");
	run_in_pieces(SMTPC_SMTP, script, &message, 1, false, "");
	assert_int_equal(client.reason, SMTPC_END_LOST);
}

static void
a_421_ends_the_session(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"),
		{ MAIL "\r\n" BOB "BDAT 3 LAST\r\nx\r\n", "250 a\r\n421 4.3.0 going down\r\n", THEN_CLOSE }, LAST };
	struct smtpc_message message = message_of(1, 0, "x\r\n");
	run_in_pieces(SMTPC_SMTP, script, &message, 1, false, "");
	assert_int_equal(client.reason, SMTPC_END_REFUSED);
	assert_int_equal(client.end_code, 421);
	assert_string_equal(client.end_text, "going down");
}

static void
replies_before_commands_end_the_session(void **state)
{
	(void)state;
	static const struct line scripts[][5] = {
		{ { NULL, "220 x\r\n250 y\r\n", PLAINLY }, LAST },
		{ OPEN("250 x\r\n250 unasked\r\n"), LAST },
		{ OPEN("250 x\r\n2"), { MAIL "\r\n", "50 a\r\n", PLAINLY }, LAST }, /* begun too early */
		{ OPEN("250 x\r\n"), { MAIL "\r\n", "250 a\r\n250 b\r\n", PLAINLY }, LAST },
		{ OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"),
		  { MAIL "\r\n" BOB "BDAT 3 LAST\r\nx\r\n", "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", PLAINLY }, LAST },
	};
	struct smtpc_message message = message_of(1, 0, "x\r\n");
	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		memset(&client, 0, sizeof client);
		run(SMTPC_SMTP, scripts[i], &message, 1);
		assert_int_equal(client.reason, SMTPC_END_PROTOCOL);
		assert_int_equal(client.delivered, i == 4);
	}
}

static void
quitting_before_it_is_ready_just_closes(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	client.session = open_session(fds[0], SMTPC_SMTP);
	smtpc_session_quit(client.session);
	assert_int_equal(client.ended, 0);
	loop_run(loop);
	assert_int_equal(client.reason, SMTPC_END_QUIT);
	char byte;
	assert_int_equal(recv(fds[1], &byte, 1, 0), 0);
	close(fds[1]);
}

static void
a_session_may_be_freed_in_each_callback(void **state)
{
	(void)state;
	static const struct line script[] = { OPEN("250-PIPELINING\r\n250 CHUNKING\r\n"),
		{ MAIL "\r\n" BOB "BDAT 3 LAST\r\nx\r\n", "250 a\r\n250 b\r\n250 c\r\n421 bye\r\n", PLAINLY }, LAST };
	struct smtpc_message message = message_of(1, 0, "x\r\n");
	for (int when = FREE_ON_READY; when <= FREE_ON_END; when++) {
		memset(&client, 0, sizeof client);
		client.free_on = when;
		run(SMTPC_SMTP, script, &message, 1);
		assert_int_equal(client.ready, 1);
		assert_int_equal(client.delivered, when >= FREE_ON_DELIVERED);
		assert_int_equal(client.ended, when == FREE_ON_END);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_old_server_is_spoken_to_step_by_step),
		TEST(everything_that_is_offered_is_used),
		TEST(smtorp_goes_in_one_flight),
		TEST(smtorp_takes_the_greeting_when_it_comes),
		TEST(without_the_alpn_no_mail_is_sent_on_465),
		TEST(no_tls_on_465_is_not_smtorp),
		TEST(the_opening_can_go_wrong_in_many_ways),
		TEST(a_refused_starttls_does_not_matter),
		TEST(refusals_are_told_for_each_recipient),
		TEST(a_message_that_the_server_cannot_take_is_refused_here),
		TEST(addresses_cannot_smuggle_commands),
		TEST(a_lost_reply_leaves_the_message_unknown),
		TEST(a_421_ends_the_session),
		TEST(replies_before_commands_end_the_session),
		TEST(quitting_before_it_is_ready_just_closes),
		TEST(a_session_may_be_freed_in_each_callback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
