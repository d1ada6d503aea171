/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "socks/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	int failed, done, result;
	size_t taken;
};

static struct outcome
run(const uint8_t *data, size_t size, size_t piece)
{
	struct socks s;
	struct outcome outcome = { 0 };
	if (socks_init(&s, slice_of_string("u"), slice_of_string("p"), slice_of_string("h"), 25, NULL) != 0)
		abort();
	while (!outcome.failed && outcome.taken < size && socks_wants(&s) > 0) {
		size_t len = size - outcome.taken;
		bool stepped;
		if (len > socks_wants(&s))
			len = socks_wants(&s);
		if (len > piece)
			len = piece;
		if (socks_take(&s, data + outcome.taken, len, &stepped, NULL) != 0)
			outcome.failed = 1;
		else
			outcome.taken += len;
		if (stepped && !socks_is_done(&s) && socks_output(&s).len == 0)
			abort();
	}
	if (outcome.failed)
		outcome.taken = 0; /* where it is noticed depends on the pieces */
	outcome.done = socks_is_done(&s);
	outcome.result = outcome.done ? (int)socks_result(&s) : 0;
	return outcome;
}

/* However the replies are cut, the outcome is the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = run(data, size, SIZE_MAX), single = run(data, size, 1);
	if (whole.failed != single.failed || whole.done != single.done || whole.result != single.result ||
	    whole.taken != single.taken)
		abort();
	return 0;
}
