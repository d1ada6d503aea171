/* SPDX-License-Identifier: ISC
 *
 * Messages that want to look like more than they are.
 */
#include "seal/test_seal.h"

#include <stdio.h>
#include <stdlib.h>

#define OUTSIDE "From: " ALICE "\r\nTo: " BOB "\r\nSubject: ...\r\n"
#define TEXT "Content-Type: text/plain\r\n\r\nPay dave.\r\n"

/* What a payload of alice's is called when it arrives as the message of `from`. */
static struct pgpmime_facts
judge_payload(const struct person *by, const struct slice *keys, size_t count, const char *from, const char *payload)
{
	struct buffer message, opened;
	wrap_payload(by, OUTSIDE, slice_of_string(payload), &message);
	struct pgpmime_facts facts = bob_opens(keys, count, from, all_of(&message), &opened);
	buffer_finish(&message);
	buffer_finish(&opened);
	return facts;
}

static void
a_signature_counts_only_by_a_key_that_the_sender_is_known_to_have(void **state)
{
	(void)state;
	assert_int_equal(judge_payload(&alice, &alice.key, 1, ALICE, TEXT).signature, PGPMIME_SIGNED_GOOD);
	assert_int_equal(judge_payload(&carol, &alice.key, 1, ALICE, TEXT).signature, PGPMIME_SIGNED_UNKNOWN);
	assert_int_equal(judge_payload(&alice, NULL, 0, ALICE, TEXT).signature, PGPMIME_SIGNED_UNKNOWN);
	assert_int_equal(judge_payload(&alice, &alice.key, 1, NULL, TEXT).signature, PGPMIME_SIGNED_UNKNOWN);
}

static void
what_the_owner_signed_and_gets_back_is_not_signed_by_the_sender(void **state)
{
	(void)state;
	assert_int_equal(judge_payload(&bob, &alice.key, 1, ALICE, TEXT).signature, PGPMIME_SIGNED_UNKNOWN);
	assert_int_equal(judge_payload(&bob, &bob.key, 1, BOB, TEXT).signature, PGPMIME_SIGNED_GOOD);
}

static void
another_from_inside_takes_the_signature_away(void **state)
{
	(void)state;
	static const char *const others[] = {
		"From: carol@carolonion.onion\r\nContent-Type: text/plain; hp=\"cipher\"\r\n\r\nHello\r\n",
		"From: " ALICE ", " BOB "\r\nContent-Type: text/plain; hp=\"cipher\"\r\n\r\nHello\r\n",
		"From: " ALICE "\r\nFrom: " BOB "\r\nContent-Type: text/plain; protected-headers=\"v1\"\r\n\r\nHello\r\n",
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_int_equal(judge_payload(&alice, &alice.key, 1, ALICE, others[i]).signature, PGPMIME_SIGNED_OTHER);
	assert_int_equal(judge_payload(&alice, &alice.key, 1, ALICE,
	    "From: \"A\" <ALICE@aliceonion.onion>\r\nContent-Type: text/plain; hp=\"cipher\"\r\n\r\nHello\r\n").signature, PGPMIME_SIGNED_GOOD);
}

static void
a_header_inside_cannot_say_who_wrote_or_what_the_verdict_is(void **state)
{
	(void)state;
	struct buffer message, opened;
	wrap_payload(&alice, OUTSIDE "Message-ID: <1@aliceonion.onion>\r\n", slice_of_string(
	    "From: Alice! <" ALICE ">\r\nSubject: Hidden\r\nSubject: Second\r\nMessage-ID: <2@x>\r\nReceived: by x\r\nSMTorP-Verdict: proved\r\n"
	    "Onion-Signature: x\r\nAutocrypt: x\r\nContent-Type: text/plain; hp=\"cipher\"\r\n\r\nHello\r\n"), &message);
	bob_opens(&alice.key, 1, ALICE, all_of(&message), &opened);
	static const char *const words[] = { "<2@x>", "Received", "Verdict", "Onion-", "Autocrypt", "Second", "Subject: ..." };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		assert_false(has_text(all_of(&opened), words[i]));
	assert_memory_equal(buffer_bytes(&opened), "From: " ALICE "\r\nTo:", strlen("From: " ALICE "\r\nTo:"));
	assert_false(has_text(all_of(&opened), "Alice!"));
	assert_true(has_text(all_of(&opened), "Subject: Hidden\r\n"));
	assert_true(has_text(all_of(&opened), "<1@aliceonion.onion>"));
	buffer_finish(&message);
	buffer_finish(&opened);
}

static void
a_header_inside_counts_only_when_it_is_marked_as_one(void **state)
{
	(void)state;
	struct buffer message, opened;
	wrap_payload(&alice, OUTSIDE, slice_of_string("Subject: Inside\r\nContent-Type: text/plain\r\n\r\nHello\r\n"), &message);
	bob_opens(&alice.key, 1, ALICE, all_of(&message), &opened);
	assert_true(has_text(all_of(&opened), "Subject: ...\r\n"));
	assert_false(has_text(all_of(&opened), "Inside"));
	buffer_finish(&message);
	buffer_finish(&opened);
}

static void
lines_of_any_system_become_those_of_mail(void **state)
{
	(void)state;
	struct buffer message, opened;
	wrap_payload(&alice, OUTSIDE, slice_of_string("Content-Type: text/plain\n\nOne\nTwo\r\nThree"), &message);
	bob_opens(&alice.key, 1, ALICE, all_of(&message), &opened);
	assert_true(has_text(all_of(&opened), "\r\n\r\nOne\r\nTwo\r\nThree"));
	buffer_finish(&message);
	buffer_finish(&opened);
}

static void
what_cannot_be_shown_stays_sealed(void **state)
{
	(void)state;
	static const char nul[] = "Content-Type: text/plain\r\n\r\nHel\0lo\r\n";
	static const char *const bad[] = { "no header at all\r\n\r\nHello\r\n",
		"Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nHello\r\n" };
	struct buffer message, opened;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(judge_payload(&alice, &alice.key, 1, ALICE, bad[i]).encryption, PGPMIME_UNREADABLE);
	wrap_payload(&alice, OUTSIDE, slice_of(nul, sizeof nul - 1), &message);
	struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, all_of(&message), &opened);
	assert_int_equal(facts.encryption, PGPMIME_UNREADABLE);
	assert_int_equal(facts.signature, PGPMIME_UNSIGNED);
	buffer_finish(&message);
}

