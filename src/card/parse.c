/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/date.h"
#include "base/encode.h"
#include "card/card.h"
#include "card/vcard.h"
#include "card/names.h"
#include "proof/context.h"

/* A card under way: nothing of it is believed, or given out, before its signature was checked. */
struct reading {
	struct card card;
	struct buffer *key;
	struct address address;
	unsigned seen; /* a bit for each of the properties below */
	unsigned char signature[ONIONKEY_SIGNATURE_BYTES];
};

static int
is_bad(const char *name, struct error *err)
{
	return error_set(err, ERROR_INVALID, "the card's %s cannot be read", name);
}

static int
take_version(struct reading *r, struct slice value, struct error *err)
{
	(void)r;
	return slice_is(value, "4.0") ? 0 : error_set(err, ERROR_UNSUPPORTED, "this is no vCard of version 4.0");
}

static int
take_name(struct reading *r, struct slice value, struct error *err)
{
	char name[ADDRESS_MAX + 1]; /* at least; whether it is one of theirs, or only the address, is seen later */
	_Static_assert(ADDRESS_MAX >= CARD_NAME_MAX, "any name fits");
	if (vcard_unescape(value, name, sizeof name, err) != 0)
		return -1;
	slice_to_string(slice_of_string(name), r->card.name, sizeof r->card.name);
	if (strlen(name) > CARD_NAME_MAX && address_parse(slice_of_string(name), &(struct address){ 0 }, NULL) != 0)
		return error_set(err, ERROR_TOO_LARGE, "the card has a name of more than %d octets", CARD_NAME_MAX);
	if (address_parse(slice_of_string(name), &(struct address){ 0 }, NULL) == 0 || address_is_onion(slice_of_string(name)))
		r->card.name[0] = '\0'; /* an address is no name: it could be another one than the card is about */
	return 0;
}

static int
take_email(struct reading *r, struct slice value, struct error *err)
{
	struct address address;
	if (address_parse(value, &address, err) != 0)
		return -1;
	if (address.fingerprint[0] != '\0')
		return is_bad(CARD_EMAIL, err);
	address_format(&address, r->card.address);
	r->address = address;
	return 0;
}

static int
take_onion(struct reading *r, struct slice value, struct error *err)
{
	struct address onion;
	if (address_parse_domain(value, &onion, err) != 0)
		return -1;
	if (!slice_is(value, onion.onion))
		return is_bad(CARD_ONION_NAME, err);
	strcpy(r->card.onion, onion.onion);
	return 0;
}

static int
take_key(struct reading *r, struct slice value, struct error *err)
{
	static const char head[] = CARD_KEY_HEAD;
	size_t head_len = sizeof head - 1, len = CARD_KEY_MAX_BYTES;
	if (value.len < head_len || strncasecmp((const char *)value.data, head, head_len) != 0)
		return error_set(err, ERROR_UNSUPPORTED, "the card's key is not within the card, as an OpenPGP key in base64");
	unsigned char *room = buffer_reserve(r->key, len, err);
	if (room == NULL)
		return -1;
	if (encode_from_base64(room, &len, (const char *)value.data + head_len, value.len - head_len, NULL) != 0 || len == 0)
		return is_bad(CARD_KEY, err);
	buffer_commit(r->key, len);
	return 0;
}

static int
take_hash(struct slice value, char out[CARD_HASH_LEN + 1], const char *name, struct error *err)
{
	unsigned char hash[HASH_SHA256_BYTES];
	size_t len = sizeof hash;
	if (value.len != CARD_HASH_LEN || encode_from_base32(hash, &len, (const char *)value.data, value.len, NULL) != 0 || len != sizeof hash)
		return is_bad(name, err);
	encode_base32(out, hash, sizeof hash);
	return 0;
}

static int
take_tls(struct reading *r, struct slice value, struct error *err)
{
	return take_hash(value, r->card.tls, CARD_TLS, err);
}

static int
take_recovery(struct reading *r, struct slice value, struct error *err)
{
	return take_hash(value, r->card.recovery, CARD_RECOVERY, err);
}

