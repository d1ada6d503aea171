/* SPDX-License-Identifier: ISC
 *
 * The role mail, and the TLS keys that peers show: what is handed over, refused and held.
 */
#include "daemon/test_mail.h"

#define LETTERS_OF_ZEROS "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* the fingerprint of 32 zeros */

/* SESSION_READY of a peer whose key's hash is 32 times this octet; -1: none. */
static void
show_key(struct mail_process *p, uint64_t id, int octet)
{
	unsigned char key[IPC_KEY_HASH_BYTES];
	struct ipc_message m = { .type = IPC_TYPE_SESSION_READY, .fd = -1 };
	memset(key, octet, sizeof key);
	m.session_ready.session_id = id;
	m.session_ready.tls = octet >= 0;
	m.session_ready.key = slice_of(key, octet >= 0 ? sizeof key : 0);
	test_role_send(p->smtp, &m);
}

static void
expect_quit(struct mail_process *p, uint64_t id)
{
	struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_QUIT); /* and no DELIVER before it */
	assert_true(m.session_quit.session_id == id);
}

/* The one recipient of the message that is handed over. */
static void
expect_recipient(struct mail_process *p, uint64_t id, const char *recipient)
{
	struct ipc_message m = expect_deliver(p, id);
	struct slice list = m.deliver.recipients, mailbox;
	uint64_t delivery_id = m.deliver.delivery_id;
	assert_true(pack_next(&list, &mailbox) && slice_is(mailbox, recipient));
	assert_int_equal(list.len, 0);
	answer_delivery(p, id, delivery_id, 250);
}

static void
expect_bounce(struct mail_process *p, const char *recipient)
{
	struct ipc_message m = test_role_next(&p->role, p->content, IPC_TYPE_COMPOSE_DSN);
	struct slice failures = m.compose_dsn.failures, mailbox;
	struct pack_result r;
	assert_true(pack_next_failure(&failures, &mailbox, &r));
	assert_true(slice_is(mailbox, recipient));
	assert_true(slice_is(r.enhanced, "5.7.5"));
	assert_non_null(memmem(r.text.data, r.text.len, "Nothing was sent", 16));
	assert_int_equal(failures.len, 0);
}

static const char text[] = "Subject: key\r\n\r\n";

static void
send_to(struct mail_process *p, uint64_t id, const char *recipient)
{
	submit(p, id, recipient, slice_of_string(text));
}

static void
a_label_that_fits_has_done_its_work(void **state)
{
	struct mail_process *p = *state;
	send_to(p, 1, "bob@" BOB);
	uint64_t id = expect_dial(p, 465);
	show_key(p, id, 0);
	expect_recipient(p, id, "bob@" BOB);
	send_to(p, 2, "bob@AAAAaaaa." BOB);
	expect_recipient(p, id, "bob@" BOB);
	send_to(p, 3, "bob@" LETTERS_OF_ZEROS "." BOB);
	expect_recipient(p, id, "bob@" BOB);
}

static void
a_label_that_does_not_fit_is_refused_on_an_open_session_too(void **state)
{
	struct mail_process *p = *state;
	send_to(p, 1, "bob@aaaaaaab." BOB);
	uint64_t id = expect_dial(p, 465);
	show_key(p, id, 0);
	expect_bounce(p, "bob@aaaaaaab." BOB);
	send_to(p, 2, "bob@" BOB);
	expect_recipient(p, id, "bob@" BOB); /* and nothing before it */
}

static void
a_label_is_refused_when_no_key_is_shown(void **state)
{
	struct mail_process *p = *state;
	send_to(p, 1, "bob@aaaaaaaa." BOB);
	uint64_t id = expect_dial(p, 465);
	fail_dial(p, id, DIAL_REASON_PORT_REFUSED);
	id = expect_dial(p, 25);
	show_key(p, id, -1);
	expect_bounce(p, "bob@aaaaaaaa." BOB);
}

static struct ipc_message
ask(struct mail_process *p, enum ipc_pin_verb verb, const char *label)
{
	struct ipc_message m = { .type = IPC_TYPE_PIN_REQUEST, .fd = -1 };
	m.pin_request.request_id = 77;
	m.pin_request.verb = (uint8_t)verb;
	strcpy(m.pin_request.onion, BOB);
	strcpy(m.pin_request.label, label);
	test_role_send(p->control, &m);
	return test_role_next(&p->role, p->control, verb == PIN_VERB_SHOW ? IPC_TYPE_PIN_ROW : IPC_TYPE_QUEUE_END);
}

