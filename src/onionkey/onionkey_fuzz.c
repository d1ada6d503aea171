/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "onionkey/onionkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A name that is taken is, in lower case, the name of the key it gave. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char public_key[ONIONKEY_PUBLIC_BYTES];
	struct onionkey key;
	char name[ONIONKEY_NAME_LEN + 1];
	if (onionkey_parse_name(slice_of(data, size), public_key, NULL) == 0) {
		onionkey_name(public_key, name);
		for (size_t i = 0; i < size; i++)
			if (name[i] != tolower(data[i]))
				abort();
	}
	if (onionkey_from_file(slice_of(data, size), &key, NULL) == 0) {
		unsigned char file[ONIONKEY_FILE_BYTES];
		onionkey_to_file(&key, file);
		if (memcmp(file, data, sizeof file) != 0)
			abort();
	}
	return 0;
}
