/* SPDX-License-Identifier: ISC */
#include "card/person.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "card/names.h"
#include "card/vcard.h"

#define LINES_MAX_BYTES (2 * CARD_PERSON_MAX_BYTES)

/* ---- writing */

static int
put(const char *name, const char *value, struct buffer *out, struct error *err)
{
	struct buffer plain;
	buffer_init(&plain, LINES_MAX_BYTES);
	int result = vcard_write(name, slice_of_string(value), out, &plain, err);
	buffer_finish(&plain);
	return result;
}

static int
put_name(const char *name, struct buffer *out, struct error *err)
{
	struct buffer escaped;
	buffer_init(&escaped, 4 * CARD_NAME_MAX + 4 * ADDRESS_MAX);
	int result = vcard_escape(slice_of_string(name), &escaped, err);
	if (result == 0)
		result = buffer_append(&escaped, "", 1, err);
	if (result == 0)
		result = put(CARD_NAME, (const char *)buffer_bytes(&escaped), out, err);
	buffer_finish(&escaped);
	return result;
}

static int
put_key(struct slice key, struct buffer *out, struct error *err)
{
	static const char head[] = CARD_KEY_HEAD;
	struct buffer text;
	if (key.len > CARD_PERSON_KEY_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP key has %zu octets; at most %d are written", key.len, CARD_PERSON_KEY_MAX_BYTES);
	buffer_init(&text, sizeof head + ENCODE_BASE64_LEN(CARD_PERSON_KEY_MAX_BYTES) + 1);
	int result = buffer_append_string(&text, head, err);
	unsigned char *room = result == 0 ? buffer_reserve(&text, ENCODE_BASE64_LEN(key.len) + 1, err) : NULL;
	if (room != NULL) {
		encode_base64((char *)room, key.data, key.len);
		buffer_commit(&text, ENCODE_BASE64_LEN(key.len) + 1);
		result = put(CARD_KEY, (const char *)buffer_bytes(&text), out, err);
	} else {
		result = -1;
	}
	buffer_finish(&text);
	return result;
}

int
card_person_write(const struct card_person *person, struct slice key, struct buffer *out, struct error *err)
{
	if (put("BEGIN", "VCARD", out, err) != 0 || put(CARD_VERSION, "4.0", out, err) != 0 || put("KIND", "individual", out, err) != 0 ||
	    put_name(person->name[0] != '\0' ? person->name : person->address, out, err) != 0 || put(CARD_EMAIL, person->address, out, err) != 0)
		return -1;
	if (person->encrypt[0] != '\0' && put(CARD_PERSON_ENCRYPT, person->encrypt, out, err) != 0)
		return -1;
	for (size_t i = 0; i < person->carrier_count; i++)
		if (put(CARD_PERSON_CARRIER, person->carriers[i], out, err) != 0)
			return -1;
	return key.len > 0 && put_key(key, out, err) != 0 ? -1 : put("END", "VCARD", out, err);
}

/* ---- reading */

/* "item1.EMAIL;TYPE=home" is an EMAIL. */
static bool
is_called(struct slice name, const char *wanted)
{
	const unsigned char *semicolon = name.len > 0 ? memchr(name.data, ';', name.len) : NULL;
	size_t len = semicolon != NULL ? (size_t)(semicolon - name.data) : name.len;
	const unsigned char *dot = len > 0 ? memchr(name.data, '.', len) : NULL;
	size_t group = dot != NULL ? (size_t)(dot - name.data) + 1 : 0;
	return len - group == strlen(wanted) && strncasecmp((const char *)name.data + group, wanted, len - group) == 0;
}

/* false: it is no onion's. */
static bool
read_address(struct slice value, char out[ADDRESS_MAX + 1])
{
	struct address address;
	if (value.len > 7 && strncasecmp((const char *)value.data, "mailto:", 7) == 0)
		value = slice_of(value.data + 7, value.len - 7);
	if (address_parse(value, &address, NULL) != 0)
		return false;
	address_format(&address, out);
	return true;
}

/* Cut between characters. */
static void
take_name(struct slice value, struct card_person *out)
{
	char name[4096];
	if (out->name[0] != '\0' || vcard_unescape(value, name, sizeof name, NULL) != 0)
		return;
	size_t len = strlen(name);
	if (len > CARD_NAME_MAX)
		for (len = CARD_NAME_MAX; len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80; len--)
			;
	memcpy(out->name, name, len);
	out->name[len] = '\0';
}

static int
take_key(struct slice value, struct buffer *key, struct error *err)
{
	static const char head[] = CARD_KEY_HEAD;
	size_t len = CARD_PERSON_KEY_MAX_BYTES;
	if (buffer_len(key) > 0 || value.len < sizeof head - 1 || strncasecmp((const char *)value.data, head, sizeof head - 1) != 0)
		return 0; /* one elsewhere, or of another kind */
	unsigned char *room = buffer_reserve(key, len, err);
	if (room == NULL || encode_from_base64(room, &len, (const char *)value.data + sizeof head - 1, value.len - (sizeof head - 1), err) != 0)
		return -1;
	buffer_commit(key, len);
	return 0;
}

static int
take_lines(struct slice lines, struct card_person *out, struct buffer *key, struct error *err)
{
	struct slice name, value, line;
	int got;
	while ((got = vcard_next(&lines, &name, &value, &line, err)) == 1) {
		if (is_called(name, CARD_EMAIL) && out->address[0] == '\0')
			read_address(value, out->address);
		else if (is_called(name, CARD_NAME))
			take_name(value, out);
		else if (is_called(name, CARD_PERSON_ENCRYPT) && value.len < sizeof out->encrypt)
			slice_to_string(value, out->encrypt, sizeof out->encrypt);
		else if (is_called(name, CARD_PERSON_CARRIER) && out->carrier_count < CARD_PERSON_CARRIERS_MAX)
			out->carrier_count += read_address(value, out->carriers[out->carrier_count]);
		else if (is_called(name, CARD_SIGNATURE))
			out->is_signed = true;
		else if (is_called(name, CARD_KEY) && take_key(value, key, err) != 0)
			return -1;
	}
	return got;
}

int
card_person_parse(struct slice card, struct card_person *out, struct buffer *key, struct error *err)
{
	struct buffer lines;
	*out = (struct card_person){ 0 };
	if (card.len > CARD_PERSON_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the card has more than %d octets", CARD_PERSON_MAX_BYTES);
	buffer_init(&lines, LINES_MAX_BYTES);
	int result = vcard_unfold(card, &lines, err);
	if (result == 0)
		result = take_lines(slice_of(buffer_bytes(&lines), buffer_len(&lines)), out, key, err);
	buffer_finish(&lines);
	if (result != 0)
		return -1;
	if (strcmp(out->name, out->address) == 0)
		out->name[0] = '\0';
	return out->address[0] != '\0' ? 0 : error_set(err, ERROR_NOT_FOUND, "it has no address of an onion");
}