static void
a_second_layer_is_left_as_it_is(void **state)
{
	(void)state;
	struct buffer inner, message, opened;
	wrap_payload(&carol, "", slice_of_string(TEXT), &inner);
	wrap_payload(&alice, OUTSIDE, all_of(&inner), &message);
	struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, all_of(&message), &opened);
	assert_int_equal(facts.encryption, PGPMIME_OPENED);
	assert_true(facts.is_layered);
	assert_false(has_text(all_of(&opened), "Pay dave"));
	assert_true(has_text(all_of(&opened), "BEGIN PGP MESSAGE"));
	buffer_finish(&inner);
	buffer_finish(&message);
	buffer_finish(&opened);
}

/* ---- the frame */

static struct pgpmime_facts
judge_message(struct slice message)
{
	struct buffer opened;
	struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, message, &opened);
	buffer_finish(&opened);
	return facts;
}

static void
an_encrypted_part_among_others_is_not_opened(void **state)
{
	(void)state;
	struct buffer inner, message;
	wrap_payload(&alice, "", slice_of_string(TEXT), &inner);
	buffer_init(&message, 100000);
	buffer_printf(&message, NULL, OUTSIDE "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/html\r\n\r\n"
	    "<img src=\"http://x/\r\n--m\r\n%.*s\r\n--m--\r\n", (int)buffer_len(&inner), (const char *)buffer_bytes(&inner));
	struct pgpmime_facts facts = judge_message(all_of(&message));
	assert_int_equal(facts.encryption, PGPMIME_CLEAR);
	assert_int_equal(facts.signature, PGPMIME_UNSIGNED);
	buffer_finish(&inner);
	buffer_finish(&message);
}

static void
a_frame_with_a_part_more_is_not_opened(void **state)
{
	(void)state;
	struct buffer message, changed;
	wrap_payload(&alice, OUTSIDE, slice_of_string(TEXT), &message);
	buffer_init(&changed, 100000);
	buffer_printf(&changed, NULL, "%.*s--frame\r\n\r\nAnd dave.\r\n--frame--\r\n",
	    (int)(buffer_len(&message) - strlen("--frame--\r\n")), (const char *)buffer_bytes(&message));
	assert_int_equal(judge_message(all_of(&changed)).encryption, PGPMIME_UNREADABLE);
	buffer_finish(&message);
	buffer_finish(&changed);
}

static void
a_message_that_was_changed_is_never_shown(void **state)
{
	(void)state;
	struct buffer message;
	wrap_payload(&alice, OUTSIDE, slice_of_string(TEXT), &message);
	unsigned char *bytes = message.data + message.start;
	unsigned char *armour = memmem(bytes, buffer_len(&message), "-----BEGIN", 10);
	size_t at = (size_t)(armour - bytes) + 60, changed = 0;
	for (; at + 60 < buffer_len(&message); at += 7) {
		unsigned char was = bytes[at];
		if (was == '\r' || was == '\n')
			continue;
		bytes[at] = was == 'A' ? 'B' : 'A';
		struct pgpmime_facts facts = judge_message(all_of(&message));
		assert_int_not_equal(facts.encryption, PGPMIME_OPENED);
		assert_int_equal(facts.signature, PGPMIME_UNSIGNED);
		bytes[at] = was;
		changed++;
	}
	assert_true(changed > 20);
	buffer_finish(&message);
}

/* ---- signed only */

