/* SPDX-License-Identifier: ISC
 *
 * Drives the real executable (its path is the argument) as the parent, smtp@ID, submission, tor and content@ID would.
 */
#include "base/encode.h"
#include "daemon/test_mail.h"
#include "ipc/codec.h"
#include "store/database.h"

/* ---- in */

static void
a_stranger_s_message_comes_into_the_mailbox(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 7, "Subject: hello\r\n\r\nHello\r\n");
	expect_done(p, p->smtp, 7, 250);
	await_files("Maildir/new", "Return-Path: <bob@" BOB ">\n" UNPROVED "Subject: hello\n\nHello\n", 1);
	stop(p);
	assert_int_equal(test_folder_count("staging", NULL), 0);
}

static void
a_duplicate_is_accepted_and_dropped(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 1, "Subject: hello\r\n\r\n");
	receive_text(p, 2, "Subject: hello\r\n\r\n");
	expect_done(p, p->smtp, 1, 250);
	expect_done(p, p->smtp, 2, 250);
	await_files("Maildir/new", NULL, 1);
	receive_text(p, 3, "Subject: hello\r\n\r\n");
	expect_done(p, p->smtp, 3, 250);
	receive_text(p, 4, "Subject: other\r\n\r\n");
	expect_done(p, p->smtp, 4, 250);
	await_files("Maildir/new", "Subject: other", 1);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 2);
}

static void
a_large_message_comes_sealed(void **state)
{
	struct mail_process *p = *state;
	char *text = malloc(LARGE_BYTES + 1);
	memset(text, 'x', LARGE_BYTES);
	text[LARGE_BYTES] = '\0';
	for (size_t i = 78; i + 2 < LARGE_BYTES; i += 80)
		memcpy(text + i, "\r\n", 2);
	memcpy(text, "A: 1\r\n\r\n", 8);
	intake(p->smtp, 1, "", "alice@" OWN, slice_of(text, LARGE_BYTES));
	expect_done(p, p->smtp, 1, 250);
	await_files("Maildir/new", "Return-Path: <>\n" UNPROVED "A: 1\n\nxxx", 1);
	/* more than the identity takes */
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 };
	struct buffer recipients;
	pack_one(&recipients, "alice@" OWN);
	char *huge = calloc(2, LARGE_BYTES);
	assert_int_equal(file_sealed_memory(huge, 2 * LARGE_BYTES, &m.fd, NULL), 0);
	m.intake.recipients = slice_of(buffer_bytes(&recipients), buffer_len(&recipients));
	test_role_send(p->smtp, &m);
	close(m.fd);
	expect_done(p, p->smtp, 0, 554);
	buffer_finish(&recipients);
	free(huge);
	free(text);
}

/* A file of mail's own making, which smtp@ID has filled. */
static void
a_large_message_comes_in_a_file(void **state)
{
	struct mail_process *p = *state;
	char *text = malloc(LARGE_BYTES + 1);
	struct buffer recipients;
	struct ipc_message wanted = { .type = IPC_TYPE_SPOOL_WANTED, .fd = -1 };
	memset(text, 'x', LARGE_BYTES);
	memcpy(text, "A: 1\r\n\r\n", 8);
	pack_one(&recipients, "alice@" OWN);
	for (int is_twice = 0; is_twice < 2; is_twice++) {
		test_role_send(p->smtp, &wanted);
		struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_SPOOL_FILE);
		assert_int_equal(file_write_all(m.fd, text, LARGE_BYTES, NULL), 0);
		struct ipc_message intake = { .type = IPC_TYPE_INTAKE, .fd = m.fd, .intake = { .transaction_id = 7,
			.recipients = slice_of(buffer_bytes(&recipients), buffer_len(&recipients)) } };
		test_role_send(p->smtp, &intake);
		expect_done(p, p->smtp, 7, 250);
		close(m.fd);
	}
	await_files("Maildir/new", "Return-Path: <>\n" UNPROVED "A: 1\n\nxxx", 1);
	stop(p);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 1); /* the second was seen to be the same */
	buffer_finish(&recipients);
	free(text);
}

