/* SPDX-License-Identifier: ISC
 *
 * What the owner has said of encrypting to a contact.
 */
#include "contacts/test_contacts.h"

static void
say(struct book *b, struct slice address, enum contacts_encryption wanted)
{
	assert_int_equal(contacts_set_encryption(b->contacts, address, wanted, &err), 0);
}

static void
what_is_said_is_kept_and_can_be_taken_back(void **state)
{
	struct book *b = *state;
	know(b, BOB);
	know(b, CAROL);
	assert_int_equal(contact_of(b, BOB).encryption, CONTACTS_ENCRYPTION_DEFAULT);
	for (enum contacts_encryption e = CONTACTS_ENCRYPTION_NEVER; e >= CONTACTS_ENCRYPTION_PREFERRED; e--) {
		say(b, BOB, e);
		reopen_book(b);
		assert_int_equal(contact_of(b, BOB).encryption, e);
		assert_int_equal(contact_of(b, CAROL).encryption, CONTACTS_ENCRYPTION_DEFAULT);
	}
	say(b, BOB, CONTACTS_ENCRYPTION_DEFAULT);
	assert_int_equal(contact_of(b, BOB).encryption, CONTACTS_ENCRYPTION_DEFAULT);
}

static void
it_is_said_of_contacts_and_in_known_words(void **state)
{
	struct book *b = *state;
	assert_int_equal(contacts_set_encryption(b->contacts, BOB, CONTACTS_ENCRYPTION_REQUIRED, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	know(b, BOB);
	assert_int_equal(contacts_set_encryption(b->contacts, BOB, (enum contacts_encryption)4, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
}

static void
what_nobody_understands_means_required(void **state)
{
	struct book *b = *state;
	know(b, BOB);
	say(b, BOB, CONTACTS_ENCRYPTION_NEVER);
	assert_int_equal(database_run(b->db, "UPDATE contact_encryption SET wanted = 77", &err), 0);
	assert_int_equal(contact_of(b, BOB).encryption, CONTACTS_ENCRYPTION_REQUIRED);
}

static void
it_goes_with_the_contact(void **state)
{
	struct book *b = *state;
	know(b, BOB);
	say(b, BOB, CONTACTS_ENCRYPTION_REQUIRED);
	assert_int_equal(contacts_delete(b->contacts, BOB, &err), 0);
	know(b, BOB);
	assert_int_equal(contact_of(b, BOB).encryption, CONTACTS_ENCRYPTION_DEFAULT);
}

static void
a_stranger_of_whom_it_is_said_is_not_forgotten(void **state)
{
	struct book *b = *state;
	int64_t since_s;
	assert_int_equal(contacts_heard(b->contacts, at("bob", 3), NOW, &since_s, &err), 1);
	say(b, at("bob", 3), CONTACTS_ENCRYPTION_REQUIRED);
	for (unsigned i = 0; i < 2 * CONTACTS_STRANGERS_OF_ONION_MAX; i++) {
		char name[16];
		snprintf(name, sizeof name, "x%u", i);
		assert_int_equal(contacts_heard(b->contacts, at(name, 3), NOW + DAY, &since_s, &err), 1);
	}
	assert_true(contact_of(b, at("bob", 3)).is_stranger);
	assert_int_equal(contact_of(b, at("bob", 3)).encryption, CONTACTS_ENCRYPTION_REQUIRED);
	assert_false(is_known(b, at("x0", 3)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_said_is_kept_and_can_be_taken_back, begin, end),
		cmocka_unit_test_setup_teardown(it_is_said_of_contacts_and_in_known_words, begin, end),
		cmocka_unit_test_setup_teardown(what_nobody_understands_means_required, begin, end),
		cmocka_unit_test_setup_teardown(it_goes_with_the_contact, begin, end),
		cmocka_unit_test_setup_teardown(a_stranger_of_whom_it_is_said_is_not_forgotten, begin, end),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
