/* SPDX-License-Identifier: ISC
 *
 * What a repair (store/salvage.h) keeps of a damaged database that has an address book.
 */
#include "contacts/test_contacts.h"

#include <fcntl.h>

#include "store/salvage.h"

#define ZEROS "000000000000000000000000000000000000000"
#define PEOPLE 300 /* more than two pages of each table */
#define PAGE 4096
#define PIN "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"
#define OTHER_PIN "tsrqponmlkjihgfedcbatsrqponmlkjihgfedcba765432zyxwvu"

static void
learn(struct book *b, struct slice address, const char *fingerprint, enum contacts_key_how how)
{
	enum contacts_learned learned;
	const struct contacts_offer offer = { .address = address, .fingerprint = fingerprint, .key = slice_of_string(fingerprint),
		.how = how, .signed_s = NOW, .now_s = NOW };
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
}

static void
introduce(struct book *b, struct slice address, const char *fingerprint, struct slice by)
{
	enum contacts_learned learned;
	const struct contacts_offer offer = { .address = address, .fingerprint = fingerprint, .key = slice_of_string(fingerprint), .now_s = NOW };
	assert_int_equal(contacts_introduce(b->contacts, &offer, by, &learned, &err), 0);
}

/* Bob was verified and shows another key; Alice and Carol introduce Dave; and many others have a key each. */
static void
fill(struct book *b)
{
	char sql[1024];
	assert_int_equal(contacts_add(b->contacts, BOB, slice_of_string("Bob"), CONTACTS_SCANNED, NOW - DAY, &err), 0);
	know(b, ALICE);
	know(b, CAROL);
	know(b, DAVE);
	assert_int_equal(contacts_set_encryption(b->contacts, BOB, CONTACTS_ENCRYPTION_REQUIRED, &err), 0);
	assert_int_equal(contacts_set_carriers(b->contacts, BOB, CAROL, &err), 0);
	learn(b, BOB, "A" ZEROS, CONTACTS_KEY_IN_PERSON);
	learn(b, BOB, "B" ZEROS, CONTACTS_KEY_SIGNED);
	introduce(b, DAVE, "C" ZEROS, ALICE);
	introduce(b, DAVE, "C" ZEROS, CAROL);
	for (unsigned i = 0; i < PEOPLE; i++) {
		know(b, at("one", 100 + i));
		learn(b, at("one", 100 + i), "D" ZEROS, CONTACTS_KEY_SIGNED);
	}
	snprintf(sql, sizeof sql, "INSERT INTO pins VALUES (7, '%s', '" PIN "', 2, 16, 1, 5, '" OTHER_PIN "', 1);"
	    "INSERT INTO pins_before VALUES ('%s', '" OTHER_PIN "')", contact_of(b, BOB).onion, contact_of(b, BOB).onion);
	assert_int_equal(database_run(b->db, sql, &err), 0);
	snprintf(sql, sizeof sql, "INSERT INTO contact_notices VALUES ('%s', 2, '', '', 7, 1, 0, 1);"
	    "INSERT INTO contact_recovery VALUES ('%s', '" PIN "')", contact_of(b, BOB).onion, contact_of(b, BOB).onion);
	assert_int_equal(database_run(b->db, sql, &err), 0);
}

static int64_t
ask(struct book *b, const char *sql)
{
	struct statement *s;
	assert_int_equal(statement_new(b->db, sql, &s, &err), 0);
	assert_int_equal(statement_step(s, &err), 1);
	int64_t value = statement_int(s, 0);
	statement_free(s);
	return value;
}

/* Of the table's rows, which lie behind those of the tables made before it. */
static off_t
page_of(struct book *b, const char *table)
{
	char sql[200];
	snprintf(sql, sizeof sql, "SELECT MAX(pageno) FROM dbstat WHERE name = '%s' AND pagetype = 'leaf'", table);
	return (off_t)(ask(b, sql) - 1) * PAGE;
}

static struct salvage_report
repair(struct book *b, off_t damaged, const char *aside)
{
	struct salvage_report report;
	unsigned char junk[PAGE];
	memset(junk, 0xff, sizeof junk);
	close_book(b);
	int fd = open("mail.db", O_RDWR | O_CLOEXEC), dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, junk, damaged > 0 ? sizeof junk : 0, damaged), damaged > 0 ? sizeof junk : 0);
	close(fd);
	assert_int_equal(salvage_mail(dir_fd, aside, &report, &err), 0);
	close(dir_fd);
	open_book(b); /* which is whole */
	return report;
}

static bool
take_key(void *context, const struct contacts_key *key)
{
	char *out = context;
	size_t len = strlen(out);
	out[len] = key->fingerprint[0];
	out[len + 1] = (char)('0' + key->state);
	return true;
}

