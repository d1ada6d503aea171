/* SPDX-License-Identifier: ISC
 *
 * The real mail role keeps its own cards, and takes people from cards that content has checked.
 */
#include "daemon/test_mail.h"

#include "base/encode.h"
#include "card/card.h"
#include "contacts/contacts.h"
#include "proof/context.h"
#include "store/schema.h"

#define CAROL "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
#define DAY_S (24 * 3600)
#define FINGERPRINT "0123456789ABCDEF0123456789ABCDEF01234567"
#define OTHER_FINGERPRINT "F123456789ABCDEF0123456789ABCDEF01234567"
#define TLS_KEY "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbba"

static void
request(struct mail_process *p, enum ipc_card_verb verb, const char *text)
{
	const struct ipc_message m = { .type = IPC_TYPE_CARD_REQUEST, .fd = -1, .card_request = { .request_id = 9, .verb = (uint8_t)verb,
		.text = slice_of_string(text) } };
	test_role_send(p->control, &m);
}

static void
begin_content(struct mail_process *p)
{
	file_close(&p->content);
	give_content(p);
}

/* content is asked for a card, and writes this. Returns the sequence. */
static uint64_t
compose(struct mail_process *p, const char *card)
{
	static const unsigned char digest[IPC_DIGEST_BYTES] = { 4 };
	struct ipc_message m = next_to_content(p, IPC_TYPE_COMPOSE_CARD);
	struct ipc_message result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	assert_string_equal(m.compose_card.onion, OWN);
	assert_string_equal(m.compose_card.local_part, "alice");
	assert_int_equal(m.compose_card.day_s % DAY_S, 0);
	uint64_t sequence = m.compose_card.sequence;
	result.content_result.request_id = m.compose_card.request_id;
	result.content_result.code = 250;
	result.content_result.body = slice_of_string(card);
	result.content_result.digest = slice_of(digest, sizeof digest);
	test_role_send(p->content, &result);
	return sequence;
}

static void
sign_card(struct mail_process *p)
{
	static const unsigned char signature[IPC_SIGNATURE_BYTES];
	struct ipc_message m = test_role_next(&p->role, p->sign, IPC_TYPE_SIGN);
	const struct ipc_message answer = { .type = IPC_TYPE_SIGNED, .fd = -1, .signed_ = { .request_id = m.sign.request_id,
		.signature = slice_of(signature, sizeof signature) } };
	assert_int_equal(m.sign.context, CONTEXT_CARD);
	assert_int_equal(m.sign.digest.data[0], 4);
	test_role_send(p->sign, &answer);
}

struct shown {
	uint64_t sequence;
	const char *fingerprint, *tls, *local_part; /* NULL: bob */
};

/* content is shown a card that begins like this, and finds that it is this onion's, with this on it; refusal: or says why not. */
static void
find_with(struct mail_process *p, const char *beginning, const char *onion, const struct shown *shown, const char *refusal)
{
	static const unsigned char key[10] = { 7 };
	struct ipc_message m = next_to_content(p, IPC_TYPE_CHECK_CARD), facts = { .type = IPC_TYPE_CARD_FACTS, .fd = -1 };
	struct ipc_message result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	struct buffer bytes;
	buffer_init(&bytes, IPC_MESSAGE_MAX);
	assert_true(m.check_card.text.len >= strlen(beginning) && memcmp(m.check_card.text.data, beginning, strlen(beginning)) == 0);
	facts.card_facts.kind = CARD_PERSONAL;
	snprintf(facts.card_facts.address, sizeof facts.card_facts.address, "%s@%s", shown->local_part != NULL ? shown->local_part : "bob", onion);
	strcpy(facts.card_facts.onion, onion);
	strcpy(facts.card_facts.name, "Bob");
	facts.card_facts.sequence = shown->sequence;
	strcpy(facts.card_facts.fingerprint, shown->fingerprint);
	strcpy(facts.card_facts.tls, shown->tls);
	facts.card_facts.key = slice_of(key, sizeof key);
	facts.card_facts.card = m.check_card.text;
	assert_int_equal(ipc_encode(&facts, &bytes, NULL), 0);
	result.content_result.request_id = m.check_card.request_id;
	result.content_result.code = refusal == NULL ? 250 : 550;
	strcpy(result.content_result.text, refusal == NULL ? "" : refusal);
	if (refusal == NULL)
		result.content_result.body = slice_of(buffer_bytes(&bytes), buffer_len(&bytes));
	test_role_send(p->content, &result);
	buffer_finish(&bytes);
}

