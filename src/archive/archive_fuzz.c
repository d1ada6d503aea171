/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "archive/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	uint64_t sum, entries, files, bytes, open; /* open: bytes of the last file that have not come */
	int failed, ended;
};

static void
add(struct outcome *o, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		o->sum = o->sum * 1099511628211u + ((const unsigned char *)bytes)[i];
}

static int
on_entry(void *context, const struct archive_entry *entry, struct error *err)
{
	struct outcome *o = context;
	(void)err;
	if (o->open != 0 || entry->path[0] == '/' || entry->path[0] == '\0' || strcmp(entry->path, "..") == 0 ||
	    strncmp(entry->path, "../", 3) == 0 || strstr(entry->path, "/../") != NULL || strstr(entry->path, "//") != NULL ||
	    entry->path[strlen(entry->path) - 1] == '/')
		abort();
	if ((o->entries++ == 0) != (entry->type == ARCHIVE_NAME) ||
	    (entry->type == ARCHIVE_NAME && strchr(entry->path, '/') != NULL))
		abort();
	add(o, entry->path, strlen(entry->path));
	o->open = entry->size;
	return 0;
}

static int
on_bytes(void *context, struct slice bytes, struct error *err)
{
	struct outcome *o = context;
	(void)err;
	if (bytes.len == 0 || bytes.len > o->open)
		abort();
	o->open -= bytes.len;
	o->bytes += bytes.len;
	add(o, bytes.data, bytes.len);
	return 0;
}

static int
on_file_end(void *context, const struct archive_entry *entry, struct error *err)
{
	struct outcome *o = context;
	(void)err;
	if (o->open != 0 || entry->type != ARCHIVE_FILE)
		abort();
	o->files++;
	return 0;
}

static struct outcome
run(const uint8_t *data, size_t size, size_t piece)
{
	struct outcome o = { 0 };
	struct archive_handler handler = { on_entry, on_bytes, on_file_end, &o };
	struct archive_reader r;
	archive_reader_init(&r, &handler);
	for (size_t at = 0; !o.failed && at < size; at += piece)
		o.failed = archive_reader_take(&r, slice_of(data + at, piece < size - at ? piece : size - at), NULL) != 0;
	o.ended = !o.failed && archive_reader_finish(&r, NULL) == 0;
	return o;
}

/* However the stream is cut, the same comes out of it, and no path leaves the folder. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = run(data, size, size > 0 ? size : 1), single = run(data, size, 1);
	if (memcmp(&whole, &single, sizeof whole) != 0)
		abort();
	return 0;
}