static bool
take_carrier(void *context, const char *address)
{
	snprintf(context, ADDRESS_MAX + 1, "%s", address);
	return true;
}

static void
check_people(struct book *b)
{
	char keys[16] = "", carrier[ADDRESS_MAX + 1] = "";
	struct contact bob = contact_of(b, BOB), dave = contact_of(b, DAVE);
	assert_string_equal(bob.name, "Bob");
	assert_int_equal(bob.how, CONTACTS_SCANNED);
	assert_int_equal(bob.since_s, NOW - DAY);
	assert_int_equal(bob.trust, CONTACTS_VERIFIED_KEY);
	assert_int_equal(bob.held, 1);
	assert_int_equal(bob.encryption, CONTACTS_ENCRYPTION_REQUIRED);
	assert_int_equal(contacts_look_keys(b->contacts, bob.id, take_key, keys, &err), 0);
	assert_string_equal(keys, "A1B2");
	assert_int_equal(contacts_look_carriers(b->contacts, bob.id, take_carrier, carrier, &err), 0);
	assert_true(slice_is(CAROL, carrier));
	assert_int_equal(dave.trust, CONTACTS_VERIFIED_KEY);
	assert_int_equal(dave.vouching, 2);
}

static void
a_repair_keeps_people_their_keys_introductions_and_pins(void **state)
{
	struct book *b = *state;
	fill(b);
	for (int i = 0; i < 2; i++) {
		/* the first time the ids' table is damaged: everybody is there */
		struct salvage_report report = repair(b, i == 0 ? page_of(b, "ids") : 0, i == 0 ? "one" : "two");
		assert_int_equal(report.kept.people, PEOPLE + 4);
		assert_int_equal(report.kept.pins, 1);
		check_people(b);
		assert_int_equal(count(b), PEOPLE + 4);
		assert_int_equal(ask(b, "SELECT COUNT(*) FROM contact_keys WHERE state = 1 AND CAST(key AS TEXT) = fingerprint"), PEOPLE + 2);
		assert_int_equal(ask(b, "SELECT COUNT(*) FROM pins WHERE id = 7 AND trust = 2 AND label_letters = 16 AND since_s = 1"
		                        " AND changed_s = 5 AND told = 1 AND fingerprint = '" PIN "' AND shown = '" OTHER_PIN "'"), 1);
		assert_int_equal(ask(b, "SELECT COUNT(*) FROM pins_before WHERE fingerprint = '" OTHER_PIN "'"), 1);
		assert_int_equal(ask(b, "SELECT COUNT(*) FROM contact_notices WHERE kind = 2 AND sequence = 7 AND told = 1"), 1);
		assert_int_equal(ask(b, "SELECT COUNT(*) FROM contact_recovery"), 1);
	}
}

static void
only_what_lies_in_a_damaged_page_is_lost(void **state)
{
	struct book *b = *state;
	fill(b);
	struct salvage_report report = repair(b, page_of(b, "contact_keys"), "keys");
	assert_int_equal(report.kept.people, PEOPLE + 4);
	check_people(b);
	int64_t keys = ask(b, "SELECT COUNT(*) FROM contact_keys");
	assert_true(keys > PEOPLE / 2 && keys < PEOPLE + 3);
	report = repair(b, page_of(b, "contacts"), "people");
	assert_true(report.kept.people > PEOPLE / 2 && report.kept.people < PEOPLE + 4);
	check_people(b);
	assert_int_equal(ask(b, "SELECT COUNT(*) FROM contact_keys WHERE contact NOT IN (SELECT id FROM contacts)"), 0);
	know(b, at("new", 99)); /* and it can be gone on with */
	learn(b, at("new", 99), "D" ZEROS, CONTACTS_KEY_SIGNED);
}

static void
what_cannot_be_true_is_left_out(void **state)
{
	static const char *const damages[] = {
		"UPDATE contacts SET onion = 'x' WHERE name = 'Bob'",
		"UPDATE contact_keys SET fingerprint = 'not one' WHERE contact = 2",
		"UPDATE pins SET fingerprint = 'short'",
	};
	struct book *b = *state;
	fill(b);
	uint64_t dave = contact_of(b, DAVE).id;
	for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
		assert_int_equal(database_run(b->db, damages[i], &err), 0);
	struct salvage_report report = repair(b, page_of(b, "ids"), "odd");
	assert_int_equal(report.kept.people, PEOPLE + 3);
	assert_int_equal(report.kept.pins, 0);
	assert_false(is_known(b, BOB));
	assert_int_equal(contact_of(b, DAVE).id, dave);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_repair_keeps_people_their_keys_introductions_and_pins, begin, end),
		cmocka_unit_test_setup_teardown(only_what_lies_in_a_damaged_page_is_lost, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_true_is_left_out, begin, end),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
