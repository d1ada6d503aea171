/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "identity/tickets.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What is taken is written as it was; and whatever the file says and the clock shows, there is a key for new tickets afterwards, and none that
 * is too old. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct tickets t;
	unsigned char again[TICKETS_FILE_BYTES_MAX];
	static const int64_t clocks[] = { 0, 1, 1795000000, 4000000000, INT64_MAX };
	random_init();
	for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
		int result = tickets_decode(slice_of(bytes, len), &t, NULL);
		if (result != 0 && t.count != 0)
			abort();
		if (result == 0 && (tickets_encode(&t, again) != len || memcmp(again, bytes, len) != 0))
			abort();
		tickets_rotate(&t, clocks[i]);
		if (t.count == 0 || t.count > TICKETS_KEYS_MAX || clocks[i] - t.made[0] >= TICKETS_NEW_KEY_S ||
		    tickets_rotate(&t, clocks[i]) || tickets_encode(&t, again) > sizeof again)
			abort();
		for (size_t j = 0; j < t.count; j++)
			if (t.made[j] > clocks[i] || clocks[i] - t.made[j] >= TICKETS_KEY_LIFE_S)
				abort();
	}
	return 0;
}
