/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/logline.h"
#include "base/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes out holds no address: no '@' between two letters, but behind the name of a role. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char key[REDACT_KEY_BYTES];
	static struct redact r;
	struct buffer out;
	struct logline l;
	if (size > REDACT_LINE_MAX_BYTES)
		return 0;
	if (!logline_parse(slice_of(data, size), &l))
		logline_parse_foreign(slice_of(data, size), &l);
	redact_init(&r, key);
	redact_hide(&r, slice_of_string("zoe"), NULL);
	buffer_init(&out, REDACT_OUT_MAX_BYTES);
	if (redact_line(&r, slice_of(data, size), &out, NULL) != 0)
		abort();
	const unsigned char *bytes = buffer_bytes(&out);
	for (size_t i = 1; i + 1 < buffer_len(&out); i++)
		if (bytes[i] == '@' && isalnum(bytes[i - 1]) && isalnum(bytes[i + 1]))
			abort();
	buffer_finish(&out);
	return 0;
}
