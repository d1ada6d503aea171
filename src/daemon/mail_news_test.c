/* SPDX-License-Identifier: ISC
 *
 * What the owner is told to type is what it says, whatever others call themselves.
 */
#include "daemon/mail_news.h"

#include "contacts/moves.h"
#include "contacts/test_contacts.h"

#define FIRST "A000000000000000000000000000000000000000"
#define SECOND "B000000000000000000000000000000000000000"
#define HOSTILE "`id`|sh"

static void
expect_news(struct book *b, const char *command)
{
	struct mail_news news;
	struct buffer text;
	char copy[4096];
	bool is_first;
	buffer_init(&text, sizeof copy);
	assert_int_equal(mail_news_next(b->contacts, &news, &text, &err), 1);
	slice_to_string(buffer_slice(&text), copy, sizeof copy);
	if (strstr(copy, command) == NULL)
		fail_msg("no %s in: %s", command, copy);
	const struct record told = { .item = news.item, .positions = slice_of_string(news.word) };
	assert_int_equal(mail_news_tell(b->contacts, &told, &is_first, &err), 0);
	assert_true(is_first);
	buffer_finish(&text);
}

/* Local parts are for others to choose, and may hold what a shell obeys. */
static void
no_address_ends_a_command(void **state)
{
	struct book *b = *state;
	struct slice hostile = at(HOSTILE, 3);
	struct contacts_offer offer = { .address = hostile, .fingerprint = FIRST, .key = slice_of_string("key"), .how = CONTACTS_KEY_IN_PERSON,
		.signed_s = NOW, .now_s = NOW };
	enum contacts_learned learned;
	know(b, hostile);
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	offer.fingerprint = SECOND;
	offer.how = CONTACTS_KEY_SIGNED;
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_HELD);
	expect_news(b, "smtorp contact accept '" HOSTILE "@");

	struct contacts_proposal p = { .sequence = 1, .since_s = NOW, .fingerprint = FIRST, .key = slice_of_string("key"), .card = slice_of_string("card") };
	slice_to_string(at(HOSTILE, 4), p.address, sizeof p.address);
	slice_to_string(hostile, p.by, sizeof p.by);
	assert_int_equal(contacts_propose(b->contacts, &p, &err), 0);
	expect_news(b, "smtorp contact refuse '" HOSTILE "@");

	struct notice move = { .kind = NOTICE_MOVE, .sequence = 1 };
	snprintf(move.onion, sizeof move.onion, "%s", strchr(contact_of(b, hostile).address, '@') + 1);
	slice_to_string(at(HOSTILE, 5), move.to, sizeof move.to);
	assert_int_equal(contacts_moves_take(b->contacts, &move, NOW, &err), 1);
	expect_news(b, "smtorp contact follow '" HOSTILE "@");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(no_address_ends_a_command, begin, end) };
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
