/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tor/control_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes all that the replies say into trace. */
static void
note(const struct control_reply *r, struct buffer *trace)
{
	char out[32];
	buffer_printf(trace, NULL, "%u\n", r->code);
	for (unsigned i = 0; i < r->line_count; i++) {
		struct slice text = control_reply_text(r, i), data = control_reply_data(r, i), word;
		buffer_append(trace, text.data, text.len, NULL);
		buffer_append(trace, data.data, data.len, NULL);
		if (control_reply_keyword(text, "A", out, sizeof out))
			buffer_append_string(trace, out, NULL);
		while (control_reply_next_word(&text, &word))
			if (word.len == 0)
				abort();
	}
}

static int
run(const uint8_t *data, size_t size, size_t piece, struct buffer *trace)
{
	struct control_reply reply;
	struct buffer input;
	int result = 0;
	control_reply_init(&reply);
	buffer_init(&input, 1 << 20);
	while (result == 0 && size > 0) {
		size_t len = size < piece ? size : piece;
		bool complete = true;
		if (buffer_append(&input, data, len, NULL) != 0)
			abort();
		data += len;
		size -= len;
		while (result == 0 && complete) {
			result = control_reply_take(&reply, &input, &complete, NULL);
			if (result == 0 && complete)
				note(&reply, trace);
		}
	}
	control_reply_finish(&reply);
	buffer_finish(&input);
	return result;
}

/* However the bytes are cut, the replies are the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer whole, single;
	if (size > 1 << 18)
		return 0;
	buffer_init(&whole, SIZE_MAX / 2);
	buffer_init(&single, SIZE_MAX / 2);
	int a = run(data, size, SIZE_MAX, &whole), b = run(data, size, 1, &single);
	if (a != b || buffer_len(&whole) != buffer_len(&single) ||
	    memcmp(buffer_bytes(&whole), buffer_bytes(&single), buffer_len(&whole)) != 0)
		abort();
	buffer_finish(&whole);
	buffer_finish(&single);
	return 0;
}
