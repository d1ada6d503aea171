/* SPDX-License-Identifier: ISC */
#include "base/test_folder.h"

#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "base/hash.h"
#include "identity/export.h"
#include "identity/import.h"
#include "identity/lock.h"
#include "identity/tickets.h"

#define CHEAP ((struct seal_cost){ 1, SEAL_MEMORY_KIB_MIN })
#define PASSPHRASE slice_of_string("correct horse")
#define AT_PASSES 17
#define AT_MEMORY 21
#define SUM_BYTES 16

static int identities, dir;
static struct identity alice;
static struct secrets *plain;

static int
set_up(void **state)
{
	(void)state;
	if (identity_open_all("data", true, &identities, NULL) != 0 ||
	    identity_create(identities, "alice", "alice", slice_of_string("secret word"), "2026-01-31", &alice, NULL) != 0 ||
	    identity_open(identities, "alice", ".", &dir, NULL) != 0)
		return -1;
	plain = secrets_new();
	return secrets_load(dir, plain, NULL);
}

static int
tear_down(void **state)
{
	(void)state;
	close(identities);
	close(dir);
	secrets_free(plain);
	return file_remove_tree(AT_FDCWD, "data", NULL) | file_remove_tree(AT_FDCWD, "other", NULL) |
	    file_remove_tree(AT_FDCWD, "out", NULL);
}

static void
seal(struct lock *out, unsigned char key[LOCK_KEY_BYTES])
{
	struct error err;
	if (lock_seal(out, plain, PASSPHRASE, CHEAP, key, &err) != 0)
		fail_msg("%s", err.text);
}

static void
lock_it(void)
{
	struct lock lock;
	unsigned char key[LOCK_KEY_BYTES];
	seal(&lock, key);
	assert_int_equal(lock_save(dir, &lock, NULL), 0);
	assert_int_equal(lock_remove_plain(dir, NULL), 0);
}

static void
assert_is_plain(const struct secrets *secrets)
{
	assert_memory_equal(secrets->onion_key, plain->onion_key, sizeof plain->onion_key);
	assert_int_equal(secrets->tls_key_len, plain->tls_key_len);
	assert_memory_equal(secrets->tls_key, plain->tls_key, plain->tls_key_len);
	assert_true(plain->openpgp_key_len > 0);
	assert_int_equal(secrets->openpgp_key_len, plain->openpgp_key_len);
	assert_memory_equal(secrets->openpgp_key, plain->openpgp_key, plain->openpgp_key_len);
}

static void
the_passphrase_gives_the_secrets_back(void **state)
{
	(void)state;
	struct lock lock;
	struct secrets *again = secrets_new();
	struct onionkey onion_key;
	unsigned char key[LOCK_KEY_BYTES], derived[LOCK_KEY_BYTES];
	seal(&lock, key);
	assert_int_equal(lock_derive_key(&lock, PASSPHRASE, derived, NULL), 0);
	assert_memory_equal(derived, key, sizeof key);
	assert_int_equal(lock_open(&lock, derived, again, NULL), 0);
	assert_is_plain(again);
	assert_int_equal(secrets_onion_key(again, &alice, &onion_key, NULL), 0);
	secrets_free(again);
	assert_null(memmem(lock.bytes, lock.len, plain->onion_key + 32, 16));
	assert_null(memmem(lock.bytes, lock.len, "PRIVATE KEY", 11));
}