static void
find(struct mail_process *p, const char *beginning, const char *onion, const char *refusal)
{
	static const struct shown shown = { 0, FINGERPRINT, "", NULL };
	find_with(p, beginning, onion, &shown, refusal);
}

static void
expect_facts(struct mail_process *p)
{
	struct ipc_message m = test_role_next(&p->role, p->control, IPC_TYPE_CARD_FACTS);
	assert_int_equal(m.card_facts.request_id, 9);
	m = test_role_next(&p->role, p->control, IPC_TYPE_QUEUE_END);
	assert_int_equal(m.queue_end.error, ERROR_NONE);
	assert_int_equal(m.queue_end.count, 1);
}

static void
expect_error(struct mail_process *p, enum error_code code)
{
	struct ipc_message m = test_role_next(&p->role, p->control, IPC_TYPE_QUEUE_END);
	assert_int_equal(m.queue_end.error, code);
	assert_true(m.queue_end.text[0] != '\0' && m.queue_end.request_id == 9);
}

static void
a_card_stays_the_same_until_something_on_it_is_another(void **state)
{
	struct mail_process *p = *state;
	request(p, CARD_VERB_SHOW, "");
	begin_content(p);
	uint64_t first = compose(p, "BEGIN:one\r\n");
	assert_true(first >= (uint64_t)(clock_wall_s() / DAY_S - 1) * 1000); /* greater than any that a lost database had */
	sign_card(p);
	find(p, "BEGIN:one\r\nX-SMTORP-SIGNATURE:AAAA", OWN, NULL);
	expect_facts(p);
	request(p, CARD_VERB_SHOW, ""); /* there may be other keys: there are not */
	assert_true(compose(p, "BEGIN:one\r\n") == first);
	find(p, "BEGIN:one\r\n", OWN, NULL);
	expect_facts(p);
	kill_process(p);
	launch(p);
	request(p, CARD_VERB_SHOW, "");
	begin_content(p);
	assert_true(compose(p, "BEGIN:one\r\n") == first);
	find(p, "BEGIN:one\r\nX-SMTORP-SIGNATURE:AAAA", OWN, NULL);
	expect_facts(p);
	kill_process(p);
	launch(p);
	request(p, CARD_VERB_SHOW, "");
	begin_content(p);
	assert_true(compose(p, "BEGIN:two\r\n") == first); /* and now it has */
	assert_true(compose(p, "BEGIN:three\r\n") > first);
	sign_card(p);
	find(p, "BEGIN:three\r\nX-SMTORP-SIGNATURE:AAAA", OWN, NULL);
	expect_facts(p);
	request(p, CARD_VERB_SHOW_ONION, ""); /* which is another one */
	compose(p, "BEGIN:four\r\n");
	sign_card(p);
	find(p, "BEGIN:four\r\nX-SMTORP-SIGNATURE:AAAA", OWN, NULL);
	expect_facts(p);
}

static void
whoever_asks_the_onion_gets_its_card(void **state)
{
	struct mail_process *p = *state;
	struct ipc_message m = { .type = IPC_TYPE_CARD_WANTED, .fd = -1, .card_wanted.transaction_id = 77 };
	test_role_send(p->smtp, &m);
	begin_content(p);
	compose(p, "BEGIN:onion\r\n");
	sign_card(p);
	m = test_role_next(&p->role, p->smtp, IPC_TYPE_CARD_GIVEN);
	assert_int_equal(m.card_given.transaction_id, 77);
	assert_true(m.card_given.card.len > 20 && memcmp(m.card_given.card.data, "BEGIN:onion\r\nX-SMTORP-SIGNATURE:", 32) == 0);
	m = (struct ipc_message){ .type = IPC_TYPE_CARD_WANTED, .fd = -1, .card_wanted.transaction_id = 78 };
	test_role_send(p->smtp, &m); /* nobody else is asked for it again */
	m = test_role_next(&p->role, p->smtp, IPC_TYPE_CARD_GIVEN);
	assert_int_equal(m.card_given.transaction_id, 78);
	assert_true(m.card_given.card.len > 20);
}

