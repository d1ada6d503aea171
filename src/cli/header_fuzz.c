/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "cli/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No address may break out of the line that it is sent in. */
static int
check(void *context, struct slice address, struct error *err)
{
	(void)context;
	(void)err;
	if (address.len == 0)
		abort();
	for (size_t i = 0; i < address.len; i++)
		if (address.data[i] == '\r' || address.data[i] == '\n' || address.data[i] == '\0')
			abort();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header_end end;
	struct slice text = slice_of(data, size);
	header_list(text, check, NULL, NULL);
	if (!header_find_end(text, true, &end) || end.start > end.end || end.end > size)
		abort();
	header_addresses(slice_of(data + end.start, end.end - end.start), "To", check, NULL, NULL);
	return 0;
}
