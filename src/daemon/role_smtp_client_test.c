/* SPDX-License-Identifier: ISC
 *
 * Drives smtorp-smtp (its path is the argument) as a client, which talks to its own server.
 */
#include "daemon/test_smtp.h"

static uint32_t turn; /* of the messages that are handed over */

static void
order_to_resume(struct smtp *smtp, uint64_t session_id, enum ipc_session_mode mode, struct slice resume)
{
	struct ipc_message m = { .type = IPC_TYPE_SESSION_START, .fd = -1, .session_start = { .session_id = session_id,
		.onion = ONION, .mode = (uint8_t)mode, .resume = resume } };
	turn = 0;
	test_role_send(smtp->mail, &m);
}

static void
order(struct smtp *smtp, uint64_t session_id, enum ipc_session_mode mode)
{
	order_to_resume(smtp, session_id, mode, slice_of("", 0));
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
	struct ipc_message m = { .type = IPC_TYPE_DELIVER, .fd = -1, .deliver = { .session_id = session_id, .turn = turn,
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

/* Mail would wait for the session as long as a dial may take. */
static void
tells_at_once_of_a_connection_that_cannot_be_used(void **state)
{
	struct smtp *smtp = *state;
	int fds[2];
	order(smtp, 25, SESSION_SMTORP);
	test_role_pair(SOCK_DGRAM, fds);
	struct ipc_message m = { .type = IPC_TYPE_CONNECTED, .fd = fds[1], .connected.session_id = 25 };
	test_role_send(smtp->tor, &m);
	expect_end(smtp, 25, SESSION_END_LOST);
	close(fds[0]);
	close(fds[1]);
	order(smtp, 25, SESSION_SMTORP);
	connect_to(smtp, 25, &smtp->port_465);
	test_role_next(&smtp->role, smtp->mail, IPC_TYPE_SESSION_READY);
	quit(smtp, 25);
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
	order(smtp, 52, SESSION_SMTORP);
	unsigned char first[16];
	for (uint32_t attempt = 1; attempt <= 2; attempt++) { /* with other random numbers */
		wanted.flight_wanted.session_id = 52;
		wanted.flight_wanted.attempt = attempt;
		test_role_send(smtp->tor, &wanted);
		flight = test_role_next(&smtp->role, smtp->tor, IPC_TYPE_FLIGHT);
		assert_true(flight.flight.session_id == 52 && flight.flight.attempt == attempt);
		if (attempt == 1)
			memcpy(first, flight.flight.bytes.data + 11, sizeof first);
		assert_int_equal(memcmp(first, flight.flight.bytes.data + 11, sizeof first) == 0, attempt == 1);
	}
	m = (struct ipc_message){ .type = IPC_TYPE_CONNECTED, .fd = door_connect(&smtp->port_465), .connected = {
		.session_id = 52, .attempt = 3 } }; /* for which it was not asked */
	test_role_send(smtp->tor, &m);
	close(m.fd);
	assert_true(test_role_next(&smtp->role, smtp->mail, IPC_TYPE_SESSION_READY).session_ready.session_id == 52);
	quit(smtp, 52);
	order(smtp, 51, SESSION_SMTORP);
	m = (struct ipc_message){ .type = IPC_TYPE_CONNECTED, .fd = door_connect(&smtp->port_465), .connected = {
		.session_id = 51, .sent_bytes = 10 } };
	test_role_send(smtp->tor, &m);
	close(m.fd);
	expect_end(smtp, 51, SESSION_END_LOST);
}

/* ---- sessions that go on with earlier ones */

static struct slice
expect_ticket(struct smtp *smtp, uint64_t session_id, unsigned char *out)
{
	struct ipc_message m = test_role_next(&smtp->role, smtp->mail, IPC_TYPE_SESSION_TICKET);
	assert_true(m.session_ticket.session_id == session_id);
	memcpy(out, m.session_ticket.resume.data, m.session_ticket.resume.len);
	return slice_of(out, m.session_ticket.resume.len);
}

static void
expect_ready(struct smtp *smtp, uint64_t session_id, bool early)
{
	struct ipc_message m = test_role_next(&smtp->role, smtp->mail, IPC_TYPE_SESSION_READY);
	char key[ENCODE_HEX_LEN(IPC_KEY_HASH_BYTES) + 1];
	assert_true(m.session_ready.session_id == session_id);
	assert_int_equal(m.session_ready.early, early);
	assert_int_equal(m.session_ready.turn, turn);
	encode_hex(key, m.session_ready.key.data, IPC_KEY_HASH_BYTES);
	assert_string_equal(key, test_key_hash_hex);
}

static void
ask_for_flight(struct smtp *smtp, uint64_t session_id, uint32_t attempt)
{
	const struct ipc_message wanted = { .type = IPC_TYPE_FLIGHT_WANTED, .fd = -1,
		.flight_wanted = { .session_id = session_id, .attempt = attempt } };
	test_role_send(smtp->tor, &wanted);
}

static struct slice
expect_flight(struct smtp *smtp, uint64_t session_id, uint32_t attempt)
{
	struct ipc_message m = test_role_next(&smtp->role, smtp->tor, IPC_TYPE_FLIGHT);
	assert_true(m.flight.session_id == session_id && m.flight.attempt == attempt);
	return m.flight.bytes;
}

static void
connect_with_flight(struct smtp *smtp, uint64_t session_id, uint32_t attempt, struct slice flight)
{
	struct ipc_message m = { .type = IPC_TYPE_CONNECTED, .fd = door_connect(&smtp->port_465), .connected = {
		.session_id = session_id, .attempt = attempt, .sent_bytes = (uint32_t)flight.len } };
	assert_int_equal(send(m.fd, flight.data, flight.len, 0), flight.len);
	test_role_send(smtp->tor, &m);
	close(m.fd);
}

#define EARLY_TEXT "Subject: early\r\n\r\n"

/* Sign is asked for a proof for the peer's onion. What it says here proves nothing, which costs nothing but that. */
static void
sign_wrongly(struct smtp *smtp, int sign)
{
	static const unsigned char signature[IPC_SIGNATURE_BYTES] = { 1 };
	struct ipc_message m = test_role_next(&smtp->role, sign, IPC_TYPE_SIGN_SESSION);
	assert_string_equal(m.sign_session.server, ONION);
	assert_int_equal(m.sign_session.exporter.len, IPC_DIGEST_BYTES);
	const struct ipc_message answer = { .type = IPC_TYPE_SIGNED, .fd = -1, .signed_ = { .request_id = m.sign_session.request_id,
		.signature = slice_of(signature, sizeof signature) } };
	test_role_send(sign, &answer);
}

/* The message arrives; out: where the new ticket is to be, which comes while the answer is awaited. */
static struct slice
expect_intake(struct smtp *smtp, uint64_t session_id, unsigned char *out)
{
	struct ipc_message m = test_role_next(&smtp->role, smtp->mail, IPC_TYPE_INTAKE);
	uint64_t transaction_id = m.intake.transaction_id;
	assert_true(slice_is(m.intake.body, EARLY_TEXT));
	struct slice ticket = expect_ticket(smtp, session_id, out);
	answer(smtp->mail, transaction_id, 250);
	expect_delivered(smtp, session_id, 1, 250);
	return ticket;
}

/* On first contact the ticket counts when the proof was answered: with the message. */
static struct slice
pass_a_first_message(struct smtp *smtp, uint64_t session_id, unsigned char *out)
{
	deliver(smtp, session_id, 1, ALICE, EARLY_TEXT);
	struct ipc_message m = test_role_next(&smtp->role, smtp->mail, IPC_TYPE_INTAKE);
	answer(smtp->mail, m.intake.transaction_id, 250);
	struct slice ticket = expect_ticket(smtp, session_id, out);
	expect_delivered(smtp, session_id, 1, 250);
	return ticket;
}

static void
a_message_goes_with_the_first_flight_to_whom_there_was_a_session_with(void **state)
{
	struct smtp *smtp = *state;
	unsigned char bytes[IPC_RESUME_MAX];
	char keys[81];
	memset(keys, 'k', 80);
	keys[80] = '\0';
	send_file(&smtp->role, IPC_TYPE_TICKET_KEYS, keys);
	int sign = test_role_give_peer(&smtp->role, ROLE_SIGN, "");
	order(smtp, 60, SESSION_SMTORP);
	connect_to(smtp, 60, &smtp->port_465);
	sign_wrongly(smtp, sign);
	expect_ready(smtp, 60, false);
	struct slice resume = pass_a_first_message(smtp, 60, bytes);
	quit(smtp, 60);

	order_to_resume(smtp, 61, SESSION_SMTORP, resume);
	ask_for_flight(smtp, 61, 1);
	expect_ready(smtp, 61, true);
	deliver(smtp, 61, 1, ALICE, EARLY_TEXT);
	connect_with_flight(smtp, 61, 1, expect_flight(smtp, 61, 1));
	resume = expect_intake(smtp, 61, bytes);
	pass_a_message(smtp, 61, 2);
	quit(smtp, 61);

	/* A second attempt begins without the ticket, and with the message that belongs to it. */
	order_to_resume(smtp, 62, SESSION_SMTORP, resume);
	ask_for_flight(smtp, 62, 1);
	expect_ready(smtp, 62, true);
	deliver(smtp, 62, 1, ALICE, EARLY_TEXT);
	size_t early_len = expect_flight(smtp, 62, 1).len;
	ask_for_flight(smtp, 62, 2);
	struct slice flight = expect_flight(smtp, 62, 2);
	assert_true(flight.len < early_len);
	deliver(smtp, 62, 1, ALICE, EARLY_TEXT); /* an answer to what was ready before: nobody is told anything */
	connect_with_flight(smtp, 62, 2, flight);
	turn = 1;
	sign_wrongly(smtp, sign);
	expect_ready(smtp, 62, false);
	pass_a_first_message(smtp, 62, bytes);
	quit(smtp, 62);
	close(sign);
}

/* Without being asked for a flight, as when tor does not tell when the circuit stands. */
static void
an_early_message_may_also_come_after_the_connection(void **state)
{
	struct smtp *smtp = *state;
	unsigned char bytes[IPC_RESUME_MAX];
	char keys[81];
	memset(keys, 'k', 80);
	keys[80] = '\0';
	send_file(&smtp->role, IPC_TYPE_TICKET_KEYS, keys);
	int sign = test_role_give_peer(&smtp->role, ROLE_SIGN, "");
	order(smtp, 70, SESSION_SMTORP);
	connect_to(smtp, 70, &smtp->port_465);
	sign_wrongly(smtp, sign);
	expect_ready(smtp, 70, false);
	struct slice resume = pass_a_first_message(smtp, 70, bytes);
	quit(smtp, 70);
	order_to_resume(smtp, 71, SESSION_SMTORP, resume);
	connect_to(smtp, 71, &smtp->port_465);
	expect_ready(smtp, 71, true);
	deliver(smtp, 71, 1, ALICE, EARLY_TEXT);
	expect_intake(smtp, 71, bytes);
	quit(smtp, 71);
	close(sign);
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
		cmocka_unit_test_setup_teardown(delivers_on_both_ports_whichever_half_comes_first, start_smtp, stop_smtp),
		cmocka_unit_test_setup_teardown(gives_its_first_flight_to_whoever_connects, start_smtp, stop_smtp),
		cmocka_unit_test_setup_teardown(a_message_goes_with_the_first_flight_to_whom_there_was_a_session_with, start_smtp, stop_smtp),
		cmocka_unit_test_setup_teardown(an_early_message_may_also_come_after_the_connection, start_smtp, stop_smtp),
		cmocka_unit_test_setup_teardown(tells_what_became_of_a_session, start_smtp, stop_smtp),
		cmocka_unit_test_setup_teardown(tells_at_once_of_a_connection_that_cannot_be_used, start_smtp, stop_smtp),
		cmocka_unit_test_setup_teardown(gives_sessions_up_when_mail_is_gone, start_smtp, stop_smtp),
		cmocka_unit_test(strangers_leave_room_for_descriptors),
		cmocka_unit_test(ends_when_a_descriptor_was_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