static void
a_card_that_cannot_be_made_is_none_for_now(void **state)
{
	struct mail_process *p = *state;
	struct ipc_message m = { .type = IPC_TYPE_CARD_WANTED, .fd = -1, .card_wanted.transaction_id = 77 };
	struct ipc_message refusal = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1, .content_result.code = 451 };
	test_role_send(p->smtp, &m);
	begin_content(p);
	refusal.content_result.request_id = next_to_content(p, IPC_TYPE_COMPOSE_CARD).compose_card.request_id;
	test_role_send(p->content, &refusal);
	m = test_role_next(&p->role, p->smtp, IPC_TYPE_CARD_GIVEN);
	assert_int_equal(m.card_given.card.len, 0);
}

/* Looks into the book, which the process has given up. */
static bool
is_known(struct mail_process *p, struct contact *contact)
{
	struct database *db;
	struct contacts *contacts;
	kill_process(p);
	assert_int_equal(database_open("mail.db", false, schema_versions, SCHEMA_VERSIONS, &db, NULL), 0);
	assert_int_equal(contacts_open(db, &contacts, NULL), 0);
	int found = contacts_find(contacts, slice_of_string("bob@" BOB), contact, NULL);
	contacts_free(contacts);
	database_close(db);
	launch(p);
	return found == 1;
}

static void
people_come_into_the_book_by_their_cards(void **state)
{
	struct mail_process *p = *state;
	struct contact bob;
	request(p, CARD_VERB_CHECK, "a card");
	begin_content(p);
	find(p, "a card", BOB, NULL);
	expect_facts(p);
	assert_false(is_known(p, &bob)); /* looking is not adding */
	request(p, CARD_VERB_ADD, "a card");
	begin_content(p);
	find(p, "a card", BOB, NULL);
	expect_facts(p);
	assert_true(is_known(p, &bob));
	assert_string_equal(bob.fingerprint, FINGERPRINT);
	assert_string_equal(bob.name, "Bob");
	assert_int_equal(bob.how, CONTACTS_SCANNED);
	assert_int_equal(bob.trust, CONTACTS_KNOWN);
	request(p, CARD_VERB_ADD_IN_PERSON, "a card"); /* once more, from the person */
	begin_content(p);
	find(p, "a card", BOB, NULL);
	expect_facts(p);
	assert_true(is_known(p, &bob));
	assert_int_equal(bob.trust, CONTACTS_VERIFIED_KEY);
}

static size_t
count_pins(struct mail_process *p)
{
	struct database *db;
	struct statement *s;
	kill_process(p);
	assert_int_equal(database_open("mail.db", false, schema_versions, SCHEMA_VERSIONS, &db, NULL), 0);
	assert_int_equal(statement_new(db, "SELECT COUNT(*) FROM pins", &s, NULL), 0);
	assert_int_equal(statement_step(s, NULL), 1);
	size_t count = (size_t)statement_int(s, 0);
	statement_free(s);
	database_close(db);
	launch(p);
	return count;
}

/* Each was signed by bob's onion, and anybody may have kept it. */
static void
an_old_card_brings_back_neither_key_nor_pin(void **state)
{
	static const struct shown newest = { 9, FINGERPRINT, "", NULL }, old = { 8, OTHER_FINGERPRINT, TLS_KEY, NULL },
		of_same_key = { 8, FINGERPRINT, TLS_KEY, NULL };
	struct mail_process *p = *state;
	struct contact bob;
	request(p, CARD_VERB_ADD, "new");
	begin_content(p);
	find_with(p, "new", BOB, &newest, NULL);
	expect_facts(p);
	request(p, CARD_VERB_ADD, "old");
	find_with(p, "old", BOB, &old, NULL);
	expect_error(p, ERROR_DENIED);
	request(p, CARD_VERB_ADD_IN_PERSON, "on paper");
	find_with(p, "on paper", BOB, &of_same_key, NULL);
	expect_facts(p);
	assert_true(is_known(p, &bob));
	assert_string_equal(bob.fingerprint, FINGERPRINT);
	assert_int_equal(bob.trust, CONTACTS_VERIFIED_KEY);
	assert_int_equal(count_pins(p), 0);
}

