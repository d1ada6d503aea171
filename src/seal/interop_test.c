/* SPDX-License-Identifier: ISC
 *
 * The same messages in GnuPG and in Sequoia (sqop): what is sealed here is read there with its signature, and the other way round.
 */
#include "seal/test_seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/test_folder.h"

#define GPG "gpg --batch --yes --quiet --no-auto-check-trustdb --trust-model always "
#define PAYLOAD "Content-Type: text/plain; charset=utf-8; hp=\"cipher\"\r\nSubject: Dinner\r\n\r\nAt the caf\xc3\xa9?\r\n"
#define OUTSIDE "From: " ALICE "\r\nTo: " BOB "\r\nSubject: ...\r\n"

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

static int
enter(void **state)
{
	if (test_folder_make(state) != 0 || people_come(state) != 0)
		return -1;
	assert_int_equal(mkdir("gnupg", 0700), 0);
	assert_int_equal(setenv("GNUPGHOME", "gnupg", 1), 0);
	write_file("alice.key", all_of(&alice.secret));
	write_file("bob.key", all_of(&bob.secret));
	write_file("alice.cert", alice.key);
	write_file("bob.cert", bob.key);
	run(GPG "--import alice.key bob.key 2>/dev/null");
	return 0;
}

static int
leave(void **state)
{
	run("gpgconf --kill gpg-agent");
	people_go(state);
	return test_folder_remove(state);
}

/* The armour of a sealed message, into a file. */
static void
write_armour(struct slice message)
{
	const char *begin = memmem(message.data, message.len, "-----BEGIN PGP MESSAGE", 22);
	const char *end = memmem(message.data, message.len, "-----END PGP MESSAGE-----\r\n", 27);
	assert_non_null(begin);
	assert_non_null(end);
	write_file("armour", slice_of(begin, (size_t)(end + 27 - begin)));
}

static void
both_read_what_is_sealed_here_and_know_the_signature(void **state)
{
	(void)state;
	static const char *const commands[] = {
		GPG "--status-file status --decrypt armour > plain 2>/dev/null && grep -q ' VALIDSIG ' status && grep -q GOODMDC status",
		"sqop decrypt --verify-out verified --verify-with alice.cert bob.key < armour > plain && test -s verified",
	};
	struct buffer sealed, plain;
	seal_for(&bob.key, 1, slice_of_string("From: " ALICE "\r\nTo: " BOB "\r\nSubject: Dinner\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n\r\nAt the caf\xc3\xa9?\r\n"), &sealed);
	write_armour(all_of(&sealed));
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		run(commands[i]);
		buffer_init(&plain, 100000);
		assert_int_equal(file_load(AT_FDCWD, "plain", &plain, NULL), 0);
		assert_true(has_text(all_of(&plain), "Subject: Dinner\r\n"));
		assert_true(has_text(all_of(&plain), "\r\n\r\nAt the caf\xc3\xa9?\r\n"));
		buffer_finish(&plain);
		assert_int_equal(unlink("plain"), 0);
	}
	buffer_finish(&sealed);
}

static void
make_message(const char *what, struct buffer *out)
{
	struct buffer armour;
	write_file("payload", slice_of_string(PAYLOAD));
	run(what);
	buffer_init(&armour, 4 << 20);
	buffer_init(out, 4 << 20);
	assert_int_equal(file_load(AT_FDCWD, "theirs", &armour, NULL), 0);
	assert_int_equal(buffer_printf(out, NULL, OUTSIDE FRAME_BEGIN "%.*s" FRAME_END, (int)buffer_len(&armour),
	    (const char *)buffer_bytes(&armour)), 0);
	buffer_finish(&armour);
}

static void
what_both_encrypt_and_sign_is_opened_here(void **state)
{
	(void)state;
	static const char *const commands[] = {
		GPG "--armor --sign --encrypt -u " ALICE " -r " BOB " -o theirs payload",
		GPG "--armor --textmode --compress-level 9 --sign --encrypt -u " ALICE " -r " BOB " -r " ALICE " -o theirs payload",
		"sqop encrypt --sign-with alice.key bob.cert < payload > theirs",
		"sqop encrypt --sign-with alice.key bob.cert alice.cert < payload > theirs",
	};
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		struct buffer message, opened;
		make_message(commands[i], &message);
		struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, all_of(&message), &opened);
		if (facts.encryption != PGPMIME_OPENED || facts.signature != PGPMIME_SIGNED_GOOD)
			fail_msg("%s: %d %d %s", commands[i], facts.encryption, facts.signature, facts.why);
		assert_true(has_text(all_of(&opened), "Subject: Dinner\r\n"));
		assert_true(has_text(all_of(&opened), "\r\n\r\nAt the caf\xc3\xa9?\r\n"));
		buffer_finish(&message);
		buffer_finish(&opened);
	}
}

