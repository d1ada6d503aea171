/* SPDX-License-Identifier: ISC
 *
 * The real mail role keeps a first message sealed until the peer has shown its card, and sends nothing but what was made of it then.
 */
#include "daemon/test_mail.h"

#include "card/card.h"

#define FINGERPRINT "0123456789ABCDEF0123456789ABCDEF01234567"
#define WAITS "Subject: ...\r\n\r\nsealed to the own key\r\n"
#define SEALED "Subject: ...\r\n\r\nsealed to bob\r\n"
#define PLAIN "Subject: secret\r\n\r\nHello\r\n"

static const unsigned char key[] = { 1, 2, 3 };

/* content: is asked to seal, answers with this text. Returns how. */
static unsigned
seal(struct mail_process *p, const char *to, const char *expected, size_t keys, const char *text, bool is_sealed)
{
	static const unsigned char digest[IPC_DIGEST_BYTES];
	struct ipc_message m = next_to_content(p, IPC_TYPE_SEAL), result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	struct slice list = m.seal.keys, one;
	unsigned how = m.seal.how;
	assert_string_equal(m.seal.to, to);
	assert_true(slice_is(m.seal.body, expected));
	for (; keys > 0; keys--)
		assert_true(pack_next(&list, &one) && one.len == sizeof key && memcmp(one.data, key, sizeof key) == 0);
	assert_int_equal(list.len, 0);
	result.content_result.request_id = m.seal.request_id;
	result.content_result.code = 250;
	result.content_result.flags = BODY_8BIT;
	result.content_result.is_sealed = is_sealed;
	result.content_result.body = slice_of_string(text);
	if (to[0] != '\0') {
		result.content_result.field = slice_of_string(FIELD);
		result.content_result.digest = slice_of(digest, sizeof digest);
	}
	test_role_send(p->content, &result);
	if (to[0] != '\0')
		sign(p);
	return how;
}

/* A first message: prepared for nobody, and sealed to the own key. */
static void
submit_first(struct mail_process *p, uint64_t id)
{
	intake(p->submission, id, "alice@" OWN, "bob+news@" BOB, slice_of_string(PLAIN));
	if (p->content < 0) {
		test_role_next(&p->role, p->role.parent, IPC_TYPE_NEED_CONTENT);
		p->content = test_role_give_peer(&p->role, ROLE_CONTENT, "");
	}
	struct ipc_message m = next_to_content(p, IPC_TYPE_PREPARE), result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	assert_string_equal(m.prepare.to, "");
	result.content_result.request_id = m.prepare.request_id;
	result.content_result.code = 250;
	result.content_result.body = slice_of_string(PLAIN);
	test_role_send(p->content, &result);
	assert_int_equal(seal(p, "", PLAIN, 0, WAITS, true) & SEAL_ENCRYPT, SEAL_ENCRYPT);
	expect_done(p, p->submission, id, 250);
}

static void
show_card(struct mail_process *p, uint64_t session_id, const char *card)
{
	struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_FETCH_CARD);
	assert_true(m.fetch_card.session_id == session_id);
	m = (struct ipc_message){ .type = IPC_TYPE_CARD_FETCHED, .fd = -1, .card_fetched = { .session_id = session_id, .card = slice_of_string(card) } };
	test_role_send(p->smtp, &m);
}

/* content finds that the card is this onion's. */
static void
check_card(struct mail_process *p, const char *onion)
{
	struct ipc_message m = next_to_content(p, IPC_TYPE_CHECK_CARD), facts = { .type = IPC_TYPE_CARD_FACTS, .fd = -1 };
	struct ipc_message result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	struct buffer bytes;
	buffer_init(&bytes, IPC_MESSAGE_MAX);
	facts.card_facts.kind = CARD_ONION;
	strcpy(facts.card_facts.onion, onion);
	strcpy(facts.card_facts.fingerprint, FINGERPRINT);
	facts.card_facts.key = slice_of(key, sizeof key);
	assert_int_equal(ipc_encode(&facts, &bytes, NULL), 0);
	result.content_result.request_id = m.check_card.request_id;
	result.content_result.code = 250;
	result.content_result.body = slice_of(buffer_bytes(&bytes), buffer_len(&bytes));
	test_role_send(p->content, &result);
	buffer_finish(&bytes);
}

static void
expect_body(struct mail_process *p, uint64_t session_id, const char *text)
{
	struct ipc_message m = expect_deliver(p, session_id);
	char all[500];
	snprintf(all, sizeof all, "%s%s", SIGNED, text);
	assert_true(slice_is(m.deliver.body, all));
	answer_delivery(p, session_id, m.deliver.delivery_id, 250);
}

