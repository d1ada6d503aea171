/* SPDX-License-Identifier: ISC */
#include "base/test_vectors.h"

#include "card/test_card.h"

#define DAY_S 1795305600 /* 22 November 2026 */

static char vector[CARD_MAX_BYTES + 2];

static struct slice
read_vector(const char *name)
{
	FILE *file = test_vectors_open(name);
	size_t len = fread(vector, 1, sizeof vector, file);
	fclose(file);
	assert_true(len > 0 && len <= CARD_MAX_BYTES);
	return slice_of(vector, len);
}

/* The card of the vectors, whose key is 64 octets 02: nothing here looks into it. */
static struct card
example(enum card_kind kind)
{
	static unsigned char key[64];
	struct card card = { .kind = kind, .day_s = DAY_S, .sequence = 7, .key = { key, sizeof key } };
	struct onionkey onion;
	memset(key, 2, sizeof key);
	test_card_key(&onion);
	onionkey_name(onion.public_key, card.onion);
	strcat(card.onion, ".onion");
	memset(card.tls, 'a', CARD_HASH_LEN);
	memset(card.recovery, 'q', CARD_HASH_LEN);
	if (kind == CARD_PERSONAL) {
		snprintf(card.address, sizeof card.address, "alice@%s", card.onion);
		strcpy(card.name, "Alice, of the River; \xc3\x89lise \\o/ who has a name that is long enough to be folded \xe2\x80\x94 \xe2\x80\x94");
	}
	return card;
}

static void
assert_same(const struct card *a, const struct card *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_string_equal(a->address, b->address);
	assert_string_equal(a->onion, b->onion);
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->tls, b->tls);
	assert_string_equal(a->recovery, b->recovery);
	assert_int_equal(a->day_s, b->day_s);
	assert_int_equal(a->sequence, b->sequence);
	assert_int_equal(a->key.len, b->key.len);
	if (a->key.len > 0)
		assert_memory_equal(a->key.data, b->key.data, a->key.len);
}

static void
assert_refused(struct slice text, enum error_code code)
{
	struct card card, zeros = { 0 };
	struct buffer key;
	struct error err = { 0 };
	buffer_init(&key, CARD_KEY_MAX_BYTES);
	assert_int_equal(card_parse(text, &card, &key, &err), -1);
	assert_int_equal(err.code, code);
	assert_true(err.text[0] != '\0');
	assert_memory_equal(&card, &zeros, sizeof card);
	assert_int_equal(buffer_len(&key), 0);
	buffer_finish(&key);
}

static void
assert_taken(struct slice text, const struct card *expected)
{
	struct card card;
	struct buffer key;
	struct error err = { 0 };
	buffer_init(&key, CARD_KEY_MAX_BYTES);
	if (card_parse(text, &card, &key, &err) != 0)
		fail_msg("%s", err.text);
	assert_same(&card, expected);
	buffer_finish(&key);
}

static void
cards_are_those_of_the_specification(void **state)
{
	(void)state;
	static const char *const names[] = { [CARD_PERSONAL] = "card-personal.vcf", [CARD_ONION] = "card-onion.vcf" };
	for (unsigned kind = CARD_PERSONAL; kind <= CARD_ONION; kind++) {
		struct card card = example(kind);
		struct slice expected = read_vector(names[kind]);
		struct buffer out;
		struct error err = { 0 };
		buffer_init(&out, CARD_MAX_BYTES);
		assert_int_equal(test_card_write(&card, &out, &err), 0);
		assert_int_equal(buffer_len(&out), expected.len);
		assert_memory_equal(buffer_bytes(&out), expected.data, expected.len);
		assert_taken(expected, &card);
		buffer_finish(&out);
	}
}

/* Whoever changes an octet of somebody's card has none: but folding is the writer's choice, and means nothing. */
static void
no_octet_can_be_changed(void **state)
{
	(void)state;
	struct card card = example(CARD_PERSONAL);
	struct slice text = read_vector("card-personal.vcf");
	unsigned taken = 0;
	for (size_t i = 0; i < text.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct card got;
			struct buffer key;
			buffer_init(&key, CARD_KEY_MAX_BYTES);
			vector[i] ^= (char)(1U << bit);
			if (card_parse(text, &got, &key, NULL) == 0) {
				assert_same(&got, &card);
				taken++;
			}
			vector[i] ^= (char)(1U << bit);
			buffer_finish(&key);
		}
	assert_true(taken < 100); /* letters of END, of the signature's name */
}