static void
a_kill_after_the_answer_loses_nothing(void **state)
{
	struct mail_process *p = *state;
	char text[64];
	for (int round = 0; round < 8; round++) {
		snprintf(text, sizeof text, "Subject: round %d\r\n\r\n", round);
		receive_text(p, (uint64_t)round, text);
		expect_done(p, p->smtp, (uint64_t)round, 250);
		kill_process(p);
		launch(p);
		receive_text(p, 100, text); /* the sender never saw the 250 */
		expect_done(p, p->smtp, 100, 250);
		snprintf(text, sizeof text, "Subject: round %d\n", round);
		await_files("Maildir/new", text, 1);
	}
	receive_text(p, 200, "Subject: the end\r\n\r\n");
	expect_done(p, p->smtp, 200, 250);
	await_files("Maildir/new", "Subject: the end", 1);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 9);
}

static void
malformed_envelopes_are_refused(void **state)
{
	struct mail_process *p = *state;
	intake(p->smtp, 1, "bob\r\nX-Evil: 1@x", "alice@" OWN, slice_of_string("A: 1\r\n\r\n"));
	expect_done(p, p->smtp, 1, 554);
	intake(p->smtp, 2, "bob@x", "", slice_of_string("A: 1\r\n\r\n"));
	expect_done(p, p->smtp, 2, 554);
}

/* ---- out */

static const char message[] = "Subject: out\r\n\r\nHello\r\n";

static void
a_submitted_message_is_delivered(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	uint64_t session = expect_dial(p, 465);
	await_files("queue", NULL, 1);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	assert_true(slice_is(m.deliver.body, SIGNED "Prepared: yes\r\nSubject: out\r\n\r\nHello\r\n"));
	struct slice list = m.deliver.recipients, recipient;
	assert_true(pack_next(&list, &recipient));
	assert_true(slice_is(recipient, "bob@" BOB));
	assert_int_equal(list.len, 0);
	answer_delivery(p, session, m.deliver.delivery_id, 250);
	await_files_of(p, "queue", NULL, 0);
	/* the session is warm: the next message needs no dialling */
	submit(p, 2, "bob@" BOB, slice_of_string(message));
	m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 250);
	stop(p);
}

static void
a_large_message_is_delivered(void **state)
{
	struct mail_process *p = *state;
	struct body body;
	char *text = malloc(LARGE_BYTES);
	memset(text, 'x', LARGE_BYTES);
	memcpy(text, "A: 1\r\n\r\n", 8);
	submit(p, 1, "bob@" BOB, slice_of(text, LARGE_BYTES));
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	assert_int_equal(fcntl(m.fd, F_GETFL) & O_ACCMODE, O_RDONLY); /* its file: the message is nowhere in memory */
	assert_int_equal(body_take_any(&m, m.deliver.body, 8 * 1024 * 1024, &body, NULL), 0);
	assert_int_equal(body.file_bytes, LARGE_BYTES + strlen(SIGNED "Prepared: yes\r\n"));
	char *sent = malloc(LARGE_BYTES);
	assert_int_equal(body_read(&body, strlen(SIGNED "Prepared: yes\r\n"), sent, LARGE_BYTES, NULL), 0);
	assert_memory_equal(sent, text, LARGE_BYTES);
	free(sent);
	body_finish(&body);
	free(text);
}

static void
what_fails_for_now_is_tried_again(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_OFFLINE);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 451);
	expect_deliver(p, session); /* over the same session */
	end_session(p, session, SESSION_END_LOST);
	session = expect_dial(p, 465);
	be_ready(p, session);
	expect_deliver(p, session);
	kill_process(p); /* in the middle of a delivery */
	launch(p);
	session = expect_dial(p, 465);
	be_ready(p, session);
	m = expect_deliver(p, session);
	assert_true(slice_is(m.deliver.body, SIGNED "Prepared: yes\r\nSubject: out\r\n\r\nHello\r\n"));
	answer_delivery(p, session, m.deliver.delivery_id, 250);
	await_files_of(p, "queue", NULL, 0);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 0);
}

