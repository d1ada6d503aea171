/* SPDX-License-Identifier: ISC
 *
 * A folder as one stream of bytes (doc/export.md, section 2): a name, then folders and regular files, then an end.
 * There is no way to write a link, a device, an owner, a mode or a path that leaves the folder, which is why this is
 * not tar: the reader has nothing to forbid. It takes the stream in any pieces and believes none of it.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define ARCHIVE_PATH_MAX 1024
#define ARCHIVE_PART_MAX 255        /* between two slashes */
#define ARCHIVE_DEPTH_MAX 16        /* parts of a path */
#define ARCHIVE_ENTRIES_MAX 4000000
#define ARCHIVE_FIXED_BYTES 19      /* of each entry, before its path */
#define ARCHIVE_FILE_MAX_BYTES ((uint64_t)1 << 40)

enum archive_type {
	ARCHIVE_END,    /* the last entry: nothing but zeros */
	ARCHIVE_NAME,   /* the first one: its path is the name, of one part */
	ARCHIVE_FOLDER,
	ARCHIVE_FILE,   /* its bytes follow */
};

struct archive_entry {
	enum archive_type type;
	char path[ARCHIVE_PATH_MAX + 1]; /* relative, parts between single slashes, none of them "." or ".." */
	uint64_t modified_s;             /* seconds since 1970 */
	uint64_t size;                   /* bytes; only of a file */
};

/* The bytes of an entry, without a file's own. ERROR_INVALID for a path that no reader would take. */
int archive_encode(const struct archive_entry *entry, unsigned char out[ARCHIVE_FIXED_BYTES + ARCHIVE_PATH_MAX],
    size_t *out_len, struct error *err);

/* Each returns 0 or -1, which ends the reading. on_entry fires for the name, folders and files; on_bytes for the pieces
 * of the file that came last, on_file_end when it is whole. None may free the reader. */
struct archive_handler {
	int (*on_entry)(void *context, const struct archive_entry *entry, struct error *err);
	int (*on_bytes)(void *context, struct slice bytes, struct error *err);
	int (*on_file_end)(void *context, const struct archive_entry *entry, struct error *err);
	void *context;
};

struct archive_reader {
	struct archive_handler handler;
	unsigned char head[ARCHIVE_FIXED_BYTES + ARCHIVE_PATH_MAX];
	size_t have, want;           /* bytes of the head */
	uint64_t left;               /* bytes of the file that are still to come */
	uint32_t count;
	enum { ARCHIVE_AT_HEAD, ARCHIVE_AT_BYTES, ARCHIVE_AT_END, ARCHIVE_FAILED } at;
	struct archive_entry entry;
};

void archive_reader_init(struct archive_reader *r, const struct archive_handler *handler);

/* ERROR_INVALID for what is no archive, ERROR_TOO_LARGE over a maximum above; what a handler says. */
int archive_reader_take(struct archive_reader *r, struct slice bytes, struct error *err);

/* Nothing follows: ERROR_INVALID when the end has not been read. */
int archive_reader_finish(const struct archive_reader *r, struct error *err);
