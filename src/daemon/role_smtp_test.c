/* SPDX-License-Identifier: ISC
 *
 * Drives smtorp-smtp (its path is the argument) as a server, in both its roles.
 */
#include "daemon/test_smtp.h"

/* ---- submission */

static void
send_login(struct test_role *role, const char *identity, const char *local_part, const char *onion, const char *password)
{
	struct ipc_message m = { .type = IPC_TYPE_LOGIN, .fd = -1 };
	strcpy(m.login.identity, identity);
	strcpy(m.login.local_part, local_part);
	strcpy(m.login.onion, onion);
	if (password[0] != '\0')
		assert_int_equal(password_hash(slice_of_string(password), m.login.password_hash, NULL), 0);
	test_role_send(role->parent, &m);
}

static void
start_submission(struct test_role *role, struct door *plain, struct door *sendmail)
{
	const struct ipc_message config = { .type = IPC_TYPE_SUBMISSION_CONFIG, .fd = -1,
		.submission_config.message_max_bytes = MESSAGE_MAX };
	test_role_start(role, program, "submission");
	test_role_send(role->parent, &config);
	send_listener(role, LISTENER_SUBMISSION, plain);
	send_listener(role, LISTENER_SENDMAIL, sendmail);
	send_file(role, IPC_TYPE_TLS_KEY, test_key_pem);
	send_file(role, IPC_TYPE_TLS_CERTIFICATE, test_certificate_pem);
	send_login(role, "home", "alice", ONION, "secret");
	send_login(role, "work", "carol", OTHER_ONION, "other secret");
}

#define GREETED "220 localhost ESMTP\r\n"
#define SEND "MAIL FROM:<" ALICE ">\r\nRCPT TO:<" BOB ">\r\nBDAT 1 LAST\r\nx"
#define SENT "250 2.1.0 OK\r\n250 2.1.5 OK\r\n"

static void
brings_a_message_to_the_mail_of_its_identity(void **state)
{
	(void)state;
	static struct test_role role;
	struct door plain, sendmail;
	char in[1000], password[200];
	start_submission(&role, &plain, &sendmail);
	int home = test_role_give_peer(&role, ROLE_MAIL, "home"), work = test_role_give_peer(&role, ROLE_MAIL, "work");
	int fd = door_connect(&plain);
	encode_base64(password, "\0carol@" OTHER_ONION "\0other secret", sizeof("\0carol@" OTHER_ONION "\0other secret") - 1);
	snprintf(in, sizeof in, "HELO x\r\nAUTH PLAIN %s\r\nMAIL FROM:<" ALICE ">\r\nMAIL FROM:<Carol+x@aaaaaaaa." OTHER_ONION
	    ">\r\nRCPT TO:<" ALICE ">\r\nDATA\r\n\xff\r\n.\r\nQUIT\r\n", password);
	say(fd, in);
	struct ipc_message m = test_role_next(&role, work, IPC_TYPE_INTAKE);
	assert_string_equal(m.intake.reverse_path, "Carol+x@" OTHER_ONION);
	assert_recipients(m.intake.recipients, ALICE);
	assert_true(slice_is(m.intake.body, "\xff\r\n"));
	assert_int_equal(m.intake.flags, BODY_8BIT | BODY_SMTPUTF8);
	answer(work, m.intake.transaction_id, 250);
	hear(fd, GREETED "250 localhost\r\n235 2.7.0 Authenticated\r\n550 5.7.1 Send as <carol@" OTHER_ONION
	    ">: that is the address of this login\r\n" SENT "354 End with <CRLF>.<CRLF>\r\n250 2.0.0 Kept\r\n221 2.0.0 Bye\r\n");
	assert_ended(fd);
	/* On the owner's socket the reverse-path chooses, and nobody is asked for a password. */
	fd = door_connect(&sendmail);
	say(fd, "HELO x\r\n" SEND "MAIL FROM:<>\r\nMAIL FROM:<dave@" ONION ">\r\nQUIT\r\n");
	m = test_role_next(&role, home, IPC_TYPE_INTAKE);
	assert_string_equal(m.intake.reverse_path, ALICE);
	answer(home, m.intake.transaction_id, 250);
	hear(fd, GREETED "250 localhost\r\n" SENT "250 2.0.0 Kept\r\n550 5.7.1 <> is not an address of yours here\r\n"
	    "550 5.7.1 <dave@" ONION "> is not an address of yours here\r\n221 2.0.0 Bye\r\n");
	assert_ended(fd);
	stop(&role);
	close(home);
	close(work);
}

/* Says SEND until the role has heard of the mail peer, which comes on another channel. */
static struct ipc_message
send_until_taken(struct test_role *role, int fd, int mail)
{
	struct pollfd both[2] = { { .fd = fd, .events = POLLIN }, { .fd = mail, .events = POLLIN } };
	for (;;) {
		say(fd, SEND);
		assert_true(poll(both, 2, TEST_ROLE_DEADLINE_S * 1000) > 0);
		if ((both[1].revents & POLLIN) != 0)
			return test_role_next(role, mail, IPC_TYPE_INTAKE);
		hear(fd, SENT "451 4.3.0 Try again later\r\n");
	}
}