static void
the_port_that_works_is_remembered(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_PORT_REFUSED);
	uint64_t session = expect_dial(p, 25); /* at once */
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 250);
	await_files_of(p, "queue", NULL, 0);
	end_session(p, session, SESSION_END_LOST);
	submit(p, 2, "bob@" BOB, slice_of_string(message));
	expect_dial(p, 25);
}

static void
a_server_without_our_protocol_gets_plain_smtp(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	end_session(p, expect_dial(p, 465), SESSION_END_NOT_SMTORP);
	expect_dial(p, 25);
}

static void
a_missing_tor_is_waited_for(void **state)
{
	struct mail_process *p = *state;
	kill_process(p);
	retry_s = 600; /* what counted as a failure would not be tried again in time */
	launch(p);
	retry_s = 1;
	file_close(&p->tor);
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	await_files("queue", NULL, 1);
	p->tor = test_role_give_peer(&p->role, ROLE_TOR, "");
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_TOR_DOWN);
	uint64_t session = expect_dial(p, 465);
	file_close(&p->smtp); /* and smtp dies while it dials */
	struct ipc_message m = test_role_next(&p->role, p->tor, IPC_TYPE_DIAL_CANCEL);
	assert_true(m.dial_cancel.session_id == session);
	p->smtp = test_role_give_peer(&p->role, ROLE_SMTP, "");
	session = expect_dial(p, 465);
	be_ready(p, session);
	expect_deliver(p, session);
	end_session(p, session, SESSION_END_LOST); /* because tor dies */
	file_close(&p->tor);
	p->tor = test_role_give_peer(&p->role, ROLE_TOR, "");
	session = expect_dial(p, 465);
	be_ready(p, session);
	m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 250);
	await_files_of(p, "queue", NULL, 0);
}

static void
ask(struct mail_process *p, enum ipc_queue_verb verb, uint64_t item)
{
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_REQUEST, .fd = -1, .queue_request = { .request_id = 77,
		.verb = (uint8_t)verb, .item = item } };
	test_role_send(p->control, &m);
}

/* The rows of the answer, one by one. Each borrows its recipients until the answer to the next question has come. */
static struct ipc_queue_row
next_row(struct mail_process *p)
{
	static unsigned char kept[IPC_ROWS_MAX];
	static struct slice rest;
	struct ipc_message row;
	if (rest.len == 0) {
		struct ipc_message m = test_role_next(&p->role, p->control, IPC_TYPE_QUEUE_ROWS);
		memcpy(kept, m.queue_rows.rows.data, m.queue_rows.rows.len);
		rest = slice_of(kept, m.queue_rows.rows.len);
	}
	size_t len = (size_t)encode_from_number(rest.data, 4);
	assert_true(len + 4 <= rest.len);
	assert_int_equal(ipc_decode(rest.data + 4, len, &row, NULL), 0);
	assert_int_equal(row.type, IPC_TYPE_QUEUE_ROW);
	rest = slice_of(rest.data + 4 + len, rest.len - 4 - len);
	return row.queue_row;
}

static uint64_t
expect_end(struct mail_process *p, enum error_code error)
{
	struct ipc_message m = test_role_next(&p->role, p->control, IPC_TYPE_QUEUE_END);
	assert_int_equal(m.queue_end.request_id, 77);
	assert_int_equal(m.queue_end.error, error);
	assert_int_equal(m.queue_end.text[0] == '\0', error == ERROR_NONE);
	assert_int_equal(m.queue_end.next, 0);
	return m.queue_end.count;
}

