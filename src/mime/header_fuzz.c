/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The fields, the empty line and the body are the message, without a byte between or over; no unfolded value holds a line end. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header_scan scan;
	struct header_field field;
	struct buffer value;
	const uint8_t *at = data;
	int got;
	header_scan_init(&scan, slice_of(data, size));
	while ((got = header_scan_next(&scan, &field, NULL)) == 1) {
		if (field.raw.data != at || field.name.data != at || field.name.len + field.value.len + 3 > field.raw.len)
			abort();
		at += field.raw.len;
		buffer_init(&value, HEADER_SECTION_MAX_BYTES);
		if (header_unfold(field.value, &value, NULL) != 0 || memchr(buffer_bytes(&value), '\n', buffer_len(&value)) != NULL ||
		    memchr(buffer_bytes(&value), '\r', buffer_len(&value)) != NULL)
			abort();
		buffer_finish(&value);
	}
	if (got == 0 && scan.rest.data != at + (scan.has_empty_line ? 2 : 0))
		abort();
	if (got == 0 && scan.rest.len != (size_t)(data + size - scan.rest.data))
		abort();
	return 0;
}
