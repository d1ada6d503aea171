/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "ipc/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What decodes must encode to the same bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_message m;
	struct buffer again;
	if (ipc_decode(data, size, &m, NULL) != 0)
		return 0;
	buffer_init(&again, IPC_MESSAGE_MAX);
	if (ipc_encode(&m, &again, NULL) != 0 || buffer_len(&again) != size ||
	    memcmp(buffer_bytes(&again), data, size) != 0)
		abort();
	buffer_finish(&again);
	return 0;
}
