/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "openpgp/guests.h"
#include "openpgp/ring.h"

#define SIGNATURE_MAX_BYTES 65536

/* ---- out */

/* Signing no earlier than the key was made: its day may begin later where the clock is behind. */
static uint32_t
signing_time(rnp_key_handle_t key, int64_t now_s)
{
	uint32_t created = 0;
	rnp_key_get_creation(key, &created);
	return now_s < (int64_t)created ? created : (uint32_t)now_s;
}

/* Of what is our own: but for what RNP cannot do at all, an error is one of the machine, such as randomness that could not be read, and passes. RNP has
 * several names for that. */
static int
own_error(struct error *err, const char *what, rnp_result_t result)
{
	bool stays = result == RNP_ERROR_BAD_FORMAT || result == RNP_ERROR_BAD_PARAMETERS || result == RNP_ERROR_NOT_IMPLEMENTED ||
	    result == RNP_ERROR_NOT_SUPPORTED;
	return ring_error(err, stays ? ERROR_INVALID : ERROR_BUSY, what, result);
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

/* Takes input and output over, which may be NULL; *output becomes NULL when something went wrong. */
static int
encrypt(struct openpgp *pgp, const struct guests *guests, int64_t now_s, rnp_input_t input, rnp_output_t *output, struct error *err)
{
	rnp_op_encrypt_t op = NULL;
	rnp_result_t result = RNP_ERROR_OUT_OF_MEMORY;
	rnp_key_handle_t own = ring_find(pgp->ffi, pgp->own[0]);
	if (own != NULL && input != NULL && *output != NULL)
		result = rnp_op_encrypt_create(&op, pgp->ffi, input, *output);
	if (result == RNP_SUCCESS)
		result = prepare_encryption(op, guests, own, now_s);
	if (result == RNP_SUCCESS)
		result = rnp_op_encrypt_execute(op);
	rnp_op_encrypt_destroy(op);
	rnp_input_destroy(input);
	rnp_key_handle_destroy(own);
	if (result == RNP_SUCCESS)
		return 0;
	rnp_output_destroy(*output);
	*output = NULL;
	if (result == RNP_ERROR_NO_SUITABLE_KEY)
		return error_set(err, ERROR_NOT_FOUND, "an OpenPGP key cannot be encrypted to: it has expired, is revoked, or is for signing only");
	return own_error(err, "the message cannot be encrypted", result);
}

int
openpgp_encrypt(struct openpgp *pgp, const struct slice *keys, size_t count, int64_t now_s, struct slice text,
    struct buffer *armoured, struct error *err)
{
	struct guests guests;
	if (guests_receive(pgp, keys, count, &guests, err) != 0)
		return -1;
	rnp_output_t output = ring_output(armoured->max);
	if (encrypt(pgp, &guests, now_s, ring_input(text), &output, err) != 0)
		return -1;
	return ring_take(output, armoured, err);
}

/* What the caller's functions said. */
struct piping {
	const struct openpgp_stream *stream;
	bool has_failed;
	struct error error;
};

static bool
pipe_in(void *context, void *out, size_t room, size_t *len)
{
	struct piping *p = context;
	*len = 0;
	p->has_failed = p->has_failed || p->stream->read(p->stream->context, out, room, len, &p->error) != 0;
	return !p->has_failed;
}

static bool
pipe_out(void *context, const void *bytes, size_t len)
{
	struct piping *p = context;
	p->has_failed = p->has_failed || p->stream->write(p->stream->context, bytes, len, &p->error) != 0;
	return !p->has_failed;
}

int
openpgp_encrypt_stream(struct openpgp *pgp, const struct slice *keys, size_t count, int64_t now_s,
    const struct openpgp_stream *stream, struct error *err)
{
	struct piping piping = { .stream = stream };
	struct guests guests;
	rnp_input_t input = NULL;
	rnp_output_t output = NULL;
	if (guests_receive(pgp, keys, count, &guests, err) != 0)
		return -1;
	if (rnp_input_from_callback(&input, pipe_in, NULL, &piping) != RNP_SUCCESS)
		input = NULL;
	if (rnp_output_to_callback(&output, pipe_out, NULL, &piping) != RNP_SUCCESS)
		output = NULL;
	int result = encrypt(pgp, &guests, now_s, input, &output, err);
	if (result == 0 && rnp_output_finish(output) != RNP_SUCCESS)
		result = own_error(err, "the message cannot be encrypted", RNP_ERROR_WRITE);
	rnp_output_destroy(output);
	return piping.has_failed ? error_set(err, piping.error.code, "%s", piping.error.text) : result;
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
	return own_error(err, "the message cannot be signed", result);
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

/* What one signature is worth. Keys of former guests may still be in the ring: they are as unknown as any other. */
static enum openpgp_signed
judge_one(rnp_op_verify_signature_t signature, const struct guests *g, struct openpgp_verdict *out)
{
	uint32_t created = 0;
	bool is_valid = false;
	rnp_result_t status = rnp_op_verify_signature_get_status(signature);
	if (status == RNP_ERROR_KEY_NOT_FOUND)
		return OPENPGP_SIGNED_UNKNOWN;
	if (!name_signer(signature, out->fingerprint))
		return OPENPGP_SIGNED_WRONG;
	if (!guests_are_with(g, out->fingerprint))
		return OPENPGP_SIGNED_UNKNOWN;
	rnp_key_handle_t key = ring_find(g->pgp->ffi, out->fingerprint);
	if (key == NULL || rnp_key_is_valid(key, &is_valid) != RNP_SUCCESS)
		is_valid = false;
	rnp_key_handle_destroy(key);
	rnp_op_verify_signature_get_times(signature, &created, NULL);
	out->signed_s = created;
	return status == RNP_SUCCESS && is_valid ? OPENPGP_SIGNED_GOOD : OPENPGP_SIGNED_WRONG;
}

static void
judge(rnp_op_verify_t op, const struct guests *g, struct openpgp_verdict *out)
{
	size_t count = 0;
	*out = (struct openpgp_verdict){ 0 };
	rnp_op_verify_get_signature_count(op, &count);
	for (size_t i = 0; i < count && out->is_signed != OPENPGP_SIGNED_GOOD; i++) {
		struct openpgp_verdict one = { 0 };
		rnp_op_verify_signature_t signature;
		if (rnp_op_verify_get_signature_at(op, i, &signature) != RNP_SUCCESS)
			continue;
		one.is_signed = judge_one(signature, g, &one);
		if (one.is_signed == OPENPGP_SIGNED_GOOD)
			*out = one;
		else if (out->is_signed != OPENPGP_SIGNED_WRONG)
			out->is_signed = one.is_signed;
	}
}

static int
decryption_error(struct error *err, rnp_result_t result)
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
		return ring_error(err, ERROR_INVALID, "the OpenPGP message cannot be read", result);
	}
}

