/* SPDX-License-Identifier: ISC */
#include "seal/test_seal.h"

#include <stdlib.h>

#define HEADER \
	"From: Alice <" ALICE ">\r\nTo: " BOB "\r\nSubject: Dinner =?utf-8?q?=C3=A0?= eight\r\nDate: Sun, 01 Nov 2026 10:00:00 +0000\r\n" \
	"Message-ID: <aaaaaaaaaaaaaaaaaaaaaaaaaa@aliceonion.onion>\r\nKeywords: food\r\nMIME-Version: 1.0\r\n"
#define MESSAGE HEADER "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nAt the caf\xc3\xa9?\r\n"

static void
what_is_sealed_is_opened_by_its_reader_with_subject_and_signature(void **state)
{
	(void)state;
	struct buffer sealed, opened;
	seal_for(&bob.key, 1, slice_of_string(MESSAGE), &sealed);
	struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, all_of(&sealed), &opened);
	assert_int_equal(facts.encryption, PGPMIME_OPENED);
	assert_int_equal(facts.signature, PGPMIME_SIGNED_GOOD);
	assert_string_equal(facts.fingerprint, alice.is.fingerprint);
	assert_false(facts.is_layered);
	struct slice mail = all_of(&opened);
	assert_true(has_text(mail, "\r\nSubject: Dinner =?utf-8?q?=C3=A0?= eight\r\n"));
	assert_true(has_text(mail, "\r\nKeywords: food\r\n"));
	assert_true(has_text(mail, "Content-Type: text/plain; charset=utf-8\r\n"));
	assert_true(has_text(mail, "Message-ID: <aaaaaaaaaaaaaaaaaaaaaaaaaa@aliceonion.onion>"));
	assert_true(has_text(mail, "\r\n\r\nAt the caf\xc3\xa9?\r\n"));
	assert_false(has_text(mail, "Subject: ..."));
	assert_false(has_text(mail, "HP-Outer"));
	assert_false(has_text(mail, "hp="));
	buffer_finish(&sealed);
	buffer_finish(&opened);
}

static void
outside_there_is_no_word_of_it_and_only_short_lines_of_ascii(void **state)
{
	(void)state;
	static const char *const words[] = { "Dinner", "eight", "caf", "food", "Keywords", "text/plain", "Version: RNP", "Comment:" };
	struct buffer sealed;
	seal_for(&bob.key, 1, slice_of_string(MESSAGE), &sealed);
	struct slice mail = all_of(&sealed);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		assert_false(has_text(mail, words[i]));
	assert_true(has_text(mail, "\r\nSubject: ...\r\n"));
	for (size_t i = 0, column = 0; i < mail.len; i++) {
		assert_true(mail.data[i] < 0x80);
		assert_int_equal(mail.data[i] == '\n', i > 0 && mail.data[i - 1] == '\r');
		column = mail.data[i] == '\n' ? 0 : column + 1;
		assert_true(column <= 78);
	}
	buffer_finish(&sealed);
}

static void
the_header_inside_tells_what_stood_outside(void **state)
{
	(void)state;
	struct buffer sealed, plain;
	struct openpgp_verdict verdict;
	struct error err = { 0 };
	seal_for(&bob.key, 1, slice_of_string(MESSAGE), &sealed);
	const char *armour = memmem(buffer_bytes(&sealed), buffer_len(&sealed), "-----BEGIN", 10);
	assert_non_null(armour);
	const char *end = strstr(armour, "\r\n--=_");
	buffer_init(&plain, 100000);
	assert_int_equal(openpgp_decrypt(bob.pgp, NULL, 0, slice_of(armour, (size_t)(end - armour)), &plain, &verdict, &err), 0);
	struct slice inside = all_of(&plain);
	assert_true(has_text(inside, "\r\nHP-Outer:\r\n Subject: ...\r\n"));
	assert_true(has_text(inside, "\r\nHP-Outer:\r\n To: " BOB "\r\n"));
	assert_false(has_text(inside, " Keywords: food")); /* it stood nowhere outside */
	assert_true(has_text(inside, "hp=\"cipher\""));
	assert_false(has_text(inside, "MIME-Version"));
	buffer_finish(&plain);
	buffer_finish(&sealed);
}

static void
a_message_without_a_type_is_text(void **state)
{
	(void)state;
	struct buffer sealed, opened;
	seal_for(&bob.key, 1, slice_of_string("From: " ALICE "\r\n\r\nHello\r\n"), &sealed);
	assert_false(has_text(all_of(&sealed), "Subject"));
	bob_opens(&alice.key, 1, ALICE, all_of(&sealed), &opened);
	assert_true(has_text(all_of(&opened), "Content-Type: text/plain; charset=US-ASCII"));
	assert_true(has_text(all_of(&opened), "\r\n\r\nHello\r\n"));
	buffer_finish(&sealed);
	buffer_finish(&opened);
}

static void
who_is_not_a_reader_is_told_so(void **state)
{
	(void)state;
	struct buffer sealed, opened;
	seal_for(&carol.key, 1, slice_of_string(MESSAGE), &sealed);
	struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, all_of(&sealed), &opened);
	assert_int_equal(facts.encryption, PGPMIME_OTHER_KEYS);
	assert_int_equal(facts.signature, PGPMIME_UNSIGNED);
	assert_true(facts.why[0] != '\0');
	buffer_finish(&sealed);
}

