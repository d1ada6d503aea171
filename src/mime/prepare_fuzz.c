/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "mime/fields.h"
#include "mime/header.h"
#include "mime/library.h"
#include "mime/prepare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Boundaries depend on the input, so that it cannot hold them. */
static int
prepare(struct slice message, struct slice seed, struct buffer *out)
{
	struct prepare_request request = { .message = message, .local_part = "alice", .onion = "own.onion",
		.now_s = 1795344471, .date_step_s = 60, .id_letters = "abcdefghijklmnopqrstuvwxyz",
		.ids = slice_of_string("<1@a> <2@b>\n<2@b> <2@b>\n") };
	struct prepare_facts facts;
	struct hash hash;
	hash_init(&hash, sizeof request.seed, NULL, 0);
	hash_update(&hash, seed.data, seed.len);
	hash_final(&hash, request.seed, sizeof request.seed);
	buffer_init(out, 64 * message.len + PREPARE_ADDED_MAX_BYTES);
	return prepare_message(&request, out, &facts, NULL);
}

static void
check_header(struct slice message)
{
	struct header_scan scan;
	struct header_field field;
	int got;
	header_scan_init(&scan, message);
	while ((got = header_scan_next(&scan, &field, NULL)) == 1)
		if (!fields_may_leave(field.name, false))
			abort();
	if (got != 0 || !scan.has_empty_line)
		abort();
}

/* Inside of what was signed everything stays as it is. */
static void
check_signed(struct slice part)
{
	static const char before[] = "Content-Type: multipart/signed; boundary=keep\r\n\r\n--keep\r\n", after[] = "\r\n--keep--\r\n";
	struct buffer message, out;
	if (part.len == 0 || memmem(part.data, part.len, "--keep", 6) != NULL)
		return;
	buffer_init(&message, part.len + sizeof before + sizeof after);
	buffer_append(&message, before, sizeof before - 1, NULL);
	buffer_append(&message, part.data, part.len, NULL);
	buffer_append(&message, after, sizeof after - 1, NULL);
	struct slice text = slice_of(buffer_bytes(&message), buffer_len(&message));
	if (prepare(text, text, &out) == 0 && memmem(buffer_bytes(&out), buffer_len(&out), part.data, part.len) == NULL)
		abort();
	buffer_finish(&out);
	buffer_finish(&message);
}

/* What was prepared is fit to leave as it is, holds no field that may not leave, and is not much longer than it was. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct buffer once, twice;
	struct slice seed = slice_of(data, size);
	if (!ready)
		library_init();
	ready = true;
	check_signed(seed);
	if (prepare(seed, seed, &once) == 0) {
		size_t len = buffer_len(&once);
		check_header(slice_of(buffer_bytes(&once), len));
		if (len > 16 * size + 1024)
			abort();
		if (prepare(slice_of(buffer_bytes(&once), len), seed, &twice) != 0 || buffer_len(&twice) != len ||
		    memcmp(buffer_bytes(&once), buffer_bytes(&twice), len) != 0)
			abort();
		buffer_finish(&twice);
	}
	buffer_finish(&once);
	return 0;
}
