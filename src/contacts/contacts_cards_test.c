/* SPDX-License-Identifier: ISC */
#include "contacts/test_contacts.h"

#define KEY_A "A000000000000000000000000000000000000000"
#define KEY_B "B000000000000000000000000000000000000000"

static int
propose(struct book *b, struct slice address, struct slice by, const char *fingerprint, uint64_t sequence)
{
	struct contacts_proposal p = { .sequence = sequence, .since_s = NOW, .key = slice_of_string(fingerprint), .card = slice_of_string("card") };
	slice_to_string(address, p.address, sizeof p.address);
	slice_to_string(by, p.by, sizeof p.by);
	strcpy(p.fingerprint, fingerprint);
	strcpy(p.name, "Carol");
	return contacts_propose(b->contacts, &p, &err);
}

static void
accept(struct book *b, struct slice address)
{
	if (contacts_accept_proposals(b->contacts, address, NOW + DAY, &err) != 0)
		fail_msg("%s", err.text);
}

static bool
count_proposal(void *context, const struct contacts_proposal *proposal)
{
	assert_true(proposal->key.len > 0 && proposal->card.len > 0);
	++*(size_t *)context;
	return true;
}

static size_t
waiting(struct book *b)
{
	size_t n = 0;
	assert_int_equal(contacts_look_proposals(b->contacts, 0, count_proposal, &n, &err), 0);
	return n;
}

static bool
has_card(struct book *b, struct slice address)
{
	struct buffer card;
	buffer_init(&card, CONTACTS_CARD_MAX_BYTES);
	int got = contacts_card_of(b->contacts, address, &card, &err);
	assert_true(got >= 0);
	buffer_finish(&card);
	return got == 1;
}

static void
what_a_newer_card_says_is_known(void **state)
{
	struct book *b = *state;
	assert_int_equal(contacts_card_age(b->contacts, ALICE, 1, KEY_A, &err), CONTACTS_CARD_NEWEST);
	know(b, ALICE);
	assert_int_equal(contacts_card_age(b->contacts, ALICE, 1, KEY_A, &err), CONTACTS_CARD_NEWEST);
	assert_int_equal(contacts_keep_card(b->contacts, ALICE, 5, KEY_A, slice_of_string("card"), &err), 0);
	assert_int_equal(contacts_card_age(b->contacts, ALICE, 5, KEY_B, &err), CONTACTS_CARD_NEWEST);
	assert_int_equal(contacts_card_age(b->contacts, ALICE, 4, KEY_A, &err), CONTACTS_CARD_OLD);
	assert_int_equal(contacts_card_age(b->contacts, ALICE, 4, KEY_B, &err), CONTACTS_CARD_OUTDATED);
}

