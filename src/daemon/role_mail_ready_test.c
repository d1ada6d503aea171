/* SPDX-License-Identifier: ISC
 *
 * The real mail role keeps a first message sealed until the peer has shown its card, and sends nothing but what was made of it then.
 */
#include "daemon/test_mail.h"

#include "card/card.h"
#include "contacts/contacts.h"
#include "store/schema.h"

#define TLS_KEY "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbba"
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
	assert_true(m.seal.now_s > 0 && m.seal.now_s % TEST_DATE_STEP_S == 0); /* the time in the signature */
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

/* A message that is to wait: it is prepared for nobody, and sealed to the own key. Returns how. */
static unsigned
make_wait(struct mail_process *p, uint64_t id)
{
	give_content(p);
	struct ipc_message m = next_to_content(p, IPC_TYPE_PREPARE), result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	assert_string_equal(m.prepare.to, "");
	result.content_result.request_id = m.prepare.request_id;
	result.content_result.code = 250;
	result.content_result.body = slice_of_string(PLAIN);
	test_role_send(p->content, &result);
	unsigned how = seal(p, "", PLAIN, 0, WAITS, true);
	expect_done(p, p->submission, id, 250);
	return how;
}

static void
submit_first(struct mail_process *p, uint64_t id)
{
	intake(p->submission, id, "alice@" OWN, "bob+news@" BOB, slice_of_string(PLAIN));
	assert_int_equal(make_wait(p, id) & SEAL_ENCRYPT, SEAL_ENCRYPT);
}

static void
show_card(struct mail_process *p, uint64_t session_id, const char *card)
{
	struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_FETCH_CARD);
	assert_true(m.fetch_card.session_id == session_id);
	m = (struct ipc_message){ .type = IPC_TYPE_CARD_FETCHED, .fd = -1, .card_fetched = { .session_id = session_id, .card = slice_of_string(card) } };
	test_role_send(p->smtp, &m);
}

static void
show_card_later(struct mail_process *p, uint64_t session_id)
{
	const struct ipc_message m = { .type = IPC_TYPE_CARD_FETCHED, .fd = -1, .card_fetched = { .session_id = session_id, .is_later = 1 } };
	test_role_next(&p->role, p->smtp, IPC_TYPE_FETCH_CARD);
	test_role_send(p->smtp, &m);
}

/* content finds that the card is this onion's, and names this TLS key. */
static void
check_card_with(struct mail_process *p, const char *onion, const char *tls)
{
	struct ipc_message m = next_to_content(p, IPC_TYPE_CHECK_CARD), facts = { .type = IPC_TYPE_CARD_FACTS, .fd = -1 };
	struct ipc_message result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	struct buffer bytes;
	buffer_init(&bytes, IPC_MESSAGE_MAX);
	facts.card_facts.kind = CARD_ONION;
	strcpy(facts.card_facts.onion, onion);
	strcpy(facts.card_facts.tls, tls);
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
check_card(struct mail_process *p, const char *onion)
{
	check_card_with(p, onion, "");
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

static void
another_tls_key_than_the_card_names_gets_nothing(void **state)
{
	struct mail_process *p = *state;
	submit_first(p, 1);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session); /* and shows none */
	show_card(p, session, "BEGIN:VCARD");
	check_card_with(p, BOB, TLS_KEY);
	assert_int_equal(seal(p, BOB, WAITS, 1, SEALED, true), SEAL_OPEN_FIRST | SEAL_ENCRYPT);
	struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_QUIT); /* and no DELIVER before it */
	assert_true(m.session_quit.session_id == session);
	end_session(p, session, SESSION_END_QUIT);
	session = expect_dial(p, 465); /* perhaps it has another one now */
	be_ready(p, session);
	test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_QUIT);
	await_files_of(p, "Maildir/new", "Subject: Mail is held", 1);
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