/* Where plain text goes, since RNP's own output in memory does not tell that it is full. */
struct sink {
	struct buffer *out;
	struct error error;
};

static bool
take_text(void *context, const void *bytes, size_t len)
{
	struct sink *sink = context;
	return buffer_append(sink->out, bytes, len, &sink->error) == 0;
}

static void
end_text(void *context, bool discard)
{
	(void)context;
	(void)discard;
}

static int
decrypt(const struct guests *g, struct slice binary, struct buffer *out, struct openpgp_verdict *verdict, struct error *err)
{
	struct sink sink = { .out = out };
	rnp_op_verify_t op = NULL;
	rnp_output_t output = NULL;
	bool has_integrity = false;
	rnp_input_t input = ring_input(binary);
	rnp_result_t result = rnp_output_to_callback(&output, take_text, end_text, &sink);
	if (result == RNP_SUCCESS && input == NULL)
		result = RNP_ERROR_OUT_OF_MEMORY;
	if (result == RNP_SUCCESS && (result = rnp_op_verify_create(&op, g->pgp->ffi, input, output)) == RNP_SUCCESS &&
	    (result = rnp_op_verify_set_flags(op, RNP_VERIFY_IGNORE_SIGS_ON_DECRYPT)) == RNP_SUCCESS)
		result = rnp_op_verify_execute(op);
	if (result == RNP_SUCCESS) {
		judge(op, g, verdict);
		result = rnp_op_verify_get_protection_info(op, NULL, NULL, &has_integrity);
	}
	rnp_op_verify_destroy(op);
	rnp_input_destroy(input);
	rnp_output_destroy(output);
	bool is_written = sink.error.text[0] == '\0'; /* RNP does not look whether the last of it could be */
	if (result == RNP_SUCCESS && has_integrity && is_written)
		return 0;
	buffer_finish(out); /* what was written before the end was seen is not to be trusted */
	*verdict = (struct openpgp_verdict){ 0 };
	if (result == RNP_SUCCESS && !has_integrity)
		return error_set(err, ERROR_DENIED, "the message is encrypted without integrity protection");
	if (!is_written)
		return error_set(err, sink.error.code, sink.error.code == ERROR_TOO_LARGE ? "what is encrypted is larger than may be" :
		    "out of memory");
	return decryption_error(err, result);
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
	int result = ring_unwrap(message, message.len, &room, &binary, err);
	if (result == 0)
		result = openpgp_message_scan(binary, err);
	if (result == 0)
		result = guests_receive(pgp, keys, count, &guests, err);
	if (result == 0)
		result = decrypt(&guests, binary, out, verdict, err);
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
	if (guests_receive(pgp, keys, count, &guests, err) != 0)
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
	if (verdict->is_signed != OPENPGP_UNSIGNED)
		return 0;
	return ring_error(err, ERROR_INVALID, "this is no OpenPGP signature that can be read", result);
}
