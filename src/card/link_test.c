/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "card/link.h"

static struct slice
all_of(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

static void
a_card_of_any_length_survives_a_link(void **state)
{
	(void)state;
	static unsigned char bytes[CARD_MAX_BYTES];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 256);
	for (size_t len = 1; len <= sizeof bytes; len += len < 300 ? 1 : 997) {
		struct buffer link, card;
		struct error err = { 0 };
		buffer_init(&link, CARD_LINK_MAX_BYTES);
		buffer_init(&card, CARD_MAX_BYTES);
		assert_int_equal(buffer_append_string(&link, "write to <", &err), 0);
		assert_int_equal(card_link_write("al&ice@aaaaaaaa.example.onion", slice_of(bytes, len), &link, &err), 0);
		assert_non_null(memmem(buffer_bytes(&link), buffer_len(&link), "<mailto:al%26ice@aaaaaaaa.example.onion?SMTorP-Card=", 51));
		assert_int_equal(buffer_append_string(&link, ">\n", &err), 0);
		assert_int_equal(card_link_scan(all_of(&link), &card, &err), 1);
		assert_int_equal(buffer_len(&card), len);
		assert_memory_equal(buffer_bytes(&card), bytes, len);
		buffer_finish(&link);
		buffer_finish(&card);
	}
}

static void
what_is_no_link_is_none_and_a_damaged_one_is_said_to_be(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int got;
	} table[] = {
		{ "", 0 },
		{ "mailto:alice@example.onion", 0 },
		{ "mailto:alice@example.onion?subject=x", 0 },
		{ "SMTorP-Card=AAAA", 0 }, /* no link */
		{ "mailto:a@b?SMTorP-Card=", -1 },
		{ "mailto:a@b?SMTorP-Card=AAAAA", -1 },
		{ "mailto:a@b?SMTorP-Card=%41", -1 },
		{ "mailto:a@b?subject=x&smtorp-card=QUJD&x=y", 1 },
	};
	static char large[20000];
	struct buffer card;
	struct error err = { 0 };
	buffer_init(&card, CARD_MAX_BYTES);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_int_equal(card_link_scan(slice_of_string(table[i].text), &card, &err), table[i].got);
		assert_true(table[i].got != 1 || slice_is(all_of(&card), "ABC"));
		buffer_finish(&card);
	}
	memset(large, 'A', sizeof large - 1);
	memcpy(large, "mailto:a@b?SMTorP-Card=", 23);
	assert_int_equal(card_link_scan(slice_of_string(large), &card, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	buffer_finish(&card);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_of_any_length_survives_a_link),
		cmocka_unit_test(what_is_no_link_is_none_and_a_damaged_one_is_said_to_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
