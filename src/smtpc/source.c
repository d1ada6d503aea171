/* SPDX-License-Identifier: ISC */
#include "smtpc/source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "smtpc/dot.h"

#define CHUNK_BYTES 65536

size_t
source_len(const struct smtpc_message *message)
{
	return message->file != NULL ? message->file->bytes : message->body.len;
}

void
source_init(struct source *source, const struct smtpc_message *message)
{
	*source = (struct source){ .window = message->body, .fd = -1 };
	if (message->file != NULL)
		*source = (struct source){ .left = message->file->bytes, .fd = message->file->fd };
}

void
source_finish(struct source *source)
{
	free(source->chunk);
	*source = (struct source){ .fd = -1 };
}

int
source_fill(struct source *source, struct error *err)
{
	if (source->window.len > 0 || source->left == 0)
		return 0;
	if (source->chunk == NULL && (source->chunk = malloc(CHUNK_BYTES)) == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	ssize_t n;
	do
		n = pread(source->fd, source->chunk, source->left < CHUNK_BYTES ? source->left : CHUNK_BYTES, (off_t)source->offset);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return error_set(err, ERROR_IO, "the message cannot be read from the sender's disk");
	source->window = slice_of(source->chunk, (size_t)n);
	source->offset += (size_t)n;
	source->left -= (size_t)n;
	return 0;
}

bool
source_is_at_end(const struct source *source)
{
	return source->window.len == 0 && source->left == 0;
}

int
source_has_only_crlf(const struct smtpc_message *message, struct error *err)
{
	struct source source;
	bool after_cr = false, is_good = true;
	int result = 0;
	source_init(&source, message);
	while (result == 0 && is_good && !source_is_at_end(&source)) {
		result = source_fill(&source, err);
		is_good = dot_has_only_crlf(source.window, &after_cr);
		source.window.len = 0;
	}
	source_finish(&source);
	return result != 0 ? -1 : is_good && !after_cr;
}