static void
each_of_several_readers_can_open_it(void **state)
{
	(void)state;
	struct slice keys[] = { carol.key, alice.key, bob.key };
	struct buffer sealed, opened;
	seal_for(keys, 3, slice_of_string(MESSAGE), &sealed);
	assert_int_equal(bob_opens(&alice.key, 1, ALICE, all_of(&sealed), &opened).signature, PGPMIME_SIGNED_GOOD);
	buffer_finish(&sealed);
	buffer_finish(&opened);
}

/* ---- streams */

struct big {
	uint64_t len, written, largest;
	struct buffer kept;
};

static int
read_big(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	struct big *b = context;
	(void)err;
	assert_true(offset + len <= b->len);
	b->largest = len > b->largest ? len : b->largest;
	for (size_t i = 0; i < len; i++, offset++)
		((char *)out)[i] = offset < strlen(MESSAGE) ? MESSAGE[offset] : offset % 64 == 62 ? '\r' : offset % 64 == 63 ? '\n' : 'x';
	return 0;
}

static int
write_big(void *context, const void *bytes, size_t len, struct error *err)
{
	struct big *b = context;
	b->written += len;
	return buffer_append(&b->kept, bytes, len, err);
}

static int
write_nothing(void *context, const void *bytes, size_t len, struct error *err)
{
	struct big *b = context;
	(void)bytes;
	b->written += len;
	return b->written > 100000 ? error_set(err, ERROR_NO_SPACE, "the disk is full") : 0;
}

static void
a_large_message_passes_in_pieces(void **state)
{
	(void)state;
	struct big big = { .len = 20 << 20 };
	const struct prepare_stream io = { big.len, read_big, write_big, &big, NULL };
	struct pgpmime_seal how = { alice.pgp, &bob.key, 1, (int64_t)time(NULL), "abcdefghijklmnopqrstuvwxyz" };
	struct error err = { 0 };
	struct buffer opened;
	bool is_8bit;
	buffer_init(&big.kept, 64 << 20);
	if (pgpmime_seal(&how, &io, &is_8bit, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(big.largest <= (2 << 20));
	struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, all_of(&big.kept), &opened);
	assert_int_equal(facts.signature, PGPMIME_SIGNED_GOOD);
	assert_true(buffer_len(&opened) > big.len - 1000);
	buffer_finish(&opened);
	buffer_finish(&big.kept);
}

static void
an_error_of_the_disk_comes_back_as_it_is(void **state)
{
	(void)state;
	struct big big = { .len = 20 << 20 };
	const struct prepare_stream io = { big.len, read_big, write_nothing, &big, NULL };
	struct pgpmime_seal how = { alice.pgp, &bob.key, 1, (int64_t)time(NULL), "abcdefghijklmnopqrstuvwxyz" };
	struct error err = { 0 };
	bool is_8bit;
	assert_int_equal(pgpmime_seal(&how, &io, &is_8bit, &err), -1);
	assert_int_equal(err.code, ERROR_NO_SPACE);
	assert_string_equal(err.text, "the disk is full");
}

static void
a_message_that_is_too_large_to_open_says_so(void **state)
{
	(void)state;
	struct buffer out;
	char *bytes = calloc(1, PGPMIME_OPEN_MAX_BYTES + 1);
	assert_non_null(bytes);
	struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, slice_of(bytes, PGPMIME_OPEN_MAX_BYTES + 1), &out);
	assert_int_equal(facts.encryption, PGPMIME_UNREADABLE);
	assert_non_null(strstr(facts.why, "32 MiB"));
	free(bytes);
}

static void
what_the_mail_program_did_is_seen(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		enum pgpmime_kind kind;
	} table[] = {
		{ "\r\nHello\r\n", PGPMIME_PLAIN },
		{ "Content-Type: text/plain\r\n\r\nHello\r\n-----BEGIN PGP MESSAGE-----\r\n", PGPMIME_PLAIN },
		{ "Content-Type: text/plain\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n", PGPMIME_ENCRYPTED },
		{ "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/encrypted\r\n", PGPMIME_PLAIN },
		{ "Content-Type: Multipart/Encrypted; boundary=a\r\n\r\n", PGPMIME_ENCRYPTED },
		{ "Content-Type: application/pkcs7-mime\r\n\r\n", PGPMIME_ENCRYPTED },
		{ "Content-Type: multipart/signed; boundary=a\r\n\r\n", PGPMIME_SIGNED },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		enum pgpmime_kind kind;
		assert_int_equal(pgpmime_look(slice_of_string(table[i].message), &kind, NULL), 0);
		assert_int_equal(kind, table[i].kind);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_is_opened_by_its_reader_with_subject_and_signature),
		cmocka_unit_test(outside_there_is_no_word_of_it_and_only_short_lines_of_ascii),
		cmocka_unit_test(the_header_inside_tells_what_stood_outside),
		cmocka_unit_test(a_message_without_a_type_is_text),
		cmocka_unit_test(who_is_not_a_reader_is_told_so),
		cmocka_unit_test(each_of_several_readers_can_open_it),
		cmocka_unit_test(a_large_message_passes_in_pieces),
		cmocka_unit_test(an_error_of_the_disk_comes_back_as_it_is),
		cmocka_unit_test(a_message_that_is_too_large_to_open_says_so),
		cmocka_unit_test(what_the_mail_program_did_is_seen),
	};
	return cmocka_run_group_tests(tests, people_come, people_go);
}
