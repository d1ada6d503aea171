/* SPDX-License-Identifier: ISC
 *
 * Who takes mail for a contact while they are away.
 */
#include "contacts/test_contacts.h"

static bool
take(void *context, const char *address)
{
	char *all = context;
	size_t len = strlen(all);
	snprintf(all + len, 2048 - len, "%s ", address);
	return true;
}

static void
expect(struct book *b, struct slice of, const char *expected)
{
	char all[2048] = "";
	assert_int_equal(contacts_look_carriers(b->contacts, contact_of(b, of).id, take, all, &err), 0);
	assert_string_equal(all, expected);
}

static int
set(struct book *b, struct slice of, const char *list)
{
	return contacts_set_carriers(b->contacts, of, slice_of_string(list), &err);
}

/* The two, in memory that the next call takes over. */
static const char *
list(struct slice a, const char *between, struct slice b, const char *end)
{
	static char out[512];
	snprintf(out, sizeof out, "%s%s%s%s", (const char *)a.data, between, (const char *)b.data, end);
	return out;
}

static const char *
only(struct slice a)
{
	return list(a, "", slice_of("", 0), " ");
}

static void
they_are_kept_in_their_order_and_replaced_as_a_whole(void **state)
{
	struct book *b = *state;
	know(b, BOB);
	know(b, CAROL);
	expect(b, BOB, "");
	assert_int_equal(set(b, BOB, list(DAVE, "\n", CAROL, "\n")), 0);
	reopen_book(b);
	expect(b, BOB, list(DAVE, " ", CAROL, " "));
	expect(b, CAROL, "");
	assert_int_equal(set(b, BOB, list(CAROL, "\n\n", CAROL, "")), 0); /* the last line without its end, and nobody twice */
	expect(b, BOB, only(CAROL));
	assert_int_equal(set(b, BOB, ""), 0);
	expect(b, BOB, "");
}

static void
what_cannot_carry_changes_nothing(void **state)
{
	struct book *b = *state;
	char many[2048] = "";
	size_t last = 0;
	assert_int_equal(set(b, BOB, (const char *)CAROL.data), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	know(b, BOB);
	assert_int_equal(set(b, BOB, (const char *)CAROL.data), 0);
	assert_int_equal(set(b, BOB, list(DAVE, "\n", slice_of_string("dave@example.com"), "")), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_int_equal(set(b, BOB, list(DAVE, "\n", BOB, "")), -1); /* away when bob is */
	assert_int_equal(err.code, ERROR_INVALID);
	for (unsigned i = 0; i <= CONTACTS_CARRIERS_MAX; i++) {
		char name[16], address[ADDRESS_MAX + 1];
		snprintf(name, sizeof name, "x%u", i);
		slice_to_string(at(name, 4), address, sizeof address);
		last = strlen(many);
		snprintf(many + last, sizeof many - last, "%s\n", address);
	}
	assert_int_equal(set(b, BOB, many), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	expect(b, BOB, only(CAROL));
	many[last] = '\0';
	assert_int_equal(set(b, BOB, many), 0);
}

static void
they_go_with_the_contact(void **state)
{
	struct book *b = *state;
	know(b, BOB);
	assert_int_equal(set(b, BOB, (const char *)CAROL.data), 0);
	assert_int_equal(contacts_delete(b->contacts, BOB, &err), 0);
	know(b, BOB);
	expect(b, BOB, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(they_are_kept_in_their_order_and_replaced_as_a_whole, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_carry_changes_nothing, begin, end),
		cmocka_unit_test_setup_teardown(they_go_with_the_contact, begin, end),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
