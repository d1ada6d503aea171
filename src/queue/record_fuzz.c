/* SPDX-License-Identifier: ISC
 *
 * The head of a journal's record: the first octet is its type. What is understood is written again as it was.
 */
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "queue/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const struct record *record)
{
	struct slice list = record->destinations, onion, recipients;
	uint32_t position;
	while (record->type == RECORD_SUBMITTED && record_next_destination(&list, &onion, &recipients)) {
		struct buffer again;
		buffer_init(&again, RECORD_HEAD_MAX);
		const unsigned char *begin = onion.data - 2;
		if (recipients.len > 0 && (record_add_destination(&again, onion, recipients, NULL) != 0 ||
		    buffer_len(&again) != (size_t)(list.data - begin) || memcmp(buffer_bytes(&again), begin, buffer_len(&again)) != 0))
			abort();
		buffer_finish(&again);
	}
	list = record->positions;
	while (record->type == RECORD_BOUNCE && record_next_position(&list, &position))
		continue;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record record;
	struct buffer again;
	if (size == 0 || size > RECORD_HEAD_MAX)
		return 0;
	struct slice head = slice_of(data + 1, size - 1);
	if (record_decode((enum record_type)(data[0] % 8), head, &record, NULL) != 0)
		return 0;
	walk(&record);
	buffer_init(&again, RECORD_HEAD_MAX + 4);
	if (record_encode(&record, &again, NULL) != 0 || buffer_len(&again) != head.len + 4 ||
	    encode_from_number(buffer_bytes(&again), 4) != head.len || memcmp(buffer_bytes(&again) + 4, head.data, head.len) != 0)
		abort();
	buffer_finish(&again);
	return 0;
}
