/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime/header.h"
#include "mime/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* mark NUL text NUL message: the copy has a header that can be read, with one content type. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice parts[3];
	size_t at = 0, types = 0;
	struct buffer out;
	struct header_scan scan;
	struct header_field field;
	int got;
	for (int i = 0; i < 3; i++) {
		const uint8_t *nul = i < 2 ? memchr(data + at, '\0', size - at) : NULL;
		size_t len = nul == NULL ? size - at : (size_t)(nul - data) - at;
		parts[i] = slice_of(data + at, len);
		at += len + (nul != NULL);
	}
	const struct note_request request = { .message = parts[2], .is_cut = size % 2, .mark = parts[0], .text = parts[1],
		.boundary_letters = "boundary" };
	buffer_init(&out, 4 * size + NOTE_ADDED_MAX_BYTES);
	if (note_compose(&request, &out, NULL) != 0)
		abort();
	header_scan_init(&scan, slice_of(buffer_bytes(&out), buffer_len(&out)));
	while ((got = header_scan_next(&scan, &field, NULL)) == 1)
		types += slice_is_nocase(field.name, "Content-Type");
	/* fields of ours may be one too many for the bounds, not for the sense */
	if (got != 0 && scan.fields < HEADER_FIELDS_MAX && scan.scanned_bytes < HEADER_SECTION_MAX_BYTES - 4096)
		abort();
	if (got == 0 && types != 1)
		abort();
	buffer_finish(&out);
	return 0;
}