static void
what_both_sign_is_verified_here(void **state)
{
	(void)state;
	static const char *const commands[] = {
		GPG "--armor --detach-sign -u " ALICE " -o theirs payload",
		"sqop sign --as=text alice.key < payload > theirs",
		"sqop sign --as=binary alice.key < payload > theirs",
	};
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		struct buffer signature, message, opened;
		write_file("payload", slice_of_string(PAYLOAD));
		run(commands[i]);
		buffer_init(&signature, 100000);
		buffer_init(&message, 100000);
		assert_int_equal(file_load(AT_FDCWD, "theirs", &signature, NULL), 0);
		assert_int_equal(buffer_printf(&message, NULL, OUTSIDE "Content-Type: multipart/signed; boundary=s;\r\n"
		    " micalg=pgp-sha512; protocol=\"application/pgp-signature\"\r\n\r\n--s\r\n%s\r\n--s\r\n"
		    "Content-Type: application/pgp-signature; name=signature.asc\r\n\r\n%.*s\r\n--s--\r\n", PAYLOAD,
		    (int)buffer_len(&signature), (const char *)buffer_bytes(&signature)), 0);
		struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, all_of(&message), &opened);
		if (facts.signature != PGPMIME_SIGNED_GOOD)
			fail_msg("%s: %d", commands[i], facts.signature);
		buffer_finish(&signature);
		buffer_finish(&message);
	}
}

static void
without_integrity_protection_nothing_is_shown(void **state)
{
	(void)state;
	struct buffer message, opened;
	make_message(GPG "--armor --rfc2440 --cipher-algo AES --disable-mdc --encrypt -r " BOB " -o theirs payload 2>/dev/null", &message);
	struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, all_of(&message), &opened);
	assert_int_equal(facts.encryption, PGPMIME_CHANGED);
	assert_non_null(strstr(facts.why, "integrity"));
	buffer_finish(&message);
}

static void
a_compression_bomb_is_stopped(void **state)
{
	(void)state;
	struct buffer message, opened;
	make_message("head -c 300000000 /dev/zero | " GPG "--armor --compress-level 9 --compress-algo zlib --encrypt -r " BOB " -o theirs",
	    &message);
	struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, all_of(&message), &opened);
	assert_int_equal(facts.encryption, PGPMIME_UNREADABLE);
	assert_non_null(strstr(facts.why, "larger"));
	buffer_finish(&message);
}

static void
thousands_of_packets_inside_are_stopped(void **state)
{
	(void)state;
	struct buffer bomb, message, opened;
	/* one-pass signatures of nobody's, each of which says that another one follows */
	static const unsigned char packet[] = { 0xc4, 13, 3, 0, 8, 22, 1, 2, 3, 4, 5, 6, 7, 8, 0 };
	buffer_init(&bomb, 1 << 20);
	for (unsigned i = 0; i < 50000; i++)
		assert_int_equal(buffer_append(&bomb, packet, sizeof packet, NULL), 0);
	write_file("bomb", all_of(&bomb));
	make_message(GPG "--armor --no-literal --compress-level 0 --encrypt -r " BOB " -o theirs bomb", &message);
	struct pgpmime_facts facts = bob_opens(&alice.key, 1, ALICE, all_of(&message), &opened);
	assert_int_not_equal(facts.encryption, PGPMIME_OPENED);
	assert_int_equal(facts.signature, PGPMIME_UNSIGNED);
	buffer_finish(&message);
	buffer_finish(&bomb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_read_what_is_sealed_here_and_know_the_signature),
		cmocka_unit_test(what_both_encrypt_and_sign_is_opened_here),
		cmocka_unit_test(what_both_sign_is_verified_here),
		cmocka_unit_test(without_integrity_protection_nothing_is_shown),
		cmocka_unit_test(a_compression_bomb_is_stopped),
		cmocka_unit_test(thousands_of_packets_inside_are_stopped),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
