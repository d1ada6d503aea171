/* SPDX-License-Identifier: ISC */
#include "mime/prepare.h"

#include <string.h>

#include "mime/header.h"
#include "mime/lines.h"
#include "mime/parts.h"

/* A longer header is refused before this is at its end. */
#define BEGINNING_BYTES (HEADER_SECTION_MAX_BYTES + HEADER_LINE_MAX_BYTES + 2)
#define STEP_BYTES 65536

/* Looks at what is whole of the lines in the buffer, and passes it on. */
static int
pass_lines(struct parts *parts, struct buffer *text, bool is_end, struct lines_facts *lines, struct error *err)
{
	size_t len = buffer_len(text);
	const unsigned char *bytes = buffer_bytes(text), *newline = len > 0 ? memrchr(bytes, '\n', len) : NULL;
	/* without any line end there is a line that is too long: it will be said */
	if (!is_end && newline != NULL)
		len = (size_t)(newline - bytes) + 1;
	if (lines_check_more(slice_of(bytes, len), lines, err) != 0 || parts_take_lines(parts, slice_of(bytes, len), err) != 0)
		return -1;
	buffer_consume(text, len);
	return 0;
}

static int
pass_text(const struct prepare_stream *io, uint64_t offset, struct parts *parts, struct error *err)
{
	struct lines_facts lines = { .ends_with_crlf = true };
	struct buffer text;
	int result = 0;
	buffer_init(&text, 2 * STEP_BYTES);
	while (result == 0 && offset < io->len) {
		size_t step = io->len - offset < STEP_BYTES ? (size_t)(io->len - offset) : STEP_BYTES;
		unsigned char *room = buffer_reserve(&text, step, err);
		result = room == NULL ? -1 : io->read(io->context, offset, room, step, err);
		if (result == 0) {
			buffer_commit(&text, step);
			offset += step;
			result = pass_lines(parts, &text, offset == io->len, &lines, err);
		}
	}
	buffer_finish(&text);
	return result;
}

int
prepare_stream(const struct prepare_request *request, const struct prepare_stream *io, struct prepare_facts *facts,
    struct error *err)
{
	struct parts parts;
	struct buffer beginning;
	size_t len = io->len < BEGINNING_BYTES ? (size_t)io->len : BEGINNING_BYTES, body;
	int result = -1;
	*facts = (struct prepare_facts){ 0 };
	buffer_init(&beginning, BEGINNING_BYTES);
	parts_init(&parts, request, io);
	/* The header is worked on in a copy of our own: whoever wrote the file might still do so. */
	unsigned char *room = buffer_reserve(&beginning, len, err);
	if (room == NULL || io->read(io->context, 0, room, len, err) != 0 ||
	    parts_take_header(&parts, slice_of(room, len), &facts->needs_smtputf8, &body, err) != 0 ||
	    pass_text(io, body, &parts, err) != 0 || parts_end(&parts, err) != 0)
		goto out;
	facts->has_8bit = (parts.all_bits & 0x80) != 0;
	result = 0;
out:
	buffer_finish(&beginning);
	parts_finish(&parts);
	return result;
}

/* ---- a message in memory */

static int
read_memory(void *context, uint64_t offset, void *out, size_t len, struct error *err)
{
	const struct prepare_memory *m = context;
	(void)err;
	memcpy(out, m->message.data + offset, len);
	return 0;
}

static int
write_memory(void *context, const void *bytes, size_t len, struct error *err)
{
	struct prepare_memory *m = context;
	return buffer_append(m->out, bytes, len, err);
}

struct prepare_stream
prepare_memory_stream(struct prepare_memory *memory)
{
	return (struct prepare_stream){ memory->message.len, read_memory, write_memory, memory, NULL };
}

int
prepare_message(const struct prepare_request *request, struct buffer *out, struct prepare_facts *facts,
    struct error *err)
{
	struct prepare_memory memory = { request->message, out };
	const struct prepare_stream stream = prepare_memory_stream(&memory);
	*facts = (struct prepare_facts){ 0 };
	/* All at once, so that a large body is not copied again and again while the buffer grows. */
	if (buffer_reserve(out, request->message.len + 4096, err) == NULL)
		return -1;
	return prepare_stream(request, &stream, facts, err);
}
