/* SPDX-License-Identifier: ISC */
#include "archive/archive.h"

#include <assert.h>
#include <string.h>

#include "base/encode.h"

#define AT_PATH_LEN 1
#define AT_MODIFIED 3
#define AT_SIZE 11

static int
check_part(const char *part, size_t len)
{
	if (len == 0 || len > ARCHIVE_PART_MAX || (len == 1 && part[0] == '.') || (len == 2 && memcmp(part, "..", 2) == 0))
		return -1;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)part[i] < ' ' || part[i] == 0x7f)
			return -1;
	return 0;
}

static int
check_path(const char *path, size_t len, size_t parts_max, struct error *err)
{
	size_t at = 0, parts = 0;
	for (;;) {
		const char *slash = memchr(path + at, '/', len - at);
		size_t end = slash != NULL ? (size_t)(slash - path) : len;
		if (check_part(path + at, end - at) != 0 || ++parts > parts_max)
			return error_set(err, ERROR_INVALID, "the archive names a file as none may be named");
		if (end == len)
			return 0;
		at = end + 1;
	}
}

static int
check(const struct archive_entry *entry, size_t path_len, struct error *err)
{
	switch (entry->type) {
	case ARCHIVE_END:
		if (path_len != 0 || entry->modified_s != 0 || entry->size != 0)
			return error_set(err, ERROR_INVALID, "the archive's end is not as it should be");
		return 0;
	case ARCHIVE_NAME:
	case ARCHIVE_FOLDER:
	case ARCHIVE_FILE:
		if (entry->type != ARCHIVE_FILE && entry->size != 0)
			return error_set(err, ERROR_INVALID, "the archive gives a size to what has none");
		if (entry->size > ARCHIVE_FILE_MAX_BYTES)
			return error_set(err, ERROR_TOO_LARGE, "the archive holds a file that is too large");
		if (entry->modified_s > INT64_MAX)
			return error_set(err, ERROR_INVALID, "the archive holds a file of no possible time");
		return check_path(entry->path, path_len, entry->type == ARCHIVE_NAME ? 1 : ARCHIVE_DEPTH_MAX, err);
	}
	return error_set(err, ERROR_INVALID, "the archive holds something of a kind that is not known");
}

int
archive_encode(const struct archive_entry *entry, unsigned char out[ARCHIVE_FIXED_BYTES + ARCHIVE_PATH_MAX],
    size_t *out_len, struct error *err)
{
	size_t path_len = strlen(entry->path);
	assert(path_len <= ARCHIVE_PATH_MAX);
	if (check(entry, path_len, err) != 0)
		return -1;
	out[0] = (unsigned char)entry->type;
	encode_number(out + AT_PATH_LEN, path_len, 2);
	encode_number(out + AT_MODIFIED, entry->modified_s, 8);
	encode_number(out + AT_SIZE, entry->size, 8);
	memcpy(out + ARCHIVE_FIXED_BYTES, entry->path, path_len);
	*out_len = ARCHIVE_FIXED_BYTES + path_len;
	return 0;
}

void
archive_reader_init(struct archive_reader *r, const struct archive_handler *handler)
{
	memset(r, 0, sizeof *r);
	r->handler = *handler;
	r->want = ARCHIVE_FIXED_BYTES;
}

static int
finish_file(struct archive_reader *r, struct error *err)
{
	r->at = ARCHIVE_AT_HEAD;
	return r->handler.on_file_end(r->handler.context, &r->entry, err);
}

static int
take_entry(struct archive_reader *r, struct error *err)
{
	struct archive_entry *entry = &r->entry;
	size_t path_len = r->want - ARCHIVE_FIXED_BYTES;
	entry->type = (enum archive_type)r->head[0];
	entry->modified_s = encode_from_number(r->head + AT_MODIFIED, 8);
	entry->size = encode_from_number(r->head + AT_SIZE, 8);
	memcpy(entry->path, r->head + ARCHIVE_FIXED_BYTES, path_len);
	entry->path[path_len] = '\0';
	r->have = 0;
	r->want = ARCHIVE_FIXED_BYTES;
	if (check(entry, path_len, err) != 0)
		return -1;
	if ((r->count == 0) != (entry->type == ARCHIVE_NAME))
		return error_set(err, ERROR_INVALID, "the archive does not begin with one name");
	if (++r->count > ARCHIVE_ENTRIES_MAX)
		return error_set(err, ERROR_TOO_LARGE, "the archive holds more than %d files", ARCHIVE_ENTRIES_MAX);
	if (entry->type == ARCHIVE_END) {
		r->at = ARCHIVE_AT_END;
		return 0;
	}
	if (r->handler.on_entry(r->handler.context, entry, err) != 0)
		return -1;
	if (entry->type != ARCHIVE_FILE)
		return 0;
	r->left = entry->size;
	r->at = ARCHIVE_AT_BYTES;
	return r->left == 0 ? finish_file(r, err) : 0;
}

/* Takes from the front of bytes; a path's length is known, and checked, before there is room for it. */
static int
take_head(struct archive_reader *r, struct slice *bytes, struct error *err)
{
	size_t n = r->want - r->have < bytes->len ? r->want - r->have : bytes->len;
	memcpy(r->head + r->have, bytes->data, n);
	r->have += n;
	*bytes = slice_of(bytes->data + n, bytes->len - n);
	if (r->have < r->want)
		return 0;
	if (r->want == ARCHIVE_FIXED_BYTES) {
		size_t path_len = (size_t)encode_from_number(r->head + AT_PATH_LEN, 2);
		if (path_len > ARCHIVE_PATH_MAX)
			return error_set(err, ERROR_TOO_LARGE, "the archive holds a path that is too long");
		r->want += path_len;
		if (path_len > 0)
			return 0;
	}
	return take_entry(r, err);
}

static int
take_bytes(struct archive_reader *r, struct slice *bytes, struct error *err)
{
	size_t n = r->left < bytes->len ? (size_t)r->left : bytes->len;
	if (r->handler.on_bytes(r->handler.context, slice_of(bytes->data, n), err) != 0)
		return -1;
	*bytes = slice_of(bytes->data + n, bytes->len - n);
	r->left -= n;
	return r->left == 0 ? finish_file(r, err) : 0;
}

int
archive_reader_take(struct archive_reader *r, struct slice bytes, struct error *err)
{
	int result = 0;
	assert(r->at != ARCHIVE_FAILED);
	while (result == 0 && bytes.len > 0) {
		if (r->at == ARCHIVE_AT_END)
			result = error_set(err, ERROR_INVALID, "something follows the archive's end");
		else
			result = r->at == ARCHIVE_AT_HEAD ? take_head(r, &bytes, err) : take_bytes(r, &bytes, err);
	}
	if (result != 0)
		r->at = ARCHIVE_FAILED;
	return result;
}

int
archive_reader_finish(const struct archive_reader *r, struct error *err)
{
	return r->at == ARCHIVE_AT_END ? 0 : error_set(err, ERROR_INVALID, "the archive has no end");
}
