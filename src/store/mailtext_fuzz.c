/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "store/mailtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
convert(const uint8_t *data, size_t size, size_t cut, struct buffer *out, struct mailtext *text)
{
	buffer_init(out, size + 16);
	mailtext_init(text);
	if (mailtext_feed(text, slice_of(data, cut), out, NULL) != 0 ||
	    mailtext_feed(text, slice_of(data + cut, size - cut), out, NULL) != 0 || mailtext_finish(text, out, NULL) != 0)
		abort(); /* never longer than the input */
}

/* However it is cut, the result is the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer whole, parts;
	struct mailtext text, again;
	convert(data, size, size, &whole, &text);
	for (size_t cut = 0; cut < size && cut < 256; cut++) {
		convert(data, size, cut, &parts, &again);
		if (buffer_len(&parts) != buffer_len(&whole) || again.lines != text.lines || again.has_bare != text.has_bare ||
		    memcmp(buffer_bytes(&parts), buffer_bytes(&whole), buffer_len(&whole)) != 0)
			abort();
		buffer_finish(&parts);
	}
	buffer_finish(&whole);
	return 0;
}
