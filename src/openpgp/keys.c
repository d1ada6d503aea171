/* SPDX-License-Identifier: ISC */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openpgp/ring.h"

#define ARMOUR_BEGINS "-----BEGIN PGP "
#define DAY_S (24 * 3600)
#define FLAG_CERTIFY 0x01 /* RFC 4880 5.2.3.21 */
#define FLAG_SIGN 0x02
#define HEAP_KEPT_BYTES (1 << 20)
#define LATEST_S 0xffffffffLL /* of a creation time in version 4 */

int
ring_error(struct error *err, enum error_code code, const char *what, rnp_result_t result)
{
	if (result == RNP_ERROR_OUT_OF_MEMORY)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	return error_set(err, code, "%s (%s)", what, rnp_result_to_string(result));
}

int
ring_new(rnp_ffi_t *out, struct error *err)
{
	/* It would tell standard error of everything that it does not like in strangers' bytes. Debian 12's does so all the same: see role_content.c. */
	setenv("RNP_LOG_CONSOLE", "0", 0);
	rnp_result_t result = rnp_ffi_create(out, RNP_KEYSTORE_GPG, RNP_KEYSTORE_GPG);
	return result == RNP_SUCCESS ? 0 : ring_error(err, ERROR_NO_MEMORY, "cannot begin with OpenPGP", result);
}

rnp_input_t
ring_input(struct slice bytes)
{
	rnp_input_t input;
	const unsigned char *data = bytes.data == NULL ? (const unsigned char *)"" : bytes.data;
	return rnp_input_from_memory(&input, data, bytes.len, false) == RNP_SUCCESS ? input : NULL;
}

rnp_output_t
ring_output(size_t max_bytes)
{
	rnp_output_t output;
	return rnp_output_to_memory(&output, max_bytes) == RNP_SUCCESS ? output : NULL;
}

int
ring_take(rnp_output_t output, struct buffer *out, struct error *err)
{
	uint8_t *bytes;
	size_t len;
	int result = rnp_output_memory_get_buf(output, &bytes, &len, false) == RNP_SUCCESS ? buffer_append(out, bytes, len, err) :
	    error_set(err, ERROR_NO_MEMORY, "out of memory");
	rnp_output_destroy(output);
	return result;
}

int
ring_unwrap(struct slice data, size_t max_bytes, struct buffer *room, struct slice *out, struct error *err)
{
	*out = data;
	if (data.len == 0 || (data.data[0] & 0x80) != 0)
		return 0;
	if (data.len / 2 > max_bytes)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP data is larger than %zu bytes", max_bytes);
	if (memmem(data.data, data.len, ARMOUR_BEGINS, sizeof ARMOUR_BEGINS - 1) == NULL) /* librnp would say so to standard error, too */
		return error_set(err, ERROR_INVALID, "this is no OpenPGP data: it neither is binary nor has a line that begins with " ARMOUR_BEGINS);
	rnp_input_t input = ring_input(data);
	rnp_output_t output = ring_output(max_bytes);
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	if (input != NULL && output != NULL)
		result = rnp_dearmor(input, output);
	rnp_input_destroy(input);
	if (result != RNP_SUCCESS) {
		rnp_output_destroy(output);
		return ring_error(err, ERROR_INVALID, "this is no OpenPGP data", result);
	}
	if (ring_take(output, room, err) != 0)
		return -1;
	*out = slice_of(buffer_bytes(room), buffer_len(room));
	return 0;
}

