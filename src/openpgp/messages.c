/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "openpgp/ring.h"

#define SIGNATURE_MAX_BYTES 65536

/* ---- others' keys, for one call */

struct guests {
	struct openpgp *pgp;
	size_t count;
	char fingerprints[OPENPGP_MESSAGE_MAX_RECIPIENTS][OPENPGP_FINGERPRINT_LEN + 1];
};

static bool
is_own(const struct openpgp *pgp, const char *fingerprint)
{
	for (size_t i = 0; i < pgp->own_count; i++)
		if (strcmp(pgp->own[i], fingerprint) == 0)
			return true;
	return false;
}

static void
send_away(struct guests *g)
{
	for (size_t i = 0; i < g->count; i++) {
		if (is_own(g->pgp, g->fingerprints[i]))
			continue;
		rnp_key_handle_t key = ring_find(g->pgp->ffi, g->fingerprints[i]);
		if (key != NULL)
			rnp_key_remove(key, RNP_KEY_REMOVE_PUBLIC | RNP_KEY_REMOVE_SUBKEYS);
		rnp_key_handle_destroy(key);
	}
}

/* A secret key among them is refused: what is imported under a fingerprint of the owner's would change the owner's key. */
static int
receive(struct openpgp *pgp, const struct slice *keys, size_t count, struct guests *g, struct error *err)
{
	*g = (struct guests){ .pgp = pgp };
	if (count > OPENPGP_MESSAGE_MAX_RECIPIENTS)
		return error_set(err, ERROR_TOO_LARGE, "a message is encrypted to %d keys at most", OPENPGP_MESSAGE_MAX_RECIPIENTS);
	for (; g->count < count; g->count++) {
		struct openpgp_packet first;
		struct slice rest = keys[g->count];
		if (openpgp_packet_scan(&rest, &first, NULL) == 1 && first.tag == OPENPGP_SECRET_KEY) {
			send_away(g);
			return error_set(err, ERROR_INVALID, "a secret key stands where a public one is expected");
		}
		if (ring_load(pgp->ffi, keys[g->count], g->fingerprints[g->count], err) != 0) {
			send_away(g);
			return -1;
		}
	}
	return 0;
}

/* ---- out */

/* Signing no earlier than the key was made: its day may begin later where the clock is behind. */
static uint32_t
signing_time(rnp_key_handle_t key, int64_t now_s)
{
	uint32_t created = 0;
	rnp_key_get_creation(key, &created);
	return now_s < (int64_t)created ? created : (uint32_t)now_s;
}

static rnp_result_t
prepare_encryption(rnp_op_encrypt_t op, const struct guests *g, rnp_key_handle_t own, int64_t now_s)
{
	rnp_result_t result;
	rnp_op_sign_signature_t signature;
	if ((result = rnp_op_encrypt_set_armor(op, true)) != RNP_SUCCESS ||
	    (result = rnp_op_encrypt_set_hash(op, "SHA256")) != RNP_SUCCESS ||
	    (result = rnp_op_encrypt_set_cipher(op, "AES256")) != RNP_SUCCESS ||
	    (result = rnp_op_encrypt_set_aead(op, "None")) != RNP_SUCCESS ||
	    (result = rnp_op_encrypt_set_compression(op, "Uncompressed", 0)) != RNP_SUCCESS ||
	    (result = rnp_op_encrypt_set_file_mtime(op, 0)) != RNP_SUCCESS ||
	    (result = rnp_op_encrypt_add_signature(op, own, &signature)) != RNP_SUCCESS ||
	    (result = rnp_op_sign_signature_set_creation_time(signature, signing_time(own, now_s))) != RNP_SUCCESS)
		return result;
	for (size_t i = 0; i < g->count; i++) {
		rnp_key_handle_t key = ring_find(g->pgp->ffi, g->fingerprints[i]);
		bool is_usable = key != NULL && ring_key_is_usable(key, "encrypt");
		result = is_usable ? rnp_op_encrypt_add_recipient(op, key) : RNP_ERROR_NO_SUITABLE_KEY;
		rnp_key_handle_destroy(key);
		if (result != RNP_SUCCESS)
			return result;
	}
	return RNP_SUCCESS;
}

int
openpgp_encrypt(struct openpgp *pgp, const struct slice *keys, size_t count, int64_t now_s, struct slice text,
    struct buffer *armoured, struct error *err)
{
	struct guests guests;
	rnp_op_encrypt_t op = NULL;
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	if (receive(pgp, keys, count, &guests, err) != 0)
		return -1;
	rnp_key_handle_t own = ring_find(pgp->ffi, pgp->own[0]);
	rnp_input_t input = ring_input(text);
	rnp_output_t output = ring_output(armoured->max);
	if (own != NULL && input != NULL && output != NULL)
		result = rnp_op_encrypt_create(&op, pgp->ffi, input, output);
	if (result == RNP_SUCCESS)
		result = prepare_encryption(op, &guests, own, now_s);
	if (result == RNP_SUCCESS)
		result = rnp_op_encrypt_execute(op);
	rnp_op_encrypt_destroy(op);
	rnp_input_destroy(input);
	rnp_key_handle_destroy(own);
	send_away(&guests);
	if (result == RNP_SUCCESS)
		return ring_take(output, armoured, err);
	rnp_output_destroy(output);
	if (result == RNP_ERROR_NO_SUITABLE_KEY)
		return error_set(err, ERROR_NOT_FOUND, "an OpenPGP key cannot be encrypted to: it has expired, is revoked, or is for signing only");
	return ring_error(err, ERROR_INVALID, "the message cannot be encrypted", result);
}

