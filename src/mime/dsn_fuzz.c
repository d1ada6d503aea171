/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/dsn.h"
#include "mime/header.h"
#include "mime/library.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* recipient NUL enhanced NUL words NUL original: none of it breaks the message's own header, or its lines (dsn_compose()
 * checks them itself). */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct slice parts[4];
	size_t at = 0;
	for (int i = 0; i < 4; i++) {
		const uint8_t *nul = i < 3 ? memchr(data + at, '\0', size - at) : NULL;
		size_t len = nul == NULL ? size - at : (size_t)(nul - data) - at;
		parts[i] = slice_of(data + at, len);
		at += len + (nul != NULL);
	}
	const struct dsn_failure failure = { parts[0], size % 2 ? 550 : 0, parts[1], parts[2] };
	const struct dsn_request request = { .onion = "own.onion", .recipient = "alice@own.onion", .now_s = (int64_t)size,
		.failures = &failure, .failure_count = 1, .will_end_s = size % 3 == 0 ? 1 : 0, .original = parts[3],
		.id_letters = "id", .boundary_letters = "boundary" };
	struct buffer out;
	struct header_scan scan;
	struct header_field field;
	bool needs_smtputf8, has_8bit;
	int got;
	if (parts[0].len > 1000)
		return 0;
	if (!ready)
		library_init();
	ready = true;
	buffer_init(&out, DSN_MAX_BYTES);
	if (dsn_compose(&request, &out, &needs_smtputf8, &has_8bit, NULL) != 0)
		abort();
	header_scan_init(&scan, slice_of(buffer_bytes(&out), buffer_len(&out)));
	while ((got = header_scan_next(&scan, &field, NULL)) == 1)
		;
	if (got != 0 || (scan.fields != 9 && scan.fields != 11))
		abort();
	buffer_finish(&out);
	return 0;
}
