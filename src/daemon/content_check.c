/* SPDX-License-Identifier: ISC */
#include "daemon/content_check.h"

#include <string.h>

#include "daemon/content_findings.h"
#include "mime/date.h"
#include "mime/fold.h"
#include "mime/header.h"
#include "seal/autocrypt.h"
#include "seal/pgpmime.h"

#define BEGINNING_BYTES (HEADER_SECTION_MAX_BYTES + HEADER_LINE_MAX_BYTES + 2) /* a longer header is refused before this is at its end */
#define STEP_BYTES 65536

/* A message's header and its body's digest. */
struct looked {
	struct buffer copy; /* of the beginning of a file, to which somebody else might still write */
	struct slice section;
	unsigned char digest[HASH_SHA256_BYTES];
	unsigned char whole[HASH_SHA256_BYTES]; /* of a file: digest of all that was read */
};

static int
digest_body(const struct body *message, uint64_t offset, struct hash_sha256 *whole, unsigned char digest[HASH_SHA256_BYTES], struct error *err)
{
	static unsigned char step[STEP_BYTES];
	struct dkim_body body;
	uint64_t len = body_len(message);
	dkim_body_init(&body);
	while (offset < len) {
		size_t n = len - offset < sizeof step ? (size_t)(len - offset) : sizeof step;
		if (body_read(message, offset, step, n, err) != 0)
			return -1;
		dkim_body_update(&body, step, n);
		if (message->file_bytes > 0)
			hash_sha256_update(whole, step, n);
		offset += n;
	}
	dkim_body_final(&body, digest);
	return 0;
}

/* How long the header is, with the empty line that ends it. */
static int
measure(struct slice beginning, size_t *section_len, size_t *body_at, struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	int got;
	header_scan_init(&scan, beginning);
	*section_len = 0;
	while ((got = header_scan_next(&scan, &field, err)) == 1)
		*section_len = (size_t)(field.raw.data + field.raw.len - beginning.data);
	*body_at = beginning.len - scan.rest.len;
	return got;
}

static int
look(const struct body *message, struct looked *out, struct error *err)
{
	struct hash_sha256 whole;
	size_t len = body_len(message) < BEGINNING_BYTES ? (size_t)body_len(message) : BEGINNING_BYTES, section_len, body_at;
	struct slice beginning = slice_of(message->bytes.data, len);
	if (message->file_bytes > 0) {
		unsigned char *room = buffer_reserve(&out->copy, len, err);
		if (room == NULL || body_read(message, 0, room, len, err) != 0)
			return -1;
		buffer_commit(&out->copy, len);
		beginning = slice_of(room, len);
	}
	if (measure(beginning, &section_len, &body_at, err) != 0)
		return -1;
	out->section = slice_of(beginning.data, section_len);
	hash_sha256_init(&whole);
	hash_sha256_update(&whole, beginning.data, body_at);
	if (digest_body(message, body_at, &whole, out->digest, err) != 0)
		return -1;
	hash_sha256_final(&whole, out->whole);
	return 0;
}

/* ---- the sender's key */

static int64_t
date_of(struct slice section)
{
	struct header_scan scan;
	struct header_field field;
	int64_t time_s = 0;
	header_scan_init(&scan, section);
	while (header_scan_next(&scan, &field, NULL) == 1) {
		struct buffer flat;
		if (!slice_is_nocase(field.name, "Date"))
			continue;
		buffer_init(&flat, HEADER_LINE_MAX_BYTES);
		if (fold_flatten(field.value, &flat, NULL) != 0 || date_parse(slice_of(buffer_bytes(&flat), buffer_len(&flat)), &time_s, NULL) != 0)
			time_s = 0;
		buffer_finish(&flat);
		break;
	}
	return time_s;
}

/* The signature covers all fields Autocrypt that are there, also by their number. */
static void
take_key(struct slice section, struct content_checked *out)
{
	char from[ADDRESS_MAX + 1];
	struct autocrypt autocrypt;
	address_format(&out->sender, from);
	if (autocrypt_find(section, from, &autocrypt, &out->key, NULL) != 1) {
		buffer_finish(&out->key);
		return;
	}
	memcpy(out->fingerprint, autocrypt.key.fingerprint, sizeof out->fingerprint);
	out->signed_s = date_of(section);
}

/* ---- more */

static bool
is_sealed(struct slice section)
{
	enum pgpmime_kind kind;
	return pgpmime_look(section, &kind, NULL) == 0 && kind != PGPMIME_PLAIN;
}

void
content_checked_finish(struct content_checked *checked)
{
	buffer_finish(&checked->key);
}

int
content_check(const struct body *message, const char *to, struct content_checked *out, struct error *err)
{
	struct looked looked = { .section = slice_of("", 0) };
	struct error failed = { 0 };
	*out = (struct content_checked){ .verdict = ONIONSIG_WRONG };
	buffer_init(&looked.copy, BEGINNING_BYTES);
	buffer_init(&out->key, OPENPGP_AUTOCRYPT_MAX_BYTES);
	int result = look(message, &looked, &failed);
	out->is_of_file = result == 0 && message->file_bytes > 0;
	memcpy(out->digest, looked.whole, sizeof out->digest);
	if (result == 0)
		result = onionsig_check(looked.section, looked.digest, to, &out->verdict, &out->sender, &out->why, &failed);
	if (result == 0 && out->verdict == ONIONSIG_PROVED)
		take_key(looked.section, out);
	if (result == 0)
		out->has_more = is_sealed(looked.section) || (out->verdict == ONIONSIG_PROVED && content_findings_are_likely(message));
	buffer_finish(&looked.copy);
	if (result == 0)
		return 0;
	if (failed.code == ERROR_IO || failed.code == ERROR_NO_MEMORY)
		return error_set(err, failed.code, "%s", failed.text);
	out->verdict = ONIONSIG_WRONG;
	out->why = failed;
	return 0;
}
