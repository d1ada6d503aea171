/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "proof/dkim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A value that parses lies inside its field; the digest does not depend on the signature; a body's does not on its pieces. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char section[] = "From: a\r\nTo: b\r\nFrom: c\r\n";
	unsigned char first[32], second[32];
	struct dkim_body whole, pieces;
	struct dkim_tags tags;
	struct header_field field = { .name = slice_of_string("Some-Signature"), .value = slice_of(data, size) };
	dkim_body_init(&whole);
	dkim_body_init(&pieces);
	dkim_body_update(&whole, data, size);
	for (size_t i = 0; i < size; i++)
		dkim_body_update(&pieces, data + i, 1);
	dkim_body_final(&whole, first);
	dkim_body_final(&pieces, second);
	if (memcmp(first, second, sizeof first) != 0)
		abort();
	if (dkim_parse(field.value, &tags, NULL) != 0)
		return 0;
	if (tags.signature_place.data < data || tags.signature_place.data + tags.signature_place.len > data + size)
		abort();
	if (dkim_digest(slice_of_string(section), &field, &tags, first, NULL) != 0)
		return 0;
	uint8_t *other = malloc(size);
	memcpy(other, data, size);
	memset(other + (tags.signature_place.data - data), ' ', tags.signature_place.len);
	struct dkim_tags moved = tags;
	field.value = slice_of(other, size);
	moved.signature_place.data = other + (tags.signature_place.data - data);
	if (dkim_digest(slice_of_string(section), &field, &moved, second, NULL) != 0 || memcmp(first, second, sizeof first) != 0)
		abort();
	free(other);
	return 0;
}
