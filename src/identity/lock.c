/* SPDX-License-Identifier: ISC */
#include "identity/lock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/secret.h"
#include "identity/tickets.h"

#define MAGIC "SMTorP secrets\n" /* and a NUL */
#define MAGIC_BYTES 16
#define VERSION 2
#define VERSION_WITHOUT_OPENPGP 1
#define AT_VERSION MAGIC_BYTES
#define AT_PASSES (AT_VERSION + 1)
#define AT_MEMORY (AT_PASSES + 4)
#define AT_SALT (AT_MEMORY + 4)
#define AT_NONCE (AT_SALT + SEAL_SALT_BYTES)
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define SUM_BYTES 16
#define AT_TLS (ONIONKEY_FILE_BYTES + 2) /* behind the length of the TLS key */
#define PLAIN_MAX (AT_TLS + CERTIFICATE_PEM_MAX + IDENTITY_OPENPGP_MAX_BYTES)

static_assert(sizeof MAGIC == MAGIC_BYTES, "the header's layout");
static_assert(AT_NONCE + NONCE_BYTES == LOCK_HEADER_BYTES, "the header's layout");
static_assert(TAG_BYTES + SUM_BYTES == LOCK_OVERHEAD_BYTES, "the end's layout");
static_assert(LOCK_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the key's size");

/* ---- the file's form */

static void
compute_sum(const unsigned char *bytes, size_t len, unsigned char out[SUM_BYTES])
{
	struct hash hash;
	hash_init(&hash, SUM_BYTES, NULL, 0);
	hash_update(&hash, bytes, len);
	hash_final(&hash, out, SUM_BYTES);
}

static struct seal_cost
cost_of(const struct lock *lock)
{
	return (struct seal_cost){ (uint32_t)encode_from_number(lock->bytes + AT_PASSES, 4),
		(uint32_t)encode_from_number(lock->bytes + AT_MEMORY, 4) };
}

int
lock_check(const struct lock *lock, struct error *err)
{
	unsigned char sum[SUM_BYTES];
	if (lock->len < MAGIC_BYTES + 1 || memcmp(lock->bytes, MAGIC, MAGIC_BYTES) != 0)
		return error_set(err, ERROR_INVALID, "the file " LOCK_FILE " is none that `smtorp identity passphrase` made");
	if (lock->bytes[AT_VERSION] != VERSION && lock->bytes[AT_VERSION] != VERSION_WITHOUT_OPENPGP)
		return error_set(err, ERROR_UNSUPPORTED, "the file " LOCK_FILE " is of version %u, made by a later smtorp: install that",
		    lock->bytes[AT_VERSION]);
	if (lock->len <= LOCK_HEADER_BYTES + ONIONKEY_FILE_BYTES + LOCK_OVERHEAD_BYTES || lock->len > LOCK_BYTES_MAX)
		return error_set(err, ERROR_INVALID, "the file " LOCK_FILE " is damaged: it has the wrong length");
	compute_sum(lock->bytes, lock->len - SUM_BYTES, sum);
	if (memcmp(sum, lock->bytes + lock->len - SUM_BYTES, SUM_BYTES) != 0)
		return error_set(err, ERROR_INVALID, "the file " LOCK_FILE " is damaged: no passphrase can open it; a recovery sheet or "
		    "an exported file brings the address back");
	return seal_check_cost(cost_of(lock), err);
}

int
lock_seal_again(struct lock *lock, const struct secrets *secrets, const unsigned char key[LOCK_KEY_BYTES], struct error *err)
{
	assert(secrets->tls_key_len > 0 && secrets->tls_key_len <= sizeof secrets->tls_key);
	assert(secrets->openpgp_key_len <= sizeof secrets->openpgp_key);
	if (lock->len != 0 && lock_check(lock, err) != 0)
		return -1;
	unsigned char *plain = secret_new(PLAIN_MAX);
	unsigned long long sealed_len;
	size_t len = AT_TLS + secrets->tls_key_len + secrets->openpgp_key_len;
	lock->bytes[AT_VERSION] = VERSION;
	random_bytes(lock->bytes + AT_NONCE, NONCE_BYTES);
	memcpy(plain, secrets->onion_key, ONIONKEY_FILE_BYTES);
	encode_number(plain + ONIONKEY_FILE_BYTES, secrets->tls_key_len, 2);
	memcpy(plain + AT_TLS, secrets->tls_key, secrets->tls_key_len);
	memcpy(plain + AT_TLS + secrets->tls_key_len, secrets->openpgp_key, secrets->openpgp_key_len);
	crypto_aead_xchacha20poly1305_ietf_encrypt(lock->bytes + LOCK_HEADER_BYTES, &sealed_len, plain, len, lock->bytes,
	    LOCK_HEADER_BYTES, NULL, lock->bytes + AT_NONCE, key);
	secret_free(plain);
	lock->len = LOCK_HEADER_BYTES + (size_t)sealed_len;
	compute_sum(lock->bytes, lock->len, lock->bytes + lock->len);
	lock->len += SUM_BYTES;
	return 0;
}

int
lock_seal(struct lock *out, const struct secrets *secrets, struct slice passphrase, struct seal_cost cost,
    unsigned char key[LOCK_KEY_BYTES], struct error *err)
{
	memset(out, 0, sizeof *out);
	memcpy(out->bytes, MAGIC, MAGIC_BYTES);
	encode_number(out->bytes + AT_PASSES, cost.passes, 4);
	encode_number(out->bytes + AT_MEMORY, cost.memory_kib, 4);
	random_bytes(out->bytes + AT_SALT, SEAL_SALT_BYTES);
	if (seal_derive_key(out->bytes + AT_SALT, cost, passphrase, key, err) != 0)
		return -1;
	return lock_seal_again(out, secrets, key, err);
}

int
lock_derive_key(const struct lock *lock, struct slice passphrase, unsigned char key[LOCK_KEY_BYTES], struct error *err)
{
	if (lock_check(lock, err) != 0)
		return -1;
	return seal_derive_key(lock->bytes + AT_SALT, cost_of(lock), passphrase, key, err);
}

/* Of what was vouched for, so that a length that does not fit is a mistake of our own. */
static int
take_secrets(const unsigned char *plain, size_t len, bool has_openpgp, struct secrets *out, struct error *err)
{
	size_t at = has_openpgp ? AT_TLS : ONIONKEY_FILE_BYTES;
	size_t tls_len = has_openpgp && len >= at ? (size_t)encode_from_number(plain + ONIONKEY_FILE_BYTES, 2) : len - at;
	if (len < at || tls_len > len - at || tls_len > sizeof out->tls_key || len - at - tls_len > sizeof out->openpgp_key)
		return error_set(err, ERROR_INVALID, "the file " LOCK_FILE " does not hold what it should");
	memcpy(out->onion_key, plain, ONIONKEY_FILE_BYTES);
	out->tls_key_len = tls_len;
	memcpy(out->tls_key, plain + at, tls_len);
	out->openpgp_key_len = len - at - tls_len;
	memcpy(out->openpgp_key, plain + at + tls_len, out->openpgp_key_len);
	return 0;
}

int
lock_open(const struct lock *lock, const unsigned char key[LOCK_KEY_BYTES], struct secrets *out, struct error *err)
{
	if (lock_check(lock, err) != 0)
		return -1;
	unsigned char *plain = secret_new(PLAIN_MAX);
	unsigned long long len;
	int result = 0;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &len, NULL, lock->bytes + LOCK_HEADER_BYTES,
	        lock->len - LOCK_HEADER_BYTES - SUM_BYTES, lock->bytes, LOCK_HEADER_BYTES, lock->bytes + AT_NONCE, key) != 0)
		result = error_set(err, ERROR_DENIED, "the passphrase is wrong");
	else
		result = take_secrets(plain, (size_t)len, lock->bytes[AT_VERSION] != VERSION_WITHOUT_OPENPGP, out, err);
	secret_free(plain);
	return result;
}

