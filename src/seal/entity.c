/* SPDX-License-Identifier: ISC */
#include "seal/entity.h"

#include "base/buffer.h"
#include "mime/fold.h"
#include "mime/header.h"
#include "mime/params.h"

static void
copy_lower(char *out, struct slice value, size_t room)
{
	slice_to_string(value, out, room);
	for (; *out != '\0'; out++)
		if (*out >= 'A' && *out <= 'Z')
			*out = (char)(*out | 0x20);
}

/* "" for one that is missing or was written in a way that some do not read. */
static int
copy_plain(struct slice value, const char *name, char *out, size_t room, struct error *err)
{
	struct param p;
	int found = params_find(value, name, &p, err);
	out[0] = '\0';
	if (found == 1 && p.is_plain && p.len > 0 && p.len < room && memchr(p.value, '\0', p.len) == NULL) {
		memcpy(out, p.value, p.len);
		out[p.len] = '\0';
	}
	return found < 0 ? -1 : 0;
}

static int
read_type(struct slice value, struct entity *out, struct error *err)
{
	char protocol[CONTENT_TYPE_MAX + 1], marks[2][32];
	struct slice head = params_head(value);
	if (head.len > CONTENT_TYPE_MAX || memchr(head.data, '/', head.len) == NULL)
		return error_set(err, ERROR_INVALID, "Content-Type is no type like text/plain");
	copy_lower(out->type, head, sizeof out->type);
	if (copy_plain(value, "boundary", out->boundary, sizeof out->boundary, err) != 0 ||
	    copy_plain(value, "protocol", protocol, sizeof protocol, err) != 0 ||
	    copy_plain(value, "hp", marks[0], sizeof marks[0], err) != 0 ||
	    copy_plain(value, "protected-headers", marks[1], sizeof marks[1], err) != 0)
		return -1;
	copy_lower(out->protocol, slice_of_string(protocol), sizeof out->protocol);
	out->has_protected_headers = marks[0][0] != '\0' || marks[1][0] != '\0';
	return 0;
}

static int
read_field(const struct header_field *field, bool seen[2], struct entity *out, struct error *err)
{
	bool is_type = slice_is_nocase(field->name, "Content-Type");
	struct buffer flat;
	if (!is_type && !slice_is_nocase(field->name, "Content-Transfer-Encoding"))
		return 0;
	if (seen[is_type])
		return error_set(err, ERROR_INVALID, "a part says twice what it is");
	seen[is_type] = true;
	buffer_init(&flat, PARAMS_TEXT_MAX_BYTES);
	int result = fold_flatten(field->value, &flat, err);
	struct slice value = slice_of(buffer_bytes(&flat), buffer_len(&flat)), word = params_head(value);
	if (result == 0 && is_type)
		result = read_type(value, out, err);
	else if (result == 0)
		out->is_encoded = !slice_is_nocase(word, "7bit") && !slice_is_nocase(word, "8bit") && !slice_is_nocase(word, "binary");
	buffer_finish(&flat);
	return result;
}

int
entity_read(struct slice bytes, struct entity *out, struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	bool seen[2] = { false, false };
	int got;
	*out = (struct entity){ .type = "text/plain" };
	header_scan_init(&scan, bytes);
	while ((got = header_scan_next(&scan, &field, err)) == 1)
		if (read_field(&field, seen, out, err) != 0)
			return -1;
	out->header = slice_of(bytes.data, scan.scanned_bytes - (scan.has_empty_line ? 2 : 0));
	out->body = scan.rest;
	return got;
}

/* What stands behind "--boundary" on the line: 1: nothing, 2: "--", 0: it is another line. */
static int
look_at_line(struct slice line, const char *boundary, size_t boundary_len)
{
	if (line.len < boundary_len + 2 || memcmp(line.data, "--", 2) != 0 || memcmp(line.data + 2, boundary, boundary_len) != 0)
		return 0;
	size_t at = boundary_len + 2;
	bool is_last = line.len >= at + 2 && memcmp(line.data + at, "--", 2) == 0;
	for (at += is_last ? 2 : 0; at < line.len; at++)
		if (line.data[at] != ' ' && line.data[at] != '\t' && line.data[at] != '\r' && line.data[at] != '\n')
			return 0;
	return is_last ? 2 : 1;
}

int
entity_split(const struct entity *entity, struct slice *parts, size_t max, size_t *count, struct error *err)
{
	size_t boundary_len = strlen(entity->boundary);
	const unsigned char *at = entity->body.data, *end = at + entity->body.len, *start = NULL;
	*count = 0;
	if (boundary_len == 0)
		return error_set(err, ERROR_INVALID, "a %s has no boundary that can be read in one way only", entity->type);
	while (at < end) {
		const unsigned char *newline = memchr(at, '\n', (size_t)(end - at)), *next = newline == NULL ? end : newline + 1;
		int what = look_at_line(slice_of(at, (size_t)(next - at)), entity->boundary, boundary_len);
		if (what != 0 && start != NULL) {
			size_t len = (size_t)(at - start);
			if (*count == max)
				return error_set(err, ERROR_INVALID, "a %s has more than %zu parts", entity->type, max);
			len -= len >= 2 && at[-2] == '\r' ? 2 : len >= 1 ? 1 : 0;
			parts[(*count)++] = slice_of(start, len);
		}
		if (what == 2)
			return start == NULL ? error_set(err, ERROR_INVALID, "a %s has no part", entity->type) : 0;
		if (what == 1)
			start = next;
		at = next;
	}
	return error_set(err, ERROR_INVALID, "a %s does not end", entity->type);
}