static void
whom_nobody_knows_waits_for_the_owner(void **state)
{
	struct book *b = *state;
	know(b, ALICE);
	know(b, BOB);
	assert_int_equal(propose(b, CAROL, ALICE, KEY_A, 1), 0);
	assert_int_equal(propose(b, CAROL, BOB, KEY_A, 1), 0);
	assert_int_equal(waiting(b), 2);
	assert_false(is_known(b, CAROL));
	reopen_book(b);
	accept(b, CAROL);
	assert_int_equal(waiting(b), 0);
	struct contact carol = contact_of(b, CAROL);
	assert_int_equal(carol.how, CONTACTS_INTRODUCED);
	assert_string_equal(carol.name, "Carol");
	assert_int_equal(carol.vouching, 2); /* two friends agree */
	assert_int_equal(carol.trust, CONTACTS_VERIFIED_KEY);
	assert_string_equal(carol.fingerprint, KEY_A);
	assert_true(has_card(b, CAROL));
	assert_int_equal(contacts_accept_proposals(b->contacts, CAROL, NOW, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void
one_that_conflicts_is_held(void **state)
{
	struct book *b = *state;
	know(b, ALICE);
	know(b, BOB);
	assert_int_equal(propose(b, CAROL, ALICE, KEY_A, 1), 0);
	assert_int_equal(propose(b, CAROL, BOB, KEY_B, 2), 0);
	accept(b, CAROL);
	struct contact carol = contact_of(b, CAROL);
	assert_string_equal(carol.fingerprint, KEY_A); /* the first one counts */
	assert_int_equal(carol.held, 1);
	assert_int_equal(carol.trust, CONTACTS_INTRODUCED_KEY);
	assert_true(has_card(b, CAROL)); /* that of the key which counts */
}

static void
a_stranger_who_is_accepted_keeps_how_they_came(void **state)
{
	struct book *b = *state;
	int64_t since_s;
	know(b, ALICE);
	assert_int_equal(contacts_heard(b->contacts, CAROL, NOW - DAY, &since_s, &err), 1);
	assert_int_equal(propose(b, CAROL, ALICE, KEY_A, 1), 0);
	assert_true(contact_of(b, CAROL).is_stranger);
	accept(b, CAROL);
	assert_false(contact_of(b, CAROL).is_stranger);
	assert_int_equal(contact_of(b, CAROL).how, CONTACTS_WROTE_FIRST);
	assert_int_equal(contact_of(b, CAROL).vouching, 1);
}

static void
strangers_and_the_onion_itself_introduce_nobody(void **state)
{
	struct book *b = *state;
	int64_t since_s;
	assert_int_equal(propose(b, CAROL, ALICE, KEY_A, 1), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	assert_int_equal(contacts_heard(b->contacts, ALICE, NOW, &since_s, &err), 1);
	assert_int_equal(propose(b, CAROL, ALICE, KEY_A, 1), -1);
	know(b, DAVE);
	assert_int_equal(propose(b, at("other", 4), DAVE, KEY_A, 1), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	assert_int_equal(waiting(b), 0);
}

static void
who_is_deleted_has_proposed_nobody(void **state)
{
	struct book *b = *state;
	know(b, ALICE);
	assert_int_equal(propose(b, CAROL, ALICE, KEY_A, 1), 0);
	assert_int_equal(contacts_delete(b->contacts, ALICE, &err), 0);
	assert_int_equal(waiting(b), 0);
	know(b, ALICE);
	assert_int_equal(propose(b, CAROL, ALICE, KEY_A, 1), 0);
	assert_int_equal(contacts_refuse_proposals(b->contacts, CAROL, &err), 0);
	assert_int_equal(waiting(b), 0);
	assert_false(is_known(b, CAROL));
}

static void
one_introducer_has_a_bound(void **state)
{
	struct book *b = *state;
	know(b, ALICE);
	know(b, at("second", 1)); /* of the same onion */
	know(b, BOB);
	for (unsigned i = 0; i < CONTACTS_PROPOSALS_OF_ONION_MAX; i++)
		assert_int_equal(propose(b, at("one", 100 + i), i % 2 == 0 ? ALICE : at("second", 1), KEY_A, 1), 0);
	assert_int_equal(propose(b, CAROL, ALICE, KEY_A, 1), -1);
	assert_int_equal(err.code, ERROR_BUSY);
	assert_int_equal(propose(b, at("one", 105), ALICE, KEY_B, 2), 0); /* a newer card of somebody is no other proposal */
	assert_int_equal(waiting(b), CONTACTS_PROPOSALS_OF_ONION_MAX);
	assert_int_equal(propose(b, CAROL, BOB, KEY_A, 1), 0);
	struct contacts_proposal p = { .key = slice_of_string("k"), .card = slice_of_string("c"), .fingerprint = KEY_A, .name = "a\x1b[2J" };
	slice_to_string(DAVE, p.address, sizeof p.address);
	slice_to_string(BOB, p.by, sizeof p.by);
	assert_int_equal(contacts_propose(b->contacts, &p, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
}

static void
the_owner_is_told_of_each_once(void **state)
{
	struct book *b = *state;
	struct contacts_proposal p;
	bool is_first;
	know(b, ALICE);
	assert_int_equal(contacts_next_untold_proposal(b->contacts, &p, &err), 0);
	assert_int_equal(propose(b, CAROL, ALICE, KEY_A, 1), 0);
	assert_int_equal(contacts_next_untold_proposal(b->contacts, &p, &err), 1);
	assert_true(slice_is(CAROL, p.address) && slice_is(ALICE, p.by));
	assert_int_equal(contacts_tell_proposal(b->contacts, p.id, &is_first, &err), 0);
	assert_true(is_first);
	assert_int_equal(contacts_tell_proposal(b->contacts, p.id, &is_first, &err), 0);
	assert_false(is_first);
	assert_int_equal(propose(b, CAROL, ALICE, KEY_A, 2), 0); /* again: no news */
	assert_int_equal(contacts_next_untold_proposal(b->contacts, &p, &err), 0);
}

static void
a_card_is_kept_until_a_newer_one_comes(void **state)
{
	struct book *b = *state;
	enum contacts_learned learned;
	struct contacts_offer offer = { .address = CAROL, .fingerprint = KEY_A, .key = slice_of_string("A"), .how = CONTACTS_KEY_OWNER,
		.signed_s = NOW, .now_s = NOW };
	know(b, CAROL);
	assert_int_equal(contacts_keep_card(b->contacts, BOB, 1, KEY_A, slice_of_string("x"), &err), -1);
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	assert_int_equal(contacts_keep_card(b->contacts, CAROL, 5, KEY_A, slice_of_string("new"), &err), 0);
	assert_int_equal(contacts_keep_card(b->contacts, CAROL, 4, KEY_B, slice_of_string("old"), &err), 0);
	assert_true(has_card(b, CAROL));
	assert_int_equal(contacts_keep_card(b->contacts, CAROL, 6, KEY_B, slice_of_string("other"), &err), 0);
	assert_false(has_card(b, CAROL)); /* of a key that does not count */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_a_newer_card_says_is_known, begin, end),
		cmocka_unit_test_setup_teardown(whom_nobody_knows_waits_for_the_owner, begin, end),
		cmocka_unit_test_setup_teardown(one_that_conflicts_is_held, begin, end),
		cmocka_unit_test_setup_teardown(a_stranger_who_is_accepted_keeps_how_they_came, begin, end),
		cmocka_unit_test_setup_teardown(strangers_and_the_onion_itself_introduce_nobody, begin, end),
		cmocka_unit_test_setup_teardown(who_is_deleted_has_proposed_nobody, begin, end),
		cmocka_unit_test_setup_teardown(one_introducer_has_a_bound, begin, end),
		cmocka_unit_test_setup_teardown(the_owner_is_told_of_each_once, begin, end),
		cmocka_unit_test_setup_teardown(a_card_is_kept_until_a_newer_one_comes, begin, end),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