static void
every_onions_card_has_one_size(void **state)
{
	(void)state;
	static unsigned char key[CARD_KEY_MAX_BYTES];
	struct card card = example(CARD_ONION);
	struct buffer out;
	size_t fitting = 0;
	buffer_init(&out, CARD_MAX_BYTES);
	memset(key, 0x99, sizeof key);
	for (size_t len = 0; len <= sizeof key; len++) {
		struct error err = { 0 };
		card.key = slice_of(key, len);
		card.tls[0] = len % 2 == 0 ? 'a' : '\0';
		if (test_card_write(&card, &out, &err) == 0) {
			assert_int_equal(buffer_len(&out), CARD_MAX_BYTES);
			if (len % 16 == 0)
				assert_taken(slice_of(buffer_bytes(&out), buffer_len(&out)), &card);
			fitting = len;
		} else {
			assert_int_equal(err.code, ERROR_TOO_LARGE);
		}
		buffer_finish(&out);
	}
	assert_true(fitting > 4096); /* RSA of 4096 bits has some 2,700 */
}

static void
lines_may_end_in_lf_and_be_folded_anywhere(void **state)
{
	(void)state;
	struct card card = example(CARD_PERSONAL);
	struct slice text = read_vector("card-personal.vcf");
	char other[2 * CARD_MAX_BYTES];
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++)
		if (vector[i] != '\r')
			other[len++] = vector[i];
	assert_taken(slice_of(other, len), &card);
	assert_taken(slice_of(other, len - 1), &card); /* without the last one's end */
	len = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (len > 0 && len % 31 == 0 && i > 20 && vector[i] != '\r' && vector[i] != '\n' && vector[i - 1] != '\n' && vector[i - 1] != '\r') {
			memcpy(other + len, "\r\n\t", 3);
			len += 3;
		}
		other[len++] = vector[i];
	}
	assert_taken(slice_of(other, len), &card);
}

static void
lines_are_folded_within_75_octets_between_characters(void **state)
{
	(void)state;
	struct card card = example(CARD_PERSONAL);
	struct buffer out;
	buffer_init(&out, CARD_MAX_BYTES);
	for (size_t shift = 0; shift < 8; shift++) {
		memset(card.name, 'x', shift);
		card.name[shift] = '\0';
		while (strlen(card.name) + 3 <= CARD_NAME_MAX)
			strcat(card.name, "\xe2\x82\xac");
		assert_int_equal(test_card_write(&card, &out, NULL), 0);
		assert_taken(slice_of(buffer_bytes(&out), buffer_len(&out)), &card);
		const unsigned char *at = buffer_bytes(&out), *end = at + buffer_len(&out), *newline;
		for (; (newline = memmem(at, (size_t)(end - at), "\r\n", 2)) != NULL; at = newline + 2) {
			assert_true(newline - at <= 75);
			assert_false((at[0] & 0xc0) == 0x80 || (at[0] == ' ' && (at[1] & 0xc0) == 0x80));
		}
		assert_true(at == end);
		buffer_finish(&out);
	}
}

/* A card that the onion's own key signed, although it says what no card may: lines put in before those of the vector. */
static void
assert_signed_and_refused(const char *search, const char *replacement, enum error_code code)
{
	struct slice text = read_vector("card-personal.vcf");
	unsigned char digest[HASH_SHA256_BYTES], signed_text[CONTEXT_TEXT_MAX], signature[ONIONKEY_SIGNATURE_BYTES];
	char changed[2 * CARD_MAX_BYTES] = "", plain[2 * CARD_MAX_BYTES];
	struct hash_sha256 hash;
	struct onionkey key;
	struct buffer out;
	size_t plain_len = 0;
	vector[text.len] = '\0';
	char *at = strstr(vector, search), *end = strstr(vector, "X-SMTORP-SIGNATURE");
	assert_true(at != NULL && end != NULL);
	strncat(changed, vector, (size_t)(at - vector));
	strcat(changed, replacement);
	strncat(changed, at + strlen(search), (size_t)(end - at) - strlen(search));
	for (const char *c = changed; *c != '\0'; c++)
		if (strncmp(c, "\r\n ", 3) == 0)
			c += 2;
		else
			plain[plain_len++] = *c;
	hash_sha256_init(&hash);
	hash_sha256_update(&hash, plain, plain_len);
	hash_sha256_final(&hash, digest);
	test_card_key(&key);
	onionkey_sign(&key, slice_of(signed_text, context_text(CONTEXT_CARD, digest, signed_text)), signature);
	buffer_init(&out, 2 * CARD_MAX_BYTES);
	assert_int_equal(buffer_append_string(&out, changed, NULL), 0);
	assert_int_equal(card_end(&out, signature, NULL), 0);
	if (code != ERROR_NONE) {
		assert_refused(slice_of(buffer_bytes(&out), buffer_len(&out)), code);
	} else {
		struct card card = example(CARD_PERSONAL);
		assert_taken(slice_of(buffer_bytes(&out), buffer_len(&out)), &card);
	}
	buffer_finish(&out);
}

