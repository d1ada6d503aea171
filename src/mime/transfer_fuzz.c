/* SPDX-License-Identifier: ISC
 *
 * A part's header and its content, as a stranger writes them: the result is bounded, and what is not encoded is as it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/library.h"
#include "mime/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int begun;
	struct buffer out;
	const uint8_t *end = memmem(data, size, "\n\n", 2);
	size_t header = end == NULL ? 0 : (size_t)(end - data) + 1;
	if (!begun)
		library_init();
	begun = 1;
	buffer_init(&out, 5000);
	int result = transfer_decode(slice_of(data, header), slice_of(data + header, size - header), &out, NULL);
	if (buffer_len(&out) > 5000 || (result == 0 && header == 0 && (buffer_len(&out) != size || memcmp(buffer_bytes(&out), data, size) != 0)))
		abort();
	buffer_finish(&out);
	return 0;
}
