/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mime/threads.h"

/* The ids as one line: message id | replies | references. */
static void
describe(struct slice message, char out[16384])
{
	struct threads t;
	int used;
	threads_find(message, &t);
	used = sprintf(out, "%.*s|", (int)t.message_id.len, (const char *)t.message_id.data);
	for (size_t i = 0; i < t.reply_count; i++)
		used += sprintf(out + used, "%.*s", (int)t.replies[i].len, (const char *)t.replies[i].data);
	used += sprintf(out + used, "|");
	for (size_t i = 0; i < t.reference_count; i++)
		used += sprintf(out + used, "%.*s", (int)t.references[i].len, (const char *)t.references[i].data);
}

static void
ids_are_found_in_three_fields(void **state)
{
	(void)state;
	static const struct {
		const char *message, *found;
	} table[] = {
		{ "Message-ID: <1@a>\r\nIn-Reply-To: <2@b>\r\nReferences: <3@c> <2@b>\r\n\r\n", "<1@a>|<2@b>|<3@c><2@b>" },
		{ "MESSAGE-id:<1@a>\r\nreferences :<2@b>\r\n\t<3@c>\r\n <4@d>\r\n\r\n", "<1@a>||<2@b><3@c><4@d>" },
		{ "Subject: <1@a>\r\nX-Message-ID: <2@a>\r\nMessage-ID-X: <3@a>\r\nResent-Message-ID: <4@a>\r\n\r\n", "||" },
		/* not in the body, and not behind what ends the header */
		{ "Subject: x\r\n\r\nMessage-ID: <1@a>\r\n", "||" },
		{ "\r\nMessage-ID: <1@a>\r\n", "||" },
		{ "", "||" },
		/* the first of several; all references count */
		{ "Message-ID: <1@a>\r\nMessage-ID: <2@a>\r\nReferences: <3@a>\r\nReferences: <4@a>\r\n\r\n", "<1@a>||<3@a><4@a>" },
		{ "In-Reply-To: <1@a> <2@a> <3@a> <4@a> <5@a>\r\n\r\n", "|<1@a><2@a><3@a><4@a>|" },
		/* words, comments, things that are no ids */
		{ "In-Reply-To: Your message of \"Mon\" <1@a> (<2@a>)\r\n\r\n", "|<1@a><2@a>|" },
		{ "References: <> <1 @a> <2@\r\n a> <<3@a>> <\x80@a> <4@a\r\n\r\n", "||<3@a>" },
		{ "References: <1@a\r\n\r\n>", "||" },
		{ "References: <1@a><2@a>,<3@a>;<no-at>\r\n", "||<1@a><2@a><3@a><no-at>" },
		/* a header that nobody should write */
		{ "no field\r\n: <0@a>\r\n <1@a>\r\nMessage-ID: <2@a>", "<2@a>||" },
		{ " <1@a>\r\nReferences: \r\r\n <3@a>\r\nX: y\n<4@a>\r\n", "||<3@a>" },
		{ "References: <1@a>\rx\r\n <2@a>\r", "||<1@a><2@a>" },
	};
	char found[16384];
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		describe(slice_of_string(table[i].message), found);
		assert_string_equal(found, table[i].found);
	}
}

static void
an_id_has_at_most_250_bytes(void **state)
{
	(void)state;
	for (int len = 249; len <= 251; len++) {
		char message[600], found[16384], letters[300];
		memset(letters, 'x', sizeof letters);
		snprintf(message, sizeof message, "Message-ID: <%.*s>\r\nReferences: <%.*s> <1@a>\r\n\r\n", len - 2, letters, len - 2,
		    letters);
		describe(slice_of_string(message), found);
		assert_int_equal(strlen(found), len <= 250 ? 2 * len + 2 + 5 : 2 + 5);
	}
}

static void
of_many_references_the_first_and_the_last_count(void **state)
{
	(void)state;
	for (int count = 1; count < 200; count++) {
		char message[8192] = "References:", *at = message + strlen(message);
		struct threads t;
		for (int i = 0; i < count; i++)
			at += sprintf(at, " <%d@a>\r\n", i);
		threads_find(slice_of_string(message), &t);
		assert_int_equal(t.reference_count, count < 32 ? count : 32);
		for (int i = 0; i < (int)t.reference_count; i++) {
			char id[16];
			sprintf(id, "<%d@a>", i == 0 || count <= 32 ? i : count - 32 + i);
			assert_true(slice_is(t.references[i], id));
		}
	}
}

/* Behind the end of memory there is nothing to be read: sanitizers see to that. */
static void
a_message_may_end_anywhere(void **state)
{
	(void)state;
	static const char message[] = "Message-ID: <1@a>\r\nIn-Reply-To:\r\n\t<2@b>\r\nReferences: <3@c>\r\n <2@b>\r\n\r\n<4@d>";
	for (size_t len = 0; len < sizeof message; len++) {
		struct threads t;
		struct slice ids[THREADS_IDS_MAX];
		char *copy = malloc(len + 1), *exact = realloc(copy, len == 0 ? 1 : len);
		assert_non_null(exact);
		memcpy(exact, message, len);
		threads_find(slice_of(exact, len), &t);
		size_t count = threads_list(&t, ids);
		assert_int_equal(count, (len >= 17) + (len >= 39) + (len >= 58) + (len >= 66));
		for (size_t i = 1; i < count; i++)
			assert_true(ids[i].data > ids[i - 1].data);
		free(exact);
	}
}

