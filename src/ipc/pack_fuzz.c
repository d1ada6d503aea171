/* SPDX-License-Identifier: ISC
 *
 * Packed lists as less trusted roles send them: what is taken off a list is what stands there, and what is left is the rest.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct buffer *again, const uint8_t *data, size_t size, struct slice rest)
{
	if (rest.len > size || buffer_len(again) != size - rest.len ||
	    (rest.len < size && memcmp(buffer_bytes(again), data, size - rest.len) != 0))
		abort();
	buffer_finish(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice list = slice_of(data, size), string;
	struct pack_result result;
	struct buffer again;
	buffer_init(&again, size + 1);
	while (pack_next(&list, &string))
		if (pack_string(&again, string, NULL) != 0)
			abort();
	check(&again, data, size, list);
	for (list = slice_of(data, size); pack_next_result(&list, &result);)
		if (pack_result(&again, &result, NULL) != 0)
			abort();
	check(&again, data, size, list);
	for (list = slice_of(data, size); pack_next_failure(&list, &string, &result);)
		if (pack_failure(&again, string, &result, NULL) != 0)
			abort();
	check(&again, data, size, list);
	return 0;
}
