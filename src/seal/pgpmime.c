/* SPDX-License-Identifier: ISC */
#include "seal/pgpmime.h"

#include <stdio.h>

#include "mime/header.h"
#include "seal/entity.h"
#include "seal/payload.h"

#define BEGINNING_BYTES (HEADER_SECTION_MAX_BYTES + HEADER_LINE_MAX_BYTES + 2)
#define ARMOUR "-----BEGIN PGP MESSAGE-----"
#define HIDDEN_SUBJECT "..."

int
pgpmime_look(struct slice beginning, enum pgpmime_kind *kind, struct error *err)
{
	struct entity e;
	*kind = PGPMIME_PLAIN;
	if (entity_read(beginning, &e, err) != 0)
		return -1;
	bool is_armour = e.body.len >= sizeof ARMOUR - 1 && memcmp(e.body.data, ARMOUR, sizeof ARMOUR - 1) == 0;
	if (strcmp(e.type, "multipart/encrypted") == 0 || strcmp(e.type, "application/pkcs7-mime") == 0 ||
	    strcmp(e.type, "application/x-pkcs7-mime") == 0 || (strcmp(e.type, "text/plain") == 0 && is_armour))
		*kind = PGPMIME_ENCRYPTED;
	else if (strcmp(e.type, "multipart/signed") == 0)
		*kind = PGPMIME_SIGNED;
	return 0;
}

/* ---- the two headers */

static bool
is_structural(struct slice name)
{
	return slice_is_nocase(name, "MIME-Version") || (name.len > 8 && strncasecmp((const char *)name.data, "Content-", 8) == 0);
}

/* How a field stands outside (RFC 9788 section 3.2.1, hcp_baseline): as it is, in other words, or not at all. */
static struct slice
outside_of(const struct header_field *field)
{
	static const char subject[] = "Subject: " HIDDEN_SUBJECT "\r\n";
	if (slice_is_nocase(field->name, "Subject"))
		return slice_of_string(subject);
	if (slice_is_nocase(field->name, "Comments") || slice_is_nocase(field->name, "Keywords"))
		return slice_of(NULL, 0);
	return field->raw;
}

/* Each field goes inside as it is; what stands outside is written down there, so that an answer hides what this did. */
static int
put_field(const struct header_field *field, struct buffer *outside, struct buffer *inside, struct error *err)
{
	struct slice out = outside_of(field);
	if (buffer_append(inside, field->raw.data, field->raw.len, err) != 0)
		return -1;
	if (out.len == 0)
		return 0;
	if (buffer_append(outside, out.data, out.len, err) != 0)
		return -1;
	const unsigned char *newline = memchr(out.data, '\n', out.len);
	if ((size_t)(newline - out.data) > HEADER_LINE_MAX_BYTES) /* with one more byte nobody could read it */
		return 0;
	return buffer_append_string(inside, "HP-Outer:\r\n ", err) != 0 ? -1 : buffer_append(inside, out.data, out.len, err);
}

/* What the content is, marked as the place of the header inside; also in the word that programs knew before RFC 9788. */
static int
put_structure(const struct header_field *field, bool *has_type, struct buffer *inside, struct error *err)
{
	if (slice_is_nocase(field->name, "MIME-Version"))
		return 0;
	if (!slice_is_nocase(field->name, "Content-Type"))
		return buffer_append(inside, field->raw.data, field->raw.len, err);
	*has_type = true;
	return buffer_append(inside, field->raw.data, field->raw.len - 2, err) != 0 ? -1 : buffer_append_string(inside, PAYLOAD_MARK, err);
}

