/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "notice/notice.h"
#include "notice/test_notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only the onion 1 signed anything in the corpus, so nobody else's notice comes out; what comes out is written as it was, but for the ends of lines. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct notice zeros;
	struct notice n, again;
	struct buffer out;
	struct error err = { 0 };
	char address[ADDRESS_MAX + 1];
	if (notice_parse(slice_of(data, size), &n, &err) != 0) {
		if (err.text[0] == '\0' || memcmp(&n, &zeros, sizeof n) != 0)
			abort();
		return 0;
	}
	test_notice_address(1, address);
	buffer_init(&out, NOTICE_MAX_BYTES);
	if (strcmp(strchr(address, '@') + 1, n.onion) != 0 || notice_write(&n, &out, &err) != 0 ||
	    notice_parse(slice_of(buffer_bytes(&out), buffer_len(&out)), &again, &err) != 0 || memcmp(&n, &again, sizeof n) != 0)
		abort();
	buffer_finish(&out);
	return 0;
}
