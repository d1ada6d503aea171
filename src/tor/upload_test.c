/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tor/upload.h"

#define ONION "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
#define RELAY "$00112233445566778899AABBCCDDEEFF00112233"

static void
reads_what_happens_to_our_descriptors(void **state)
{
	(void)state;
	static const struct {
		const char *words;
		int result; /* -1: not about an upload */
	} table[] = {
		{ "HS_DESC UPLOAD " ONION " UNKNOWN " RELAY "~relay abcdef HSDIR_INDEX=0011", UPLOAD_PENDING },
		{ "HS_DESC UPLOADED " ONION " UNKNOWN " RELAY "~relay", UPLOAD_DONE },
		{ "HS_DESC UPLOADED " ONION " UNKNOWN " RELAY "=relay", UPLOAD_DONE },
		{ "HS_DESC UPLOADED " ONION " UNKNOWN " RELAY, UPLOAD_DONE },
		{ "HS_DESC FAILED " ONION " UNKNOWN " RELAY "~relay REASON=UPLOAD_REJECTED", UPLOAD_FAILED },
		{ "HS_DESC FAILED " ONION " UNKNOWN " RELAY "~relay", UPLOAD_FAILED },
		{ "HS_DESC FAILED " ONION " NO_AUTH " RELAY "~relay dGVzdA REASON=NOT_FOUND", -1 },
		{ "HS_DESC FAILED " ONION " NO_AUTH UNKNOWN dGVzdA REASON=QUERY_NO_HSDIR", -1 },
		{ "HS_DESC REQUESTED " ONION " NO_AUTH " RELAY "~relay dGVzdA", -1 },
		{ "HS_DESC RECEIVED " ONION " NO_AUTH " RELAY "~relay dGVzdA", -1 },
		{ "HS_DESC CREATED " ONION " UNKNOWN UNKNOWN dGVzdA", -1 },
		{ "HS_DESC UPLOADED UNKNOWN UNKNOWN " RELAY "~relay", -1 },
		{ "HS_DESC UPLOADED " ONION "a UNKNOWN " RELAY "~relay", -1 },
		{ "HS_DESC UPLOADED " ONION " UNKNOWN $0011~relay", -1 },
		{ "HS_DESC UPLOADED " ONION " UNKNOWN " RELAY "0~relay", -1 },
		{ "HS_DESC UPLOADED " ONION " UNKNOWN $0011223344556677X899AABBCCDDEEFF00112233", -1 },
		{ "HS_DESC UPLOADED " ONION " UNKNOWN", -1 },
		{ "HS_DESC UPLOADED", -1 }, { "HS_DESC", -1 }, { "", -1 },
		{ "STATUS_CLIENT UPLOADED " ONION " UNKNOWN " RELAY, -1 },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct upload_event event;
		bool understood = upload_parse(slice_of_string(table[i].words), &event);
		if (understood != (table[i].result >= 0) || (understood && (int)event.result != table[i].result))
			fail_msg("%s", table[i].words);
		if (understood) {
			assert_true(slice_is(event.onion, ONION));
			assert_memory_equal(event.directory, "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
		}
	}
}

static void
hear(struct upload *upload, unsigned directory, enum upload_result result, int64_t now_ms)
{
	struct upload_event event = { .result = result };
	event.directory[0] = (unsigned char)directory;
	event.directory[1] = (unsigned char)(directory >> 8);
	upload_take(upload, &event, now_ms);
}

static void
counts_directories_and_not_events(void **state)
{
	(void)state;
	struct upload upload = { .count = 0 };
	for (unsigned i = 0; i < 4; i++)
		hear(&upload, i, UPLOAD_PENDING, 0);
	assert_int_equal(upload.count, 4);
	assert_int_equal(upload_done_count(&upload), 0);
	hear(&upload, 0, UPLOAD_DONE, 1);
	hear(&upload, 0, UPLOAD_DONE, 2);
	hear(&upload, 1, UPLOAD_FAILED, 2);
	assert_int_equal(upload_done_count(&upload), 1);
	assert_int_equal(upload_failed_count(&upload), 1);
	hear(&upload, 0, UPLOAD_PENDING, 3); /* the next descriptor is on its way; the directory holds one still */
	assert_int_equal(upload_done_count(&upload), 1);
	hear(&upload, 0, UPLOAD_FAILED, 4);
	assert_int_equal(upload_done_count(&upload), 0);
	hear(&upload, 1, UPLOAD_PENDING, 5);
	assert_int_equal(upload_failed_count(&upload), 1);
	assert_int_equal(upload.count, 4);
}

static void
forgets_directories_after_a_descriptors_life(void **state)
{
	(void)state;
	struct upload upload = { .count = 0 };
	hear(&upload, 1, UPLOAD_DONE, 0);
	hear(&upload, 2, UPLOAD_DONE, 1);
	hear(&upload, 3, UPLOAD_DONE, UPLOAD_LIFE_MS);
	assert_int_equal(upload.count, 2);
	hear(&upload, 3, UPLOAD_DONE, UPLOAD_LIFE_MS + 1);
	assert_int_equal(upload.count, 1);
}

static void
has_room_for_so_many_directories(void **state)
{
	(void)state;
	struct upload upload = { .count = 0 };
	for (unsigned i = 0; i < 10 * UPLOAD_DIRECTORIES_MAX; i++)
		hear(&upload, i, UPLOAD_DONE, i);
	assert_int_equal(upload.count, UPLOAD_DIRECTORIES_MAX);
	assert_int_equal(upload_done_count(&upload), UPLOAD_DIRECTORIES_MAX);
	hear(&upload, 10 * UPLOAD_DIRECTORIES_MAX - 1, UPLOAD_FAILED, 10000);
	assert_int_equal(upload_failed_count(&upload), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_happens_to_our_descriptors),
		cmocka_unit_test(counts_directories_and_not_events),
		cmocka_unit_test(forgets_directories_after_a_descriptors_life),
		cmocka_unit_test(has_room_for_so_many_directories),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
