/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"

/* RFC 7693 appendix A: BLAKE2b-512("abc"). */
static const unsigned char abc[64] = {
	0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d, 0x6a, 0x27, 0x97, 0xb6, 0x9f, 0x12, 0xf6, 0xe9,
	0x4c, 0x21, 0x2f, 0x14, 0x68, 0x5a, 0xc4, 0xb7, 0x4b, 0x12, 0xbb, 0x6f, 0xdb, 0xff, 0xa2, 0xd1,
	0x7d, 0x87, 0xc5, 0x39, 0x2a, 0xab, 0x79, 0x2d, 0xc2, 0x52, 0xd5, 0xde, 0x45, 0x33, 0xcc, 0x95,
	0x18, 0xd3, 0x8a, 0xa8, 0xdb, 0xf1, 0x92, 0x5a, 0xb9, 0x23, 0x86, 0xed, 0xd4, 0x00, 0x99, 0x23,
};

static void
gives_the_rfc_s_digest_in_any_pieces(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 3; cut++) {
		struct hash hash;
		unsigned char out[64];
		hash_init(&hash, sizeof out, NULL, 0);
		hash_update(&hash, "abc", cut);
		hash_update(&hash, &"abc"[cut], 3 - cut);
		hash_final(&hash, out, sizeof out);
		assert_memory_equal(out, abc, sizeof abc);
	}
}

static void
the_key_matters(void **state)
{
	(void)state;
	struct hash hash;
	unsigned char one[32], other[32];
	hash_init(&hash, sizeof one, "key one", 7);
	hash_final(&hash, one, sizeof one);
	hash_init(&hash, sizeof other, "key two", 7);
	hash_final(&hash, other, sizeof other);
	assert_memory_not_equal(one, other, sizeof one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_rfc_s_digest_in_any_pieces),
		cmocka_unit_test(the_key_matters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