static void
a_wrong_passphrase_is_denied(void **state)
{
	(void)state;
	static const char *const wrong[] = { "correct hors", "correct horse ", "Correct horse", "x" };
	struct lock lock;
	struct secrets *again = secrets_new();
	struct error err;
	unsigned char key[LOCK_KEY_BYTES];
	seal(&lock, key);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_int_equal(lock_derive_key(&lock, slice_of_string(wrong[i]), key, NULL), 0);
		assert_int_equal(lock_open(&lock, key, again, &err), -1);
		assert_int_equal(err.code, ERROR_DENIED);
		assert_string_equal(err.text, "the passphrase is wrong");
	}
	assert_int_equal(again->tls_key_len, 0);
	secrets_free(again);
	assert_int_equal(lock_derive_key(&lock, slice_of_string(""), key, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
}

static void
every_damaged_byte_is_noticed(void **state)
{
	(void)state;
	struct lock lock;
	struct secrets *again = secrets_new();
	struct error err;
	unsigned char key[LOCK_KEY_BYTES];
	seal(&lock, key);
	size_t len = lock.len;
	for (size_t at = 0; at < len; at++) {
		lock.bytes[at] ^= 1;
		assert_int_equal(lock_open(&lock, key, again, &err), -1);
		assert_int_not_equal(err.code, ERROR_DENIED); /* nobody is told that his passphrase were wrong */
		lock.bytes[at] ^= 1;
	}
	for (lock.len = 0; lock.len < len; lock.len++)
		assert_int_equal(lock_open(&lock, key, again, NULL), -1);
	assert_int_equal(lock_open(&lock, key, again, NULL), 0);
	secrets_free(again);
}

static void
put_sum_right(struct lock *lock)
{
	struct hash hash;
	hash_init(&hash, SUM_BYTES, NULL, 0);
	hash_update(&hash, lock->bytes, lock->len - SUM_BYTES);
	hash_final(&hash, lock->bytes + lock->len - SUM_BYTES, SUM_BYTES);
}

/* The sum is no secret: whoever writes to the folder can put it right. */
static void
a_file_cannot_ask_for_much_memory_or_time(void **state)
{
	(void)state;
	static const uint64_t passes[] = { 0, SEAL_PASSES_MAX + 1, UINT32_MAX, 1, 1, 1 };
	static const uint64_t memory[] = { 64, 64, 64, SEAL_MEMORY_KIB_MAX + 1, UINT32_MAX, SEAL_MEMORY_KIB_MIN - 1 };
	struct lock lock;
	struct error err;
	unsigned char key[LOCK_KEY_BYTES];
	for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
		seal(&lock, key);
		encode_number(lock.bytes + AT_PASSES, passes[i], 4);
		encode_number(lock.bytes + AT_MEMORY, memory[i], 4);
		put_sum_right(&lock);
		assert_int_equal(lock_derive_key(&lock, PASSPHRASE, key, &err), -1);
		assert_int_equal(err.code, ERROR_TOO_LARGE);
	}
	seal(&lock, key);
	encode_number(lock.bytes + AT_PASSES, 2, 4); /* a cost that may be, but was not */
	put_sum_right(&lock);
	struct secrets *again = secrets_new();
	assert_int_equal(lock_open(&lock, key, again, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	secrets_free(again);
}

static void
a_locked_folder_holds_no_key(void **state)
{
	(void)state;
	struct lock lock;
	struct secrets *again = secrets_new();
	struct error err;
	unsigned char key[LOCK_KEY_BYTES];
	struct stat st;
	assert_int_equal(lock_look(dir), LOCK_NONE);
	assert_int_equal(lock_load(dir, &lock, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_int_equal(file_replace(dir, TICKETS_FILE, "x", 1, 0600, NULL), 0);
	lock_it();
	assert_int_equal(lock_look(dir), LOCK_WHOLE);
	assert_int_equal(fstatat(dir, TICKETS_FILE, &st, 0), -1);
	assert_int_equal(fstatat(dir, LOCK_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(secrets_load(dir, again, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_int_equal(file_remove_tree(dir, IDENTITY_MAIL_FOLDER, NULL), 0);
	assert_int_equal(test_folder_count("data/identities/alice", "PRIVATE KEY"), 0);
	assert_int_equal(test_folder_count("data/identities/alice", "ed25519v1-secret"), 0);
	assert_int_equal(lock_load(dir, &lock, NULL), 0);
	assert_int_equal(lock_derive_key(&lock, PASSPHRASE, key, NULL), 0);
	assert_int_equal(lock_open(&lock, key, again, NULL), 0);
	assert_int_equal(lock_restore_plain(dir, again, NULL), 0);
	assert_int_equal(lock_look(dir), LOCK_NONE);
	assert_int_equal(secrets_load(dir, again, NULL), 0);
	assert_is_plain(again);
	secrets_free(again);
}

static void
an_identity_may_be_locked_from_the_beginning(void **state)
{
	(void)state;
	struct identity made;
	struct lock lock;
	struct secrets *secrets = secrets_new();
	struct onionkey onion_key;
	unsigned char key[LOCK_KEY_BYTES];
	const struct identity_lock how = { PASSPHRASE, CHEAP, key };
	int folder;
	assert_int_equal(identity_create_locked(identities, "bob", "bob", &how, slice_of_string("secret word"), "2026-01-31",
	    &made, NULL), 0);
	assert_int_equal(identity_open(identities, "bob", ".", &folder, NULL), 0);
	assert_int_equal(lock_look(folder), LOCK_WHOLE);
	assert_int_equal(faccessat(folder, CERTIFICATE_FILE, F_OK, 0), 0);
	assert_int_equal(lock_load(folder, &lock, NULL), 0);
	assert_int_equal(lock_open(&lock, key, secrets, NULL), 0);
	assert_int_equal(secrets_onion_key(secrets, &made, &onion_key, NULL), 0);
	/* The certificate belongs to the key: nothing is made anew when both lie open. */
	struct buffer before, after;
	buffer_init(&before, CERTIFICATE_PEM_MAX);
	buffer_init(&after, CERTIFICATE_PEM_MAX);
	assert_int_equal(file_load(folder, CERTIFICATE_FILE, &before, NULL), 0);
	assert_int_equal(lock_restore_plain(folder, secrets, NULL), 0);
	assert_int_equal(certificate_ensure(folder, made.onion, NULL), 0);
	assert_int_equal(file_load(folder, CERTIFICATE_FILE, &after, NULL), 0);
	assert_int_equal(buffer_len(&before), buffer_len(&after));
	assert_memory_equal(buffer_bytes(&before), buffer_bytes(&after), buffer_len(&before));
	buffer_finish(&before);
	buffer_finish(&after);
	secrets_free(secrets);
	close(folder);
}

/* Locked before there were OpenPGP keys: version 1 has the TLS key to the end. */
static void
a_file_of_the_first_version_is_opened_and_gets_an_openpgp_key(void **state)
{
	(void)state;
	struct lock lock;
	struct secrets *again = secrets_new();
	unsigned char key[LOCK_KEY_BYTES], old[ONIONKEY_FILE_BYTES + CERTIFICATE_PEM_MAX];
	unsigned long long len;
	seal(&lock, key);
	lock.bytes[16] = 1;
	memcpy(old, plain->onion_key, ONIONKEY_FILE_BYTES);
	memcpy(old + ONIONKEY_FILE_BYTES, plain->tls_key, plain->tls_key_len);
	crypto_aead_xchacha20poly1305_ietf_encrypt(lock.bytes + LOCK_HEADER_BYTES, &len, old, ONIONKEY_FILE_BYTES + plain->tls_key_len,
	    lock.bytes, LOCK_HEADER_BYTES, NULL, lock.bytes + LOCK_HEADER_BYTES - crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, key);
	lock.len = LOCK_HEADER_BYTES + (size_t)len + SUM_BYTES;
	put_sum_right(&lock);
	assert_int_equal(lock_open(&lock, key, again, NULL), 0);
	assert_int_equal(again->openpgp_key_len, 0);
	assert_int_equal(again->tls_key_len, plain->tls_key_len);
	assert_memory_equal(again->tls_key, plain->tls_key, plain->tls_key_len);
	memcpy(again->openpgp_key, "another", 7);
	again->openpgp_key_len = 7;
	assert_int_equal(lock_seal_again(&lock, again, key, NULL), 0);
	unsigned char derived[LOCK_KEY_BYTES];
	assert_int_equal(lock_derive_key(&lock, PASSPHRASE, derived, NULL), 0); /* still the same passphrase's */
	assert_memory_equal(derived, key, sizeof key);
	memset(again, 0, sizeof *again);
	assert_int_equal(lock_open(&lock, key, again, NULL), 0);
	assert_int_equal(again->openpgp_key_len, 7);
	assert_memory_equal(again->openpgp_key, "another", 7);
	assert_memory_equal(again->tls_key, plain->tls_key, plain->tls_key_len);
	secrets_free(again);
}

/* All that a crash in the middle may leave. */
static void
what_a_crash_leaves_loses_nothing(void **state)
{
	(void)state;
	struct lock lock;
	unsigned char key[LOCK_KEY_BYTES];
	seal(&lock, key);
	assert_int_equal(lock_save(dir, &lock, NULL), 0);
	assert_int_equal(lock_look(dir), LOCK_BOTH); /* the plain ones count */
	assert_int_equal(unlinkat(dir, CERTIFICATE_KEY_FILE, 0), 0);
	assert_int_equal(lock_look(dir), LOCK_WHOLE); /* one is gone, and the locked file has both */
	assert_int_equal(lock_restore_plain(dir, plain, NULL), 0);
	assert_int_equal(lock_save(dir, &lock, NULL), 0);
	assert_int_equal(unlinkat(dir, IDENTITY_ONION_KEY_FILE, 0), 0);
	assert_int_equal(lock_look(dir), LOCK_WHOLE);
	assert_int_equal(lock_remove_plain(dir, NULL), 0);
	assert_int_equal(lock_look(dir), LOCK_WHOLE);
}

/* Of a command that was killed when it wrote one. */
static void
no_half_written_key_stays_plain(void **state)
{
	(void)state;
	static const char *const names[] = { "." IDENTITY_ONION_KEY_FILE ".abcdefgh", "." CERTIFICATE_KEY_FILE ".abcdefgh", "." IDENTITY_OPENPGP_FILE ".abcdefgh" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(file_replace(dir, names[i], "secret", 6, 0600, NULL), 0);
	lock_it();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(faccessat(dir, names[i], F_OK, 0), -1);
}

static int
move(struct error *err)
{
	struct identity moved;
	int other, fd = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600), out;
	assert_int_equal(export_identity(identities, "alice", fd, slice_of_string("of the file"), CHEAP, NULL, err), 0);
	assert_int_equal(identity_open_all("other", true, &other, err), 0);
	lseek(fd, 0, SEEK_SET);
	int result = import_identity(other, NULL, fd, slice_of_string("of the file"), NULL, &moved, err);
	close(fd);
	if (result == 0) {
		assert_string_equal(moved.onion, alice.onion);
		assert_int_equal(identity_open(other, "alice", ".", &out, err), 0);
		struct lock here, there;
		assert_int_equal(lock_look(out), LOCK_WHOLE);
		assert_int_equal(lock_load(dir, &here, err) | lock_load(out, &there, err), 0);
		assert_int_equal(here.len, there.len);
		assert_memory_equal(here.bytes, there.bytes, here.len);
		close(out);
	}
	close(other);
	return result;
}

static void
a_locked_identity_moves_locked(void **state)
{
	(void)state;
	struct error err;
	lock_it();
	if (move(&err) != 0)
		fail_msg("%s", err.text);
}

static void
a_damaged_lock_is_not_imported(void **state)
{
	(void)state;
	struct error err;
	lock_it();
	struct lock lock;
	assert_int_equal(lock_load(dir, &lock, NULL), 0);
	lock.bytes[70] ^= 1;
	assert_int_equal(lock_save(dir, &lock, NULL), 0);
	assert_int_equal(move(&err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
	assert_non_null(strstr(err.text, "damaged"));
}

static void
keys_of_another_address_are_refused(void **state)
{
	(void)state;
	struct identity other = alice;
	struct onionkey key;
	struct error err;
	memset(other.onion, 'a', 56);
	assert_int_equal(secrets_onion_key(plain, &other, &key, &err), -1);
	assert_int_equal(err.code, ERROR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_passphrase_gives_the_secrets_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_half_written_key_stays_plain, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_wrong_passphrase_is_denied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_damaged_byte_is_noticed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_cannot_ask_for_much_memory_or_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_locked_folder_holds_no_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_identity_may_be_locked_from_the_beginning, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_of_the_first_version_is_opened_and_gets_an_openpgp_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_crash_leaves_loses_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_locked_identity_moves_locked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_lock_is_not_imported, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_of_another_address_are_refused, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("identity/lock", tests, test_folder_make, test_folder_remove);
}