static int
take_day(struct reading *r, struct slice value, struct error *err)
{
	return date_from_stamp(value, &r->card.day_s) == 0 ? 0 : is_bad(CARD_DAY, err);
}

static int
take_sequence(struct reading *r, struct slice value, struct error *err)
{
	uint64_t number = 0;
	bool is_good = value.len > 0 && value.len <= 18 && (value.data[0] != '0' || value.len == 1);
	for (size_t i = 0; is_good && i < value.len; i++) {
		is_good = value.data[i] >= '0' && value.data[i] <= '9';
		number = number * 10 + (uint64_t)(value.data[i] - '0');
	}
	r->card.sequence = number;
	return is_good ? 0 : is_bad(CARD_SEQUENCE, err);
}

static int
take_signature(struct reading *r, struct slice value, struct error *err)
{
	size_t len = sizeof r->signature;
	if (encode_from_base64(r->signature, &len, (const char *)value.data, value.len, NULL) != 0 || len != sizeof r->signature)
		return is_bad(CARD_SIGNATURE, err);
	return 0;
}

static const struct property {
	const char *name;
	int (*take)(struct reading *r, struct slice value, struct error *err);
	bool is_needed;
} properties[] = {
	{ CARD_VERSION, take_version, true }, { CARD_NAME, take_name, true }, { CARD_EMAIL, take_email, false }, { CARD_KEY, take_key, false },
	{ CARD_ONION_NAME, take_onion, true }, { CARD_TLS, take_tls, false }, { CARD_RECOVERY, take_recovery, false },
	{ CARD_DAY, take_day, true }, { CARD_SEQUENCE, take_sequence, true }, { CARD_SIGNATURE, take_signature, true },
};
#define PROPERTIES (sizeof properties / sizeof properties[0])
#define SIGNATURE_BIT (1U << (PROPERTIES - 1))

/* The property that a line is of. Group and parameters ("home.EMAIL", "EMAIL;PREF=1") would say something else about it: such a line must not look
 * like one that is not known. Nor must a BEGIN or END, behind which another reader would see another card. */
static int
find_property(struct slice name, const struct property **out, struct error *err)
{
	const unsigned char *end = memchr(name.data, ';', name.len);
	size_t len = end == NULL ? name.len : (size_t)(end - name.data);
	const unsigned char *dot = memrchr(name.data, '.', len);
	size_t group = dot == NULL ? 0 : (size_t)(dot - name.data) + 1;
	struct slice bare = slice_of(name.data + group, len - group);
	*out = NULL;
	if (slice_is_nocase(bare, "BEGIN") || slice_is_nocase(bare, "END"))
		return error_set(err, ERROR_INVALID, "the card is not whole, or there is another one in it");
	for (size_t i = 0; i < PROPERTIES; i++)
		if (slice_is_nocase(bare, properties[i].name))
			*out = &properties[i];
	if (*out != NULL && (end != NULL || dot != NULL))
		return error_set(err, ERROR_INVALID, "the card's %s has a group or parameters", (*out)->name);
	return 0;
}

/* A line between the first and the last. */
static int
take_line(struct reading *r, struct slice name, struct slice value, struct error *err)
{
	const struct property *property;
	if (find_property(name, &property, err) != 0)
		return -1;
	if (property == NULL)
		return 0;
	unsigned bit = 1U << (property - properties);
	if ((r->seen & bit) != 0)
		return error_set(err, ERROR_INVALID, "the card has more than one %s", property->name);
	r->seen |= bit;
	return property->take(r, value, err);
}

