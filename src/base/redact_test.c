/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"

#define ONION "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
#define LABEL "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"

/* The line without what is hidden, the digits of the placeholders taken out. */
static const char *
redacted(const struct redact *r, const char *line)
{
	static char text[REDACT_OUT_MAX_BYTES + 1];
	struct buffer out;
	size_t n = 0;
	buffer_init(&out, REDACT_OUT_MAX_BYTES);
	assert_int_equal(redact_line(r, slice_of_string(line), &out, NULL), 0);
	const unsigned char *bytes = buffer_bytes(&out);
	for (size_t i = 0; i < buffer_len(&out); i++) {
		text[n++] = (char)bytes[i];
		if (bytes[i] == ':' && i + 7 < buffer_len(&out) && bytes[i + 7] == '>')
			i += 6;
	}
	text[n] = '\0';
	buffer_finish(&out);
	return text;
}

static void
what_tells_who_writes_to_whom_is_hidden(void **state)
{
	(void)state;
	static const unsigned char key[REDACT_KEY_BYTES] = "key";
	static const char *const table[][2] = {
		{ "", "" },
		{ "nothing to hide", "nothing to hide" },
		{ "for bob@" ONION ".onion: no", "for <address:>: no" },
		{ "for <bob+list@" LABEL "." ONION ".onion>", "for <<address:>>" },
		{ "\"b o\\\" b\"@" ONION ".onion waits", "<address:> waits" },
		{ "b o\"@" ONION ".onion waits", "<address:> waits" },
		{ "to j\xc3\xb6rg@b\xc3\xbc" "cher.example.", "to <address:>" },
		{ "name " ONION " alone", "name <onion:> alone" },
		{ "NAME 25NJQAMCWEFLPVKL73J4SZAHHIHOC4XT3KTCGJNPAINGR5YHKENL5SID.ONION", "NAME <onion:>" },
		{ "x " LABEL "." ONION ".onion:25", "x <onion:>:25" },
		{ "short.onion is wrong", "<onion:> is wrong" },
		{ "/run/onion/zoe/25", "/run/onion/<name:>/25" },
		{ "zoe is stopped; Zoe's", "<name:> is stopped; <name:>'s" },
		{ "zoey is not zoe", "zoey is not <name:>" },
		{ "mail@zoe (process 12) ended", "mail@<name:> (process 12) ended" },
		{ "mail@other ended", "mail@<name:> ended" },
		{ "mail@zoe.example", "<address:>" },
		{ "Login: user=<zoe or somebody>, rip=::1", "Login: user=<<address:>>, rip=::1" },
		{ "w.zoe-1 and w.zoe-12", "<name:> and w.<name:>-12" },
		{ "@ a@ @b 3 @ 4", "@ a@ @b 3 @ 4" },
	};
	struct redact *r = calloc(1, sizeof *r);
	redact_init(r, key);
	assert_int_equal(redact_hide(r, slice_of_string("w.zoe-1"), NULL), 0);
	assert_int_equal(redact_hide(r, slice_of_string("zoe"), NULL), 0);
	assert_int_equal(redact_hide(r, slice_of_string("zoe"), NULL), 0);
	assert_int_equal(r->count, 2);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_string_equal(redacted(r, table[i][0]), table[i][1]);
	free(r);
}

static void
the_same_has_the_same_digits_under_the_same_key(void **state)
{
	(void)state;
	unsigned char key[REDACT_KEY_BYTES] = "key";
	char lines[4][64];
	static const char *const from[4] = { "a@b.onion", "A@B.onion", "c@b.onion", "a@b.onion" };
	struct redact *r = calloc(1, sizeof *r);
	for (size_t i = 0; i < 4; i++) {
		struct buffer out;
		if (i == 3)
			key[0] ^= 1;
		redact_init(r, key);
		buffer_init(&out, REDACT_OUT_MAX_BYTES);
		assert_int_equal(redact_line(r, slice_of_string(from[i]), &out, NULL), 0);
		snprintf(lines[i], sizeof lines[i], "%.*s", (int)buffer_len(&out), (const char *)buffer_bytes(&out));
		buffer_finish(&out);
	}
	assert_string_equal(lines[0], lines[1]);
	assert_string_not_equal(lines[0], lines[2]);
	assert_string_not_equal(lines[0], lines[3]);
	free(r);
}

static void
words_are_bounded(void **state)
{
	(void)state;
	static const unsigned char key[REDACT_KEY_BYTES];
	char word[REDACT_WORD_MAX_BYTES + 2];
	struct redact *r = calloc(1, sizeof *r);
	redact_init(r, key);
	memset(word, 'x', sizeof word);
	assert_int_equal(redact_hide(r, slice_of(word, sizeof word), NULL), -1);
	assert_int_equal(redact_hide(r, slice_of(word, 0), NULL), -1);
	for (size_t i = 0; i < REDACT_WORDS_MAX; i++) {
		snprintf(word, sizeof word, "w%zu", i);
		assert_int_equal(redact_hide(r, slice_of_string(word), NULL), 0);
	}
	assert_int_equal(redact_hide(r, slice_of_string("more"), NULL), -1);
	free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_tells_who_writes_to_whom_is_hidden),
		cmocka_unit_test(the_same_has_the_same_digits_under_the_same_key),
		cmocka_unit_test(words_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
