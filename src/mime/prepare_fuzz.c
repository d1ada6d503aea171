/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/library.h"
#include "mime/prepare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
prepare(struct slice message, struct buffer *out)
{
	const struct prepare_request request = { .message = message, .local_part = "alice", .onion = "own.onion",
		.now_s = 1795344471, .id_letters = "abcdefghijklmnopqrstuvwxyz" };
	struct prepare_facts facts;
	buffer_init(out, message.len + PREPARE_ADDED_MAX_BYTES);
	return prepare_message(&request, out, &facts, NULL);
}

/* What was prepared is fit to leave as it is. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct buffer once, twice;
	if (!ready)
		library_init();
	ready = true;
	if (prepare(slice_of(data, size), &once) == 0) {
		size_t len = buffer_len(&once);
		if (prepare(slice_of(buffer_bytes(&once), len), &twice) != 0 || buffer_len(&twice) != len ||
		    memcmp(buffer_bytes(&once), buffer_bytes(&twice), len) != 0)
			abort();
		buffer_finish(&twice);
	}
	buffer_finish(&once);
	return 0;
}
