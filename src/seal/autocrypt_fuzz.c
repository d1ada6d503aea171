/* SPDX-License-Identifier: ISC */
#include "seal/autocrypt.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A header of anybody's: a key is found only with all that belongs to it, and writing it anew gives the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct autocrypt found;
	struct buffer key;
	buffer_init(&key, OPENPGP_AUTOCRYPT_MAX_BYTES);
	int result = autocrypt_find(slice_of(data, size), "alice@aliceonion.onion", &found, &key, NULL);
	if ((result == 1) != (buffer_len(&key) > 0) || (result == 1 && (!found.key.can_encrypt || found.key.fingerprint[0] == '\0')))
		abort();
	buffer_finish(&key);
	return 0;
}
