/* SPDX-License-Identifier: ISC
 *
 * The role mail, and what its owner orders about the address book.
 */
#include "daemon/test_mail.h"

#include "contacts/contacts.h"
#include "contacts/moves.h"
#include "daemon/mail_contacts.h"
#include "notice/test_notice.h"
#include "store/schema.h"

#define KEY "A000000000000000000000000000000000000000"
#define OTHER "B000000000000000000000000000000000000000"

static void
order(struct mail_process *p, enum ipc_contact_verb verb, const char *address, const char *fingerprint)
{
	struct ipc_message m = { .type = IPC_TYPE_CONTACT_REQUEST, .fd = -1, .contact_request = { .request_id = 77, .verb = (uint8_t)verb,
		.detail = CONTACT_HISTORY, .how = CONTACTS_SCANNED } };
	strcpy(m.contact_request.address, address);
	strcpy(m.contact_request.name, "Bob");
	strcpy(m.contact_request.fingerprint, fingerprint);
	if (verb == CONTACT_VERB_GIVE_KEY)
		m.contact_request.key = slice_of_string(fingerprint);
	test_role_send(p->control, &m);
}

static void
expect_end(struct mail_process *p, enum error_code code)
{
	struct ipc_message m = test_role_next(&p->role, p->control, IPC_TYPE_QUEUE_END);
	if (m.queue_end.error != code)
		fail_msg("%d %s", m.queue_end.error, m.queue_end.text);
	assert_true(m.queue_end.request_id == 77);
}

static void
do_it(struct mail_process *p, enum ipc_contact_verb verb, const char *fingerprint)
{
	order(p, verb, "bob@" BOB, fingerprint);
	expect_end(p, ERROR_NONE);
}

static struct ipc_contact_row
next_row(struct mail_process *p, enum ipc_contact_kind kind)
{
	struct ipc_message m = test_role_next(&p->role, p->control, IPC_TYPE_CONTACT_ROW);
	assert_int_equal(m.contact_row.kind, kind);
	assert_string_equal(m.contact_row.address, "bob@" BOB);
	assert_true(m.contact_row.request_id == 77);
	return m.contact_row;
}

static void
expect_key(struct mail_process *p, const char *fingerprint, enum contacts_key_state state, bool is_compared)
{
	struct ipc_contact_row row = next_row(p, CONTACT_ROW_KEY);
	assert_string_equal(row.fingerprint, fingerprint);
	assert_int_equal(row.state, state);
	assert_int_equal(row.checked_s != 0, is_compared);
	assert_int_equal(row.key.len, 0);
}

static void
what_the_owner_says_is_kept_over_a_restart(void **state)
{
	struct mail_process *p = *state;
	do_it(p, CONTACT_VERB_ADD, "");
	do_it(p, CONTACT_VERB_GIVE_KEY, KEY);
	do_it(p, CONTACT_VERB_GIVE_KEY, OTHER);
	do_it(p, CONTACT_VERB_VERIFY, KEY);
	do_it(p, CONTACT_VERB_REFUSE, OTHER);
	kill_process(p);
	launch(p);
	order(p, CONTACT_VERB_SHOW, "BOB@" BOB, "");
	struct ipc_contact_row row = next_row(p, CONTACT_ROW_CONTACT);
	assert_string_equal(row.name, "Bob");
	assert_int_equal(row.how, CONTACTS_SCANNED);
	assert_int_equal(row.state, CONTACTS_VERIFIED_KEY);
	assert_string_equal(row.fingerprint, KEY);
	assert_true(row.checked_s != 0);
	expect_key(p, KEY, CONTACTS_KEY_COUNTS, true);
	expect_key(p, OTHER, CONTACTS_KEY_REFUSED, false);
	expect_end(p, ERROR_NONE);
	do_it(p, CONTACT_VERB_DELETE, "");
	order(p, CONTACT_VERB_SHOW, "bob@" BOB, "");
	expect_end(p, ERROR_NOT_FOUND);
}

