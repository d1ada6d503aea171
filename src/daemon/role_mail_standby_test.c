/* SPDX-License-Identifier: ISC
 *
 * The role mail, while another copy of the identity is the one that is published.
 */
#include "daemon/test_mail.h"

#define TOLD "Subject: Two machines run this identity"

/* What waits is taken to the other copy. */
static void
expect_at_the_other(struct mail_process *p, uint64_t *session)
{
	struct ipc_message m;
	if (*session == 0) {
		m = test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_START);
		*session = m.session_start.session_id;
		assert_string_equal(m.session_start.onion, OWN);
		m = test_role_next(&p->role, p->tor, IPC_TYPE_DIAL);
		assert_string_equal(m.dial.onion, OWN);
		be_ready(p, *session);
	}
	m = expect_deliver(p, *session);
	uint64_t delivery_id = m.deliver.delivery_id;
	struct slice list = m.deliver.recipients, mailbox;
	assert_true(pack_next(&list, &mailbox) && slice_is(mailbox, "alice@" OWN));
	file_close(&m.fd);
	answer_delivery(p, *session, delivery_id, 250);
}

static void
begin_to_stand_by(struct mail_process *p)
{
	configure(p, true);
	give_content(p);
	prepare(p); /* what tells of it, for the own mailbox */
	prepare(p); /* and for the other */
}

static void
whoever_begins_to_stand_by_tells_both_mailboxes(void **state)
{
	struct mail_process *p = *state;
	uint64_t session = 0;
	begin_to_stand_by(p);
	await_files_of(p, "Maildir/new", TOLD, 1);
	expect_at_the_other(p, &session);
	configure(p, true); /* nothing new */
	configure(p, false);
	submit(p, 1, "alice@" OWN, slice_of_string("Subject: to myself\r\n\r\n"));
	await_files_of(p, "Maildir/new", "Subject: to myself", 1);
	assert_int_equal(test_folder_count("Maildir/new", TOLD), 1);
}

static void
mail_to_oneself_goes_to_both(void **state)
{
	struct mail_process *p = *state;
	uint64_t session = 0;
	begin_to_stand_by(p);
	expect_at_the_other(p, &session);
	intake(p->submission, 1, "alice@" OWN, "alice@" OWN, slice_of_string("Subject: to myself\r\n\r\n"));
	prepare(p);
	prepare(p);
	expect_done(p, p->submission, 1, 250);
	expect_at_the_other(p, &session);
	await_files_of(p, "Maildir/new", "Subject: to myself", 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(whoever_begins_to_stand_by_tells_both_mailboxes),
		TEST(mail_to_oneself_goes_to_both),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