/* ---- the file in the folder */

static bool
is_there(int dir_fd, const char *name)
{
	struct stat st;
	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

enum lock_state
lock_look(int dir_fd)
{
	if (!is_there(dir_fd, LOCK_FILE))
		return LOCK_NONE;
	/* A crash may leave one of the two: the locked file still has both. */
	return is_there(dir_fd, IDENTITY_ONION_KEY_FILE) && is_there(dir_fd, CERTIFICATE_KEY_FILE) ? LOCK_BOTH : LOCK_WHOLE;
}

int
lock_load(int dir_fd, struct lock *out, struct error *err)
{
	struct buffer file;
	buffer_init(&file, sizeof out->bytes);
	int result = file_load(dir_fd, LOCK_FILE, &file, err);
	out->len = 0;
	if (result == 0) {
		out->len = buffer_len(&file);
		memcpy(out->bytes, buffer_bytes(&file), out->len);
	}
	buffer_finish(&file);
	return result;
}

int
lock_save(int dir_fd, const struct lock *lock, struct error *err)
{
	return file_replace(dir_fd, LOCK_FILE, lock->bytes, lock->len, 0600, err);
}

int
lock_make(int dir_fd, const struct onionkey *onion_key, struct slice openpgp_key, const char *onion, struct slice passphrase,
    struct seal_cost cost, unsigned char key_out[LOCK_KEY_BYTES], struct error *err)
{
	struct secrets *secrets = secrets_new();
	struct buffer key, certificate;
	struct lock lock;
	buffer_init(&key, CERTIFICATE_PEM_MAX);
	buffer_init(&certificate, CERTIFICATE_PEM_MAX);
	int result = certificate_create(onion, &key, &certificate, err);
	if (result == 0) {
		onionkey_to_file(onion_key, secrets->onion_key);
		secrets->tls_key_len = buffer_len(&key);
		memcpy(secrets->tls_key, buffer_bytes(&key), buffer_len(&key));
		assert(openpgp_key.len <= sizeof secrets->openpgp_key);
		secrets->openpgp_key_len = openpgp_key.len;
		memcpy(secrets->openpgp_key, openpgp_key.data, openpgp_key.len);
		result = lock_seal(&lock, secrets, passphrase, cost, key_out, err);
	}
	if (result == 0)
		result = file_replace(dir_fd, CERTIFICATE_FILE, buffer_bytes(&certificate), buffer_len(&certificate), 0600, err);
	if (result == 0)
		result = lock_save(dir_fd, &lock, err);
	if (key.data != NULL)
		explicit_bzero(key.data, key.capacity);
	buffer_finish(&certificate);
	buffer_finish(&key);
	secrets_free(secrets);
	return result;
}

static int
remove_durably(int dir_fd, const char *const *names, struct error *err)
{
	for (; *names != NULL; names++)
		if (file_remove_replaced(dir_fd, *names, err) != 0)
			return -1;
	return fsync(dir_fd) == 0 ? 0 : error_set_errno(err, errno, "cannot make the removal durable");
}

int
lock_remove_plain(int dir_fd, struct error *err)
{
	static const char *const names[] = { IDENTITY_ONION_KEY_FILE, CERTIFICATE_KEY_FILE, IDENTITY_OPENPGP_FILE, TICKETS_FILE, NULL };
	return remove_durably(dir_fd, names, err);
}

int
lock_restore_plain(int dir_fd, const struct secrets *secrets, struct error *err)
{
	static const char *const names[] = { LOCK_FILE, NULL };
	if (secrets->openpgp_key_len > 0 &&
	    file_replace(dir_fd, IDENTITY_OPENPGP_FILE, secrets->openpgp_key, secrets->openpgp_key_len, 0600, err) != 0)
		return -1;
	if (file_replace(dir_fd, CERTIFICATE_KEY_FILE, secrets->tls_key, secrets->tls_key_len, 0600, err) != 0 ||
	    file_replace(dir_fd, IDENTITY_ONION_KEY_FILE, secrets->onion_key, sizeof secrets->onion_key, 0600, err) != 0)
		return -1;
	return remove_durably(dir_fd, names, err);
}
