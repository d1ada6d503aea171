/* SPDX-License-Identifier: ISC */
#include "daemon/content_sign.h"

#include <string.h>

#include "mime/header.h"
#include "seal/autocrypt.h"

#define END "\r\n\r\n"
#define END_LEN 4
#define PIECE_BYTES 65536 /* a header is copied by so much at a time, since what follows it is not copied */

void
content_sign_init(struct content_sign *s, const char *from, const char *to, struct slice autocrypt)
{
	*s = (struct content_sign){ .from = from, .to = to, .autocrypt = autocrypt };
	buffer_init(&s->header, HEADER_SECTION_MAX_BYTES + PIECE_BYTES);
	buffer_init(&s->field, AUTOCRYPT_MAX_BYTES + ONIONSIG_MAX_BYTES);
	dkim_body_init(&s->body);
}

void
content_sign_finish(struct content_sign *s)
{
	buffer_finish(&s->header);
	buffer_finish(&s->field);
}

/* Copies what belongs to the header; *taken is its length. */
static int
add_to_header(struct content_sign *s, const unsigned char *bytes, size_t len, size_t *taken, struct error *err)
{
	size_t before = buffer_len(&s->header), from = before < END_LEN - 1 ? 0 : before - (END_LEN - 1);
	if (buffer_append(&s->header, bytes, len, err) != 0)
		return -1;
	const unsigned char *all = buffer_bytes(&s->header);
	const unsigned char *end = memmem(all + from, buffer_len(&s->header) - from, END, END_LEN);
	*taken = len;
	if (end != NULL) {
		s->has_header = true; /* what was copied behind it does no harm: a header ends at its empty line */
		*taken = (size_t)(end - all) + END_LEN - before;
	}
	return 0;
}

static bool
has_8bit(const unsigned char *bytes, size_t len)
{
	unsigned char bits = 0;
	for (size_t i = 0; i < len; i++)
		bits |= bytes[i];
	return (bits & 0x80) != 0;
}

int
content_sign_update(struct content_sign *s, const void *data, size_t len, struct error *err)
{
	const unsigned char *bytes = data;
	if (s->to[0] == '\0')
		return 0;
	while (len > 0 && !s->has_header) {
		size_t taken;
		if (add_to_header(s, bytes, len < PIECE_BYTES ? len : PIECE_BYTES, &taken, err) != 0)
			return -1;
		s->has_8bit_header = s->has_8bit_header || has_8bit(bytes, taken);
		bytes += taken;
		len -= taken;
	}
	if (len > 0) {
		s->has_8bit = s->has_8bit || has_8bit(bytes, len);
		dkim_body_update(&s->body, bytes, len);
	}
	return 0;
}

/* The mail program may have written one itself, with a key of its own. */
static int
has_autocrypt(struct slice header, bool *found, struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	int got;
	*found = false;
	header_scan_init(&scan, header);
	while ((got = header_scan_next(&scan, &field, err)) == 1)
		*found = *found || slice_is_nocase(field.name, AUTOCRYPT_FIELD);
	return got;
}

int
content_sign_end(struct content_sign *s, struct error *err)
{
	unsigned char body_digest[HASH_SHA256_BYTES];
	struct buffer header, signature;
	bool is_there;
	if (s->to[0] == '\0')
		return 0;
	dkim_body_final(&s->body, body_digest);
	buffer_init(&header, buffer_len(&s->header) + s->autocrypt.len + 1);
	buffer_init(&signature, ONIONSIG_MAX_BYTES);
	int result = has_autocrypt(slice_of(buffer_bytes(&s->header), buffer_len(&s->header)), &is_there, err);
	if (result == 0 && !is_there)
		result = buffer_append(&s->field, s->autocrypt.data, s->autocrypt.len, err);
	if (result == 0 && (buffer_append(&header, buffer_bytes(&s->field), buffer_len(&s->field), err) != 0 ||
	    buffer_append(&header, buffer_bytes(&s->header), buffer_len(&s->header), err) != 0))
		result = -1;
	if (result == 0)
		result = onionsig_begin(slice_of(buffer_bytes(&header), buffer_len(&header)), body_digest, s->from, s->to, &signature, s->digest, err);
	if (result == 0)
		result = buffer_append(&s->field, buffer_bytes(&signature), buffer_len(&signature), err);
	buffer_finish(&header);
	buffer_finish(&signature);
	return result;
}