static void
the_first_message_is_sealed_for_the_card_in_its_session(void **state)
{
	struct mail_process *p = *state;
	submit_first(p, 1);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "BEGIN:VCARD");
	check_card(p, BOB);
	assert_int_equal(seal(p, BOB, WAITS, 1, SEALED, true), SEAL_OPEN_FIRST | SEAL_ENCRYPT);
	expect_body(p, session, SEALED);
	/* now his key is known, also for another address of his */
	intake(p->submission, 2, "alice@" OWN, "bob@" BOB, slice_of_string(PLAIN));
	struct ipc_message m = next_to_content(p, IPC_TYPE_PREPARE), result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	result.content_result.request_id = m.prepare.request_id;
	result.content_result.code = 250;
	result.content_result.body = slice_of_string(PLAIN);
	test_role_send(p->content, &result);
	assert_int_equal(seal(p, BOB, PLAIN, 1, SEALED, true), SEAL_ENCRYPT);
	expect_done(p, p->submission, 2, 250);
	expect_body(p, session, SEALED);
}

/* Policy prefers encryption, and does without. */
static void
who_has_no_card_gets_it_as_it_was(void **state)
{
	struct mail_process *p = *state;
	submit_first(p, 1);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "");
	assert_int_equal(seal(p, BOB, WAITS, 0, PLAIN, false), SEAL_OPEN_FIRST);
	expect_body(p, session, PLAIN);
	intake(p->submission, 2, "alice@" OWN, "bob@" BOB, slice_of_string(PLAIN)); /* who had none is not asked again on the same day */
	prepare(p);
	expect_done(p, p->submission, 2, 250);
	expect_body(p, session, "Prepared: yes\r\n" PLAIN);
}

static void
a_card_of_somebody_else_is_none(void **state)
{
	struct mail_process *p = *state;
	submit_first(p, 1);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "BEGIN:VCARD");
	check_card(p, OWN);
	assert_int_equal(seal(p, BOB, WAITS, 0, PLAIN, false), SEAL_OPEN_FIRST);
	expect_body(p, session, PLAIN);
}

static void
a_server_that_knows_no_cards_gets_it_as_it_was(void **state)
{
	struct mail_process *p = *state;
	submit_first(p, 1);
	uint64_t session = expect_dial(p, 465);
	end_session(p, session, SESSION_END_NOT_SMTORP);
	session = expect_dial(p, 25);
	be_ready(p, session);
	assert_int_equal(seal(p, BOB, WAITS, 0, PLAIN, false), SEAL_OPEN_FIRST);
	expect_body(p, session, PLAIN);
}

/* Killed with the message ready but not sent: it is sent as it was made ready, or made ready once more. */
static void
what_waits_survives_a_crash(void **state)
{
	struct mail_process *p = *state;
	submit_first(p, 1);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	test_role_next(&p->role, p->smtp, IPC_TYPE_FETCH_CARD);
	kill_process(p);
	launch(p);
	session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "BEGIN:VCARD");
	test_role_next(&p->role, p->role.parent, IPC_TYPE_NEED_CONTENT);
	p->content = test_role_give_peer(&p->role, ROLE_CONTENT, "");
	check_card(p, BOB);
	seal(p, BOB, WAITS, 1, SEALED, true);
	expect_deliver(p, session);
	kill_process(p);
	launch(p);
	session = expect_dial(p, 465);
	be_ready(p, session);
	expect_body(p, session, SEALED);
}

static void
what_must_be_encrypted_is_refused_without_a_card(void **state)
{
	struct mail_process *p = *state;
	submit_first(p, 1);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "");
	struct ipc_message m = next_to_content(p, IPC_TYPE_COMPOSE_DSN), result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	struct slice failures = m.compose_dsn.failures, recipient;
	struct pack_result why;
	assert_true(pack_next_failure(&failures, &recipient, &why));
	assert_int_equal(why.code, 550);
	assert_true(slice_is(why.enhanced, "5.7.10"));
	file_close(&m.fd);
	result.content_result.request_id = m.compose_dsn.request_id;
	result.content_result.code = 250;
	result.content_result.body = slice_of_string("Subject: failed\r\n\r\n");
	test_role_send(p->content, &result);
	await_files("Maildir/new", "Subject: failed", 1);
}

static int
start_preferring(void **state)
{
	encryption = ENCRYPTION_PREFERRED;
	return start(state);
}

static int
start_requiring(void **state)
{
	encryption = ENCRYPTION_REQUIRED;
	return start(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start_preferring, finish)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_message_is_sealed_for_the_card_in_its_session),
		TEST(who_has_no_card_gets_it_as_it_was),
		TEST(a_card_of_somebody_else_is_none),
		TEST(a_server_that_knows_no_cards_gets_it_as_it_was),
		TEST(what_waits_survives_a_crash),
		cmocka_unit_test_setup_teardown(what_must_be_encrypted_is_refused_without_a_card, start_requiring, finish),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
