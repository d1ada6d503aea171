/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum reply_progress
read_in_steps(const uint8_t *data, size_t size, size_t step, struct reply *reply)
{
	struct reply_extensions extensions = { 0 };
	reply_init(reply);
	for (size_t at = 0; at < size;) {
		size_t len = size - at < step ? size - at : step;
		struct slice input = slice_of(data + at, len);
		while (input.len > 0) {
			enum reply_progress progress = reply_take(reply, &input, NULL);
			if (progress == REPLY_LINE || progress == REPLY_COMPLETE)
				reply_take_extension(&extensions, reply_line(reply));
			if (progress == REPLY_COMPLETE || progress == REPLY_MALFORMED)
				return progress;
		}
		at += len;
	}
	return REPLY_NEEDS_MORE;
}

/* What is read does not depend on how it was cut, and what is kept is short and printable. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reply whole, bytewise;
	enum reply_progress progress = read_in_steps(data, size, size + 1, &whole);
	if (read_in_steps(data, size, 1, &bytewise) != progress)
		abort();
	if (progress == REPLY_COMPLETE && (whole.code != bytewise.code || strcmp(whole.text, bytewise.text) != 0 ||
	    strcmp(whole.enhanced, bytewise.enhanced) != 0))
		abort();
	if (whole.text_len > REPLY_TEXT_MAX || strlen(whole.text) != whole.text_len)
		abort();
	for (size_t i = 0; i < whole.text_len; i++) {
		if ((unsigned char)whole.text[i] < ' ' || whole.text[i] == 0x7f)
			abort();
	}
	return 0;
}