/* 554 instead of a greeting: all that waits for the onion goes on waiting, and nobody gets a bounce. */
static void
a_refused_session_fails_no_message(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	submit(p, 2, "bob@" BOB, slice_of_string(message));
	struct ipc_message m = { .type = IPC_TYPE_SESSION_END, .fd = -1, .session_end = { .reason = SESSION_END_REFUSED,
		.code = 554, .text = "5.3.2 go away" } };
	for (int i = 0; i < 2; i++) {
		m.session_end.session_id = expect_dial(p, 465);
		test_role_send(p->smtp, &m);
		test_role_next(&p->role, p->tor, IPC_TYPE_DIAL_CANCEL);
	}
	uint64_t session = expect_dial(p, 465);
	ask(p, QUEUE_VERB_LIST, 0);
	for (int i = 0; i < 2; i++) {
		struct ipc_queue_row row = next_row(p);
		assert_true(row.tries > 0);
	}
	assert_int_equal(expect_end(p, ERROR_NONE), 2);
	be_ready(p, session);
	for (int i = 0; i < 2; i++) { /* and content was asked for no report meanwhile */
		m = expect_deliver(p, session);
		answer_delivery(p, session, m.deliver.delivery_id, 250);
	}
	await_files_of(p, "queue", NULL, 0);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 0);
}

/* Answers COMPOSE_DSN. */
static void
compose(struct mail_process *p, unsigned code)
{
	struct ipc_message m = next_to_content(p, IPC_TYPE_COMPOSE_DSN);
	struct slice list = m.compose_dsn.failures, recipient;
	struct pack_result why;
	assert_string_equal(m.compose_dsn.onion, OWN);
	assert_string_equal(m.compose_dsn.recipient, "alice@" OWN);
	assert_true(pack_next_failure(&list, &recipient, &why));
	assert_true(slice_is(recipient, "bob@" BOB));
	assert_int_equal(why.code, code);
	assert_int_equal(list.len, 0);
	assert_true(slice_is(m.compose_dsn.body, SIGNED "Prepared: yes\r\nSubject: out\r\n\r\nHello\r\n"));
	struct ipc_message result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	result.content_result.request_id = m.compose_dsn.request_id;
	result.content_result.code = 250;
	result.content_result.body = slice_of_string("Subject: it failed\r\n\r\n");
	test_role_send(p->content, &result);
}

static void
a_permanent_failure_is_reported_once(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 550);
	compose(p, 550);
	await_files("Maildir/new", "Return-Path: <>\nSubject: it failed\n", 1);
	await_files_of(p, "queue", NULL, 0);
	stop(p);
	launch(p);
	receive_text(p, 9, "Subject: later\r\n\r\n");
	expect_done(p, p->smtp, 9, 250);
	await_files("Maildir/new", "Subject: later", 1);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 2);
}

static void
an_address_that_cannot_be_is_reported(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_BAD_ADDRESS);
	compose(p, 0);
	await_files("Maildir/new", "Subject: it failed", 1);
}

static void
nobody_is_told_about_a_message_from_nobody(void **state)
{
	struct mail_process *p = *state;
	intake(p->submission, 1, "", "bob@" BOB, slice_of_string(message));
	give_content(p);
	prepare(p);
	expect_done(p, p->submission, 1, 250);
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_BAD_ADDRESS);
	await_files_of(p, "queue", NULL, 0);
	submit(p, 2, "alice+note@" OWN, slice_of_string(message)); /* the next thing content hears is this, no COMPOSE_DSN */
	await_files("Maildir/new", "Prepared: yes\nSubject: out", 1);
	assert_int_equal(test_folder_count("Maildir/new", NULL), 1);
}

static void
policy_is_checked_again(void **state)
{
	static const struct {
		const char *reverse_path, *recipient;
	} table[] = {
		{ "bob@" BOB, "bob@" BOB },
		{ "bob@" OWN, "bob@" BOB },
		{ "alice@" OWN, "bob@example.com" },
		{ "alice@" OWN, "bob@" },
		{ "alice@" OWN, "bob@aaaa.onion" },
		{ "alice@" OWN, "stranger@" OWN },
	};
	struct mail_process *p = *state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		intake(p->submission, i, table[i].reverse_path, table[i].recipient, slice_of_string(message));
		expect_done(p, p->submission, i, 550);
	}
}