static void
an_order_that_cannot_be_done_changes_nothing(void **state)
{
	struct mail_process *p = *state;
	do_it(p, CONTACT_VERB_ADD, "");
	order(p, CONTACT_VERB_ADD, "bob@" BOB, "");
	expect_end(p, ERROR_EXISTS);
	order(p, CONTACT_VERB_ADD, "bob@example.com", "");
	expect_end(p, ERROR_INVALID);
	order(p, CONTACT_VERB_VERIFY, "bob@" BOB, KEY);
	expect_end(p, ERROR_NOT_FOUND);
	order(p, CONTACT_VERB_GIVE_KEY, "bob@" BOB, "no fingerprint");
	expect_end(p, ERROR_INVALID);
	order(p, CONTACT_VERB_DELETE, "carol@" BOB, "");
	expect_end(p, ERROR_NOT_FOUND);
	order(p, 99, "bob@" BOB, "");
	expect_end(p, ERROR_UNSUPPORTED);
	do_it(p, CONTACT_VERB_RENAME, ""); /* and the next is taken */
}

static void
a_long_book_comes_in_pieces(void **state)
{
	struct mail_process *p = *state;
	struct ipc_message m = { .type = IPC_TYPE_CONTACT_REQUEST, .fd = -1, .contact_request = { .request_id = 77, .verb = CONTACT_VERB_LIST } };
	unsigned seen = 0, pages = 0;
	for (unsigned i = 0; i < MAIL_CONTACTS_PAGE_ROWS + 3; i++) {
		char address[ADDRESS_MAX + 1];
		snprintf(address, sizeof address, "one-%u@" BOB, i);
		order(p, CONTACT_VERB_ADD, address, "");
		expect_end(p, ERROR_NONE);
	}
	do {
		test_role_send(p->control, &m);
		for (;;) {
			struct ipc_message row = test_role_any(&p->role, p->control);
			if (row.type == IPC_TYPE_QUEUE_END) {
				assert_int_equal(row.queue_end.error, ERROR_NONE);
				m.contact_request.after = row.queue_end.next;
				break;
			}
			char address[ADDRESS_MAX + 1];
			snprintf(address, sizeof address, "one-%u@" BOB, seen++);
			assert_string_equal(row.contact_row.address, address);
		}
		pages++;
	} while (m.contact_request.after != 0);
	assert_int_equal(seen, MAIL_CONTACTS_PAGE_ROWS + 3);
	assert_int_equal(pages, 2);
}

/* Writes into the book, which the process has given up, that the onion 1, to which the owner has written, is revoked. */
static void
be_revoked(void)
{
	struct database *db;
	struct contacts *contacts;
	struct notice notice = test_notice(NOTICE_REVOKE_ONION, 0, 0, 1);
	assert_int_equal(database_open("mail.db", false, schema_versions, SCHEMA_VERSIONS, &db, NULL), 0);
	assert_int_equal(contacts_open(db, &contacts, NULL), 0);
	assert_int_equal(database_begin(db, NULL), 0);
	assert_int_equal(contacts_moves_take(contacts, &notice, TEST_NOTICE_DAY_S, NULL), 1);
	assert_int_equal(database_commit(db, NULL), 0);
	contacts_free(contacts);
	database_close(db);
}

static void
what_waits_for_a_revoked_onion_is_given_up_and_told(void **state)
{
	static const char message[] = "Subject: too late\r\n\r\nHello\r\n";
	struct mail_process *p = *state;
	struct pack_result why;
	struct slice recipient;
	char address[ADDRESS_MAX + 1];
	test_notice_address(1, address);
	submit(p, 1, address, slice_of_string(message));
	kill_process(p);
	be_revoked();
	launch(p);
	file_close(&p->content);
	give_content(p);
	struct ipc_message m = next_to_content(p, IPC_TYPE_COMPOSE_DSN);
	struct slice list = m.compose_dsn.failures;
	assert_true(pack_next_failure(&list, &recipient, &why));
	assert_true(slice_is(recipient, address));
	assert_int_equal(why.code, 0); /* no words of theirs: nobody was asked */
	assert_true(slice_is(why.enhanced, "5.7.1"));
	assert_non_null(memmem(why.text.data, why.text.len, "is revoked by its owner", 23));
}

#define WITH_MAIL(test) cmocka_unit_test_setup_teardown(test, start, finish)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_MAIL(what_the_owner_says_is_kept_over_a_restart),
		WITH_MAIL(an_order_that_cannot_be_done_changes_nothing),
		WITH_MAIL(a_long_book_comes_in_pieces),
		WITH_MAIL(what_waits_for_a_revoked_onion_is_given_up_and_told),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