/* The fingerprint of the one primary key that is in the ring and was not before: the only one, or the one of the packet. */
static int
import(rnp_ffi_t ffi, struct slice binary, char fingerprint[OPENPGP_FINGERPRINT_LEN + 1], struct error *err)
{
	rnp_input_t input = ring_input(binary);
	char *results = NULL;
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	if (input != NULL)
		result = rnp_import_keys(ffi, input, RNP_LOAD_SAVE_PUBLIC_KEYS | RNP_LOAD_SAVE_SECRET_KEYS | RNP_LOAD_SAVE_SINGLE, &results);
	rnp_input_destroy(input);
	if (result != RNP_SUCCESS)
		return ring_error(err, ERROR_INVALID, "this OpenPGP key cannot be read", result);
	/* the primary key stands first in the list */
	const char *found = strstr(results, "\"fingerprint\"");
	found = found == NULL ? NULL : strpbrk(found + sizeof "\"fingerprint\"" - 1, "0123456789abcdefABCDEF");
	bool is_whole = found != NULL && strspn(found, "0123456789abcdefABCDEF") == OPENPGP_FINGERPRINT_LEN;
	for (size_t i = 0; is_whole && fingerprint != NULL && i < OPENPGP_FINGERPRINT_LEN; i++)
		fingerprint[i] = (char)(found[i] >= 'a' ? found[i] - 'a' + 'A' : found[i]);
	if (is_whole && fingerprint != NULL)
		fingerprint[OPENPGP_FINGERPRINT_LEN] = '\0';
	rnp_buffer_destroy(results);
	return is_whole ? 0 : error_set(err, ERROR_INVALID, "this OpenPGP key cannot be read");
}

int
ring_load(rnp_ffi_t ffi, struct slice key, char fingerprint[OPENPGP_FINGERPRINT_LEN + 1], struct error *err)
{
	struct buffer room;
	struct slice binary;
	buffer_init(&room, OPENPGP_KEY_MAX_BYTES);
	int result = ring_unwrap(key, OPENPGP_KEY_MAX_BYTES, &room, &binary, err);
	if (result == 0)
		result = openpgp_key_scan(binary, err);
	if (result == 0)
		result = import(ffi, binary, fingerprint, err);
	if (room.data != NULL)
		explicit_bzero(room.data, room.capacity);
	buffer_finish(&room);
	return result;
}

rnp_key_handle_t
ring_find(rnp_ffi_t ffi, const char *fingerprint)
{
	rnp_key_handle_t key = NULL;
	return rnp_locate_key(ffi, "fingerprint", fingerprint, &key) == RNP_SUCCESS ? key : NULL;
}

static bool
is_good_for(rnp_key_handle_t key, const char *usage)
{
	bool is_valid = false, is_allowed = false;
	return rnp_key_is_valid(key, &is_valid) == RNP_SUCCESS && is_valid &&
	    rnp_key_allows_usage(key, usage, &is_allowed) == RNP_SUCCESS && is_allowed;
}

/* Whether the key, or a subkey of it, is good for a usage now. (rnp_key_get_default_key() finds no signing key in a public one.) */
bool
ring_key_is_usable(rnp_key_handle_t key, const char *usage)
{
	size_t count = 0;
	bool is_valid = false, is_usable = is_good_for(key, usage);
	if (rnp_key_is_valid(key, &is_valid) != RNP_SUCCESS || !is_valid)
		return false;
	rnp_key_get_subkey_count(key, &count);
	for (size_t i = 0; i < count && !is_usable; i++) {
		rnp_key_handle_t subkey = NULL;
		if (rnp_key_get_subkey_at(key, i, &subkey) == RNP_SUCCESS)
			is_usable = is_good_for(subkey, usage);
		rnp_key_handle_destroy(subkey);
	}
	return is_usable;
}

static void
describe(rnp_key_handle_t key, struct openpgp_key *out)
{
	uint32_t created = 0;
	uint64_t till = UINT64_MAX;
	char *user_id = NULL;
	rnp_key_get_creation(key, &created);
	rnp_key_valid_till64(key, &till);
	rnp_key_have_secret(key, &out->has_secret);
	rnp_key_is_revoked(key, &out->is_revoked);
	rnp_key_is_expired(key, &out->is_expired);
	out->created_s = created;
	out->expires_s = till > (uint64_t)INT64_MAX ? 0 : (int64_t)till;
	out->can_encrypt = ring_key_is_usable(key, "encrypt");
	out->can_sign = ring_key_is_usable(key, "sign");
	if (rnp_key_get_primary_uid(key, &user_id) != RNP_SUCCESS)
		rnp_key_get_uid_at(key, 0, &user_id);
	snprintf(out->user_id, sizeof out->user_id, "%s", user_id == NULL ? "" : user_id);
	rnp_buffer_destroy(user_id);
}

