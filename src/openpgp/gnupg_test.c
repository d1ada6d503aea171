/* SPDX-License-Identifier: ISC
 *
 * The same keys and messages in GnuPG: what is made here is read there, and the other way round.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "openpgp/openpgp.h"

#define TEXT "Dinner at eight?\r\n"
#define GPG "gpg --batch --quiet --no-auto-check-trustdb --trust-model always --pinentry-mode loopback --passphrase 'open sesame' "

static struct openpgp *alice;
static struct buffer alice_secret, alice_public, dave_public;
static struct openpgp_key alice_key, dave_key;

static void
run(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static void
write_file(const char *path, struct slice bytes)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
	assert_int_equal(fclose(file), 0);
}

static void
read_file(const char *path, struct buffer *out)
{
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	buffer_init(out, 1 << 20);
	unsigned char *room = buffer_reserve(out, 1 << 18, NULL);
	assert_non_null(room);
	buffer_commit(out, fread(room, 1, 1 << 18, file));
	fclose(file);
}

static struct slice
all_of(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

static int
enter(void **state)
{
	struct error err = { 0 };
	if (test_folder_make(state) != 0)
		return -1;
	assert_int_equal(mkdir("gnupg", 0700), 0);
	assert_int_equal(setenv("GNUPGHOME", "gnupg", 1), 0);
	write_file("dave", slice_of_string("Key-Type: EDDSA\nKey-Curve: ed25519\nSubkey-Type: ECDH\nSubkey-Curve: cv25519\n"
	    "Name-Email: dave@example.org\nExpire-Date: 0\nPassphrase: open sesame\n"));
	run(GPG "--gen-key dave 2>/dev/null");
	run("gpg --armor --export dave@example.org > dave.public");
	read_file("dave.public", &dave_public);
	buffer_init(&alice_secret, OPENPGP_KEY_MAX_BYTES);
	buffer_init(&alice_public, OPENPGP_ARMOURED_MAX_BYTES);
	assert_int_equal(openpgp_generate("alice@aliceonion.onion", (int64_t)time(NULL), &alice_secret, &err), 0);
	struct slice secret = all_of(&alice_secret);
	assert_int_equal(openpgp_new(&secret, 1, &alice, &err), 0);
	assert_int_equal(openpgp_public_key(alice, &alice_public, &err), 0);
	assert_int_equal(openpgp_look(all_of(&alice_public), &alice_key, &err), 0);
	assert_int_equal(openpgp_look(all_of(&dave_public), &dave_key, &err), 0);
	write_file("alice.public", all_of(&alice_public));
	run("gpg --batch --quiet --import alice.public");
	return 0;
}

static int
leave(void **state)
{
	run("gpgconf --kill gpg-agent");
	openpgp_free(alice);
	buffer_finish(&alice_secret);
	buffer_finish(&alice_public);
	buffer_finish(&dave_public);
	return test_folder_remove(state);
}

static void
gnupg_takes_our_key_for_what_it_is(void **state)
{
	(void)state;
	run("gpg --batch --with-colons --list-keys alice@aliceonion.onion > list");
	struct buffer list;
	read_file("list", &list);
	assert_non_null(memmem(buffer_bytes(&list), buffer_len(&list), alice_key.fingerprint, OPENPGP_FINGERPRINT_LEN));
	assert_non_null(memmem(buffer_bytes(&list), buffer_len(&list), ":ed25519:", 9));
	assert_non_null(memmem(buffer_bytes(&list), buffer_len(&list), ":cv25519:", 9));
	buffer_finish(&list);
}

static void
gnupg_reads_what_we_encrypt_and_knows_our_signature(void **state)
{
	(void)state;
	struct buffer message, text;
	struct error err = { 0 };
	struct slice key = all_of(&dave_public);
	buffer_init(&message, 100000);
	if (openpgp_encrypt(alice, &key, 1, (int64_t)time(NULL), slice_of_string(TEXT), &message, &err) != 0)
		fail_msg("%s", err.text);
	write_file("message", all_of(&message));
	run(GPG "--status-file status --decrypt message > text 2>/dev/null");
	read_file("text", &text);
	assert_true(slice_is(all_of(&text), TEXT));
	buffer_finish(&text);
	run("grep -q '^.GNUPG:. VALIDSIG ' status && grep -q DECRYPTION_OKAY status && grep -q GOODMDC status");
	buffer_finish(&message);
	buffer_init(&message, 100000);
	assert_int_equal(openpgp_sign(alice, (int64_t)time(NULL), slice_of_string(TEXT), &message, &err), 0);
	write_file("signature", all_of(&message));
	run("gpg --batch --quiet --verify signature text 2>/dev/null");
	buffer_finish(&message);
}

static void
we_read_what_gnupg_encrypts_and_know_its_signature(void **state)
{
	(void)state;
	static const char *const ways[] = { "--sign --encrypt --armor", "--sign --encrypt", "--sign --encrypt --compress-level 9 --armor" };
	struct slice key = all_of(&dave_public);
	write_file("text", slice_of_string(TEXT));
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct buffer message, text;
		struct openpgp_verdict verdict;
		struct error err = { 0 };
		char command[512];
		snprintf(command, sizeof command, GPG "--yes %s -u dave@example.org -r alice@aliceonion.onion -o message text", ways[i]);
		run(command);
		read_file("message", &message);
		buffer_init(&text, 1000);
		if (openpgp_decrypt(alice, &key, 1, all_of(&message), &text, &verdict, &err) != 0)
			fail_msg("%s: %s", ways[i], err.text);
		assert_true(slice_is(all_of(&text), TEXT));
		assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_GOOD);
		assert_string_equal(verdict.fingerprint, dave_key.fingerprint);
		buffer_finish(&message);
		buffer_finish(&text);
	}
}

static void
we_verify_what_gnupg_signs(void **state)
{
	(void)state;
	struct buffer signature;
	struct openpgp_verdict verdict;
	struct slice key = all_of(&dave_public);
	write_file("text", slice_of_string(TEXT));
	run(GPG "--yes --armor --detach-sign -u dave@example.org -o signature text");
	read_file("signature", &signature);
	assert_int_equal(openpgp_verify(alice, &key, 1, slice_of_string(TEXT), all_of(&signature), &verdict, NULL), 0);
	assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_GOOD);
	assert_int_equal(openpgp_verify(alice, &key, 1, slice_of_string("other"), all_of(&signature), &verdict, NULL), 0);
	assert_int_equal(verdict.is_signed, OPENPGP_SIGNED_WRONG);
	buffer_finish(&signature);
}

static void
a_message_without_integrity_protection_is_refused(void **state)
{
	(void)state;
	struct buffer message, text;
	struct openpgp_verdict verdict;
	struct error err = { 0 };
	write_file("text", slice_of_string(TEXT));
	run(GPG "--yes --rfc2440 --cipher-algo AES --disable-mdc --encrypt -r alice@aliceonion.onion -o message text 2>/dev/null");
	read_file("message", &message);
	buffer_init(&text, 1000);
	assert_int_equal(openpgp_decrypt(alice, NULL, 0, all_of(&message), &text, &verdict, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	buffer_finish(&message);
}

static void
a_compression_bomb_is_stopped_at_the_limit(void **state)
{
	(void)state;
	struct buffer message, text;
	struct openpgp_verdict verdict;
	struct error err = { 0 };
	run("head -c 100000000 /dev/zero | " GPG "--yes --compress-level 9 --compress-algo zlib --encrypt -r alice@aliceonion.onion "
	    "-o message");
	read_file("message", &message);
	assert_true(buffer_len(&message) < 200000);
	buffer_init(&text, 1 << 20);
	assert_int_equal(openpgp_decrypt(alice, NULL, 0, all_of(&message), &text, &verdict, &err), -1);
	if (err.code != ERROR_TOO_LARGE)
		fail_msg("%s", err.text);
	buffer_finish(&message);
}

static void
a_key_of_gnupgs_becomes_the_owners_with_its_passphrase(void **state)
{
	(void)state;
	struct buffer armoured, secret;
	struct openpgp_key seen;
	struct error err = { 0 };
	run(GPG "--armor --export-secret-keys dave@example.org > dave.secret");
	read_file("dave.secret", &armoured);
	buffer_init(&secret, OPENPGP_KEY_MAX_BYTES);
	assert_int_equal(openpgp_import(all_of(&armoured), NULL, &secret, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	assert_int_equal(openpgp_import(all_of(&armoured), "open simsim", &secret, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	if (openpgp_import(all_of(&armoured), "open sesame", &secret, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(openpgp_look(all_of(&secret), &seen, &err), 0);
	assert_true(seen.has_secret);
	assert_string_equal(seen.fingerprint, dave_key.fingerprint);
	struct slice key = all_of(&secret);
	struct openpgp *dave;
	assert_int_equal(openpgp_new(&key, 1, &dave, &err), 0);
	struct buffer message, text;
	struct openpgp_verdict verdict;
	key = all_of(&dave_public);
	buffer_init(&message, 100000);
	assert_int_equal(openpgp_encrypt(alice, &key, 1, (int64_t)time(NULL), slice_of_string(TEXT), &message, &err), 0);
	buffer_init(&text, 1000);
	assert_int_equal(openpgp_decrypt(dave, NULL, 0, all_of(&message), &text, &verdict, &err), 0);
	assert_true(slice_is(all_of(&text), TEXT));
	openpgp_free(dave);
	buffer_finish(&text);
	buffer_finish(&message);
	buffer_finish(&secret);
	assert_int_equal(openpgp_import(all_of(&dave_public), NULL, &secret, &err), -1);
	assert_non_null(strstr(err.text, "public part"));
	buffer_finish(&armoured);
}

/* A key that was brought along, too: its name and comment stay at home, its expiry goes along. */
static void
gnupg_encrypts_to_a_key_under_another_name(void **state)
{
	(void)state;
	struct buffer armoured, secret, as, message, text;
	struct openpgp *erin;
	struct openpgp_key seen, before;
	struct openpgp_verdict verdict;
	struct error err = { 0 };
	run(GPG "--quick-gen-key 'Erin of the Hill <erin@example.org>' rsa2048 sign 2y 2>/dev/null");
	run(GPG "--quick-add-key $(gpg --batch --with-colons --list-keys erin@example.org | grep ^fpr | head -1 | cut -d: -f10) rsa2048 encr 2y");
	run(GPG "--export-secret-keys erin@example.org > erin.secret");
	read_file("erin.secret", &armoured);
	buffer_init(&secret, OPENPGP_KEY_MAX_BYTES);
	buffer_init(&as, OPENPGP_KEY_MAX_BYTES);
	buffer_init(&text, 1000);
	if (openpgp_import(all_of(&armoured), "open sesame", &secret, &err) != 0)
		fail_msg("%s", err.text);
	struct slice key = all_of(&secret);
	assert_int_equal(openpgp_new(&key, 1, &erin, &err), 0);
	assert_int_equal(openpgp_look(key, &before, &err), 0);
	if (openpgp_key_as(erin, "erinonion.onion", &as, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(openpgp_look(all_of(&as), &seen, &err), 0);
	assert_string_equal(seen.user_id, "erinonion.onion");
	assert_int_equal(seen.expires_s, before.expires_s);
	assert_true(seen.expires_s > 0);
	assert_null(memmem(buffer_bytes(&as), buffer_len(&as), "Hill", 4));
	write_file("erin.as", all_of(&as));
	run("mkdir -m 700 other && GNUPGHOME=other gpg --batch --quiet --import erin.as 2>/dev/null");
	write_file("text", slice_of_string(TEXT));
	run("GNUPGHOME=other " GPG "--yes --armor --encrypt -r erinonion.onion -o message text");
	read_file("message", &message);
	if (openpgp_decrypt(erin, NULL, 0, all_of(&message), &text, &verdict, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(slice_is(all_of(&text), TEXT));
	run("GNUPGHOME=other gpgconf --kill gpg-agent");
	openpgp_free(erin);
	buffer_finish(&armoured);
	buffer_finish(&secret);
	buffer_finish(&as);
	buffer_finish(&message);
	buffer_finish(&text);
}

static void
a_key_of_gnupg_is_kept_in_five_packets(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct openpgp_key key;
	struct buffer minimal, again;
	buffer_init(&minimal, OPENPGP_AUTOCRYPT_MAX_BYTES);
	buffer_init(&again, OPENPGP_AUTOCRYPT_MAX_BYTES);
	if (openpgp_minimal(all_of(&dave_public), &key, &minimal, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(key.fingerprint, dave_key.fingerprint);
	assert_int_equal(openpgp_autocrypt_scan(all_of(&minimal), &err), 0);
	assert_int_equal(openpgp_minimal(all_of(&minimal), &key, &again, &err), 0);
	assert_int_equal(buffer_len(&again), buffer_len(&minimal));
	assert_memory_equal(buffer_bytes(&again), buffer_bytes(&minimal), buffer_len(&minimal));
	buffer_finish(&again);
	assert_int_equal(openpgp_minimal(slice_of_string("no key"), &key, &again, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	buffer_finish(&minimal);
	buffer_finish(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_of_gnupg_is_kept_in_five_packets),
		cmocka_unit_test(gnupg_takes_our_key_for_what_it_is),
		cmocka_unit_test(gnupg_reads_what_we_encrypt_and_knows_our_signature),
		cmocka_unit_test(we_read_what_gnupg_encrypts_and_know_its_signature),
		cmocka_unit_test(we_verify_what_gnupg_signs),
		cmocka_unit_test(a_message_without_integrity_protection_is_refused),
		cmocka_unit_test(a_compression_bomb_is_stopped_at_the_limit),
		cmocka_unit_test(a_key_of_gnupgs_becomes_the_owners_with_its_passphrase),
		cmocka_unit_test(gnupg_encrypts_to_a_key_under_another_name),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