static int
put_headers(struct slice beginning, struct buffer *outside, struct buffer *inside, size_t *body, struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	bool has_type = false;
	int got;
	for (unsigned structural = 0; structural < 2; structural++) { /* so that what stands for the content comes last */
		header_scan_init(&scan, beginning);
		while ((got = header_scan_next(&scan, &field, err)) == 1) {
			if (is_structural(field.name) != (structural != 0))
				continue;
			if ((structural ? put_structure(&field, &has_type, inside, err) : put_field(&field, outside, inside, err)) != 0)
				return -1;
		}
		if (got != 0)
			return -1;
	}
	*body = scan.scanned_bytes;
	if (!has_type && buffer_append_string(inside, PAYLOAD_NO_TYPE, err) != 0)
		return -1;
	return buffer_append_string(inside, "\r\n", err);
}

/* ---- the message */

struct sealing {
	const struct prepare_stream *io;
	struct buffer inside;
	uint64_t at; /* in the message */
};

static int
read_plain(void *context, void *out, size_t room, size_t *len, struct error *err)
{
	struct sealing *s = context;
	size_t held = buffer_len(&s->inside);
	if (held > 0) {
		*len = held < room ? held : room;
		memcpy(out, buffer_bytes(&s->inside), *len);
		buffer_consume(&s->inside, *len);
		return 0;
	}
	*len = s->io->len - s->at < room ? (size_t)(s->io->len - s->at) : room;
	if (*len > 0 && s->io->read(s->io->context, s->at, out, *len, err) != 0)
		return -1;
	s->at += *len;
	return 0;
}

static int
write_armour(void *context, const void *bytes, size_t len, struct error *err)
{
	struct sealing *s = context;
	return s->io->write(s->io->context, bytes, len, err);
}

static int
put_frame(const char *letters, struct buffer *out, struct error *err)
{
	return buffer_printf(out, err, "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\"=_%s\"\r\n"
	    "\r\n"
	    "--=_%s\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n"
	    "--=_%s\r\nContent-Type: application/octet-stream\r\n\r\n", letters, letters, letters);
}

static bool
has_8bit(const struct buffer *b)
{
	unsigned char bits = 0;
	for (size_t i = 0; i < buffer_len(b); i++)
		bits |= buffer_bytes(b)[i];
	return (bits & 0x80) != 0;
}

int
pgpmime_seal(const struct pgpmime_seal *how, const struct prepare_stream *io, bool *has_8bit_header, struct error *err)
{
	struct sealing s = { .io = io };
	const struct openpgp_stream stream = { read_plain, write_armour, &s };
	struct buffer beginning, outside;
	char end[PGPMIME_LETTERS + 16];
	size_t len = io->len < BEGINNING_BYTES ? (size_t)io->len : BEGINNING_BYTES, body = 0;
	int result = -1, end_len = snprintf(end, sizeof end, "\r\n--=_%s--\r\n", how->boundary_letters);
	buffer_init(&beginning, BEGINNING_BYTES);
	buffer_init(&outside, BEGINNING_BYTES + 1024);
	buffer_init(&s.inside, 3 * BEGINNING_BYTES + 16 * HEADER_FIELDS_MAX);
	unsigned char *room = buffer_reserve(&beginning, len, err);
	if (room == NULL || io->read(io->context, 0, room, len, err) != 0 ||
	    put_headers(slice_of(room, len), &outside, &s.inside, &body, err) != 0)
		goto out;
	*has_8bit_header = has_8bit(&outside);
	s.at = body;
	if (put_frame(how->boundary_letters, &outside, err) != 0 ||
	    io->write(io->context, buffer_bytes(&outside), buffer_len(&outside), err) != 0 ||
	    openpgp_encrypt_stream(how->pgp, how->keys, how->count, how->now_s, &stream, err) != 0 ||
	    io->write(io->context, end, (size_t)end_len, err) != 0)
		goto out;
	result = 0;
out:
	buffer_finish(&beginning);
	buffer_finish(&outside);
	buffer_finish(&s.inside);
	return result;
}

int
pgpmime_seal_message(const struct pgpmime_seal *how, struct slice message, struct buffer *out, bool *has_8bit_header,
    struct error *err)
{
	struct prepare_memory memory = { message, out };
	const struct prepare_stream io = prepare_memory_stream(&memory);
	return pgpmime_seal(how, &io, has_8bit_header, err);
}
