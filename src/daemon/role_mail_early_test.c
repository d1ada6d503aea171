/* SPDX-License-Identifier: ISC
 *
 * The role mail, and sessions that go on with earlier ones: which one is given, what is handed over early, and what is taken
 * back.
 */
#include "daemon/test_mail.h"

static const char text[] = "Subject: early\r\n\r\n";
static const char resume[] = "a session";

static void
send_to_bob(struct mail_process *p, uint64_t id, const char *recipient)
{
	submit(p, id, recipient, slice_of_string(text));
}

/* SESSION_START and DIAL; whether there is something to go on with. */
static uint64_t
expect_start(struct mail_process *p, const char *expected)
{
	struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_START);
	uint64_t id = m.session_start.session_id;
	assert_int_equal(m.session_start.mode, SESSION_SMTORP);
	assert_true(slice_is(m.session_start.resume, expected));
	m = test_role_next(&p->role, p->tor, IPC_TYPE_DIAL);
	assert_true(m.dial.session_id == id);
	assert_int_equal(m.dial.port, 465);
	return id;
}

static void
say_ready(struct mail_process *p, uint64_t id, uint32_t turn, bool early, int octet)
{
	unsigned char key[IPC_KEY_HASH_BYTES];
	struct ipc_message m = { .type = IPC_TYPE_SESSION_READY, .fd = -1, .session_ready = { .session_id = id, .turn = turn,
		.tls = 1, .early = early, .key = slice_of(key, sizeof key) } };
	memset(key, octet, sizeof key);
	test_role_send(p->smtp, &m);
}

static void
give_ticket(struct mail_process *p, uint64_t id)
{
	const struct ipc_message m = { .type = IPC_TYPE_SESSION_TICKET, .fd = -1, .session_ticket = { .session_id = id,
		.resume = slice_of_string(resume) } };
	test_role_send(p->smtp, &m);
}

static uint64_t
expect_message(struct mail_process *p, uint64_t id, uint32_t turn)
{
	struct ipc_message m = expect_deliver(p, id);
	assert_int_equal(m.deliver.turn, turn);
	return m.deliver.delivery_id;
}

static void
expect_quit(struct mail_process *p, uint64_t id)
{
	struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_QUIT); /* and no DELIVER before it */
	assert_true(m.session_quit.session_id == id);
}

static void
expect_cancel(struct mail_process *p, uint64_t id)
{
	struct ipc_message m = test_role_next(&p->role, p->tor, IPC_TYPE_DIAL_CANCEL);
	assert_true(m.dial_cancel.session_id == id);
}

/* One message to bob, whose key is 0, and a ticket. */
static void
know_bob(struct mail_process *p)
{
	send_to_bob(p, 1, "bob@" BOB);
	uint64_t id = expect_start(p, "");
	say_ready(p, id, 0, false, 0);
	uint64_t delivery = expect_message(p, id, 0);
	give_ticket(p, id);
	answer_delivery(p, id, delivery, 250);
	send_to_bob(p, 2, "bob@" BOB); /* so that the answer was heard */
	answer_delivery(p, id, expect_message(p, id, 0), 250);
	end_session(p, id, SESSION_END_LOST);
}

/* Message 3, to a bob who is known; its session goes on with the earlier one. */
static uint64_t
begin_early(struct mail_process *p, const char *recipient)
{
	know_bob(p);
	send_to_bob(p, 3, recipient);
	uint64_t id = expect_start(p, resume);
	say_ready(p, id, 0, true, 0);
	return id;
}

static void
a_ticket_outlives_the_process_and_is_used_once(void **state)
{
	struct mail_process *p = *state;
	know_bob(p);
	send_to_bob(p, 3, "bob@" BOB);
	uint64_t id = expect_start(p, resume);
	fail_dial(p, id, DIAL_REASON_OFFLINE); /* nobody has seen it */
	stop(p);
	launch(p);
	id = expect_start(p, resume);
	say_ready(p, id, 0, true, 0);
	expect_message(p, id, 0);
	fail_dial(p, id, DIAL_REASON_RENDEZVOUS);
	expect_start(p, "");
}

