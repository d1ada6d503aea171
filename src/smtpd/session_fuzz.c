/* SPDX-License-Identifier: ISC
 *
 * A whole session: the first octet chooses the kind of listener, the rest is what the client says. However it is cut, the
 * replies and the messages are the same.
 */
#include "smtpd/test_fuzz.h"

#define BYTEWISE_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 60000)
		return 0;
	struct slice said = slice_of(data + 1, size - 1);
	run_session(data[0] & 1, said, size);
	if (size <= BYTEWISE_MAX) {
		struct buffer whole = trace;
		run_session(data[0] & 1, said, 1 + (data[0] >> 4));
		if (buffer_len(&whole) != buffer_len(&trace) || memcmp(buffer_bytes(&whole), buffer_bytes(&trace), buffer_len(&trace)) != 0)
			abort();
		buffer_finish(&whole);
	}
	buffer_finish(&trace);
	return 0;
}