/* It is signed by bob's onion, whose key somebody may have stolen. */
static void
a_card_replaces_a_verified_key_only_in_person(void **state)
{
	static const struct shown first = { 1, FINGERPRINT, "" }, second = { 2, OTHER_FINGERPRINT, "" };
	struct mail_process *p = *state;
	struct contact bob;
	request(p, CARD_VERB_ADD_IN_PERSON, "first");
	begin_content(p);
	find_with(p, "first", BOB, &first, NULL);
	expect_facts(p);
	request(p, CARD_VERB_ADD, "second");
	find_with(p, "second", BOB, &second, NULL);
	expect_error(p, ERROR_DENIED);
	static const unsigned char secret[IPC_INVITATION_BYTES];
	const struct ipc_message invited = { .type = IPC_TYPE_CARD_REQUEST, .fd = -1, .card_request = { .request_id = 9, .verb = CARD_VERB_ADD_INVITED,
		.text = slice_of_string("invitation"), .secret = slice_of(secret, sizeof secret) } };
	test_role_send(p->control, &invited); /* which anybody can write who has the onion's key */
	find_with(p, "invitation", BOB, &second, NULL);
	expect_error(p, ERROR_DENIED);
	request(p, CARD_VERB_ADD, "first");
	find_with(p, "first", BOB, &first, NULL);
	expect_facts(p);
	assert_true(is_known(p, &bob));
	assert_string_equal(bob.fingerprint, FINGERPRINT);
	assert_int_equal(bob.trust, CONTACTS_VERIFIED_KEY);
	request(p, CARD_VERB_ADD_IN_PERSON, "second");
	begin_content(p);
	find_with(p, "second", BOB, &second, NULL);
	expect_facts(p);
	assert_true(is_known(p, &bob));
	assert_string_equal(bob.fingerprint, OTHER_FINGERPRINT);
	assert_int_equal(bob.trust, CONTACTS_VERIFIED_KEY);
}

static void
what_is_no_card_of_another_changes_nothing(void **state)
{
	struct mail_process *p = *state;
	struct contact bob;
	request(p, CARD_VERB_ADD, "no card");
	begin_content(p);
	find(p, "no card", BOB, "the card was changed");
	expect_error(p, ERROR_INVALID);
	request(p, CARD_VERB_ADD, "my own");
	find(p, "my own", OWN, NULL);
	expect_error(p, ERROR_INVALID);
	request(p, 99, "");
	expect_error(p, ERROR_UNSUPPORTED);
	assert_false(is_known(p, &bob));
}

/* What lines of base64 say; others are passed over. */
static void
read_base64(struct slice text, char *out, size_t room)
{
	size_t len = 0;
	for (size_t at = 0, end; at < text.len; at = end + 1) {
		char bytes[80];
		size_t n = sizeof bytes;
		for (end = at; end < text.len && text.data[end] != '\n'; end++)
			;
		if (end - at > 1 && end - at < 80 && encode_from_base64(bytes, &n, (const char *)text.data + at, end - at - 1, NULL) == 0)
			len += (size_t)snprintf(out + len, room - len, "%.*s", (int)n, bytes);
		assert_true(len < room);
	}
}

/* The local part is its owner's choice, and who reads the message trusts who introduces them. */
static void
no_introduction_tells_to_type_what_a_shell_obeys(void **state)
{
	static const struct shown hostile = { 1, FINGERPRINT, "", "`id`|sh" };
	const struct ipc_message introduce = { .type = IPC_TYPE_CONTACT_REQUEST, .fd = -1, .contact_request = { .request_id = 9,
		.verb = CONTACT_VERB_INTRODUCE, .address = "`id`|sh@" BOB, .to = "carol@" CAROL } };
	struct mail_process *p = *state;
	char words[4096] = "";
	request(p, CARD_VERB_ADD, "a card");
	begin_content(p);
	find_with(p, "a card", BOB, &hostile, NULL);
	expect_facts(p);
	test_role_send(p->control, &introduce);
	read_base64(next_to_content(p, IPC_TYPE_PREPARE).prepare.body, words, sizeof words);
	assert_non_null(strstr(words, "smtorp contact accept '`id`|sh@" BOB "'\r\n"));
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	program = realpath(argv[1], NULL); /* before the folder changes */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_card_stays_the_same_until_something_on_it_is_another, start, finish),
		cmocka_unit_test_setup_teardown(whoever_asks_the_onion_gets_its_card, start, finish),
		cmocka_unit_test_setup_teardown(a_card_that_cannot_be_made_is_none_for_now, start, finish),
		cmocka_unit_test_setup_teardown(people_come_into_the_book_by_their_cards, start, finish),
		cmocka_unit_test_setup_teardown(an_old_card_brings_back_neither_key_nor_pin, start, finish),
		cmocka_unit_test_setup_teardown(a_card_replaces_a_verified_key_only_in_person, start, finish),
		cmocka_unit_test_setup_teardown(what_is_no_card_of_another_changes_nothing, start, finish),
		cmocka_unit_test_setup_teardown(no_introduction_tells_to_type_what_a_shell_obeys, start, finish),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