static void
expect_end(const struct ipc_message *end, enum error_code code)
{
	if (end->queue_end.error != code)
		fail_msg("%d %s", end->queue_end.error, end->queue_end.text);
	assert_true(end->queue_end.request_id == 77);
}

/* Delivers one message over a session with the key 0, and ends it. */
static void
know_bob(struct mail_process *p)
{
	send_to(p, 1, "bob@" BOB);
	uint64_t id = expect_dial(p, 465);
	show_key(p, id, 0);
	expect_recipient(p, id, "bob@" BOB);
	end_session(p, id, SESSION_END_LOST);
}

static void
a_changed_key_holds_the_mail_until_it_is_accepted(void **state)
{
	struct mail_process *p = *state;
	know_bob(p);
	send_to(p, 2, "bob@aaaaaaaa." BOB);
	uint64_t id = expect_dial(p, 465);
	show_key(p, id, 1);
	expect_quit(p, id);
	await_files("Maildir/new", "Subject: Mail is held", 1);
	struct ipc_message m = ask(p, PIN_VERB_SHOW, "");
	assert_string_equal(m.pin_row.fingerprint, LETTERS_OF_ZEROS);
	assert_int_equal(m.pin_row.trust, PIN_FIRST_USE);
	assert_true(m.pin_row.changed_s != 0 && strncmp(m.pin_row.shown, "aeaqcaib", 8) == 0);
	m = test_role_next(&p->role, p->control, IPC_TYPE_QUEUE_END);
	expect_end(&m, ERROR_NONE);
	/* it is tried again, also when no key is shown at all; the owner has been told */
	id = expect_dial(p, 465);
	show_key(p, id, -1);
	expect_quit(p, id);
	id = expect_dial(p, 465);
	show_key(p, id, 1);
	expect_quit(p, id);
	m = ask(p, PIN_VERB_ACCEPT, "aaaaaaaa");
	expect_end(&m, ERROR_DENIED);
	m = ask(p, PIN_VERB_ACCEPT, "aeaqcaib");
	expect_end(&m, ERROR_NONE);
	id = expect_dial(p, 465);
	show_key(p, id, 1);
	expect_recipient(p, id, "bob@" BOB); /* by the fingerprint of before */
	assert_int_equal(test_folder_count("Maildir/new", "Subject: Mail is held"), 1);
}

static void
what_is_forgotten_is_taken_anew(void **state)
{
	struct mail_process *p = *state;
	know_bob(p);
	send_to(p, 2, "bob@" BOB);
	uint64_t id = expect_dial(p, 465);
	show_key(p, id, 1);
	expect_quit(p, id);
	struct ipc_message m = ask(p, PIN_VERB_FORGET, "");
	expect_end(&m, ERROR_NONE);
	id = expect_dial(p, 465);
	show_key(p, id, 1);
	expect_recipient(p, id, "bob@" BOB);
	m = ask(p, PIN_VERB_ACCEPT, "");
	expect_end(&m, ERROR_INVALID);
}

static void
another_server_may_change_its_key(void **state)
{
	struct mail_process *p = *state;
	for (int i = 0; i < 2; i++) {
		send_to(p, 1 + (uint64_t)i, "bob@" BOB);
		uint64_t id = expect_dial(p, i == 0 ? 465 : 25);
		if (i == 0) {
			fail_dial(p, id, DIAL_REASON_PORT_REFUSED);
			id = expect_dial(p, 25);
		}
		show_key(p, id, i);
		expect_recipient(p, id, "bob@" BOB);
		end_session(p, id, SESSION_END_LOST);
	}
	struct ipc_message m = ask(p, PIN_VERB_SHOW, "");
	assert_int_equal(m.pin_row.trust, PIN_NOTED);
	assert_true(m.pin_row.changed_s == 0 && strncmp(m.pin_row.fingerprint, "aeaqcaib", 8) == 0);
}

#define WITH_MAIL(test) cmocka_unit_test_setup_teardown(test, start, finish)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_MAIL(a_label_that_fits_has_done_its_work),
		WITH_MAIL(a_label_that_does_not_fit_is_refused_on_an_open_session_too),
		WITH_MAIL(a_label_is_refused_when_no_key_is_shown),
		WITH_MAIL(a_changed_key_holds_the_mail_until_it_is_accepted),
		WITH_MAIL(what_is_forgotten_is_taken_anew),
		WITH_MAIL(another_server_may_change_its_key),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