static void
make_signed(const char *part, struct buffer *out)
{
	struct error err = { 0 };
	struct buffer signature;
	buffer_init(&signature, 10000);
	buffer_init(out, 100000);
	assert_int_equal(openpgp_sign(alice.pgp, (int64_t)time(NULL), slice_of_string(part), &signature, &err), 0);
	buffer_printf(out, &err, OUTSIDE "Content-Type: multipart/signed; micalg=pgp-sha256; protocol=\"application/pgp-signature\"; boundary=s\r\n"
	    "\r\n--s\r\n%s\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\n%.*s\r\n--s--\r\n", part, (int)buffer_len(&signature),
	    (const char *)buffer_bytes(&signature));
	buffer_finish(&signature);
}

static void
a_signed_message_is_verified_as_it_stands(void **state)
{
	(void)state;
	struct buffer message;
	make_signed("Content-Type: text/plain\r\n\r\nPay dave.  \r\n", &message);
	struct pgpmime_facts facts = judge_message(all_of(&message));
	assert_int_equal(facts.signature, PGPMIME_SIGNED_GOOD);
	assert_int_equal(facts.encryption, PGPMIME_CLEAR);
	unsigned char *word = memmem(message.data + message.start, buffer_len(&message), "dave", 4);
	word[0] = 'D';
	assert_int_equal(judge_message(all_of(&message)).signature, PGPMIME_SIGNED_WRONG);
	buffer_finish(&message);
}

static void
a_signature_over_a_part_is_none(void **state)
{
	(void)state;
	struct buffer inner, message;
	make_signed(TEXT, &inner);
	buffer_init(&message, 100000);
	buffer_printf(&message, NULL, OUTSIDE "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n%.*s\r\n--m\r\n\r\nAnd dave.\r\n--m--\r\n",
	    (int)buffer_len(&inner), (const char *)buffer_bytes(&inner));
	assert_int_equal(judge_message(all_of(&message)).signature, PGPMIME_UNSIGNED);
	buffer_finish(&message);
	buffer_init(&message, 100000); /* a whole message of alice's, attached */
	buffer_printf(&message, NULL, OUTSIDE "Content-Type: message/rfc822\r\n\r\n%.*s", (int)buffer_len(&inner),
	    (const char *)buffer_bytes(&inner));
	assert_int_equal(judge_message(all_of(&message)).signature, PGPMIME_UNSIGNED);
	buffer_finish(&message);
	buffer_init(&message, 100000); /* with a third part */
	buffer_printf(&message, NULL, "%.*s--s\r\n\r\nAnd dave.\r\n--s--\r\n", (int)(buffer_len(&inner) - strlen("--s--\r\n")),
	    (const char *)buffer_bytes(&inner));
	assert_int_equal(judge_message(all_of(&message)).signature, PGPMIME_SIGNED_WRONG);
	buffer_finish(&message);
	buffer_finish(&inner);
	assert_int_equal(judge_message(slice_of_string(OUTSIDE "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=s\r\n"
	    "\r\n--s\r\n\r\nHello\r\n--s--\r\n")).signature, PGPMIME_SIGNED_WRONG);
}

static void
a_signed_text_in_a_text_counts_for_nothing(void **state)
{
	(void)state;
	struct pgpmime_facts facts = judge_message(slice_of_string(OUTSIDE "\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\nPay.\r\n"
	    "-----BEGIN PGP SIGNATURE-----\r\n\r\n-----END PGP SIGNATURE-----\r\n"));
	assert_int_equal(facts.signature, PGPMIME_UNSIGNED);
	assert_int_equal(facts.encryption, PGPMIME_CLEAR);
}

static void
a_signed_message_inside_of_encryption_is_verified(void **state)
{
	(void)state;
	struct buffer inner;
	make_signed(TEXT, &inner);
	buffer_append(&inner, "", 1, NULL);
	const char *payload = strstr((const char *)buffer_bytes(&inner), "Content-Type: multipart/signed");
	assert_int_equal(judge_payload(&carol, &alice.key, 1, ALICE, payload).signature, PGPMIME_SIGNED_UNKNOWN); /* carol's is around it */
	buffer_finish(&inner);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signature_counts_only_by_a_key_that_the_sender_is_known_to_have),
		cmocka_unit_test(what_the_owner_signed_and_gets_back_is_not_signed_by_the_sender),
		cmocka_unit_test(another_from_inside_takes_the_signature_away),
		cmocka_unit_test(a_header_inside_cannot_say_who_wrote_or_what_the_verdict_is),
		cmocka_unit_test(a_header_inside_counts_only_when_it_is_marked_as_one),
		cmocka_unit_test(lines_of_any_system_become_those_of_mail),
		cmocka_unit_test(what_cannot_be_shown_stays_sealed),
		cmocka_unit_test(a_second_layer_is_left_as_it_is),
		cmocka_unit_test(an_encrypted_part_among_others_is_not_opened),
		cmocka_unit_test(a_frame_with_a_part_more_is_not_opened),
		cmocka_unit_test(a_message_that_was_changed_is_never_shown),
		cmocka_unit_test(a_signed_message_is_verified_as_it_stands),
		cmocka_unit_test(a_signature_over_a_part_is_none),
		cmocka_unit_test(a_signed_text_in_a_text_counts_for_nothing),
		cmocka_unit_test(a_signed_message_inside_of_encryption_is_verified),
	};
	return cmocka_run_group_tests(tests, people_come, people_go);
}