int
openpgp_look(struct slice bytes, struct openpgp_key *out, struct error *err)
{
	rnp_ffi_t ffi;
	*out = (struct openpgp_key){ 0 };
	if (ring_new(&ffi, err) != 0)
		return -1;
	int result = ring_load(ffi, bytes, out->fingerprint, err);
	rnp_key_handle_t key = result == 0 ? ring_find(ffi, out->fingerprint) : NULL;
	if (key != NULL)
		describe(key, out);
	else if (result == 0)
		result = error_set(err, ERROR_INVALID, "this OpenPGP key cannot be read");
	rnp_key_handle_destroy(key);
	rnp_ffi_destroy(ffi);
	return result;
}

/* ---- making */

static rnp_result_t
generate_primary(rnp_ffi_t ffi, const char *address, rnp_key_handle_t *out)
{
	rnp_op_generate_t op = NULL;
	rnp_result_t result = rnp_op_generate_create(&op, ffi, "EDDSA");
	if (result == RNP_SUCCESS && (result = rnp_op_generate_set_userid(op, address)) == RNP_SUCCESS &&
	    (result = rnp_op_generate_set_hash(op, "SHA256")) == RNP_SUCCESS &&
	    (result = rnp_op_generate_set_expiration(op, 0)) == RNP_SUCCESS &&
	    (result = rnp_op_generate_add_pref_cipher(op, "AES256")) == RNP_SUCCESS &&
	    (result = rnp_op_generate_add_pref_cipher(op, "AES128")) == RNP_SUCCESS &&
	    (result = rnp_op_generate_add_pref_hash(op, "SHA256")) == RNP_SUCCESS &&
	    (result = rnp_op_generate_add_pref_compression(op, "Uncompressed")) == RNP_SUCCESS &&
	    (result = rnp_op_generate_execute(op)) == RNP_SUCCESS)
		result = rnp_op_generate_get_key(op, out);
	rnp_op_generate_destroy(op);
	return result;
}

static rnp_result_t
generate_subkey(rnp_ffi_t ffi, rnp_key_handle_t primary)
{
	rnp_op_generate_t op = NULL;
	rnp_result_t result = rnp_op_generate_subkey_create(&op, ffi, primary, "ECDH");
	if (result == RNP_SUCCESS && (result = rnp_op_generate_set_curve(op, "Curve25519")) == RNP_SUCCESS &&
	    (result = rnp_op_generate_set_hash(op, "SHA256")) == RNP_SUCCESS &&
	    (result = rnp_op_generate_set_expiration(op, 0)) == RNP_SUCCESS)
		result = rnp_op_generate_execute(op);
	rnp_op_generate_destroy(op);
	return result;
}

static int
export_secret(rnp_key_handle_t key, struct buffer *out, struct error *err)
{
	rnp_output_t output = ring_output(OPENPGP_KEY_MAX_BYTES);
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	if (output != NULL)
		result = rnp_key_export(key, output, RNP_KEY_EXPORT_SECRET | RNP_KEY_EXPORT_SUBKEYS);
	if (result == RNP_SUCCESS)
		return ring_take(output, out, err);
	rnp_output_destroy(output);
	return ring_error(err, ERROR_INVALID, "the OpenPGP key cannot be written", result);
}

int
openpgp_generate(const char *address, int64_t created_s, struct buffer *secret_key, struct error *err)
{
	rnp_ffi_t ffi; /* of its own, because the time is set for all that it does */
	rnp_key_handle_t key = NULL;
	if (created_s < DAY_S || created_s > LATEST_S)
		return error_set(err, ERROR_INVALID, "the clock is wrong: an OpenPGP key cannot be made at that time");
	if (ring_new(&ffi, err) != 0)
		return -1;
	rnp_result_t made = rnp_set_timestamp(ffi, (uint64_t)(created_s / DAY_S * DAY_S));
	if (made == RNP_SUCCESS)
		made = generate_primary(ffi, address, &key);
	if (made == RNP_SUCCESS)
		made = generate_subkey(ffi, key);
	int result = made == RNP_SUCCESS ? export_secret(key, secret_key, err) :
	    ring_error(err, ERROR_INVALID, "an OpenPGP key cannot be made", made);
	rnp_key_handle_destroy(key);
	rnp_ffi_destroy(ffi);
	return result;
}

