/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/encode.h"
#include "openpgp/openpgp.h"
#include "openpgp/packets.h"

#define NOW_S 1790000000
#define ALICE "alice@aliceonion.onion"
#define BOB "bob@bobonion.onion"

struct person {
	struct buffer secret, public_key;
	struct openpgp *pgp;
	struct openpgp_key key;
};
static struct person alice, bob, carol;

static struct slice
all_of(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

static void
begin(struct person *p, const char *address)
{
	struct error err = { 0 };
	buffer_init(&p->secret, OPENPGP_KEY_MAX_BYTES);
	buffer_init(&p->public_key, OPENPGP_ARMOURED_MAX_BYTES);
	if (openpgp_generate(address, NOW_S - 100000, &p->secret, &err) != 0)
		fail_msg("%s", err.text);
	struct slice secret = all_of(&p->secret);
	assert_int_equal(openpgp_new(&secret, 1, &p->pgp, &err), 0);
	assert_int_equal(openpgp_public_key(p->pgp, &p->public_key, &err), 0);
	assert_int_equal(openpgp_look(all_of(&p->public_key), &p->key, &err), 0);
}

static void
end(struct person *p)
{
	openpgp_free(p->pgp);
	buffer_finish(&p->secret);
	buffer_finish(&p->public_key);
}

static int
enter(void **state)
{
	(void)state;
	begin(&alice, ALICE);
	begin(&bob, BOB);
	begin(&carol, "carol@carolonion.onion");
	return 0;
}

static int
leave(void **state)
{
	(void)state;
	end(&alice);
	end(&bob);
	end(&carol);
	return 0;
}

static void
a_new_key_tells_nothing_but_the_address_and_the_day(void **state)
{
	(void)state;
	assert_string_equal(alice.key.user_id, ALICE);
	assert_int_equal(alice.key.created_s % (24 * 3600), 0);
	assert_int_equal(alice.key.expires_s, 0);
	assert_false(alice.key.has_secret);
	assert_false(alice.key.is_expired || alice.key.is_revoked);
	assert_true(alice.key.can_encrypt && alice.key.can_sign);
	const char *armoured = (const char *)buffer_bytes(&alice.public_key);
	assert_null(memmem(armoured, buffer_len(&alice.public_key), "Version", 7));
	assert_null(memmem(armoured, buffer_len(&alice.public_key), "Comment", 7));
}

static void
autocrypt_gets_five_packets(void **state)
{
	(void)state;
	struct buffer base64;
	unsigned char key[OPENPGP_AUTOCRYPT_MAX_BYTES];
	size_t len = sizeof key;
	struct error err = { 0 };
	struct openpgp_key seen;
	buffer_init(&base64, 20000);
	assert_int_equal(openpgp_autocrypt(alice.pgp, &base64, &err), 0);
	assert_int_equal(encode_from_base64(key, &len, (const char *)buffer_bytes(&base64), buffer_len(&base64), &err), 0);
	if (openpgp_autocrypt_scan(slice_of(key, len), &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(openpgp_look(slice_of(key, len), &seen, &err), 0);
	assert_string_equal(seen.fingerprint, alice.key.fingerprint);
	assert_true(seen.can_encrypt && seen.can_sign);
	buffer_finish(&base64);
}

/* Whoever has stolen an onion's key can send any octets as its owner's key, but not have others encrypt to a subkey of his own under the known
 * fingerprint. */
static void
a_subkey_of_somebody_else_is_not_encrypted_to(void **state)
{
	(void)state;
	struct openpgp_key key;
	struct openpgp_packet packet;
	struct buffer grafted;
	struct error err = { 0 };
	struct person *people[] = { &alice, &bob };
	for (unsigned kept = 2; kept <= 5; kept++) { /* so many packets are alice's; of the last two subkeys and bindings mixed, too */
		buffer_init(&grafted, OPENPGP_AUTOCRYPT_MAX_BYTES);
		for (unsigned who = 0; who < 2; who++) {
			struct buffer binary;
			buffer_init(&binary, OPENPGP_AUTOCRYPT_MAX_BYTES);
			assert_int_equal(openpgp_key_as(people[who]->pgp, NULL, &binary, &err), 0);
			struct slice rest = all_of(&binary), before = rest;
			for (unsigned i = 0; openpgp_packet_scan(&rest, &packet, &err) == 1; i++, before = rest)
				if (who == 0 ? i < kept : i >= kept)
					buffer_append(&grafted, before.data, before.len - rest.len, NULL);
			buffer_finish(&binary);
		}
		bool is_taken = openpgp_autocrypt_scan(all_of(&grafted), &err) == 0 && openpgp_look(all_of(&grafted), &key, &err) == 0 && key.can_encrypt;
		assert_int_equal(is_taken, kept == 5);
		buffer_finish(&grafted);
	}
}

static void
a_key_is_handed_out_under_a_name_that_tells_less(void **state)
{
	(void)state;
	struct buffer as, again, message, text;
	struct openpgp_key seen;
	struct openpgp_verdict verdict;
	struct error err = { 0 };
	buffer_init(&as, OPENPGP_KEY_MAX_BYTES);
	buffer_init(&again, OPENPGP_KEY_MAX_BYTES);
	buffer_init(&message, 100000);
	buffer_init(&text, 1000);
	if (openpgp_key_as(alice.pgp, "aliceonion.onion", &as, &err) != 0 || openpgp_autocrypt_scan(all_of(&as), &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(openpgp_look(all_of(&as), &seen, &err), 0);
	assert_string_equal(seen.user_id, "aliceonion.onion");
	assert_string_equal(seen.fingerprint, alice.key.fingerprint);
	assert_true(seen.can_encrypt && seen.can_sign && !seen.has_secret && seen.expires_s == 0);
	assert_null(memmem(buffer_bytes(&as), buffer_len(&as), "alice@", 6));
	assert_int_equal(openpgp_key_as(alice.pgp, "aliceonion.onion", &again, &err), 0);
	assert_int_equal(buffer_len(&as), buffer_len(&again));
	assert_memory_equal(buffer_bytes(&as), buffer_bytes(&again), buffer_len(&as));
	struct slice key = all_of(&as);
	assert_int_equal(openpgp_encrypt(bob.pgp, &key, 1, NOW_S, slice_of_string("hello"), &message, &err), 0);
	assert_int_equal(openpgp_decrypt(alice.pgp, NULL, 0, all_of(&message), &text, &verdict, &err), 0);
	assert_true(slice_is(all_of(&text), "hello"));
	buffer_finish(&again);
	assert_int_equal(openpgp_key_as(alice.pgp, NULL, &again, &err), 0);
	assert_int_equal(openpgp_look(all_of(&again), &seen, &err), 0);
	assert_string_equal(seen.user_id, ALICE);
	buffer_finish(&as);
	buffer_finish(&again);
	buffer_finish(&message);
	buffer_finish(&text);
}

static void
encrypt(struct person *from, const struct person *to, const char *text, struct buffer *out)
{
	struct error err = { 0 };
	struct slice key = all_of(&to->public_key);
	buffer_init(out, 1 << 20);
	if (openpgp_encrypt(from->pgp, &key, 1, NOW_S, slice_of_string(text), out, &err) != 0)
		fail_msg("%s", err.text);
}

static void
what_alice_encrypts_bob_reads_and_knows_from_whom(void **state)
{
	(void)state;
	struct buffer message, text;
	struct openpgp_verdict verdict;
	struct error err = { 0 };
	struct slice key = all_of(&alice.public_key);
	encrypt(&alice, &bob, "Dinner at eight?\r\n", &message);
	assert_null(memmem(buffer_bytes(&message), buffer_len(&message), "Version", 7));
	buffer_init(&text, 1000);
	if (openpgp_decrypt(bob.pgp, &key, 1, all_of(&message), &text, &verdict, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(slice_is(all_of(&text), "Dinner at eight?\r\n"));
	assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_GOOD);
	assert_string_equal(verdict.fingerprint, alice.key.fingerprint);
	assert_int_equal(verdict.signed_s, NOW_S);
	buffer_finish(&text);

	/* alice's key not given; then carol's, whose it is not */
	key = all_of(&carol.public_key);
	for (size_t count = 0; count < 2; count++) {
		assert_int_equal(openpgp_decrypt(bob.pgp, &key, count, all_of(&message), &text, &verdict, &err), 0);
		assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_UNKNOWN);
		assert_string_equal(verdict.fingerprint, "");
		buffer_finish(&text);
	}
	assert_int_equal(openpgp_decrypt(carol.pgp, NULL, 0, all_of(&message), &text, &verdict, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	buffer_finish(&message);
}

static void
a_message_that_was_changed_is_refused_whole(void **state)
{
	(void)state;
	struct buffer message, binary_text;
	struct openpgp_verdict verdict;
	unsigned char binary[4096];
	size_t len = 0;
	encrypt(&alice, &bob, "Dinner at eight?\r\n", &message);
	/* out of the armour */
	char text[8192], packed[8192];
	slice_to_string(all_of(&message), text, sizeof text);
	const char *at = strstr(text, "\n\r\n") != NULL ? strstr(text, "\n\r\n") + 3 : strstr(text, "\n\n") + 2;
	size_t packed_len = 0;
	for (; strncmp(at, "\n=", 2) != 0 && *at != '-'; at++)
		if (*at != '\r' && *at != '\n')
			packed[packed_len++] = *at;
	len = sizeof binary;
	assert_int_equal(encode_from_base64(binary, &len, packed, packed_len, NULL), 0);
	buffer_init(&binary_text, 1000);
	assert_int_equal(openpgp_decrypt(bob.pgp, NULL, 0, slice_of(binary, len), &binary_text, &verdict, NULL), 0);
	buffer_finish(&binary_text);
	for (size_t i = 0; i < len; i++) {
		binary[i] ^= 1;
		struct error err = { 0 };
		int result = openpgp_decrypt(bob.pgp, NULL, 0, slice_of(binary, len), &binary_text, &verdict, &err);
		/* the key id of a recipient is a hint, and some bits of it do not matter */
		if (result == 0 && !slice_is(all_of(&binary_text), "Dinner at eight?\r\n"))
			fail_msg("byte %zu: read as something else", i);
		if (result != 0)
			assert_int_equal(buffer_len(&binary_text), 0);
		binary[i] ^= 1;
		buffer_finish(&binary_text);
	}
	buffer_finish(&message);
}

static void
what_is_larger_than_may_be_is_refused(void **state)
{
	(void)state;
	struct buffer message, out;
	struct openpgp_verdict verdict;
	struct error err = { 0 };
	encrypt(&alice, &bob, "12345678", &message);
	for (size_t room = 7; room <= 8; room++) {
		buffer_init(&out, room);
		int result = openpgp_decrypt(bob.pgp, NULL, 0, all_of(&message), &out, &verdict, &err);
		assert_int_equal(result, room == 8 ? 0 : -1);
		if (result != 0)
			assert_int_equal(err.code, ERROR_TOO_LARGE);
		buffer_finish(&out);
	}
	buffer_finish(&message);
}

static void
a_detached_signature_holds_for_its_text_and_key_alone(void **state)
{
	(void)state;
	struct buffer signature;
	struct openpgp_verdict verdict;
	struct error err = { 0 };
	struct slice keys[] = { all_of(&carol.public_key), all_of(&alice.public_key) };
	struct slice text = slice_of_string("Content-Type: text/plain\r\n\r\nhello\r\n");
	buffer_init(&signature, 10000);
	assert_int_equal(openpgp_sign(alice.pgp, NOW_S, text, &signature, &err), 0);
	assert_int_equal(openpgp_verify(bob.pgp, keys, 2, text, all_of(&signature), &verdict, &err), 0);
	assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_GOOD);
	assert_string_equal(verdict.fingerprint, alice.key.fingerprint);
	assert_int_equal(openpgp_verify(bob.pgp, keys, 1, text, all_of(&signature), &verdict, &err), 0);
	assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_UNKNOWN);
	assert_int_equal(openpgp_verify(bob.pgp, keys, 2, slice_of_string("hallo"), all_of(&signature), &verdict, &err), 0);
	assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_WRONG);
	assert_int_equal(openpgp_verify(bob.pgp, keys, 2, text, slice_of_string("no signature"), &verdict, &err), -1);
	buffer_finish(&signature);
}

static void
strangers_keys_do_not_stay(void **state)
{
	(void)state;
	struct buffer signature, message;
	struct openpgp_verdict verdict;
	struct slice key = all_of(&alice.public_key), text = slice_of_string("x");
	buffer_init(&signature, 10000);
	assert_int_equal(openpgp_sign(alice.pgp, NOW_S, text, &signature, NULL), 0);
	assert_int_equal(openpgp_verify(bob.pgp, &key, 1, text, all_of(&signature), &verdict, NULL), 0);
	assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_GOOD);
	assert_int_equal(openpgp_verify(bob.pgp, NULL, 0, text, all_of(&signature), &verdict, NULL), 0);
	assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_UNKNOWN);
	/* the own one does, also when it was among the guests */
	encrypt(&bob, &bob, "to myself", &message);
	buffer_finish(&message);
	encrypt(&bob, &bob, "to myself", &message);
	buffer_finish(&message);
	buffer_finish(&signature);
}

static void
a_secret_key_is_no_guest(void **state)
{
	(void)state;
	struct openpgp_verdict verdict;
	struct error err = { 0 };
	struct slice key = all_of(&alice.secret);
	assert_int_equal(openpgp_verify(bob.pgp, &key, 1, slice_of_string("x"), slice_of_string("y"), &verdict, &err), -1);
	assert_non_null(strstr(err.text, "public OpenPGP key is expected"));
}

static void
an_old_key_still_reads_and_the_present_one_signs(void **state)
{
	(void)state;
	struct buffer message, text;
	struct openpgp *rotated;
	struct openpgp_verdict verdict;
	struct slice keys[] = { all_of(&carol.secret), all_of(&bob.secret) }, present = all_of(&carol.public_key);
	encrypt(&alice, &bob, "to the old key", &message);
	assert_int_equal(openpgp_new(keys, 2, &rotated, NULL), 0);
	buffer_init(&text, 100);
	assert_int_equal(openpgp_decrypt(rotated, NULL, 0, all_of(&message), &text, &verdict, NULL), 0);
	buffer_finish(&text);
	buffer_finish(&message);
	buffer_init(&message, 10000);
	assert_int_equal(openpgp_sign(rotated, NOW_S, slice_of_string("x"), &message, NULL), 0);
	assert_int_equal(openpgp_verify(alice.pgp, &present, 1, slice_of_string("x"), all_of(&message), &verdict, NULL), 0);
	assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_GOOD);
	buffer_finish(&message);
	openpgp_free(rotated);
}

static void
a_revocation_certificate_is_armoured(void **state)
{
	(void)state;
	struct buffer out;
	struct error err = { 0 };
	buffer_init(&out, 10000);
	if (openpgp_revocation(alice.pgp, &out, &err) != 0)
		fail_msg("%s", err.text);
	assert_memory_equal(buffer_bytes(&out), "-----BEGIN PGP", 14);
	buffer_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_key_tells_nothing_but_the_address_and_the_day),
		cmocka_unit_test(autocrypt_gets_five_packets),
		cmocka_unit_test(a_subkey_of_somebody_else_is_not_encrypted_to),
		cmocka_unit_test(a_key_is_handed_out_under_a_name_that_tells_less),
		cmocka_unit_test(what_alice_encrypts_bob_reads_and_knows_from_whom),
		cmocka_unit_test(a_message_that_was_changed_is_refused_whole),
		cmocka_unit_test(what_is_larger_than_may_be_is_refused),
		cmocka_unit_test(a_detached_signature_holds_for_its_text_and_key_alone),
		cmocka_unit_test(strangers_keys_do_not_stay),
		cmocka_unit_test(a_secret_key_is_no_guest),
		cmocka_unit_test(an_old_key_still_reads_and_the_present_one_signs),
		cmocka_unit_test(a_revocation_certificate_is_armoured),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
