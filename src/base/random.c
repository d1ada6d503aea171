/* SPDX-License-Identifier: ISC */
#include "base/random.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

void
random_init(void)
{
	if (sodium_init() < 0)
		abort();
}

void
random_bytes(void *out, size_t len)
{
	randombytes_buf(out, len);
}

uint64_t
random_u64(void)
{
	uint64_t value;
	random_bytes(&value, sizeof value);
	return value;
}

uint64_t
random_below(uint64_t bound)
{
	assert(bound >= 1);
	uint64_t limit = UINT64_MAX - UINT64_MAX % bound; /* reject the uneven rest */
	uint64_t value;
	do
		value = random_u64();
	while (value >= limit);
	return value % bound;
}

int64_t
random_jitter_ms(int64_t base_ms, unsigned spread_percent)
{
	int64_t spread = base_ms * (int64_t)spread_percent / 100;
	if (spread <= 0)
		return base_ms;
	return base_ms - spread + (int64_t)random_below((uint64_t)spread * 2 + 1);
}

void
random_name(char *out, size_t len)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	assert(len >= 1);
	random_bytes(out, len);
	for (size_t i = 0; i + 1 < len; i++)
		out[i] = alphabet[(unsigned char)out[i] & 31];
	out[len - 1] = '\0';
}