/* One that cannot be had or read now is no reason to send in clear, now or to whoever is written to on the same day. */
static void
a_card_that_is_not_there_now_is_waited_for(void **state)
{
	struct mail_process *p = *state;
	submit_first(p, 1);
	submit_first(p, 2);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	show_card_later(p, session);
	test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_QUIT); /* without asking once more, for the second */
	struct ipc_message list = { .type = IPC_TYPE_QUEUE_REQUEST, .fd = -1, .queue_request = { .request_id = 77, .verb = QUEUE_VERB_LIST } };
	test_role_send(p->control, &list);
	static const char why[] = "cannot show its card now";
	list = test_role_next(&p->role, p->control, IPC_TYPE_QUEUE_ROWS);
	assert_non_null(memmem(list.queue_rows.rows.data, list.queue_rows.rows.len, why, sizeof why - 1)); /* the owner is told */
	end_session(p, session, SESSION_END_QUIT);
	session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "BEGIN:VCARD");
	for (int i = 0; i < 2; i++) { /* content dies of it twice, so there will be no answer */
		next_to_content(p, IPC_TYPE_CHECK_CARD);
		file_close(&p->content);
		if (i == 0)
			give_content(p);
	}
	give_content(p); /* the second message is next, for the card of the same session */
	check_card(p, BOB);
	assert_int_equal(seal(p, BOB, WAITS, 1, SEALED, true), SEAL_OPEN_FIRST | SEAL_ENCRYPT);
	expect_body(p, session, SEALED);
}

/* A card is shown once a session, and it is the onion's, for all mailboxes there. */
static void
several_that_wait_need_one_card(void **state)
{
	static const char *const recipients[] = { "bob@" BOB, "carol@" BOB, "dave@" BOB };
	struct mail_process *p = *state;
	for (size_t i = 0; i < 3; i++) {
		intake(p->submission, i + 1, "alice@" OWN, recipients[i], slice_of_string(PLAIN));
		make_wait(p, i + 1);
	}
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "BEGIN:VCARD");
	for (size_t i = 0; i < 3; i++) {
		check_card(p, BOB);
		seal(p, BOB, WAITS, 1, SEALED, true);
		expect_body(p, session, SEALED);
	}
}

/* Another session's card is asked for anew: it may be another by then. */
static void
a_session_asks_for_itself(void **state)
{
	struct mail_process *p = *state;
	submit_first(p, 1);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "BEGIN:VCARD");
	check_card(p, BOB);
	seal(p, BOB, WAITS, 1, SEALED, true);
	expect_body(p, session, SEALED);
	end_session(p, session, SESSION_END_QUIT);
	intake(p->submission, 2, "alice@" OWN, "carol@" BOB, slice_of_string(PLAIN));
	make_wait(p, 2);
	session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "BEGIN:VCARD");
}