static void
a_message_that_kills_content_is_refused(void **state)
{
	struct mail_process *p = *state;
	intake(p->submission, 1, "alice@" OWN, "bob@" BOB, slice_of_string(message));
	for (int i = 0; i < 2; i++) {
		give_content(p);
		test_role_next(&p->role, p->content, IPC_TYPE_PREPARE);
		file_close(&p->content);
	}
	expect_done(p, p->submission, 1, 451);
	submit(p, 2, "bob@" BOB, slice_of_string(message)); /* and another goes its way */
}

static void
stopping_refuses_what_is_not_accepted(void **state)
{
	struct mail_process *p = *state;
	intake(p->submission, 1, "alice@" OWN, "bob@" BOB, slice_of_string(message));
	test_role_next(&p->role, p->role.parent, IPC_TYPE_NEED_CONTENT);
	struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	test_role_send(p->role.parent, &m);
	expect_done(p, p->submission, 1, 451);
	assert_int_equal(test_role_wait(&p->role), 0);
}

/* ---- the owner */

/* Lists the one message that waits. */
static struct ipc_queue_row
expect_waiting(struct mail_process *p, enum ipc_wait_reason reason)
{
	ask(p, QUEUE_VERB_LIST, 0);
	struct ipc_queue_row row = next_row(p);
	struct slice list = row.recipients, recipient;
	struct pack_result last;
	assert_string_equal(row.onion, BOB);
	assert_string_equal(row.reverse_path, "alice@" OWN);
	assert_true(pack_next_failure(&list, &recipient, &last));
	assert_true(slice_is(recipient, "bob@" BOB));
	assert_int_equal(row.reason, reason);
	assert_int_equal(expect_end(p, ERROR_NONE), 1);
	return row;
}

static void
the_owner_sees_what_waits_and_why(void **state)
{
	struct mail_process *p = *state;
	ask(p, QUEUE_VERB_LIST, 0);
	assert_int_equal(expect_end(p, ERROR_NONE), 0);
	kill_process(p);
	retry_s = 600;
	launch(p);
	retry_s = 1;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	uint64_t session = expect_dial(p, 465);
	struct ipc_queue_row row = expect_waiting(p, WAIT_REASON_DIALLING);
	assert_int_equal(row.tries, 0);
	fail_dial(p, session, DIAL_REASON_TOR_DOWN);
	expect_waiting(p, WAIT_REASON_TOR_DOWN);
	session = expect_dial(p, 465); /* it is asked again */
	expect_waiting(p, WAIT_REASON_TOR_DOWN);
	fail_dial(p, session, DIAL_REASON_NO_DESCRIPTOR);
	row = expect_waiting(p, WAIT_REASON_NO_DESCRIPTOR);
	assert_int_equal(row.tries, 1);
	assert_true(row.next_s > (uint64_t)clock_wall_s() + 300);
	assert_int_equal(row.size_bytes, strlen(message) + strlen(SIGNED "Prepared: yes\r\n"));
	file_close(&p->tor);
	for (int i = 0; i < 2; i++) /* by the second one it knows that tor is gone: but it is not the time for a try */
		expect_waiting(p, WAIT_REASON_NO_DESCRIPTOR);
	p->tor = test_role_give_peer(&p->role, ROLE_TOR, "");
	ask(p, QUEUE_VERB_RETRY, row.item);
	assert_int_equal(expect_end(p, ERROR_NONE), 1);
	be_ready(p, expect_dial(p, 465)); /* at once */
	test_role_next(&p->role, p->smtp, IPC_TYPE_DELIVER);
	row = expect_waiting(p, WAIT_REASON_DELIVERING);
	ask(p, QUEUE_VERB_CANCEL, row.item);
	expect_end(p, ERROR_BUSY);
	ask(p, QUEUE_VERB_SHOW, row.item + 1);
	expect_end(p, ERROR_NOT_FOUND);
	ask(p, 99, 0);
	expect_end(p, ERROR_UNSUPPORTED);
}

