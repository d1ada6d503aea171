/* SPDX-License-Identifier: ISC */
#include "contacts/test_contacts.h"

static void
an_address_is_one_contact_however_it_is_written(void **state)
{
	struct book *b = *state;
	struct slice bob = BOB;
	char other[2 * ADDRESS_MAX];
	snprintf(other, sizeof other, "BoB@ABCDEFGH.%s.", strchr((const char *)bob.data, '@') + 1);
	assert_false(is_known(b, bob));
	assert_int_equal(contacts_add(b->contacts, slice_of_string(other), slice_of_string("Bob"), CONTACTS_SCANNED, NOW, &err), 0);
	assert_int_equal(contacts_add(b->contacts, bob, slice_of_string("Robert"), CONTACTS_TYPED, NOW, &err), -1);
	assert_int_equal(err.code, ERROR_EXISTS);
	reopen_book(b);
	struct contact contact = contact_of(b, slice_of_string(other));
	assert_true(slice_is(bob, contact.address));
	assert_true(slice_is(slice_of_string(contact.onion), strchr((const char *)bob.data, '@') + 1));
	assert_string_equal(contact.name, "Bob");
	assert_int_equal(contact.how, CONTACTS_SCANNED);
	assert_int_equal(contact.trust, CONTACTS_KNOWN);
	assert_int_equal(contact.since_s, NOW);
	assert_int_equal(contact.heard_s, 0);
	assert_string_equal(contact.fingerprint, "");
	assert_int_equal(count(b), 1);
	assert_false(is_known(b, at("robert", 2)));
}