/* Reads the lines up to the signature, which is the last before the end; digest: of those before it. */
static int
take_lines(struct reading *r, struct slice plain, unsigned char digest[HASH_SHA256_BYTES], struct error *err)
{
	struct slice name, value, line;
	struct hash_sha256 hash;
	int got = vcard_next(&plain, &name, &value, &line, err);
	if (got <= 0 || !slice_is_nocase(name, "BEGIN") || !slice_is_nocase(value, "VCARD"))
		return error_set(err, ERROR_INVALID, "this is no vCard");
	hash_sha256_init(&hash);
	hash_sha256_update(&hash, line.data, line.len);
	while ((got = vcard_next(&plain, &name, &value, &line, err)) == 1) {
		if (take_line(r, name, value, err) != 0)
			return -1;
		if ((r->seen & SIGNATURE_BIT) != 0)
			break;
		hash_sha256_update(&hash, line.data, line.len);
	}
	hash_sha256_final(&hash, digest);
	if (got < 0)
		return -1;
	if (got == 0)
		return error_set(err, ERROR_DENIED, "the card is not signed");
	if (vcard_next(&plain, &name, &value, &line, err) != 1 || !slice_is_nocase(name, "END") || !slice_is_nocase(value, "VCARD") ||
	    plain.len > 0)
		return error_set(err, ERROR_INVALID, "the card goes on behind its signature, or breaks off");
	return 0;
}

/* That it says all that a card must, about one onion. */
static int
check(struct reading *r, struct error *err)
{
	for (size_t i = 0; i < PROPERTIES; i++)
		if (properties[i].is_needed && (r->seen & 1U << i) == 0)
			return error_set(err, ERROR_INVALID, "the card has no %s", properties[i].name);
	if (r->card.address[0] != '\0' && strcmp(r->address.onion, r->card.onion) != 0)
		return error_set(err, ERROR_DENIED, "the card is about an address of another onion than it names");
	r->card.kind = r->card.address[0] != '\0' ? CARD_PERSONAL : CARD_ONION;
	return 0;
}

static int
verify(const struct reading *r, const unsigned char digest[HASH_SHA256_BYTES], struct error *err)
{
	unsigned char text[CONTEXT_TEXT_MAX];
	struct address onion;
	if (address_parse_domain(slice_of_string(r->card.onion), &onion, err) != 0)
		return -1;
	size_t len = context_text(CONTEXT_CARD, digest, text);
	if (onionkey_verify(onion.public_key, slice_of(text, len), r->signature, NULL) != 0)
		return error_set(err, ERROR_DENIED, "the card was changed, or was not signed by the onion that it names");
	return 0;
}

int
card_parse(struct slice text, struct card *out, struct buffer *key, struct error *err)
{
	struct reading r = { .key = key };
	unsigned char digest[HASH_SHA256_BYTES];
	struct buffer plain;
	*out = (struct card){ 0 };
	if (text.len > CARD_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "a card has at most %d bytes", CARD_MAX_BYTES);
	buffer_init(&plain, CARD_MAX_BYTES + 512); /* lines that end in LF grow by an octet */
	int result = vcard_unfold(text, &plain, err);
	if (result == 0)
		result = take_lines(&r, slice_of(buffer_bytes(&plain), buffer_len(&plain)), digest, err);
	if (result == 0)
		result = check(&r, err);
	if (result == 0)
		result = verify(&r, digest, err);
	buffer_finish(&plain);
	if (result != 0) {
		buffer_finish(key);
		return -1;
	}
	*out = r.card;
	out->key = slice_of(buffer_bytes(key), buffer_len(key));
	return 0;
}

/* Where a line with these letters begins, from `from` on; its end in *end. text.len: nowhere. */
static size_t
find_line(struct slice text, size_t from, const char *letters, size_t *end)
{
	while (from < text.len) {
		const unsigned char *newline = memchr(text.data + from, '\n', text.len - from);
		*end = newline == NULL ? text.len : (size_t)(newline - text.data) + 1;
		size_t len = *end - from;
		while (len > 0 && (text.data[from + len - 1] == '\n' || text.data[from + len - 1] == '\r'))
			len--;
		if (slice_is_nocase(slice_of(text.data + from, len), letters))
			return from;
		from = *end;
	}
	return text.len;
}

bool
card_find(struct slice text, struct slice *card)
{
	size_t end;
	size_t first = find_line(text, 0, CARD_FIRST_LINE, &end);
	if (first == text.len || find_line(text, end, CARD_LAST_LINE, &end) == text.len)
		return false;
	*card = slice_of(text.data + first, end - first);
	return true;
}
