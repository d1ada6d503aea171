/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes in steps of the given size; returns how much input was used. */
static size_t
decode(struct slice in, size_t step, struct data_decoder *decoder, struct buffer *out)
{
	size_t used = 0;
	*decoder = DATA_DECODER_START;
	while (used < in.len && !decoder->is_ended) {
		struct slice piece = slice_of(in.data + used, in.len - used < step ? in.len - used : step);
		size_t before = piece.len;
		struct slice content;
		while (data_decode(decoder, &piece, &content))
			if (buffer_append(out, content.data, content.len, NULL) != 0)
				abort();
		used += before - piece.len;
	}
	return used;
}

/* However the input is cut, the result is the same; and clean content ends in CRLF where DATA ended. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer whole, cut;
	struct data_decoder one, other;
	buffer_init(&whole, size + 1);
	buffer_init(&cut, size + 1);
	size_t used = decode(slice_of(data, size), size + 1, &one, &whole);
	for (size_t step = 1; step <= 3; step++) {
		buffer_finish(&cut);
		if (decode(slice_of(data, size), step, &other, &cut) != used || other.is_ended != one.is_ended ||
		    other.is_malformed != one.is_malformed || buffer_len(&cut) != buffer_len(&whole) ||
		    memcmp(buffer_bytes(&cut), buffer_bytes(&whole), buffer_len(&cut)) != 0)
			abort();
	}
	struct data_scan scan = DATA_SCAN_START;
	data_scan(&scan, slice_of(buffer_bytes(&whole), buffer_len(&whole)));
	if (scan.is_malformed && !one.is_malformed)
		abort();
	if (one.is_ended && (used < 3 || memcmp(data + used - 3, ".\r\n", 3) != 0))
		abort();
	buffer_finish(&whole);
	buffer_finish(&cut);
	return 0;
}
