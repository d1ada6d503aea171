/* SPDX-License-Identifier: ISC */
#include "notice/notice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "base/encode.h"
#include "notice/names.h"
#include "proof/context.h"

#define DAY_S 86400

/* The recovery key is no onion's, so this is no context of the onion key: neither ever signs for the other. */
static const char recovery_context[] = "smtorp/1 recovery";

const char *
notice_kind_name(enum notice_kind kind)
{
	return kind == NOTICE_MOVE ? "move" : kind == NOTICE_REVOKE_ONION ? "revoke-onion" : kind == NOTICE_REVOKE_KEY ? "revoke-key" : NULL;
}

/* ---- what a notice may say */

static int
check_to(const struct notice *n, struct address *to, struct error *err)
{
	char address[ADDRESS_MAX + 1];
	if (address_parse(slice_of_string(n->to), to, err) != 0)
		return -1;
	address_format(to, address);
	if (to->fingerprint[0] != '\0' || strcmp(address, n->to) != 0)
		return error_set(err, ERROR_INVALID, "the notice's new address is not written as notices have it");
	if (strcmp(to->onion, n->onion) == 0)
		return error_set(err, ERROR_INVALID, "the notice moves an onion to itself");
	return 0;
}

/* onion, to: what they name. */
static int
check(const struct notice *n, struct address *onion, struct address *to, struct error *err)
{
	*to = (struct address){ 0 };
	if (notice_kind_name(n->kind) == NULL)
		return error_set(err, ERROR_UNSUPPORTED, "the notice is of no known kind");
	if (address_parse_domain(slice_of_string(n->onion), onion, err) != 0)
		return -1;
	if (strcmp(onion->onion, n->onion) != 0)
		return error_set(err, ERROR_INVALID, "the notice's onion is not written as notices have it");
	if (n->sequence == 0 || n->sequence > NOTICE_SEQUENCE_MAX || n->day_s < 0 || n->day_s % DAY_S != 0)
		return error_set(err, ERROR_INVALID, "the notice has no usable number or day");
	if ((n->kind == NOTICE_MOVE) != (n->to[0] != '\0') || (n->kind == NOTICE_REVOKE_KEY) != (n->fingerprint[0] != '\0'))
		return error_set(err, ERROR_INVALID, "the notice does not say what its kind is about");
	if (n->kind == NOTICE_REVOKE_KEY && (strlen(n->fingerprint) != NOTICE_FINGERPRINT_LEN ||
	    strspn(n->fingerprint, "0123456789ABCDEF") != NOTICE_FINGERPRINT_LEN))
		return error_set(err, ERROR_INVALID, "the notice's key is no fingerprint of %d digits 0 to 9 and A to F", NOTICE_FINGERPRINT_LEN);
	return n->kind == NOTICE_MOVE ? check_to(n, to, err) : 0;
}

/* ---- its text */

static int
put(struct buffer *out, const char *name, const char *value, struct error *err)
{
	return value[0] == '\0' ? 0 : buffer_printf(out, err, "%s: %s\r\n", name, value);
}

/* The lines that are signed. */
static int
write_head(const struct notice *n, struct buffer *out, struct error *err)
{
	char sequence[24], day[DATE_STAMP_SIZE], recovery[ENCODE_BASE32_LEN(ONIONKEY_PUBLIC_BYTES) + 1] = "";
	snprintf(sequence, sizeof sequence, "%" PRIu64, n->sequence);
	date_format_stamp(n->day_s, day);
	if (n->has_recovery)
		encode_base32(recovery, n->recovery, sizeof n->recovery);
	return buffer_append_string(out, NOTICE_FIRST_LINE "\r\n", err) != 0 || put(out, NOTICE_KIND, notice_kind_name(n->kind), err) != 0 ||
	    put(out, NOTICE_ONION, n->onion, err) != 0 || put(out, NOTICE_SEQUENCE, sequence, err) != 0 ||
	    put(out, NOTICE_DAY, day, err) != 0 || put(out, NOTICE_TO, n->to, err) != 0 || put(out, NOTICE_KEY, n->fingerprint, err) != 0 ||
	    put(out, NOTICE_RECOVERY, recovery, err) != 0 ? -1 : 0;
}

static int
put_signature(struct buffer *out, const char *name, const unsigned char signature[ONIONKEY_SIGNATURE_BYTES], struct error *err)
{
	char text[ENCODE_BASE64_LEN(ONIONKEY_SIGNATURE_BYTES) + 1];
	encode_base64(text, signature, ONIONKEY_SIGNATURE_BYTES);
	return put(out, name, text, err);
}