int
openpgp_sign(struct openpgp *pgp, int64_t now_s, struct slice text, struct buffer *armoured, struct error *err)
{
	rnp_op_sign_t op = NULL;
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	rnp_key_handle_t own = ring_find(pgp->ffi, pgp->own[0]);
	rnp_input_t input = ring_input(text);
	rnp_output_t output = ring_output(SIGNATURE_MAX_BYTES);
	if (own != NULL && input != NULL && output != NULL)
		result = rnp_op_sign_detached_create(&op, pgp->ffi, input, output);
	if (result == RNP_SUCCESS && (result = rnp_op_sign_set_armor(op, true)) == RNP_SUCCESS &&
	    (result = rnp_op_sign_set_hash(op, "SHA256")) == RNP_SUCCESS &&
	    (result = rnp_op_sign_set_creation_time(op, signing_time(own, now_s))) == RNP_SUCCESS &&
	    (result = rnp_op_sign_add_signature(op, own, NULL)) == RNP_SUCCESS)
		result = rnp_op_sign_execute(op);
	rnp_op_sign_destroy(op);
	rnp_input_destroy(input);
	rnp_key_handle_destroy(own);
	if (result == RNP_SUCCESS)
		return ring_take(output, armoured, err);
	rnp_output_destroy(output);
	return ring_error(err, ERROR_INVALID, "the message cannot be signed", result);
}

/* ---- in */

/* The fingerprint of the primary key that the signature's key belongs to. */
static bool
name_signer(rnp_op_verify_signature_t signature, char out[OPENPGP_FINGERPRINT_LEN + 1])
{
	rnp_key_handle_t key = NULL;
	char *fingerprint = NULL;
	bool is_sub = false, is_named = false;
	if (rnp_op_verify_signature_get_key(signature, &key) != RNP_SUCCESS)
		return false;
	rnp_key_is_sub(key, &is_sub);
	rnp_result_t result = is_sub ? rnp_key_get_primary_fprint(key, &fingerprint) : rnp_key_get_fprint(key, &fingerprint);
	if (result == RNP_SUCCESS && strlen(fingerprint) == OPENPGP_FINGERPRINT_LEN) {
		memcpy(out, fingerprint, OPENPGP_FINGERPRINT_LEN + 1);
		is_named = true;
	}
	rnp_buffer_destroy(fingerprint);
	rnp_key_handle_destroy(key);
	return is_named;
}

/* Whether a key that signed is one of the guests (or the owner's own), and not revoked or expired. */
static bool
is_acceptable(const struct guests *g, const char *fingerprint)
{
	bool is_here = is_own(g->pgp, fingerprint);
	for (size_t i = 0; i < g->count; i++)
		is_here = is_here || strcmp(g->fingerprints[i], fingerprint) == 0;
	rnp_key_handle_t key = is_here ? ring_find(g->pgp->ffi, fingerprint) : NULL;
	bool is_valid = false;
	if (key != NULL && rnp_key_is_valid(key, &is_valid) != RNP_SUCCESS)
		is_valid = false;
	rnp_key_handle_destroy(key);
	return is_valid;
}

static void
judge(rnp_op_verify_t op, const struct guests *g, struct openpgp_verdict *out)
{
	size_t count = 0;
	*out = (struct openpgp_verdict){ 0 };
	rnp_op_verify_get_signature_count(op, &count);
	for (size_t i = 0; i < count && out->is_signed != OPENPGP_SIGNED_GOOD; i++) {
		rnp_op_verify_signature_t signature;
		uint32_t created = 0;
		char fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
		if (rnp_op_verify_get_signature_at(op, i, &signature) != RNP_SUCCESS)
			continue;
		rnp_result_t status = rnp_op_verify_signature_get_status(signature);
		if (status == RNP_SUCCESS && name_signer(signature, fingerprint) && is_acceptable(g, fingerprint)) {
			rnp_op_verify_signature_get_times(signature, &created, NULL);
			memcpy(out->fingerprint, fingerprint, sizeof out->fingerprint);
			out->signed_s = created;
			out->is_signed = OPENPGP_SIGNED_GOOD;
		} else if (status != RNP_ERROR_KEY_NOT_FOUND)
			out->is_signed = OPENPGP_SIGNED_WRONG;
		else if (out->is_signed == OPENPGP_UNSIGNED)
			out->is_signed = OPENPGP_SIGNED_UNKNOWN;
	}
}