/* Nothing can go in the first flight of a session that goes on with an earlier one, and so the peer would never say anything. */
static void
what_waits_does_not_wait_for_an_early_session(void **state)
{
	static const char earlier[] = "a session";
	static const unsigned char tls[IPC_KEY_HASH_BYTES];
	struct mail_process *p = *state;
	struct ipc_message m = { .type = IPC_TYPE_SESSION_READY, .fd = -1, .session_ready = { .tls = 1, .key = slice_of(tls, sizeof tls) } };
	submit_first(p, 1);
	uint64_t session = m.session_ready.session_id = expect_dial(p, 465);
	test_role_send(p->smtp, &m);
	show_card(p, session, "BEGIN:VCARD");
	check_card(p, BOB);
	seal(p, BOB, WAITS, 1, SEALED, true);
	const struct ipc_message ticket = { .type = IPC_TYPE_SESSION_TICKET, .fd = -1, .session_ticket = { .session_id = session,
		.resume = slice_of_string(earlier) } };
	test_role_send(p->smtp, &ticket);
	expect_body(p, session, SEALED);
	end_session(p, session, SESSION_END_QUIT);
	intake(p->submission, 2, "alice@" OWN, "carol@" BOB, slice_of_string(PLAIN));
	make_wait(p, 2);
	m = test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_START);
	assert_true(slice_is(m.session_start.resume, earlier));
	session = m.session_start.session_id;
	m = (struct ipc_message){ .type = IPC_TYPE_SESSION_READY, .fd = -1, .session_ready = { .session_id = session, .tls = 1, .early = 1,
		.key = slice_of(tls, sizeof tls) } };
	test_role_send(p->smtp, &m);
	m = test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_QUIT);
	assert_true(m.session_quit.session_id == session);
	end_session(p, session, SESSION_END_QUIT);
	m = test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_START);
	assert_true(slice_is(m.session_start.resume, ""));
	session = m.session_start.session_id;
	m = (struct ipc_message){ .type = IPC_TYPE_SESSION_READY, .fd = -1, .session_ready = { .session_id = session, .tls = 1,
		.key = slice_of(tls, sizeof tls) } };
	test_role_send(p->smtp, &m);
	show_card(p, session, "BEGIN:VCARD");
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
	give_content(p);
	check_card(p, BOB);
	seal(p, BOB, WAITS, 1, SEALED, true);
	expect_deliver(p, session);
	kill_process(p);
	launch(p);
	session = expect_dial(p, 465);
	be_ready(p, session);
	expect_body(p, session, SEALED);
}

/* The message that waits goes back to its sender, with these words. */
static void
expect_bounce(struct mail_process *p, const char *words, size_t bounces)
{
	char text[IPC_TEXT_MAX + 1];
	struct ipc_message m = next_to_content(p, IPC_TYPE_COMPOSE_DSN), result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	struct slice failures = m.compose_dsn.failures, recipient;
	struct pack_result why;
	assert_true(pack_next_failure(&failures, &recipient, &why));
	assert_int_equal(why.code, 550);
	assert_true(slice_is(why.enhanced, "5.7.10"));
	slice_to_string(why.text, text, sizeof text);
	assert_non_null(strstr(text, words));
	file_close(&m.fd);
	result.content_result.request_id = m.compose_dsn.request_id;
	result.content_result.code = 250;
	result.content_result.body = slice_of_string("Subject: failed\r\n\r\n");
	test_role_send(p->content, &result);
	await_files("Maildir/new", "Subject: failed", bounces);
}

static void
expect_refused(struct mail_process *p, const char *words)
{
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "");
	expect_bounce(p, words, 1);
}

static void
what_must_be_encrypted_is_refused_without_a_card(void **state)
{
	struct mail_process *p = *state;
	submit_first(p, 1);
	expect_refused(p, "this identity sends nothing unencrypted");
}

/* ---- what the owner says of single contacts */

/* In the database, while the process has given it up. */
static void
change_book(struct mail_process *p, const char *first, const char *second)
{
	struct database *db;
	kill_process(p);
	assert_int_equal(database_open("mail.db", false, schema_versions, SCHEMA_VERSIONS, &db, NULL), 0);
	assert_int_equal(database_run(db, first, NULL), 0);
	assert_int_equal(database_run(db, second, NULL), 0);
	database_close(db);
	launch(p);
}

/* Into the book, while the process has given it up; then sql. */
static void
say(struct mail_process *p, const char *address, enum contacts_encryption wanted, const char *sql)
{
	struct database *db;
	struct contacts *contacts;
	struct slice a = slice_of_string(address);
	kill_process(p);
	assert_int_equal(database_open("mail.db", false, schema_versions, SCHEMA_VERSIONS, &db, NULL), 0);
	assert_int_equal(contacts_open(db, &contacts, NULL), 0);
	assert_int_equal(contacts_add(contacts, a, slice_of("", 0), CONTACTS_TYPED, 1, NULL), 0);
	assert_int_equal(contacts_set_encryption(contacts, a, wanted, NULL), 0);
	assert_int_equal(database_run(db, sql, NULL), 0);
	contacts_free(contacts);
	database_close(db);
	launch(p);
}

