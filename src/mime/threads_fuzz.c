/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/threads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INNER "<an-id-of-some-length@inner.example>"
#define MAP "<1@a> " INNER "\n<2@b> <2@b>\n"

static size_t
count_of(const struct threads *t)
{
	return (t->message_id.len > 0) + t->reply_count + t->reference_count;
}

/* Ids are whole, in order and inside the message; what is put back is found again in its place. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct threads threads, restored;
	struct slice ids[THREADS_IDS_MAX];
	struct buffer out;
	size_t replaced;
	threads_find(slice_of(data, size), &threads);
	size_t count = threads_list(&threads, ids);
	if (count != count_of(&threads))
		abort();
	for (size_t i = 0; i < count; i++) {
		if (ids[i].data < (i > 0 ? ids[i - 1].data + ids[i - 1].len : data) || ids[i].data + ids[i].len > data + size ||
		    ids[i].len < 3 || ids[i].len > THREADS_ID_MAX_BYTES || ids[i].data[0] != '<' || ids[i].data[ids[i].len - 1] != '>')
			abort();
		for (size_t k = 1; k < ids[i].len - 1; k++)
			if (ids[i].data[k] <= ' ' || ids[i].data[k] >= 0x7f || ids[i].data[k] == '<' || ids[i].data[k] == '>')
				abort();
	}
	buffer_init(&out, THREADS_RESTORED_MAX_BYTES + size);
	if (threads_restore(slice_of(data, size), true, slice_of_string(MAP), &out, &replaced, NULL) != 0 || replaced > size ||
	    (replaced == 0) != (buffer_len(&out) == 0))
		abort();
	if (replaced > 0 && size < THREADS_SCAN_BYTES / 2) { /* no id is pushed out of sight */
		if (buffer_append(&out, data + replaced, size - replaced, NULL) != 0)
			abort();
		threads_find(slice_of(buffer_bytes(&out), buffer_len(&out)), &restored);
		if (count_of(&restored) != count || restored.reference_count != threads.reference_count)
			abort();
	}
	buffer_finish(&out);
	return 0;
}