static void
only_the_beginning_is_looked_at(void **state)
{
	(void)state;
	size_t len = THREADS_SCAN_BYTES + 100;
	char *message = malloc(len + 1), found[16384];
	assert_non_null(message);
	memset(message, 'x', len);
	message[len] = '\0';
	memcpy(message + THREADS_SCAN_BYTES - 60, "\r\nReferences: <1@a>\r\n", 20);
	memcpy(message + THREADS_SCAN_BYTES + 10, "\r\nReferences: <2@a>\r\n", 20);
	describe(slice_of(message, len), found);
	assert_string_equal(found, "||<1@a>");
	free(message);
}

#define MAP "<1@a> <one@x>\n<2@b> <two@x>\n<same@x> <same@x>\n"

static void
fields_are_written_anew(void **state)
{
	(void)state;
	static const struct {
		const char *value, *expected;
	} table[] = {
		{ "<1@a>", "References: <one@x>\r\n" },
		{ "(host) <1@a>,\r\n\t<2@b> <same@x>", "References: <one@x>\r\n <two@x>\r\n <same@x>\r\n" },
		{ "<3@c> <2@b> <1@A>", "References: <two@x>\r\n" },
		{ "<3@c> words", "" },
		{ "", "" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char message[200];
		struct threads t;
		struct buffer out;
		snprintf(message, sizeof message, "References: %s\r\n\r\n", table[i].value);
		threads_find(slice_of_string(message), &t);
		buffer_init(&out, 1000);
		assert_int_equal(threads_put_field(&out, "References", t.references, t.reference_count, slice_of_string(MAP), NULL), 0);
		assert_int_equal(buffer_append(&out, "", 1, NULL), 0);
		assert_string_equal(buffer_bytes(&out), table[i].expected);
		buffer_finish(&out);
	}
}

static void
ids_are_put_back_and_all_else_stays(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		bool has_message_id;
		const char *expected;
	} table[] = {
		{ "References: <1@a>\r\n\t<9@x>  <2@b> x\r\nIn-Reply-To:<2@b>\r\n\r\n<1@a>", false,
		  "References: <one@x>\r\n\t<9@x>  <two@x> x\r\nIn-Reply-To:<two@x>\r\n\r\n<1@a>" },
		{ "Message-ID: <1@a>\r\nReferences: <2@b>\r\n\r\n", false, "Message-ID: <1@a>\r\nReferences: <two@x>\r\n\r\n" },
		{ "Message-ID: <1@a>\r\nReferences: <2@b>\r\n\r\n", true, "Message-ID: <one@x>\r\nReferences: <two@x>\r\n\r\n" },
		{ "Message-ID: <same@x>\r\nReferences: <3@b>\r\n\r\n", true, NULL },
		{ "Subject: <1@a>\r\n\r\n", true, NULL },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct buffer out;
		size_t replaced;
		const char *m = table[i].message;
		buffer_init(&out, THREADS_RESTORED_MAX_BYTES);
		assert_int_equal(threads_restore(slice_of_string(m), table[i].has_message_id, slice_of_string(MAP), &out, &replaced,
		    NULL), 0);
		assert_int_equal(replaced == 0, table[i].expected == NULL);
		assert_int_equal(buffer_append(&out, m + replaced, strlen(m) - replaced + 1, NULL), 0);
		assert_string_equal(buffer_bytes(&out), table[i].expected == NULL ? m : table[i].expected);
		buffer_finish(&out);
	}
}

static void
a_map_that_is_none_has_nothing(void **state)
{
	(void)state;
	static const char *const maps[] = { "", "\n", "<1@a>", "<1@a>\n", "<1@a> <x>", " ", "\n<1@a> <one@x>\n" };
	struct slice other;
	for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
		assert_false(threads_map_find(slice_of_string(maps[i]), slice_of_string("<1@a>"), &other));
	assert_true(threads_map_find(slice_of_string(MAP), slice_of_string("<2@b>"), &other));
	assert_true(slice_is(other, "<two@x>"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_found_in_three_fields),
		cmocka_unit_test(an_id_has_at_most_250_bytes),
		cmocka_unit_test(of_many_references_the_first_and_the_last_count),
		cmocka_unit_test(a_message_may_end_anywhere),
		cmocka_unit_test(only_the_beginning_is_looked_at),
		cmocka_unit_test(fields_are_written_anew),
		cmocka_unit_test(ids_are_put_back_and_all_else_stays),
		cmocka_unit_test(a_map_that_is_none_has_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