int
notice_write(const struct notice *n, struct buffer *out, struct error *err)
{
	struct address onion, to;
	if (check(n, &onion, &to, err) != 0 || write_head(n, out, err) != 0 || put_signature(out, NOTICE_SIGNATURE, n->signature, err) != 0 ||
	    (n->kind == NOTICE_MOVE && put_signature(out, NOTICE_TO_SIGNATURE, n->to_signature, err) != 0))
		return -1;
	return n->has_recovery ? put_signature(out, NOTICE_RECOVERY_SIGNATURE, n->recovery_signature, err) : 0;
}

/* ---- signatures */

/* What the onions sign, and what the recovery key does. */
struct texts {
	unsigned char onion[CONTEXT_TEXT_MAX], recovery[sizeof recovery_context + HASH_SHA256_BYTES];
	size_t onion_len;
};

static int
make_texts(const struct notice *n, struct texts *out, struct error *err)
{
	unsigned char digest[HASH_SHA256_BYTES];
	struct hash_sha256 hash;
	struct buffer head;
	buffer_init(&head, NOTICE_MAX_BYTES);
	int result = write_head(n, &head, err);
	hash_sha256_init(&hash);
	hash_sha256_update(&hash, buffer_bytes(&head), buffer_len(&head));
	hash_sha256_final(&hash, digest);
	buffer_finish(&head);
	out->onion_len = context_text(CONTEXT_NOTICE, digest, out->onion);
	memcpy(out->recovery, recovery_context, sizeof recovery_context);
	memcpy(out->recovery + sizeof recovery_context, digest, sizeof digest);
	return result;
}

int
notice_sign(struct notice *n, const struct onionkey *key, const struct onionkey *to_key, const struct onionkey *recovery, struct error *err)
{
	struct address onion, to;
	struct texts texts;
	onionkey_name(key->public_key, n->onion);
	strcat(n->onion, ".onion");
	n->has_recovery = recovery != NULL;
	if (recovery != NULL)
		memcpy(n->recovery, recovery->public_key, sizeof n->recovery);
	if (check(n, &onion, &to, err) != 0 || make_texts(n, &texts, err) != 0)
		return -1;
	if (n->kind == NOTICE_MOVE && (to_key == NULL || memcmp(to_key->public_key, to.public_key, sizeof to.public_key) != 0))
		return error_set(err, ERROR_DENIED, "a move needs the key of the onion that it leads to");
	onionkey_sign(key, slice_of(texts.onion, texts.onion_len), n->signature);
	if (n->kind == NOTICE_MOVE)
		onionkey_sign(to_key, slice_of(texts.onion, texts.onion_len), n->to_signature);
	if (recovery != NULL)
		onionkey_sign(recovery, slice_of(texts.recovery, sizeof texts.recovery), n->recovery_signature);
	return 0;
}

int
notice_verify(const struct notice *n, struct error *err)
{
	struct address onion, to;
	struct texts texts;
	if (check(n, &onion, &to, err) != 0 || make_texts(n, &texts, err) != 0)
		return -1;
	struct slice text = slice_of(texts.onion, texts.onion_len);
	if (onionkey_verify(onion.public_key, text, n->signature, NULL) != 0)
		return error_set(err, ERROR_DENIED, "the notice was changed, or was not signed by the onion that it names");
	if (n->kind == NOTICE_MOVE && onionkey_verify(to.public_key, text, n->to_signature, NULL) != 0)
		return error_set(err, ERROR_DENIED, "the notice was not signed by the onion that it leads to");
	if (n->has_recovery && onionkey_verify(n->recovery, slice_of(texts.recovery, sizeof texts.recovery), n->recovery_signature, NULL) != 0)
		return error_set(err, ERROR_DENIED, "the notice was not signed by the recovery key that it names");
	return 0;
}

void
notice_recovery_hash(const unsigned char recovery[ONIONKEY_PUBLIC_BYTES], char out[NOTICE_HASH_LEN + 1])
{
	unsigned char digest[HASH_SHA256_BYTES];
	struct hash_sha256 hash;
	hash_sha256_init(&hash);
	hash_sha256_update(&hash, recovery, ONIONKEY_PUBLIC_BYTES);
	hash_sha256_final(&hash, digest);
	encode_base32(out, digest, sizeof digest);
}