static void
an_early_message_is_done_when_it_is_answered(void **state)
{
	struct mail_process *p = *state;
	uint64_t id = begin_early(p, "bob@" BOB);
	uint64_t delivery = expect_message(p, id, 0);
	answer_delivery(p, id, delivery, 250);
	give_ticket(p, id);
	send_to_bob(p, 4, "bob@" BOB); /* the session is as any other now */
	answer_delivery(p, id, expect_message(p, id, 0), 250);
	end_session(p, id, SESSION_END_QUIT);
	send_to_bob(p, 5, "bob@" BOB);
	id = expect_start(p, resume);
	say_ready(p, id, 0, true, 0);
	expect_message(p, id, 0);
}

static void
what_was_not_taken_early_is_handed_over_again(void **state)
{
	struct mail_process *p = *state;
	uint64_t id = begin_early(p, "bob@" BOB);
	uint64_t first = expect_message(p, id, 0);
	say_ready(p, id, 1, false, 0);
	assert_true(expect_message(p, id, 1) == first);
	answer_delivery(p, id, first, 250);
	send_to_bob(p, 4, "bob@" BOB);
	assert_true(expect_message(p, id, 1) != first);
}

static void
another_key_holds_what_was_handed_over_early(void **state)
{
	struct mail_process *p = *state;
	uint64_t id = begin_early(p, "bob@" BOB);
	expect_message(p, id, 0);
	say_ready(p, id, 1, false, 1);
	expect_quit(p, id);
	await_files("Maildir/new", "Subject: Mail is held", 1);
	expect_start(p, ""); /* it is tried again, with a whole handshake */
}

static void
an_early_session_that_ends_leaves_the_message(void **state)
{
	struct mail_process *p = *state;
	uint64_t id = begin_early(p, "bob@" BOB);
	uint64_t first = expect_message(p, id, 0);
	end_session(p, id, SESSION_END_TIMEOUT);
	expect_cancel(p, id);
	id = expect_start(p, "");
	say_ready(p, id, 0, false, 0);
	assert_true(expect_message(p, id, 0) == first);
}

static void
a_label_that_does_not_fit_the_earlier_key_waits_for_the_one_of_now(void **state)
{
	struct mail_process *p = *state;
	uint64_t id = begin_early(p, "bob@aaaaaaab." BOB);
	expect_cancel(p, id);
	expect_quit(p, id);
	end_session(p, id, SESSION_END_QUIT);
	id = expect_start(p, "");
	say_ready(p, id, 0, false, 0);
	test_role_next(&p->role, p->content, IPC_TYPE_COMPOSE_DSN); /* now it is refused */
}

static void
what_is_forgotten_of_a_peer_is_not_gone_on_with(void **state)
{
	struct mail_process *p = *state;
	know_bob(p);
	struct ipc_message m = { .type = IPC_TYPE_PIN_REQUEST, .fd = -1 };
	m.pin_request.request_id = 77;
	m.pin_request.verb = PIN_VERB_FORGET;
	strcpy(m.pin_request.onion, BOB);
	test_role_send(p->control, &m);
	m = test_role_next(&p->role, p->control, IPC_TYPE_QUEUE_END);
	assert_int_equal(m.queue_end.error, ERROR_NONE);
	send_to_bob(p, 3, "bob@" BOB);
	uint64_t id = expect_start(p, "");
	say_ready(p, id, 0, false, 0);
	answer_delivery(p, id, expect_message(p, id, 0), 250);
	send_to_bob(p, 4, "bob@" BOB);
	expect_message(p, id, 0);
	end_session(p, id, SESSION_END_LOST);
	expect_start(p, ""); /* the old one did not come back with the key */
}

#define WITH_MAIL(test) cmocka_unit_test_setup_teardown(test, start, finish)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_MAIL(a_ticket_outlives_the_process_and_is_used_once),
		WITH_MAIL(an_early_message_is_done_when_it_is_answered),
		WITH_MAIL(what_was_not_taken_early_is_handed_over_again),
		WITH_MAIL(another_key_holds_what_was_handed_over_early),
		WITH_MAIL(an_early_session_that_ends_leaves_the_message),
		WITH_MAIL(a_label_that_does_not_fit_the_earlier_key_waits_for_the_one_of_now),
		WITH_MAIL(what_is_forgotten_of_a_peer_is_not_gone_on_with),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
