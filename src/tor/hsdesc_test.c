/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tor/hsdesc.h"

#define ONION "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
#define RELAY "$00112233445566778899AABBCCDDEEFF00112233"

static void
reads_what_happens_to_descriptors(void **state)
{
	(void)state;
	static const struct {
		const char *words;
		int action; /* -1: nothing that is told */
	} table[] = {
		{ "HS_DESC UPLOAD " ONION " UNKNOWN " RELAY "~relay dGVzdA HSDIR_INDEX=0011", HSDESC_UPLOAD },
		{ "HS_DESC UPLOADED " ONION " UNKNOWN " RELAY "~relay", HSDESC_UPLOADED },
		{ "HS_DESC UPLOADED " ONION " UNKNOWN " RELAY "=relay", HSDESC_UPLOADED },
		{ "HS_DESC UPLOADED " ONION " UNKNOWN " RELAY, HSDESC_UPLOADED },
		{ "HS_DESC FAILED " ONION " UNKNOWN " RELAY "~relay REASON=UPLOAD_REJECTED", HSDESC_UPLOAD_FAILED },
		{ "HS_DESC FAILED " ONION " UNKNOWN " RELAY "~relay", HSDESC_UPLOAD_FAILED },
		{ "HS_DESC FAILED " ONION " NO_AUTH " RELAY "~relay dGVzdA REASON=NOT_FOUND", HSDESC_FETCH_FAILED },
		{ "HS_DESC UPLOAD " ONION " UNKNOWN " RELAY "~relay HSDIR_INDEX=0011", -1 },
		{ "HS_DESC FAILED " ONION " NO_AUTH UNKNOWN dGVzdA REASON=QUERY_NO_HSDIR", -1 },
		{ "HS_DESC REQUESTED " ONION " NO_AUTH " RELAY "~relay dGVzdA", -1 },
		{ "HS_DESC RECEIVED " ONION " NO_AUTH " RELAY "~relay dGVzdA", HSDESC_RECEIVED },
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
		struct hsdesc_event event;
		bool understood = hsdesc_parse(slice_of_string(table[i].words), &event);
		if (understood != (table[i].action >= 0) || (understood && (int)event.action != table[i].action))
			fail_msg("%s", table[i].words);
		if (understood) {
			bool tells_descriptor = event.action != HSDESC_UPLOADED && event.action != HSDESC_UPLOAD_FAILED;
			assert_true(slice_is(event.descriptor, tells_descriptor ? "dGVzdA" : ""));
			assert_true(slice_is(event.onion, ONION));
			assert_memory_equal(event.directory, "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads_what_happens_to_descriptors) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