static void
what_is_required_for_a_contact_is_refused_without_a_card(void **state)
{
	struct mail_process *p = *state;
	say(p, "bob@" BOB, CONTACTS_ENCRYPTION_REQUIRED, "");
	submit_first(p, 1);
	expect_refused(p, "nothing unencrypted is to go to bob+news@" BOB ": ask for a card, or see `smtorp contact edit --encrypt`");
}

static void
it_is_required_for_a_contact_though_the_identity_never_encrypts(void **state)
{
	struct mail_process *p = *state;
	say(p, "bob@" BOB, CONTACTS_ENCRYPTION_REQUIRED, "");
	intake(p->submission, 1, "alice@" OWN, "bob@" BOB, slice_of_string(PLAIN));
	assert_int_equal(make_wait(p, 1), SEAL_ENCRYPT | SEAL_ALL);
	intake(p->submission, 2, "alice@" OWN, "carol@" BOB, slice_of_string(PLAIN));
	prepare(p);
	expect_done(p, p->submission, 2, 250);
}

static void
a_contact_who_never_gets_it_encrypted_gets_it_at_once(void **state)
{
	struct mail_process *p = *state;
	say(p, "bob@" BOB, CONTACTS_ENCRYPTION_NEVER, "");
	intake(p->submission, 1, "alice@" OWN, "bob+news@" BOB, slice_of_string(PLAIN));
	give_content(p);
	prepare(p);
	expect_done(p, p->submission, 1, 250);
}

static void
a_contact_for_whom_it_is_preferred_gets_it_without_a_card(void **state)
{
	struct mail_process *p = *state;
	say(p, "bob@" BOB, CONTACTS_ENCRYPTION_PREFERRED, "");
	submit_first(p, 1);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	show_card(p, session, "");
	assert_int_equal(seal(p, BOB, WAITS, 0, PLAIN, false), SEAL_OPEN_FIRST);
	expect_body(p, session, PLAIN);
}

/* One message to two mailboxes of an onion is one copy. */
static void
the_strictest_of_several_has_the_word(void **state)
{
	static const struct {
		const char *first, *second;
		unsigned how;
	} table[] = { { "never", "require", SEAL_ENCRYPT | SEAL_ALL }, { "require", "never", SEAL_ENCRYPT | SEAL_ALL },
		{ "never", "nobody", SEAL_ENCRYPT }, { "nobody", "require", SEAL_ENCRYPT | SEAL_ALL } };
	struct mail_process *p = *state;
	say(p, "never@" BOB, CONTACTS_ENCRYPTION_NEVER, "");
	say(p, "require@" BOB, CONTACTS_ENCRYPTION_REQUIRED, "");
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1, .intake.transaction_id = i + 1 };
		struct buffer recipients;
		struct body body;
		char second[ADDRESS_MAX + 1], first[ADDRESS_MAX + 1];
		snprintf(first, sizeof first, "%s@" BOB, table[i].first);
		snprintf(second, sizeof second, "%s@" BOB, table[i].second);
		pack_one(&recipients, first);
		assert_int_equal(pack_string(&recipients, slice_of_string(second), NULL), 0);
		strcpy(m.intake.reverse_path, "alice@" OWN);
		m.intake.recipients = slice_of(buffer_bytes(&recipients), buffer_len(&recipients));
		assert_int_equal(body_from_bytes(slice_of_string(PLAIN), &body, NULL), 0);
		assert_int_equal(body_attach(&body, &m, &m.intake.body, NULL), 0);
		test_role_send(p->submission, &m);
		assert_int_equal(make_wait(p, i + 1), table[i].how);
		body_finish(&body);
		buffer_finish(&recipients);
	}
}

