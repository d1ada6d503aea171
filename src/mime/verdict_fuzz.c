/* SPDX-License-Identifier: ISC
 *
 * Whatever a stranger writes: no field of ours is left in a header, and nothing else is taken out of it but a beginning that goes on with ours.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *text = malloc(size + 1);
	if (text == NULL || size > 65536) {
		free(text);
		return 0;
	}
	memcpy(text, data, size);
	bool ends = verdict_header_ends(slice_of(data, size));
	size_t len = verdict_drop(text, size);
	if (len > size || verdict_drop(text, len) != len || (ends && !verdict_header_ends(slice_of(text, len))))
		abort();
	struct verdict_scan scan = { 0 };
	verdict_scan_update(&scan, data, size / 2);
	verdict_scan_update(&scan, data + size / 2, size - size / 2);
	bool goes_on = size > 0 && (data[0] == ' ' || data[0] == '\t'); /* with a field that is none */
	if ((verdict_is_asked_for(slice_of(data, size)) && !scan.is_asked_for) || scan.has_ended != ends || (len < size && !scan.has_verdict && !goes_on))
		abort();
	free(text);
	return 0;
}
