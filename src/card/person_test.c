/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "card/person.h"

#define BOB "bob@efv6n5rgp4snez6qh7qc3wphma44lemwpqacfmo5xxw6o4tjgygz45yd.onion"

#define CAROL "carol@efv6n5rgp4snez6qh7qc3wphma44lemwpqacfmo5xxw6o4tjgygz45yd.onion"
#define DAVE "dave@efv6n5rgp4snez6qh7qc3wphma44lemwpqacfmo5xxw6o4tjgygz45yd.onion"

static struct error err;

static int
parse(const char *text, struct card_person *out, char key[64])
{
	struct buffer bytes;
	buffer_init(&bytes, CARD_PERSON_KEY_MAX_BYTES);
	int result = card_person_parse(slice_of_string(text), out, &bytes, &err);
	slice_to_string(slice_of(buffer_bytes(&bytes), buffer_len(&bytes)), key, 64);
	buffer_finish(&bytes);
	return result;
}

static void
what_is_written_is_read(void **state)
{
	(void)state;
	static const char *const names[] = { "", "Bob", "Zo\xc3\xab, the; second\\", "a name that is so long that its line has to be folded somewhere in the middle, see" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct buffer card;
		struct card_person written = { .address = BOB, .carriers = { CAROL, DAVE } }, person;
		char key[64];
		snprintf(written.name, sizeof written.name, "%s", names[i]);
		snprintf(written.encrypt, sizeof written.encrypt, "%s", i % 2 == 0 ? "" : "require");
		written.carrier_count = i % 3;
		buffer_init(&card, CARD_PERSON_MAX_BYTES);
		assert_int_equal(card_person_write(&written, slice_of_string(i % 2 == 0 ? "" : "a key"), &card, &err), 0);
		assert_int_equal(buffer_append(&card, "", 1, &err), 0);
		assert_int_equal(parse((const char *)buffer_bytes(&card), &person, key), 0);
		assert_string_equal(person.address, BOB);
		assert_string_equal(person.name, names[i]);
		assert_string_equal(person.encrypt, i % 2 == 0 ? "" : "require");
		assert_int_equal(person.carrier_count, i % 3);
		for (size_t j = 0; j < person.carrier_count; j++)
			assert_string_equal(person.carriers[j], written.carriers[j]);
		assert_string_equal(key, i % 2 == 0 ? "" : "a key");
		assert_false(person.is_signed);
		buffer_finish(&card);
	}
}

static void
cards_of_other_programs_are_read(void **state)
{
	(void)state;
	struct card_person person;
	char key[64];
	assert_int_equal(parse("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bob\r\nitem1.EMAIL;TYPE=INTERNET:bob@example.com\r\n"
	                       "EMAIL;TYPE=home:mailto:BOB@" "efv6n5rgp4snez6qh7qc3wphma44lemwpqacfmo5xxw6o4tjgygz45yd.onion\r\nEMAIL:other@efv6n5rgp4snez6qh7qc3wphma44lemwpqacfmo5xxw6o4tjgygz45yd.onion\r\n"
	                       "KEY:https://example.com/key\r\nKEY;PREF=1:data:application/pgp-keys;base64,YSBrZXk=\r\nTEL:1\r\nEND:VCARD\r\n", &person, key), 0);
	assert_string_equal(person.address, "BOB@efv6n5rgp4snez6qh7qc3wphma44lemwpqacfmo5xxw6o4tjgygz45yd.onion");
	assert_string_equal(person.name, "Bob");
	assert_string_equal(key, "a key");
}

static void
carriers_that_are_too_many_or_no_onions_are_left_out(void **state)
{
	struct card_person person;
	char key[64], text[8192] = "BEGIN:VCARD\r\nEMAIL:" BOB "\r\nX-SMTORP-CARRIER:dave@example.com\r\n";
	(void)state;
	for (size_t i = 0; i <= CARD_PERSON_CARRIERS_MAX; i++)
		strcat(text, i == 0 ? "X-SMTORP-CARRIER:" DAVE "\r\n" : "x-smtorp-carrier:" CAROL "\r\n");
	strcat(text, "END:VCARD\r\n");
	assert_int_equal(parse(text, &person, key), 0);
	assert_int_equal(person.carrier_count, CARD_PERSON_CARRIERS_MAX);
	assert_string_equal(person.carriers[0], DAVE);
	assert_string_equal(person.carriers[CARD_PERSON_CARRIERS_MAX - 1], CAROL);
}

static void
what_is_nobody_is_refused(void **state)
{
	static const char *const wrong[] = { "", "BEGIN:VCARD\r\nEND:VCARD\r\n", "BEGIN:VCARD\r\nEMAIL:bob@example.com\r\nEND:VCARD\r\n",
		"BEGIN:VCARD\r\nEMAIL:" BOB "\r\nFN:a\x1b[2J\r\nEND:VCARD\r\n", "BEGIN:VCARD\r\nEMAIL:" BOB "\r\nno colon\r\nEND:VCARD\r\n",
		"BEGIN:VCARD\r\nEMAIL:" BOB "\r\nKEY:data:application/pgp-keys;base64,?\r\nEND:VCARD\r\n" };
	(void)state;
	struct card_person person;
	char key[64];
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(parse(wrong[i], &person, key), -1);
	assert_int_equal(parse("BEGIN:VCARD\r\nEMAIL:" BOB "\r\nFN:two\\nlines\r\nEND:VCARD\r\n", &person, key), 0);
	assert_string_equal(person.name, "");
	assert_int_equal(parse("BEGIN:VCARD\r\nEMAIL:" BOB "\r\nX-SMTORP-SIGNATURE:x\r\nEND:VCARD\r\n", &person, key), 0);
	assert_true(person.is_signed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(cards_of_other_programs_are_read),
		cmocka_unit_test(carriers_that_are_too_many_or_no_onions_are_left_out),
		cmocka_unit_test(what_is_nobody_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