int
openpgp_prepare(struct error *err)
{
	struct buffer key;
	/* RNP takes some 100 KiB for each message and frees them: a tenth of the time went into the kernel's giving and taking of them. */
	mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
	buffer_init(&key, OPENPGP_KEY_MAX_BYTES);
	int result = openpgp_generate("nobody@localhost", DAY_S, &key, err);
	if (key.data != NULL)
		explicit_bzero(key.data, key.capacity);
	buffer_finish(&key);
	return result;
}

/* ---- importing */

static int
unprotect(rnp_key_handle_t key, const char *passphrase, struct error *err)
{
	bool is_protected = false;
	rnp_result_t result = rnp_key_is_protected(key, &is_protected);
	if (result == RNP_SUCCESS && is_protected)
		result = rnp_key_unprotect(key, passphrase == NULL ? "" : passphrase);
	if (result == RNP_SUCCESS)
		return 0;
	return error_set(err, ERROR_DENIED, passphrase == NULL ? "the OpenPGP key has a passphrase, and none was given" :
	    "this is not the passphrase of the OpenPGP key");
}

static int
unprotect_all(rnp_key_handle_t key, const char *passphrase, struct error *err)
{
	size_t count = 0;
	if (unprotect(key, passphrase, err) != 0)
		return -1;
	rnp_key_get_subkey_count(key, &count);
	for (size_t i = 0; i < count; i++) {
		rnp_key_handle_t subkey = NULL;
		bool has_secret = false;
		if (rnp_key_get_subkey_at(key, i, &subkey) != RNP_SUCCESS)
			return error_set(err, ERROR_INVALID, "this OpenPGP key cannot be read");
		rnp_key_have_secret(subkey, &has_secret);
		int result = has_secret ? unprotect(subkey, passphrase, err) : 0;
		rnp_key_handle_destroy(subkey);
		if (result != 0)
			return -1;
	}
	return 0;
}

int
openpgp_import(struct slice bytes, const char *passphrase, struct buffer *secret_key, struct error *err)
{
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
	struct openpgp_key seen = { 0 };
	rnp_ffi_t ffi;
	if (ring_new(&ffi, err) != 0)
		return -1;
	int result = ring_load(ffi, bytes, fingerprint, err);
	rnp_key_handle_t key = result == 0 ? ring_find(ffi, fingerprint) : NULL;
	if (result == 0 && key == NULL)
		result = error_set(err, ERROR_INVALID, "this OpenPGP key cannot be read");
	if (result == 0) {
		describe(key, &seen);
		if (!seen.has_secret)
			result = error_set(err, ERROR_INVALID, "this is the public part of an OpenPGP key; the secret one is needed: "
			    "gpg --export-secret-keys %s", fingerprint);
		else if (!seen.can_sign || !seen.can_encrypt)
			result = error_set(err, ERROR_INVALID, "this OpenPGP key %s", seen.is_revoked ? "is revoked" : seen.is_expired ?
			    "has expired" : "cannot both sign and be encrypted to");
	}
	if (result == 0)
		result = unprotect_all(key, passphrase, err);
	if (result == 0)
		result = export_secret(key, secret_key, err);
	rnp_key_handle_destroy(key);
	rnp_ffi_destroy(ffi);
	return result;
}

int
openpgp_armour_secret(struct slice secret_key, struct buffer *armoured, struct error *err)
{
	rnp_input_t input = ring_input(secret_key);
	rnp_output_t output = ring_output(OPENPGP_ARMOURED_MAX_BYTES);
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	if (input != NULL && output != NULL)
		result = rnp_enarmor(input, output, "secret key");
	rnp_input_destroy(input);
	if (result == RNP_SUCCESS)
		return ring_take(output, armoured, err);
	rnp_output_destroy(output);
	return ring_error(err, ERROR_INVALID, "the OpenPGP key cannot be written", result);
}