/* It is as if the last try had been long ago. */
static void
forget_tries(void)
{
	struct database *db;
	assert_int_equal(database_open_damaged("mail.db", &db, NULL), 0);
	assert_int_equal(database_run(db, "UPDATE peers SET tried_ms = tried_ms - 3600000", NULL), 0);
	database_close(db);
}

static void
who_proves_to_be_there_is_brought_what_waits(void **state)
{
	struct mail_process *p = *state;
	kill_process(p);
	retry_s = 600;
	launch(p);
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_NO_DESCRIPTOR);
	expect_waiting(p, WAIT_REASON_NO_DESCRIPTOR);
	kill_process(p);
	forget_tries();
	launch(p);
	retry_s = 1;
	for (unsigned i = 0; i < 3; i++) {
		assert_true(expect_waiting(p, WAIT_REASON_NO_DESCRIPTOR).next_s > (uint64_t)clock_wall_s() + 300);
		intake_proved(p->smtp, i, "bob@" BOB, (const char *[]){ "", OWN, BOB }[i], "alice@" OWN, slice_of_string("Subject: in\r\n\r\n"));
		expect_done(p, p->smtp, i, 250);
	}
	expect_dial(p, 465);
}

static void
what_the_owner_cancels_is_gone(void **state)
{
	struct mail_process *p = *state;
	kill_process(p);
	retry_s = 600;
	launch(p);
	retry_s = 1;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 450);
	struct ipc_queue_row row;
	do { /* until the answer was taken in */
		ask(p, QUEUE_VERB_SHOW, m.deliver.delivery_id);
		row = next_row(p);
	} while (expect_end(p, ERROR_NONE) == 1 && row.reason == WAIT_REASON_DELIVERING);
	assert_int_equal(row.reason, WAIT_REASON_REPLY);
	assert_string_equal(row.text, "450 said the server");
	ask(p, QUEUE_VERB_CANCEL, row.item);
	assert_int_equal(expect_end(p, ERROR_NONE), 1);
	await_files_of(p, "queue", NULL, 0);
	ask(p, QUEUE_VERB_CANCEL, row.item);
	expect_end(p, ERROR_NOT_FOUND);
	submit(p, 2, "alice+note@" OWN, slice_of_string(message)); /* the next thing content hears is this, no COMPOSE_DSN */
	await_files("Maildir/new", "Prepared: yes\nSubject: out", 1);
}

int
main(int argc, char **argv)
{
#define WITH_MAIL(test) cmocka_unit_test_setup_teardown(test, start, finish)
	const struct CMUnitTest tests[] = {
		WITH_MAIL(a_stranger_s_message_comes_into_the_mailbox),
		WITH_MAIL(a_duplicate_is_accepted_and_dropped),
		WITH_MAIL(a_large_message_comes_sealed),
		WITH_MAIL(a_large_message_comes_in_a_file),
		WITH_MAIL(a_kill_after_the_answer_loses_nothing),
		WITH_MAIL(malformed_envelopes_are_refused),
		WITH_MAIL(a_submitted_message_is_delivered),
		WITH_MAIL(a_large_message_is_delivered),
		WITH_MAIL(what_fails_for_now_is_tried_again),
		WITH_MAIL(the_port_that_works_is_remembered),
		WITH_MAIL(a_server_without_our_protocol_gets_plain_smtp),
		WITH_MAIL(a_missing_tor_is_waited_for),
		WITH_MAIL(a_refused_session_fails_no_message),
		WITH_MAIL(a_permanent_failure_is_reported_once),
		WITH_MAIL(an_address_that_cannot_be_is_reported),
		WITH_MAIL(nobody_is_told_about_a_message_from_nobody),
		WITH_MAIL(policy_is_checked_again),
		WITH_MAIL(a_message_that_kills_content_is_refused),
		WITH_MAIL(stopping_refuses_what_is_not_accepted),
		WITH_MAIL(the_owner_sees_what_waits_and_why),
		WITH_MAIL(who_proves_to_be_there_is_brought_what_waits),
		WITH_MAIL(what_the_owner_cancels_is_gone),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
