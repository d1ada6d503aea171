/* SPDX-License-Identifier: ISC
 *
 * Drives smtorp-smtp (its path is the argument) in both its roles.
 */
#include "daemon/test_role.h"

#include <sys/mman.h>

#include "ipc/body.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <sys/un.h>
#include <time.h>

#include "base/encode.h"
#include "base/password.h"
#include "base/random.h"
#include "loop/test_certificate.h"

#define ONION "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
#define OTHER_ONION "zqktlwiuavvvqqt4ybvgvi7tyo4hjl5xgfuvpdf6otjiycgwqbym2qad.onion"
#define ALICE "alice@" ONION
#define BOB "bob@" OTHER_ONION
#define MESSAGE_MAX 10000000

static const char *program;

/* A listening socket without a name in the file system, and a connection to it. */
struct door {
	int listening_fd;
	struct sockaddr_un address;
	socklen_t address_len;
};

static void
door_open(struct door *door)
{
	door->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	door->address_len = sizeof door->address;
	door->listening_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(door->listening_fd, (struct sockaddr *)&door->address, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(door->listening_fd, (struct sockaddr *)&door->address, &door->address_len), 0);
	assert_int_equal(listen(door->listening_fd, 512), 0);
}

static int
door_connect(const struct door *door)
{
	const struct timeval deadline = { .tv_sec = TEST_ROLE_DEADLINE_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&door->address, door->address_len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline), 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads exactly what is expected. */
static void
hear(int fd, const char *expected)
{
	char text[4096] = "";
	size_t len = 0;
	while (len < strlen(expected)) {
		ssize_t n = recv(fd, text + len, strlen(expected) - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	assert_string_equal(text, expected);
}

static void
assert_ended(int fd)
{
	char byte;
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

static void
send_file(struct test_role *role, enum ipc_type type, const char *text)
{
	struct ipc_message m = { .type = type };
	assert_int_equal(file_sealed_memory(text, strlen(text), &m.fd, NULL), 0);
	test_role_send(role->parent, &m);
	close(m.fd);
}

static void
send_listener(struct test_role *role, enum ipc_listener which, struct door *door)
{
	door_open(door);
	struct ipc_message m = { .type = IPC_TYPE_LISTEN, .fd = door->listening_fd, .listen.listener = (uint8_t)which };
	test_role_send(role->parent, &m);
	close(door->listening_fd);
}

static void
answer(int mail, uint64_t transaction_id, unsigned code)
{
	struct ipc_message m = { .type = IPC_TYPE_INTAKE_DONE, .fd = -1, .intake_done = {
		.transaction_id = transaction_id, .code = (uint16_t)code, .enhanced = "2.0.0", .text = "Kept" } };
	test_role_send(mail, &m);
}

static void
assert_recipients(struct slice list, const char *expected)
{
	struct slice each;
	assert_true(pack_next(&list, &each));
	assert_true(slice_is(each, expected));
	assert_int_equal(list.len, 0);
}

static void
stop(struct test_role *role)
{
	const struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	time_t before = time(NULL);
	test_role_send(role->parent, &m);
	assert_int_equal(test_role_wait(role), 0);
	assert_true(time(NULL) - before < 5);
}

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

/* ---- smtp: its client talks to its own server */

struct smtp {
	struct test_role role;
	struct door port_25, port_465;
	int mail, tor;
};

static void
start_smtp_limited(struct smtp *smtp, rlim_t descriptors_max)
{
	struct ipc_message config = { .type = IPC_TYPE_SMTP_CONFIG, .fd = -1, .smtp_config = { .onion = ONION,
		.local_part = "alice", .message_max_bytes = MESSAGE_MAX, .require_tls = 1 } };
	test_role_start_limited(&smtp->role, program, "smtp", descriptors_max);
	send_file(&smtp->role, IPC_TYPE_TLS_KEY, test_key_pem);
	send_file(&smtp->role, IPC_TYPE_TLS_CERTIFICATE, test_certificate_pem);
	send_listener(&smtp->role, LISTENER_SMTP, &smtp->port_25);
	test_role_send(smtp->role.parent, &config);
	send_listener(&smtp->role, LISTENER_SMTORP, &smtp->port_465);
	/* Peers come last, as from the parent: they speak on channels of their own, which may be read first. */
	smtp->mail = test_role_give_peer(&smtp->role, ROLE_MAIL, "");
	smtp->tor = test_role_give_peer(&smtp->role, ROLE_TOR, "");
}

static int
start_smtp(void **state)
{
	static struct smtp smtp;
	start_smtp_limited(&smtp, 0);
	*state = &smtp;
	return 0;
}

static int
stop_smtp(void **state)
{
	struct smtp *smtp = *state;
	stop(&smtp->role);
	close(smtp->mail);
	close(smtp->tor);
	return 0;
}

static void
order(struct smtp *smtp, uint64_t session_id, enum ipc_session_mode mode)
{
	struct ipc_message m = { .type = IPC_TYPE_SESSION_START, .fd = -1, .session_start = { .session_id = session_id,
		.onion = ONION, .mode = (uint8_t)mode } };
	test_role_send(smtp->mail, &m);
}

static void
connect_to(struct smtp *smtp, uint64_t session_id, const struct door *door)
{
	struct ipc_message m = { .type = IPC_TYPE_CONNECTED, .fd = door_connect(door), .connected.session_id = session_id };
	test_role_send(smtp->tor, &m);
	close(m.fd);
}

static void
deliver(struct smtp *smtp, uint64_t session_id, uint64_t delivery_id, const char *recipient, const char *text)
{
	struct buffer list;
	struct ipc_message m = { .type = IPC_TYPE_DELIVER, .fd = -1, .deliver = { .session_id = session_id,
		.delivery_id = delivery_id, .reverse_path = BOB, .body = slice_of_string(text) } };
	buffer_init(&list, 1000);
	assert_int_equal(pack_string(&list, slice_of_string(recipient), NULL), 0);
	m.deliver.recipients = slice_of(buffer_bytes(&list), buffer_len(&list));
	test_role_send(smtp->mail, &m);
	buffer_finish(&list);
}

static void
expect_delivered(struct smtp *smtp, uint64_t session_id, uint64_t delivery_id, unsigned code)
{
	struct ipc_message m = test_role_next(&smtp->role, smtp->mail, IPC_TYPE_DELIVERED);
	struct pack_result result;
	assert_true(m.delivered.session_id == session_id && m.delivered.delivery_id == delivery_id);
	assert_true(pack_next_result(&m.delivered.results, &result));
	assert_int_equal(result.code, code);
	assert_int_equal(m.delivered.results.len, 0);
}

static void
pass_a_message(struct smtp *smtp, uint64_t session_id, uint64_t delivery_id)
{
	deliver(smtp, session_id, delivery_id, ALICE, "Subject: x\r\n\r\n.x\r\n");
	struct ipc_message m = test_role_next(&smtp->role, smtp->mail, IPC_TYPE_INTAKE);
	assert_string_equal(m.intake.reverse_path, BOB);
	assert_recipients(m.intake.recipients, ALICE);
	assert_true(slice_is(m.intake.body, "Subject: x\r\n\r\n.x\r\n"));
	answer(smtp->mail, m.intake.transaction_id, 250);
	expect_delivered(smtp, session_id, delivery_id, 250);
}

static void
expect_end(struct smtp *smtp, uint64_t session_id, enum ipc_end_reason reason)
{
	struct ipc_message m = test_role_next(&smtp->role, smtp->mail, IPC_TYPE_SESSION_END);
	assert_true(m.session_end.session_id == session_id);
	assert_int_equal(m.session_end.reason, reason);
}

static void
quit(struct smtp *smtp, uint64_t session_id)
{
	struct ipc_message m = { .type = IPC_TYPE_SESSION_QUIT, .fd = -1, .session_quit.session_id = session_id };
	test_role_send(smtp->mail, &m);
	expect_end(smtp, session_id, SESSION_END_QUIT);
}

static void
delivers_on_both_ports_whichever_half_comes_first(void **state)
{
	struct smtp *smtp = *state;
	for (uint64_t id = 1; id <= 4; id++) {
		bool is_smtorp = id % 2 == 0;
		const struct door *door = is_smtorp ? &smtp->port_465 : &smtp->port_25;
		if (id <= 2)
			connect_to(smtp, id, door);
		order(smtp, id, is_smtorp ? SESSION_SMTORP : SESSION_SMTP);
		if (id > 2)
			connect_to(smtp, id, door);
		struct ipc_message m = test_role_next(&smtp->role, smtp->mail, IPC_TYPE_SESSION_READY);
		char key[ENCODE_HEX_LEN(IPC_KEY_HASH_BYTES) + 1];
		assert_true(m.session_ready.session_id == id && m.session_ready.tls == 1);
		assert_int_equal(m.session_ready.key.len, IPC_KEY_HASH_BYTES);
		encode_hex(key, m.session_ready.key.data, IPC_KEY_HASH_BYTES);
		assert_string_equal(key, test_key_hash_hex);
		pass_a_message(smtp, id, 10);
		pass_a_message(smtp, id, 11);
		deliver(smtp, id, 12, "nobody@" ONION, "x\r\n");
		expect_delivered(smtp, id, 12, 550);
		struct ipc_message to_nobody = { .type = IPC_TYPE_DELIVER, .fd = -1, .deliver.session_id = id };
		test_role_send(smtp->mail, &to_nobody);
		m = test_role_next(&smtp->role, smtp->mail, IPC_TYPE_DELIVERED);
		assert_int_equal(m.delivered.results.len, 0);
		quit(smtp, id);
	}
}

static void
tells_what_became_of_a_session(void **state)
{
	struct smtp *smtp = *state;
	quit(smtp, 20); /* nobody knows it */
	order(smtp, 21, SESSION_SMTP);
	quit(smtp, 21); /* never connected */
	order(smtp, 22, SESSION_SMTP);
	deliver(smtp, 22, 1, ALICE, "x\r\n");
	expect_delivered(smtp, 22, 1, 451);
	int fds[2];
	test_role_pair(SOCK_STREAM, fds);
	struct ipc_message m = { .type = IPC_TYPE_CONNECTED, .fd = fds[1], .connected.session_id = 22 };
	test_role_send(smtp->tor, &m);
	close(fds[1]);
	say(fds[0], "554 No\r\n");
	expect_end(smtp, 22, SESSION_END_REFUSED);
	close(fds[0]);
}

static void
gives_sessions_up_when_mail_is_gone(void **state)
{
	struct smtp *smtp = *state;
	int fds[2];
	char byte;
	order(smtp, 30, SESSION_SMTP);
	test_role_pair(SOCK_STREAM, fds);
	struct ipc_message m = { .type = IPC_TYPE_CONNECTED, .fd = fds[1], .connected.session_id = 30 };
	test_role_send(smtp->tor, &m);
	close(fds[1]);
	say(fds[0], "220 x\r\n");
	assert_int_equal(recv(fds[0], &byte, 1, 0), 1); /* EHLO */
	close(smtp->mail);
	while (recv(fds[0], &byte, 1, 0) == 1)
		;
	close(fds[0]);
	smtp->mail = test_role_give_peer(&smtp->role, ROLE_MAIL, "");
	order(smtp, 30, SESSION_SMTORP);
	connect_to(smtp, 30, &smtp->port_465);
	test_role_next(&smtp->role, smtp->mail, IPC_TYPE_SESSION_READY);
	pass_a_message(smtp, 30, 1);
	quit(smtp, 30);
}

/* A descriptor that finds no room is lost with its message, and the channel with it: strangers must leave room. */
static void
strangers_leave_room_for_descriptors(void **state)
{
	(void)state;
	static struct smtp smtp;
	int fds[300], count = sizeof fds / sizeof fds[0];
	start_smtp_limited(&smtp, 256);
	char byte;
	for (int i = 0; i < count; i++)
		fds[i] = door_connect(&smtp.port_25);
	for (int i = 0; i < count; i++)
		assert_int_equal(recv(fds[i], &byte, 1, 0), 1); /* all are answered, the last ones with 421 */
	order(&smtp, 40, SESSION_SMTORP);
	int ends[2];
	test_role_pair(SOCK_STREAM, ends);
	struct ipc_message m = { .type = IPC_TYPE_CONNECTED, .fd = ends[1], .connected.session_id = 40 };
	test_role_send(smtp.tor, &m);
	close(ends[1]);
	assert_int_equal(recv(ends[0], &byte, 1, 0), 1); /* TLS begins */
	close(ends[0]);
	expect_end(&smtp, 40, SESSION_END_LOST);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	stop(&smtp.role);
	close(smtp.mail);
	close(smtp.tor);
}

/* tor sends it together with CONNECT. What somebody else has sent is no beginning of ours. */
static void
gives_its_first_flight_to_whoever_connects(void **state)
{
	struct smtp *smtp = *state;
	struct ipc_message wanted = { .type = IPC_TYPE_FLIGHT_WANTED, .fd = -1, .flight_wanted.session_id = 50 };
	test_role_send(smtp->tor, &wanted); /* it may come first */
	order(smtp, 50, SESSION_SMTORP);
	struct ipc_message flight = test_role_next(&smtp->role, smtp->tor, IPC_TYPE_FLIGHT);
	assert_true(flight.flight.session_id == 50 && flight.flight.bytes.len > 100);
	struct ipc_message m = { .type = IPC_TYPE_CONNECTED, .fd = door_connect(&smtp->port_465), .connected = {
		.session_id = 50, .sent_bytes = (uint32_t)flight.flight.bytes.len } };
	assert_int_equal(send(m.fd, flight.flight.bytes.data, flight.flight.bytes.len, 0), flight.flight.bytes.len);
	test_role_send(smtp->tor, &m);
	close(m.fd);
	assert_true(test_role_next(&smtp->role, smtp->mail, IPC_TYPE_SESSION_READY).session_ready.session_id == 50);
	quit(smtp, 50);
	order(smtp, 51, SESSION_SMTORP);
	m = (struct ipc_message){ .type = IPC_TYPE_CONNECTED, .fd = door_connect(&smtp->port_465), .connected = {
		.session_id = 51, .sent_bytes = 10 } };
	test_role_send(smtp->tor, &m);
	close(m.fd);
	expect_end(smtp, 51, SESSION_END_LOST);
}

/* What then happens nevertheless: the parent starts the role again, with new channels. */
static void
ends_when_a_descriptor_was_lost(void **state)
{
	(void)state;
	static struct smtp smtp;
	const struct rlimit none = { 3, 3 };
	start_smtp_limited(&smtp, 0);
	order(&smtp, 41, SESSION_SMTP);
	quit(&smtp, 41); /* now it is past its beginning */
	assert_int_equal(prlimit(smtp.role.pid, RLIMIT_NOFILE, &none, NULL), 0);
	connect_to(&smtp, 42, &smtp.port_25);
	assert_int_equal(test_role_wait(&smtp.role), 1);
	close(smtp.mail);
	close(smtp.tor);
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
		cmocka_unit_test_setup_teardown(delivers_on_both_ports_whichever_half_comes_first, start_smtp, stop_smtp),
		cmocka_unit_test_setup_teardown(gives_its_first_flight_to_whoever_connects, start_smtp, stop_smtp),
		cmocka_unit_test_setup_teardown(tells_what_became_of_a_session, start_smtp, stop_smtp),
		cmocka_unit_test_setup_teardown(gives_sessions_up_when_mail_is_gone, start_smtp, stop_smtp),
		cmocka_unit_test(strangers_leave_room_for_descriptors),
		cmocka_unit_test(ends_when_a_descriptor_was_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