static void
puts_mail_off_while_mail_is_gone(void **state)
{
	(void)state;
	static struct test_role role;
	struct door plain, sendmail;
	start_submission(&role, &plain, &sendmail);
	int fd = door_connect(&sendmail);
	say(fd, "HELO x\r\n" SEND);
	hear(fd, GREETED "250 localhost\r\n" SENT "451 4.3.0 Try again later\r\n");
	int home = test_role_give_peer(&role, ROLE_MAIL, "home");
	struct ipc_message m = send_until_taken(&role, fd, home);
	uint64_t early = m.intake.transaction_id;
	close(home); /* dies with the message in its hands */
	hear(fd, SENT "451 4.3.0 Try again later\r\n");
	home = test_role_give_peer(&role, ROLE_MAIL, "home");
	m = send_until_taken(&role, fd, home);
	answer(home, early, 550); /* nobody waits for that one any more */
	answer(home, m.intake.transaction_id, 250);
	hear(fd, SENT "250 2.0.0 Kept\r\n");
	/* An identity that is removed, and a peer that is not coming back. */
	say(fd, SEND);
	test_role_next(&role, home, IPC_TYPE_INTAKE);
	struct ipc_message remove = { .type = IPC_TYPE_LOGIN_REMOVE, .fd = -1, .login_remove.identity = "home" };
	test_role_send(role.parent, &remove);
	hear(fd, SENT "451 4.3.0 Try again later\r\n");
	say(fd, "MAIL FROM:<" ALICE ">\r\n");
	hear(fd, "550 5.7.1 <" ALICE "> is not an address of yours here\r\n");
	stop(&role);
	hear(fd, "421 4.3.2 Closing, try again later\r\n");
	assert_ended(fd);
	close(home);
}

static void
hands_large_messages_over_sealed(void **state)
{
	(void)state;
	static struct test_role role;
	struct door plain, sendmail;
	static char line[] = "0123456789012345678901234567890123456789012345678901234567890\r\n";
	size_t lines = 5 * 1024 * 1024 / (sizeof line - 1), len;
	start_submission(&role, &plain, &sendmail);
	int home = test_role_give_peer(&role, ROLE_MAIL, "home"), fd = door_connect(&sendmail);
	say(fd, "HELO x\r\nMAIL FROM:<" ALICE ">\r\nRCPT TO:<" BOB ">\r\nDATA\r\n");
	for (size_t i = 0; i < lines; i++)
		say(fd, line);
	say(fd, ".\r\n");
	test_role_next(&role, home, IPC_TYPE_SPOOL_WANTED); /* mail has none to give: what there is of memory must do */
	struct ipc_message m = test_role_next(&role, home, IPC_TYPE_INTAKE);
	assert_int_equal(m.intake.body.len, 0);
	assert_int_equal(file_check_sealed(m.fd, MESSAGE_MAX, &len, NULL), 0);
	assert_int_equal(len, lines * (sizeof line - 1));
	close(m.fd);
	answer(home, m.intake.transaction_id, 552);
	hear(fd, GREETED "250 localhost\r\n" SENT "354 End with <CRLF>.<CRLF>\r\n552 Kept\r\n");
	close(fd);
	stop(&role);
	close(home);
}

static void
hands_large_messages_over_in_files(void **state)
{
	(void)state;
	static struct test_role role;
	struct door plain, sendmail;
	static char line[] = "0123456789012345678901234567890123456789012345678901234567890\r\n";
	size_t lines = 5 * 1024 * 1024 / (sizeof line - 1);
	struct ipc_message file = { .type = IPC_TYPE_SPOOL_FILE, .fd = memfd_create("file", MFD_CLOEXEC) };
	struct body body;
	char back[sizeof line];
	start_submission(&role, &plain, &sendmail);
	int home = test_role_give_peer(&role, ROLE_MAIL, "home"), fd = door_connect(&sendmail);
	say(fd, "HELO x\r\nMAIL FROM:<" ALICE ">\r\nRCPT TO:<" BOB ">\r\nDATA\r\n");
	for (size_t i = 0; i < lines; i++) {
		say(fd, line);
		if (i != lines / 5)
			continue;
		test_role_next(&role, home, IPC_TYPE_SPOOL_WANTED);
		test_role_send(home, &file);
	}
	say(fd, ".\r\n");
	struct ipc_message m = test_role_next(&role, home, IPC_TYPE_INTAKE);
	assert_int_equal(m.intake.body.len, 0);
	assert_int_equal(body_take_any(&m, m.intake.body, MESSAGE_MAX, &body, NULL), 0);
	assert_int_equal(body.file_bytes, lines * (sizeof line - 1));
	for (size_t i = 0; i < lines; i++) {
		assert_int_equal(body_read(&body, i * (sizeof line - 1), back, sizeof line - 1, NULL), 0);
		assert_memory_equal(back, line, sizeof line - 1);
	}
	body_finish(&body);
	close(file.fd);
	answer(home, m.intake.transaction_id, 552);
	hear(fd, GREETED "250 localhost\r\n" SENT "354 End with <CRLF>.<CRLF>\r\n552 Kept\r\n");
	close(fd);
	stop(&role);
	close(home);
}

int
main(int argc, char **argv)
{
	assert(argc == 2);
	program = argv[1];
	random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(brings_a_message_to_the_mail_of_its_identity),
		cmocka_unit_test(puts_mail_off_while_mail_is_gone),
		cmocka_unit_test(hands_large_messages_over_sealed),
		cmocka_unit_test(hands_large_messages_over_in_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