static int
decryption_error(struct error *err, rnp_result_t result, bool is_full)
{
	switch (result) {
	case RNP_ERROR_NO_SUITABLE_KEY:
	case RNP_ERROR_KEY_NOT_FOUND:
	case RNP_ERROR_BAD_PASSWORD:
		return error_set(err, ERROR_NOT_FOUND, "the message is encrypted to other keys than yours");
	case RNP_ERROR_DECRYPT_FAILED:
	case RNP_ERROR_MAC_INVALID:
	case RNP_ERROR_VERIFICATION_FAILED:
		return error_set(err, ERROR_DENIED, "the message was changed on its way, or is damaged");
	default:
		if (is_full)
			return error_set(err, ERROR_TOO_LARGE, "what is encrypted is larger than may be");
		return ring_error(err, ERROR_INVALID, "the OpenPGP message cannot be read", result);
	}
}

/* The message in binary. */
static int
unwrap(struct slice message, struct buffer *room, struct slice *out, struct error *err)
{
	*out = message;
	if (message.len > 0 && (message.data[0] & 0x80) != 0)
		return 0;
	rnp_input_t input = ring_input(message);
	rnp_output_t output = ring_output(message.len);
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	if (input != NULL && output != NULL)
		result = rnp_dearmor(input, output);
	rnp_input_destroy(input);
	if (result != RNP_SUCCESS) {
		rnp_output_destroy(output);
		return ring_error(err, ERROR_INVALID, "this is no OpenPGP message", result);
	}
	if (ring_take(output, room, err) != 0)
		return -1;
	*out = slice_of(buffer_bytes(room), buffer_len(room));
	return 0;
}

static int
decrypt(const struct guests *g, struct slice binary, struct buffer *out, struct openpgp_verdict *verdict, struct error *err)
{
	rnp_op_verify_t op = NULL;
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	bool has_integrity = false, is_full = false;
	uint8_t *bytes;
	size_t len = 0;
	rnp_input_t input = ring_input(binary);
	/* RNP says nothing of a full output but that it cannot write: one byte more tells it from what just fits. */
	rnp_output_t output = ring_output(out->max - buffer_len(out) + 1);
	if (input != NULL && output != NULL)
		result = rnp_op_verify_create(&op, g->pgp->ffi, input, output);
	if (result == RNP_SUCCESS)
		result = rnp_op_verify_set_flags(op, RNP_VERIFY_IGNORE_SIGS_ON_DECRYPT);
	if (result == RNP_SUCCESS)
		result = rnp_op_verify_execute(op);
	if (output != NULL && rnp_output_memory_get_buf(output, &bytes, &len, false) == RNP_SUCCESS)
		is_full = len + buffer_len(out) > out->max;
	if (result == RNP_SUCCESS)
		judge(op, g, verdict);
	if (result == RNP_SUCCESS)
		result = rnp_op_verify_get_protection_info(op, NULL, NULL, &has_integrity);
	rnp_op_verify_destroy(op);
	rnp_input_destroy(input);
	if (result == RNP_SUCCESS && has_integrity && !is_full)
		return ring_take(output, out, err);
	rnp_output_destroy(output);
	if (result == RNP_SUCCESS && !has_integrity)
		return error_set(err, ERROR_DENIED, "the message is encrypted without integrity protection");
	return decryption_error(err, result, is_full);
}

int
openpgp_decrypt(struct openpgp *pgp, const struct slice *keys, size_t count, struct slice message, struct buffer *out,
    struct openpgp_verdict *verdict, struct error *err)
{
	struct guests guests;
	struct buffer room;
	struct slice binary;
	*verdict = (struct openpgp_verdict){ 0 };
	buffer_init(&room, message.len + 1);
	int result = unwrap(message, &room, &binary, err);
	if (result == 0)
		result = openpgp_message_scan(binary, err);
	if (result == 0)
		result = receive(pgp, keys, count, &guests, err);
	if (result == 0) {
		result = decrypt(&guests, binary, out, verdict, err);
		send_away(&guests);
	}
	buffer_finish(&room);
	return result;
}

int
openpgp_verify(struct openpgp *pgp, const struct slice *keys, size_t count, struct slice text, struct slice signature,
    struct openpgp_verdict *verdict, struct error *err)
{
	struct guests guests;
	rnp_op_verify_t op = NULL;
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	*verdict = (struct openpgp_verdict){ 0 };
	if (signature.len > SIGNATURE_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP signature is larger than %d bytes", SIGNATURE_MAX_BYTES);
	if (receive(pgp, keys, count, &guests, err) != 0)
		return -1;
	rnp_input_t input = ring_input(text), detached = ring_input(signature);
	if (input != NULL && detached != NULL)
		result = rnp_op_verify_detached_create(&op, pgp->ffi, input, detached);
	if (result == RNP_SUCCESS) {
		result = rnp_op_verify_execute(op);
		judge(op, &guests, verdict);
	}
	rnp_op_verify_destroy(op);
	rnp_input_destroy(input);
	rnp_input_destroy(detached);
	send_away(&guests);
	if (verdict->is_signed != OPENPGP_UNSIGNED)
		return 0;
	return ring_error(err, ERROR_INVALID, "this is no OpenPGP signature that can be read", result);
}
