/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "seal/entity.h"
#include "seal/payload.h"
#include "seal/pgpmime.h"

#define SIGNATURE_TYPE "application/pgp-signature"
#define ENCRYPTED_TYPE "application/pgp-encrypted"

static void
judge(const struct pgpmime_open *how, const struct openpgp_verdict *verdict, const struct entity *inside, struct pgpmime_facts *facts)
{
	static const enum pgpmime_signature of[] = {
		[OPENPGP_UNSIGNED] = PGPMIME_UNSIGNED,
		[OPENPGP_SIGNED_GOOD] = PGPMIME_SIGNED_GOOD,
		[OPENPGP_SIGNED_UNKNOWN] = PGPMIME_SIGNED_UNKNOWN,
		[OPENPGP_SIGNED_WRONG] = PGPMIME_SIGNED_WRONG,
	};
	facts->signature = of[verdict->is_signed];
	if (facts->signature == PGPMIME_SIGNED_GOOD && how->from == NULL)
		facts->signature = PGPMIME_SIGNED_UNKNOWN;
	if (facts->signature == PGPMIME_SIGNED_GOOD && payload_is_from_other(inside, how->from))
		facts->signature = PGPMIME_SIGNED_OTHER;
	if (facts->signature != PGPMIME_SIGNED_GOOD)
		return;
	memcpy(facts->fingerprint, verdict->fingerprint, sizeof facts->fingerprint);
	facts->signed_s = verdict->signed_s;
}

/* RFC 3156 section 5: two parts, the second signs the first as it stands there. */
static void
check_signed(const struct pgpmime_open *how, const struct entity *entity, struct pgpmime_facts *facts)
{
	struct slice parts[2];
	struct entity signed_part, signature;
	struct openpgp_verdict verdict;
	size_t count;
	if (strcmp(entity->protocol, SIGNATURE_TYPE) != 0)
		return; /* S/MIME is none of ours */
	facts->signature = PGPMIME_SIGNED_WRONG;
	if (entity_split(entity, parts, 2, &count, NULL) != 0 || count != 2 || entity_read(parts[0], &signed_part, NULL) != 0 ||
	    entity_read(parts[1], &signature, NULL) != 0 || strcmp(signature.type, SIGNATURE_TYPE) != 0 || signature.is_encoded)
		return;
	if (openpgp_verify(how->pgp, how->keys, how->count, parts[0], signature.body, &verdict, NULL) == 0)
		judge(how, &verdict, &signed_part, facts);
}

static void
note_failure(struct pgpmime_facts *facts, const struct error *why)
{
	facts->encryption = why->code == ERROR_NOT_FOUND ? PGPMIME_OTHER_KEYS : why->code == ERROR_DENIED ? PGPMIME_CHANGED :
	    PGPMIME_UNREADABLE;
	snprintf(facts->why, sizeof facts->why, "%s", why->text);
}

/* RFC 3156 section 4: two parts, of which the second is all there is. */
static int
find_encrypted(const struct entity *entity, struct slice *out, struct error *err)
{
	struct slice parts[2];
	struct entity control, data;
	size_t count;
	if (entity_split(entity, parts, 2, &count, err) != 0)
		return -1;
	if (count != 2 || entity_read(parts[0], &control, err) != 0 || entity_read(parts[1], &data, err) != 0 ||
	    strcmp(control.type, ENCRYPTED_TYPE) != 0 || strcmp(data.type, "application/octet-stream") != 0 || data.is_encoded)
		return error_set(err, ERROR_INVALID, "the message says that it is encrypted, but not in the form that RFC 3156 has");
	*out = data.body;
	return 0;
}

/* What is inside, which is whole as it was encrypted. */
static int
take_payload(const struct pgpmime_open *how, const struct entity *outside, struct slice plain, const struct openpgp_verdict *verdict,
    struct pgpmime_facts *facts, struct buffer *out, struct error *err)
{
	struct entity inside;
	struct buffer lines;
	int result;
	buffer_init(&lines, 2 * PGPMIME_OPEN_MAX_BYTES);
	if ((result = payload_lines(plain, &lines, err)) == 0 && (result = entity_read(buffer_slice(&lines), &inside, err)) == 0 &&
	    (result = how->restores ? payload_restore(&inside, out, err) : payload_merge(outside, &inside, out, err)) == 0) {
		facts->encryption = PGPMIME_OPENED;
		facts->is_layered = strcmp(inside.type, "multipart/encrypted") == 0;
		judge(how, verdict, &inside, facts);
		if (verdict->is_signed == OPENPGP_UNSIGNED && strcmp(inside.type, "multipart/signed") == 0)
			check_signed(how, &inside, facts);
	}
	buffer_finish(&lines);
	return result;
}

static int
open_encrypted(const struct pgpmime_open *how, const struct entity *outside, struct pgpmime_facts *facts, struct buffer *out,
    struct error *err)
{
	struct openpgp_verdict verdict;
	struct slice sealed;
	struct buffer plain;
	struct error why = { 0 };
	if (find_encrypted(outside, &sealed, &why) != 0) {
		note_failure(facts, &why);
		return 0;
	}
	buffer_init(&plain, PGPMIME_OPEN_MAX_BYTES);
	if (openpgp_decrypt(how->pgp, how->keys, how->count, sealed, &plain, &verdict, &why) != 0 ||
	    take_payload(how, outside, buffer_slice(&plain), &verdict, facts, out, &why) != 0) {
		buffer_finish(out);
		*facts = (struct pgpmime_facts){ 0 };
		note_failure(facts, &why);
	}
	buffer_finish(&plain);
	return why.code == ERROR_NO_MEMORY ? error_set(err, ERROR_NO_MEMORY, "%s", why.text) : 0;
}

int
pgpmime_open(const struct pgpmime_open *how, struct slice message, struct pgpmime_facts *facts, struct buffer *out,
    struct error *err)
{
	struct entity entity;
	struct error why = { 0 };
	*facts = (struct pgpmime_facts){ 0 };
	if (message.len > PGPMIME_OPEN_MAX_BYTES) {
		error_set(&why, ERROR_TOO_LARGE, "a message of more than %d MiB is not opened", PGPMIME_OPEN_MAX_BYTES >> 20);
		note_failure(facts, &why);
		return 0;
	}
	if (entity_read(message, &entity, &why) != 0)
		return why.code == ERROR_NO_MEMORY ? error_set(err, ERROR_NO_MEMORY, "%s", why.text) : 0;
	if (strcmp(entity.type, "multipart/signed") == 0)
		check_signed(how, &entity, facts);
	if (strcmp(entity.type, "multipart/encrypted") == 0 && strcmp(entity.protocol, ENCRYPTED_TYPE) == 0)
		return open_encrypted(how, &entity, facts, out, err);
	return 0;
}