/* ---- the owner's */

int
openpgp_new(const struct slice *secret_keys, size_t count, struct openpgp **out, struct error *err)
{
	if (count == 0 || count > OPENPGP_OWN_KEYS_MAX)
		return error_set(err, ERROR_INVALID, "an identity has 1 to %d OpenPGP keys", OPENPGP_OWN_KEYS_MAX);
	struct openpgp *pgp = calloc(1, sizeof *pgp);
	if (pgp == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	int result = ring_new(&pgp->ffi, err);
	for (; result == 0 && pgp->own_count < count; pgp->own_count++)
		result = ring_load(pgp->ffi, secret_keys[pgp->own_count], pgp->own[pgp->own_count], err);
	if (result != 0) {
		openpgp_free(pgp);
		return -1;
	}
	*out = pgp;
	return 0;
}

void
openpgp_free(struct openpgp *pgp)
{
	if (pgp == NULL)
		return;
	rnp_ffi_destroy(pgp->ffi);
	free(pgp);
}

/* Writes something of the present key. */
static int
export(struct openpgp *pgp, rnp_result_t (*write)(rnp_key_handle_t, rnp_output_t), struct buffer *out, struct error *err)
{
	rnp_key_handle_t key = ring_find(pgp->ffi, pgp->own[0]);
	rnp_output_t output = ring_output(OPENPGP_ARMOURED_MAX_BYTES);
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	if (key != NULL && output != NULL)
		result = write(key, output);
	rnp_key_handle_destroy(key);
	if (result == RNP_SUCCESS)
		return ring_take(output, out, err);
	rnp_output_destroy(output);
	return ring_error(err, ERROR_INVALID, "the OpenPGP key cannot be written", result);
}

static rnp_result_t
export_autocrypt(rnp_key_handle_t key, rnp_output_t output, uint32_t flags)
{
	char *user_id = NULL;
	rnp_result_t result = rnp_key_get_primary_uid(key, &user_id);
	if (result == RNP_SUCCESS)
		result = rnp_key_export_autocrypt(key, NULL, user_id, output, flags);
	rnp_buffer_destroy(user_id);
	return result;
}

static rnp_result_t
write_autocrypt(rnp_key_handle_t key, rnp_output_t output)
{
	return export_autocrypt(key, output, RNP_KEY_EXPORT_BASE64);
}

static rnp_result_t
write_autocrypt_binary(rnp_key_handle_t key, rnp_output_t output)
{
	return export_autocrypt(key, output, 0);
}

static rnp_result_t
write_public(rnp_key_handle_t key, rnp_output_t output)
{
	return rnp_key_export(key, output, RNP_KEY_EXPORT_PUBLIC | RNP_KEY_EXPORT_SUBKEYS | RNP_KEY_EXPORT_ARMORED);
}

static rnp_result_t
write_revocation(rnp_key_handle_t key, rnp_output_t output)
{
	return rnp_key_export_revocation(key, output, RNP_KEY_EXPORT_ARMORED, "SHA256", "no", NULL);
}

int
openpgp_autocrypt(struct openpgp *pgp, struct buffer *base64, struct error *err)
{
	return export(pgp, write_autocrypt, base64, err);
}

int
openpgp_public_key(struct openpgp *pgp, struct buffer *armoured, struct error *err)
{
	return export(pgp, write_public, armoured, err);
}

int
openpgp_revocation(struct openpgp *pgp, struct buffer *armoured, struct error *err)
{
	return export(pgp, write_revocation, armoured, err);
}

int
openpgp_minimal(struct slice bytes, struct openpgp_key *out, struct buffer *binary, struct error *err)
{
	rnp_ffi_t ffi;
	*out = (struct openpgp_key){ 0 };
	if (ring_new(&ffi, err) != 0)
		return -1;
	int result = ring_load(ffi, bytes, out->fingerprint, err);
	rnp_key_handle_t key = result == 0 ? ring_find(ffi, out->fingerprint) : NULL;
	rnp_output_t output = key != NULL ? ring_output(OPENPGP_AUTOCRYPT_MAX_BYTES) : NULL;
	if (key != NULL)
		describe(key, out);
	if (result == 0 && (output == NULL || !out->can_encrypt || out->is_revoked || out->is_expired))
		result = error_set(err, ERROR_INVALID, "nobody can encrypt to this OpenPGP key%s", out->is_revoked ? ": it is revoked" :
		    out->is_expired ? ": it has expired" : "");
	if (result == 0 && export_autocrypt(key, output, 0) != RNP_SUCCESS)
		result = error_set(err, ERROR_TOO_LARGE, "the OpenPGP key cannot be written in %d octets", OPENPGP_AUTOCRYPT_MAX_BYTES);
	if (result == 0)
		result = ring_take(output, binary, err);
	else
		rnp_output_destroy(output);
	rnp_key_handle_destroy(key);
	rnp_ffi_destroy(ffi);
	return result;
}

/* ---- under another name */

/* Certified by the key itself, at the time of its making, since the time tells when somebody asked. */
static rnp_result_t
add_user_id(rnp_ffi_t ffi, rnp_key_handle_t key, const char *user_id)
{
	uint32_t created = 0, expires = 0;
	bool can_sign = false;
	rnp_result_t result = rnp_key_get_creation(key, &created);
	if (result == RNP_SUCCESS && (result = rnp_key_get_expiration(key, &expires)) == RNP_SUCCESS &&
	    (result = rnp_key_allows_usage(key, "sign", &can_sign)) == RNP_SUCCESS &&
	    (result = rnp_set_timestamp(ffi, created)) == RNP_SUCCESS)
		result = rnp_key_add_uid(key, user_id, "SHA256", expires, (uint8_t)(can_sign ? FLAG_CERTIFY | FLAG_SIGN : FLAG_CERTIFY), false);
	rnp_set_timestamp(ffi, 0);
	return result;
}

static int
export_as(rnp_ffi_t ffi, const char *fingerprint, const char *user_id, struct buffer *out, struct error *err)
{
	rnp_key_handle_t key = ring_find(ffi, fingerprint);
	rnp_output_t output = ring_output(OPENPGP_KEY_MAX_BYTES);
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	if (key != NULL && output != NULL)
		result = add_user_id(ffi, key, user_id);
	if (result == RNP_SUCCESS)
		result = rnp_key_export_autocrypt(key, NULL, user_id, output, 0);
	rnp_key_handle_destroy(key);
	if (result == RNP_SUCCESS)
		return ring_take(output, out, err);
	rnp_output_destroy(output);
	return ring_error(err, ERROR_INVALID, "the OpenPGP key cannot be written", result);
}

int
openpgp_key_as(struct openpgp *pgp, const char *user_id, struct buffer *binary, struct error *err)
{
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
	struct buffer secret;
	rnp_ffi_t ffi = NULL;
	if (user_id == NULL)
		return export(pgp, write_autocrypt_binary, binary, err);
	buffer_init(&secret, OPENPGP_KEY_MAX_BYTES);
	rnp_key_handle_t key = ring_find(pgp->ffi, pgp->own[0]);
	int result = key == NULL ? error_set(err, ERROR_NO_MEMORY, "out of memory") : export_secret(key, &secret, err);
	rnp_key_handle_destroy(key);
	if (result == 0)
		result = ring_new(&ffi, err); /* of its own, so that the name stays out of all else */
	if (result == 0)
		result = ring_load(ffi, slice_of(buffer_bytes(&secret), buffer_len(&secret)), fingerprint, err);
	if (result == 0)
		result = export_as(ffi, fingerprint, user_id, binary, err);
	if (ffi != NULL)
		rnp_ffi_destroy(ffi);
	if (secret.data != NULL)
		explicit_bzero(secret.data, secret.capacity);
	buffer_finish(&secret);
	return result;
}
