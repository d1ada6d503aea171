/* SPDX-License-Identifier: ISC
 *
 * For tests of notices: keys by number, and notices of the first of them.
 */
#pragma once

#include <assert.h>
#include <stdio.h>

#include "notice/notice.h"

#define TEST_NOTICE_DAY_S 1795305600 /* 22 November 2026 */

/* The key of 32 octets of this number. */
static inline void
test_notice_key(unsigned char number, struct onionkey *out)
{
	unsigned char seed[32];
	memset(seed, number, sizeof seed);
	onionkey_from_seed(seed, out);
}

/* alice@ the onion of a number */
static inline void
test_notice_address(unsigned char number, char out[ADDRESS_MAX + 1])
{
	struct onionkey key;
	char name[ONIONKEY_NAME_LEN + 1];
	test_notice_key(number, &key);
	onionkey_name(key.public_key, name);
	snprintf(out, ADDRESS_MAX + 1, "alice@%s.onion", name);
}

/* A signed notice of the onion 1. to: the number of the onion it moves to. recovery: that of a recovery key, or 0. */
static inline struct notice
test_notice(enum notice_kind kind, unsigned char to, unsigned char recovery, uint64_t sequence)
{
	struct notice n = { .kind = kind, .sequence = sequence, .day_s = TEST_NOTICE_DAY_S };
	struct onionkey onion, to_key, recovery_key;
	struct error why = { 0 };
	test_notice_key(1, &onion);
	test_notice_key(to, &to_key);
	test_notice_key(recovery, &recovery_key);
	if (kind == NOTICE_MOVE)
		test_notice_address(to, n.to);
	if (kind == NOTICE_REVOKE_KEY)
		memset(n.fingerprint, '0' + to, NOTICE_FINGERPRINT_LEN);
	int result = notice_sign(&n, &onion, kind == NOTICE_MOVE ? &to_key : NULL, recovery != 0 ? &recovery_key : NULL, &why);
	assert(result == 0);
	(void)result;
	return n;
}