static void
whoever_moves_takes_along_what_was_said(void **state)
{
	struct mail_process *p = *state;
	say(p, "robert@" OWN, CONTACTS_ENCRYPTION_REQUIRED, "INSERT INTO contact_notices VALUES ('" OWN "', 1, 'bob@" BOB "', '', 1, 1, 1, 1)");
	intake(p->submission, 1, "alice@" OWN, "bob+news@" BOB, slice_of_string(PLAIN));
	assert_int_equal(make_wait(p, 1), SEAL_ENCRYPT | SEAL_ALL);
	say(p, "bob@" BOB, CONTACTS_ENCRYPTION_NEVER, ""); /* but what is said of the new address comes first */
	intake(p->submission, 2, "alice@" OWN, "bob@" BOB, slice_of_string(PLAIN));
	give_content(p);
	prepare(p);
	expect_done(p, p->submission, 2, 250);
}

/* Whoever has stolen the key of bob's onion revokes the OpenPGP key that the owner has verified, and shows a card with another one, or none. */
static void
nothing_goes_in_clear_to_whose_keys_the_owner_decides_about(void **state)
{
	struct mail_process *p = *state;
	for (size_t i = 0; i < 2; i++) {
		if (i == 0)
			say(p, "bob@" BOB, CONTACTS_ENCRYPTION_DEFAULT, "UPDATE contacts SET verified_s = 1");
		else /* which was held, and the owner has refused it */
			change_book(p, "UPDATE contacts SET verified_s = 0", "UPDATE contact_keys SET state = 4 WHERE state = 2");
		intake(p->submission, 1, "alice@" OWN, "bob+news@" BOB, slice_of_string(PLAIN));
		assert_int_equal(make_wait(p, 1), SEAL_ENCRYPT | SEAL_ALL);
		uint64_t session = expect_dial(p, 465);
		be_ready(p, session);
		show_card(p, session, "BEGIN:VCARD");
		check_card(p, BOB);
		expect_bounce(p, "nothing unencrypted is to go to bob+news@" BOB, i + 1);
	}
	/* unless the owner wants that */
	change_book(p, "INSERT INTO contact_encryption SELECT id, 1 FROM contacts", "");
	intake(p->submission, 1, "alice@" OWN, "bob+news@" BOB, slice_of_string(PLAIN));
	give_content(p);
	prepare(p); /* who had no key that counts a moment ago is not asked again on the same day */
	expect_done(p, p->submission, 1, 250);
}

static int
start_preferring(void **state)
{
	encryption = ENCRYPTION_PREFERRED;
	return start(state);
}

static int
start_without(void **state)
{
	encryption = ENCRYPTION_NONE;
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
		TEST(another_tls_key_than_the_card_names_gets_nothing),
		TEST(who_has_no_card_gets_it_as_it_was),
		TEST(a_card_of_somebody_else_is_none),
		TEST(a_card_that_is_not_there_now_is_waited_for),
		TEST(several_that_wait_need_one_card),
		TEST(a_session_asks_for_itself),
		TEST(what_waits_does_not_wait_for_an_early_session),
		TEST(a_server_that_knows_no_cards_gets_it_as_it_was),
		TEST(what_waits_survives_a_crash),
		cmocka_unit_test_setup_teardown(what_must_be_encrypted_is_refused_without_a_card, start_requiring, finish),
		TEST(what_is_required_for_a_contact_is_refused_without_a_card),
		cmocka_unit_test_setup_teardown(it_is_required_for_a_contact_though_the_identity_never_encrypts, start_without, finish),
		cmocka_unit_test_setup_teardown(a_contact_who_never_gets_it_encrypted_gets_it_at_once, start_requiring, finish),
		cmocka_unit_test_setup_teardown(a_contact_for_whom_it_is_preferred_gets_it_without_a_card, start_requiring, finish),
		TEST(the_strictest_of_several_has_the_word),
		TEST(whoever_moves_takes_along_what_was_said),
		TEST(nothing_goes_in_clear_to_whose_keys_the_owner_decides_about),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
