/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "card/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes out of a link goes in again, and out. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer card, link, again;
	struct error err = { 0 };
	buffer_init(&card, CARD_MAX_BYTES);
	buffer_init(&link, CARD_LINK_MAX_BYTES);
	buffer_init(&again, CARD_MAX_BYTES);
	int got = card_link_scan(slice_of(data, size), &card, &err);
	if (got < 0 && err.text[0] == '\0')
		abort();
	if (got == 1 && (card_link_write("alice@example.onion", slice_of(buffer_bytes(&card), buffer_len(&card)), &link, &err) != 0 ||
	                    card_link_scan(slice_of(buffer_bytes(&link), buffer_len(&link)), &again, &err) != 1 ||
	                    buffer_len(&again) != buffer_len(&card) || memcmp(buffer_bytes(&again), buffer_bytes(&card), buffer_len(&card)) != 0))
		abort();
	buffer_finish(&card);
	buffer_finish(&link);
	buffer_finish(&again);
	return 0;
}
