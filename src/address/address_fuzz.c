/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "address/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses is an onion name, and its own spelling parses to the same again. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address address, again;
	struct error err = { 0 };
	char text[ADDRESS_MAX + 1];
	const unsigned char *at = size > 0 ? memrchr(data, '@', size) : NULL;
	if (address_parse(slice_of(data, size), &address, &err) != 0) {
		if (err.code != ERROR_INVALID || err.text[0] == '\0')
			abort();
		return 0;
	}
	address_format(&address, text);
	if (at == NULL || !address_is_onion(slice_of(at + 1, size - (size_t)(at + 1 - data))) ||
	    address_parse(slice_of_string(text), &again, NULL) != 0 || memcmp(&address, &again, sizeof again) != 0)
		abort();
	return 0;
}