static void
what_is_signed_must_be_a_card(void **state)
{
	(void)state;
	static const struct {
		const char *search, *replacement;
		enum error_code code;
	} table[] = {
		{ "KIND", "KIND", ERROR_NONE },
		{ "KIND", "X-OTHER;A=b:what nobody knows is signed and ignored\r\nKIND", ERROR_NONE },
		{ "VERSION:4.0", "VERSION:3.0", ERROR_UNSUPPORTED },
		{ "VERSION:4.0\r\n", "", ERROR_INVALID },
		{ "BEGIN:VCARD", "BEGIN:VCALENDAR", ERROR_INVALID },
		{ "KIND", "BEGIN:VCARD\r\nKIND", ERROR_INVALID },
		{ "KIND", "END:VCARD\r\nKIND", ERROR_INVALID },
		{ "KIND", "EMAIL:carol@example.org\r\nKIND", ERROR_INVALID },
		{ "KIND", "email;PREF=1:carol@example.org\r\nKIND", ERROR_INVALID },
		{ "KIND", "home.EMAIL:carol@example.org\r\nKIND", ERROR_INVALID },
		{ "KIND", "x.home.EMAIL:carol@example.org\r\nKIND", ERROR_INVALID },
		{ "KIND", "END;X=1:VCARD\r\nKIND", ERROR_INVALID }, { "KIND", "x.BEGIN:VCARD\r\nKIND", ERROR_INVALID },
		{ "EMAIL:alice@", "EMAIL:alice@aaaaaaaa.", ERROR_INVALID },
		{ "EMAIL:alice@", "EMAIL:alice", ERROR_INVALID },
		{ "FN:", "FN:\\n", ERROR_INVALID },
		{ "X-SMTORP-TLS:a", "X-SMTORP-TLS:", ERROR_INVALID },
		{ "X-SMTORP-TLS:a", "X-SMTORP-TLS:1", ERROR_INVALID },
		{ "X-SMTORP-SEQUENCE:7", "X-SMTORP-SEQUENCE:", ERROR_INVALID },
		{ "X-SMTORP-SEQUENCE:7", "X-SMTORP-SEQUENCE:07", ERROR_INVALID },
		{ "X-SMTORP-SEQUENCE:7", "X-SMTORP-SEQUENCE:1000000000000000000", ERROR_INVALID },
		{ "REV:2026", "REV:2026-", ERROR_INVALID },
		{ "base64,", "base64,!", ERROR_INVALID },
		{ "application/pgp-keys", "text/plain", ERROR_UNSUPPORTED },
		{ "KIND", "KEY:data:application/pgp-keys;base64,AAAA\r\nKIND", ERROR_INVALID },
		{ "KIND", "\r\nKIND", ERROR_INVALID },
		{ "KIND", "no colon\r\nKIND", ERROR_INVALID },
		{ "KIND", "X-A:\xff\r\nKIND", ERROR_INVALID },
		{ "KIND", "X-A:\x1b[2J\r\nKIND", ERROR_INVALID },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_signed_and_refused(table[i].search, table[i].replacement, table[i].code);
}

static void
an_onion_speaks_for_its_own_addresses_only(void **state)
{
	(void)state;
	struct card card = example(CARD_PERSONAL);
	unsigned char seed[32];
	struct onionkey bob;
	struct buffer out;
	memset(seed, 2, sizeof seed);
	onionkey_from_seed(seed, &bob);
	strcpy(card.address, "bob@");
	onionkey_name(bob.public_key, card.address + 4);
	strcat(card.address, ".onion");
	buffer_init(&out, CARD_MAX_BYTES);
	assert_int_equal(test_card_write(&card, &out, NULL), 0);
	assert_refused(slice_of(buffer_bytes(&out), buffer_len(&out)), ERROR_DENIED);
	buffer_finish(&out);
	/* and the same the other way round: the card is all bob's, but alice signed it */
	strcpy(card.onion, card.address + 4);
	assert_int_equal(test_card_write(&card, &out, NULL), 0);
	assert_refused(slice_of(buffer_bytes(&out), buffer_len(&out)), ERROR_DENIED);
	buffer_finish(&out);
}

static void
what_is_no_card_is_refused(void **state)
{
	(void)state;
	static char large[CARD_MAX_BYTES + 1];
	struct slice text = read_vector("card-personal.vcf");
	memset(large, 'a', sizeof large);
	assert_refused(slice_of(large, sizeof large), ERROR_TOO_LARGE);
	assert_refused(slice_of("", 0), ERROR_INVALID);
	assert_refused(slice_of_string(" BEGIN:VCARD\r\n"), ERROR_INVALID);
	assert_refused(slice_of_string("BEGIN:VCARD\r\nVERSION:4.0\r\nEND:VCARD\r\n"), ERROR_INVALID);
	assert_refused(slice_of_string("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Alice\r\n"), ERROR_DENIED);
	for (size_t len = 0; len + 2 < text.len; len++) { /* the last line's end may be missing */
		struct card card;
		struct buffer key;
		buffer_init(&key, CARD_KEY_MAX_BYTES);
		assert_int_equal(card_parse(slice_of(text.data, len), &card, &key, NULL), -1);
		buffer_finish(&key);
	}
	vector[text.len] = '\n';
	assert_refused(slice_of(text.data, text.len + 1), ERROR_INVALID);
}

static void
names_that_are_addresses_are_no_names(void **state)
{
	(void)state;
	struct card card = example(CARD_PERSONAL);
	struct buffer out;
	char address[ADDRESS_MAX + 1];
	buffer_init(&out, CARD_MAX_BYTES);
	snprintf(address, sizeof address, "%s", card.address);
	snprintf(card.name, sizeof card.name, "bob@%s", card.onion);
	assert_int_equal(test_card_write(&card, &out, NULL), 0);
	card.name[0] = '\0';
	assert_taken(slice_of(buffer_bytes(&out), buffer_len(&out)), &card);
	buffer_finish(&out);
	strcpy(card.name, "two\nlines");
	assert_int_equal(test_card_write(&card, &out, NULL), -1);
	buffer_finish(&out);
}

static void
a_card_is_found_in_a_text(void **state)
{
	(void)state;
	struct card card = example(CARD_PERSONAL);
	struct slice text = read_vector("card-personal.vcf"), found;
	char around[2 * CARD_MAX_BYTES] = "Hello,\r\n\r\nthis is me:\r\n\r\n";
	size_t before = strlen(around);
	memcpy(around + before, text.data, text.len);
	strcpy(around + before + text.len, "\r\n-- \r\nAlice\r\nBEGIN:VCARD\r\n");
	assert_true(card_find(slice_of_string(around), &found));
	assert_taken(found, &card);
	assert_false(card_find(slice_of_string("BEGIN:VCARD\r\n"), &found));
	assert_false(card_find(slice_of_string("say BEGIN:VCARD\nEND:VCARD\n"), &found));
	assert_false(card_find(slice_of("", 0), &found));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cards_are_those_of_the_specification),
		cmocka_unit_test(no_octet_can_be_changed),
		cmocka_unit_test(every_onions_card_has_one_size),
		cmocka_unit_test(lines_may_end_in_lf_and_be_folded_anywhere),
		cmocka_unit_test(lines_are_folded_within_75_octets_between_characters),
		cmocka_unit_test(what_is_signed_must_be_a_card),
		cmocka_unit_test(an_onion_speaks_for_its_own_addresses_only),
		cmocka_unit_test(what_is_no_card_is_refused),
		cmocka_unit_test(names_that_are_addresses_are_no_names),
		cmocka_unit_test(a_card_is_found_in_a_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