static void
what_is_no_address_or_name_is_refused(void **state)
{
	static const char *const names[] = { "a\nb", "\x1b]0;x", "caf\xe9", "\xe2\x80\xae" "ecila\xe2\x80\xac" };
	struct book *b = *state;
	struct contact contact;
	char longest[CONTACTS_NAME_MAX + 2];
	int64_t since_s;
	assert_int_equal(contacts_find(b->contacts, slice_of_string("bob@example.com"), &contact, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(contacts_heard(b->contacts, slice_of_string("bob"), NOW, &since_s, &err), -1);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_int_equal(contacts_add(b->contacts, BOB, slice_of_string(names[i]), CONTACTS_TYPED, NOW, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
	memset(longest, 'x', sizeof longest);
	assert_int_equal(contacts_add(b->contacts, BOB, slice_of(longest, sizeof longest - 1), CONTACTS_TYPED, NOW, &err), -1);
	assert_int_equal(count(b), 0);
	assert_int_equal(contacts_add(b->contacts, BOB, slice_of(longest, CONTACTS_NAME_MAX), CONTACTS_TYPED, NOW, &err), 0);
	assert_int_equal(strlen(contact_of(b, BOB).name), CONTACTS_NAME_MAX);
	assert_int_equal(contacts_rename(b->contacts, BOB, slice_of_string("a\tb"), &err), -1);
	assert_int_equal(contacts_rename(b->contacts, BOB, slice_of_string("Zo\xc3\xab"), &err), 0);
	assert_string_equal(contact_of(b, BOB).name, "Zo\xc3\xab");
}

static void
who_is_deleted_is_unknown(void **state)
{
	struct book *b = *state;
	know(b, BOB);
	know(b, CAROL);
	assert_int_equal(contacts_delete(b->contacts, BOB, &err), 0);
	assert_false(is_known(b, BOB));
	assert_true(is_known(b, CAROL));
	assert_int_equal(contacts_delete(b->contacts, BOB, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_int_equal(contacts_rename(b->contacts, BOB, slice_of_string("x"), &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void
who_wrote_first_is_known_since_then(void **state)
{
	struct book *b = *state;
	int64_t since_s = 0;
	assert_int_equal(contacts_heard(b->contacts, BOB, NOW, &since_s, &err), 1);
	assert_int_equal(since_s, NOW);
	assert_int_equal(contacts_heard(b->contacts, BOB, NOW + 3599, &since_s, &err), 0);
	assert_int_equal(contact_of(b, BOB).heard_s, NOW); /* nothing is written for each message */
	assert_int_equal(contacts_heard(b->contacts, BOB, NOW + 3600, &since_s, &err), 0);
	assert_int_equal(since_s, NOW);
	struct contact contact = contact_of(b, BOB);
	assert_int_equal(contact.heard_s, NOW + 3600);
	assert_int_equal(contact.how, CONTACTS_WROTE_FIRST);
	assert_int_equal(contact.trust, CONTACTS_STRANGER);
	assert_true(contact.is_stranger);
	/* the owner answers */
	assert_int_equal(contacts_written(b->contacts, BOB, NOW + DAY, &err), 0);
	contact = contact_of(b, BOB);
	assert_false(contact.is_stranger);
	assert_int_equal(contact.trust, CONTACTS_KNOWN);
	assert_int_equal(contact.how, CONTACTS_WROTE_FIRST);
	assert_int_equal(contact.since_s, NOW);
}

static void
who_is_written_to_or_added_is_no_stranger(void **state)
{
	struct book *b = *state;
	int64_t since_s;
	assert_int_equal(contacts_written(b->contacts, BOB, NOW, &err), 0);
	assert_int_equal(contacts_heard(b->contacts, BOB, NOW + DAY, &since_s, &err), 0);
	assert_int_equal(since_s, NOW);
	assert_int_equal(contact_of(b, BOB).how, CONTACTS_TYPED);
	assert_int_equal(contacts_heard(b->contacts, CAROL, NOW, &since_s, &err), 1);
	assert_int_equal(contacts_add(b->contacts, CAROL, slice_of_string("Carol"), CONTACTS_TYPED, NOW + DAY, &err), 0);
	struct contact carol = contact_of(b, CAROL);
	assert_false(carol.is_stranger);
	assert_int_equal(carol.since_s, NOW);
	assert_string_equal(carol.name, "Carol");
}

static void
strangers_cannot_fill_the_book(void **state)
{
	struct book *b = *state;
	int64_t since_s;
	know(b, at("friend", 100000));
	for (unsigned i = 0; i < CONTACTS_STRANGERS_MAX; i++)
		assert_int_equal(contacts_heard(b->contacts, at("x", i), NOW + i, &since_s, &err), 1);
	assert_int_equal(contacts_heard(b->contacts, at("x", 0), NOW + 5 * DAY, &since_s, &err), 0); /* writes again */
	assert_int_equal(contacts_heard(b->contacts, at("x", 99999), NOW + 6 * DAY, &since_s, &err), 1);
	assert_int_equal(count(b), CONTACTS_STRANGERS_MAX + 1);
	assert_true(is_known(b, at("x", 0)));
	assert_false(is_known(b, at("x", 1))); /* not heard of for longest */
	assert_true(is_known(b, at("x", 2)));
	assert_true(is_known(b, at("x", 99999)));
	assert_true(is_known(b, at("friend", 100000)));
	/* whose clock says 1970 is known as well */
	assert_int_equal(contacts_heard(b->contacts, at("y", 7), 0, &since_s, &err), 1);
	assert_true(is_known(b, at("y", 7)));
	assert_int_equal(count(b), CONTACTS_STRANGERS_MAX + 1);
}

static void
one_onion_cannot_push_out_other_strangers(void **state)
{
	struct book *b = *state;
	char name[16];
	int64_t since_s;
	assert_int_equal(contacts_heard(b->contacts, BOB, NOW - DAY, &since_s, &err), 1);
	assert_int_equal(contacts_add(b->contacts, at("known", 3), slice_of("", 0), CONTACTS_TYPED, NOW - DAY, &err), 0);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "x%d", i);
		assert_int_equal(contacts_heard(b->contacts, at(name, 3), NOW + i, &since_s, &err), 1);
	}
	assert_int_equal(count(b), 2 + CONTACTS_STRANGERS_OF_ONION_MAX);
	assert_true(is_known(b, BOB));
	assert_true(is_known(b, at("known", 3)));
	assert_false(is_known(b, at("x41", 3)));
	assert_true(is_known(b, at("x42", 3)));
}

static void
the_owners_own_people_have_a_bound_too(void **state)
{
	struct book *b = *state;
	char fill[256];
	int64_t since_s;
	snprintf(fill, sizeof fill, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
	    " INSERT INTO contacts (address, onion, name, how, stranger, since_s, heard_s) SELECT i, i, '', 1, 0, 0, 0 FROM n", CONTACTS_MAX);
	assert_int_equal(database_run(b->db, fill, &err), 0);
	assert_int_equal(contacts_add(b->contacts, BOB, slice_of("", 0), CONTACTS_TYPED, NOW, &err), -1);
	assert_int_equal(err.code, ERROR_BUSY);
	assert_int_equal(contacts_written(b->contacts, BOB, NOW, &err), 0); /* mail goes all the same */
	assert_false(is_known(b, BOB));
	assert_int_equal(contacts_heard(b->contacts, BOB, NOW, &since_s, &err), 1);
	assert_int_equal(contacts_written(b->contacts, BOB, NOW, &err), 0);
	assert_true(contact_of(b, BOB).is_stranger);
}

static bool
take_one(void *context, const struct contact *contact)
{
	*(struct contact *)context = *contact;
	return false;
}

static void
people_are_looked_at_in_pieces(void **state)
{
	struct book *b = *state;
	struct contact contact = { 0 };
	know(b, BOB);
	know(b, CAROL);
	assert_int_equal(contacts_look(b->contacts, 0, take_one, &contact, &err), 0);
	assert_true(slice_is(BOB, contact.address));
	assert_int_equal(contacts_look(b->contacts, contact.id, take_one, &contact, &err), 0);
	assert_true(slice_is(CAROL, contact.address));
	uint64_t last = contact.id;
	assert_int_equal(contacts_look(b->contacts, last, take_one, &contact, &err), 0);
	assert_int_equal(contact.id, last);
}

static void
an_onion_tells_who_it_is_when_one_there_is_known(void **state)
{
	struct book *b = *state;
	struct contact who, bob;
	int64_t since_s;
	know(b, CAROL);
	assert_int_equal(contacts_heard(b->contacts, BOB, NOW, &since_s, &err), 1);
	bob = contact_of(b, BOB);
	assert_int_equal(contacts_find_at(b->contacts, contact_of(b, CAROL).onion, &who, &err), 1);
	assert_int_equal(contacts_find_at(b->contacts, bob.onion, &who, &err), 1); /* a stranger, and alone there */
	assert_string_equal(who.address, bob.address);
	assert_int_equal(contacts_heard(b->contacts, at("a", 2), NOW, &since_s, &err), 1);
	assert_int_equal(contacts_find_at(b->contacts, bob.onion, &who, &err), 0);
	know(b, BOB);
	assert_int_equal(contacts_find_at(b->contacts, bob.onion, &who, &err), 1);
	assert_string_equal(who.address, bob.address);
	know(b, at("z", 2));
	assert_int_equal(contacts_find_at(b->contacts, bob.onion, &who, &err), 0);
	assert_int_equal(contacts_find_at(b->contacts, "nobody.onion", &who, &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_address_is_one_contact_however_it_is_written, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_address_or_name_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(an_onion_tells_who_it_is_when_one_there_is_known, begin, end),
		cmocka_unit_test_setup_teardown(who_is_deleted_is_unknown, begin, end),
		cmocka_unit_test_setup_teardown(who_wrote_first_is_known_since_then, begin, end),
		cmocka_unit_test_setup_teardown(who_is_written_to_or_added_is_no_stranger, begin, end),
		cmocka_unit_test_setup_teardown(strangers_cannot_fill_the_book, begin, end),
		cmocka_unit_test_setup_teardown(one_onion_cannot_push_out_other_strangers, begin, end),
		cmocka_unit_test_setup_teardown(the_owners_own_people_have_a_bound_too, begin, end),
		cmocka_unit_test_setup_teardown(people_are_looked_at_in_pieces, begin, end),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
