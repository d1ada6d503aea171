/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/date.h"
#include "base/encode.h"
#include "card/card.h"
#include "card/vcard.h"
#include "card/names.h"

#define PADDING_FIRST_BYTES (sizeof CARD_PADDING ":" - 1 + 2)
#define PADDING_LINE_BYTES (VCARD_LINE_MAX + 2)
#define PADDING_LEAST_BYTES 4 /* of a further line: ' ', one octet, CRLF */
/* The signature's property: 108 octets in two lines, and END:VCARD. */
#define SIGNATURE_LEN ENCODE_BASE64_LEN(ONIONKEY_SIGNATURE_BYTES)
#define END_BYTES (sizeof CARD_SIGNATURE ":" - 1 + SIGNATURE_LEN + 2 + 3 + sizeof CARD_LAST_LINE - 1 + 2)

/* Where a card is written to: as it will be, and unfolded, as it is signed. */
struct pen {
	struct buffer *out;
	struct buffer plain;
};

static int
put(struct pen *pen, const char *name, const char *value, struct error *err)
{
	return vcard_write(name, slice_of_string(value), pen->out, &pen->plain, err);
}

static int
put_name(struct pen *pen, const struct card *card, struct error *err)
{
	struct buffer escaped;
	const char *name = card->name[0] != '\0' ? card->name : card->kind == CARD_PERSONAL ? card->address : card->onion;
	buffer_init(&escaped, 2 * CARD_MAX_BYTES);
	int result = vcard_escape(slice_of_string(name), &escaped, err);
	if (result == 0)
		result = vcard_write(CARD_NAME, slice_of(buffer_bytes(&escaped), buffer_len(&escaped)), pen->out, &pen->plain, err);
	buffer_finish(&escaped);
	return result;
}

static int
put_key(struct pen *pen, struct slice key, struct error *err)
{
	static const char head[] = CARD_KEY_HEAD;
	char text[sizeof head + ENCODE_BASE64_LEN(CARD_KEY_MAX_BYTES)];
	if (key.len == 0)
		return 0;
	if (key.len > CARD_KEY_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP key has %zu bytes, and a card has room for %d: take one with smaller numbers, "
		    "or fewer subkeys", key.len, CARD_KEY_MAX_BYTES);
	memcpy(text, head, sizeof head - 1);
	encode_base64(text + sizeof head - 1, key.data, key.len);
	return put(pen, CARD_KEY, text, err);
}

/* So much that the whole card has CARD_MAX_BYTES. It is folded where that comes out, which its writer may choose (RFC 6350 3.2). */
static int
put_padding(struct pen *pen, struct error *err)
{
	char zeros[VCARD_LINE_MAX];
	size_t used = buffer_len(pen->out) + END_BYTES + PADDING_FIRST_BYTES;
	memset(zeros, '0', sizeof zeros);
	if (used + PADDING_LEAST_BYTES > CARD_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP key is too large for the onion's card, which has %d bytes", CARD_MAX_BYTES);
	if (buffer_append_string(pen->out, CARD_PADDING ":\r\n", err) != 0 || buffer_append_string(&pen->plain, CARD_PADDING ":", err) != 0)
		return -1;
	for (size_t left = CARD_MAX_BYTES - used, len; left > 0; left -= len) {
		len = left <= PADDING_LINE_BYTES ? left : left < PADDING_LINE_BYTES + PADDING_LEAST_BYTES ? PADDING_LINE_BYTES - PADDING_LEAST_BYTES :
		    PADDING_LINE_BYTES;
		if (buffer_append(pen->out, " ", 1, err) != 0 || buffer_append(pen->out, zeros, len - 3, err) != 0 ||
		    buffer_append(pen->out, "\r\n", 2, err) != 0 || buffer_append(&pen->plain, zeros, len - 3, err) != 0)
			return -1;
	}
	return buffer_append(&pen->plain, "\r\n", 2, err);
}

static int
put_all(struct pen *pen, const struct card *card, struct error *err)
{
	char stamp[DATE_STAMP_SIZE], sequence[24];
	date_format_stamp(card->day_s, stamp);
	snprintf(sequence, sizeof sequence, "%" PRIu64, card->sequence);
	if (put(pen, "BEGIN", "VCARD", err) != 0 || put(pen, CARD_VERSION, "4.0", err) != 0 || put(pen, "KIND", "individual", err) != 0 ||
	    put_name(pen, card, err) != 0 || (card->kind == CARD_PERSONAL && put(pen, CARD_EMAIL, card->address, err) != 0) ||
	    put_key(pen, card->key, err) != 0 || put(pen, CARD_ONION_NAME, card->onion, err) != 0 ||
	    (card->tls[0] != '\0' && put(pen, CARD_TLS, card->tls, err) != 0) ||
	    (card->recovery[0] != '\0' && put(pen, CARD_RECOVERY, card->recovery, err) != 0) || put(pen, CARD_DAY, stamp, err) != 0 ||
	    put(pen, CARD_SEQUENCE, sequence, err) != 0)
		return -1;
	if (card->kind == CARD_ONION)
		return put_padding(pen, err);
	if (buffer_len(pen->out) + END_BYTES > CARD_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the card would be larger than %d bytes", CARD_MAX_BYTES);
	return 0;
}

int
card_compose(const struct card *card, struct buffer *out, unsigned char digest[HASH_SHA256_BYTES], struct error *err)
{
	struct pen pen = { .out = out };
	struct hash_sha256 hash;
	buffer_init(&pen.plain, CARD_MAX_BYTES);
	int result = put_all(&pen, card, err);
	hash_sha256_init(&hash);
	hash_sha256_update(&hash, buffer_bytes(&pen.plain), buffer_len(&pen.plain));
	hash_sha256_final(&hash, digest);
	buffer_finish(&pen.plain);
	return result;
}

int
card_end(struct buffer *out, const unsigned char signature[ONIONKEY_SIGNATURE_BYTES], struct error *err)
{
	char text[SIGNATURE_LEN + 1];
	struct buffer plain;
	buffer_init(&plain, CARD_MAX_BYTES);
	encode_base64(text, signature, ONIONKEY_SIGNATURE_BYTES);
	int result = vcard_write(CARD_SIGNATURE, slice_of_string(text), out, &plain, err);
	if (result == 0)
		result = buffer_append_string(out, CARD_LAST_LINE "\r\n", err);
	buffer_finish(&plain);
	return result;
}
