/* SPDX-License-Identifier: ISC
 *
 * A descriptor as a directory gives it out: whoever has the onion's key, or sits in the directory, has written it.
 */
#include <stdlib.h>
#include <string.h>

#include "tor/copies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct copies_descriptor descriptor;
	struct error err = { 0 };
	int result = copies_parse(slice_of(data, size), &descriptor, &err);
	if (result != 0 && (err.code != ERROR_INVALID || err.text[0] == '\0'))
		abort();
	if (result == 0 && copies_is_newer(&descriptor, &descriptor))
		abort();
	return 0;
}
