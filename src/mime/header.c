/* SPDX-License-Identifier: ISC */
#include "mime/header.h"

#include <string.h>

void
header_scan_init(struct header_scan *scan, struct slice message)
{
	*scan = (struct header_scan){ .rest = message };
}

static bool
is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

/* The length of the line at `at`, without its CRLF. */
static int
line_length(const struct header_scan *scan, size_t at, size_t *len, struct error *err)
{
	const unsigned char *line = scan->rest.data + at;
	const unsigned char *newline = memchr(line, '\n', scan->rest.len - at);
	size_t number = scan->fields + 1;
	if (newline == NULL)
		return error_set(err, ERROR_INVALID, "header field %zu breaks off in the middle of a line", number);
	size_t line_len = (size_t)(newline - line);
	if (line_len == 0 || line[line_len - 1] != '\r' || memchr(line, '\r', line_len - 1) != NULL)
		return error_set(err, ERROR_INVALID, "header field %zu has a line that does not end in CRLF", number);
	*len = line_len - 1;
	if (*len > HEADER_LINE_MAX_BYTES)
		return error_set(err, ERROR_INVALID, "header field %zu has a line of more than %d bytes", number,
		    HEADER_LINE_MAX_BYTES);
	if (memchr(line, '\0', *len) != NULL)
		return error_set(err, ERROR_INVALID, "header field %zu holds a NUL", number);
	return 0;
}

static int
split_name(const struct header_scan *scan, size_t first_line_len, struct header_field *field, struct error *err)
{
	const unsigned char *line = field->raw.data;
	size_t name_len = 0;
	while (name_len < first_line_len && line[name_len] > ' ' && line[name_len] < 0x7f && line[name_len] != ':')
		name_len++;
	size_t colon = name_len;
	while (colon < first_line_len && is_blank(line[colon]))
		colon++;
	if (name_len == 0 || colon == first_line_len || line[colon] != ':')
		return error_set(err, ERROR_INVALID, "header field %zu is no \"Name: value\" (an empty line must stand "
		    "between header and text)", scan->fields + 1);
	field->name = slice_of(line, name_len);
	field->value = slice_of(line + colon + 1, field->raw.len - colon - 3); /* 1 for the colon, 2 for CRLF */
	return 0;
}

static void
advance(struct header_scan *scan, size_t bytes)
{
	scan->rest = slice_of(scan->rest.data + bytes, scan->rest.len - bytes);
	scan->scanned_bytes += bytes;
}

int
header_scan_next(struct header_scan *scan, struct header_field *field, struct error *err)
{
	if (scan->has_empty_line || scan->rest.len == 0)
		return 0;
	size_t first_line_len = 0, end = 0;
	if (line_length(scan, 0, &first_line_len, err) != 0)
		return -1;
	if (first_line_len == 0) {
		advance(scan, 2);
		scan->has_empty_line = true;
		return 0;
	}
	size_t line_len = first_line_len;
	for (;;) {
		end += line_len + 2;
		if (scan->scanned_bytes + end > HEADER_SECTION_MAX_BYTES)
			return error_set(err, ERROR_TOO_LARGE, "the header is larger than %d bytes",
			    HEADER_SECTION_MAX_BYTES);
		if (end == scan->rest.len || !is_blank(scan->rest.data[end]))
			break;
		if (line_length(scan, end, &line_len, err) != 0)
			return -1;
	}
	if (scan->fields == HEADER_FIELDS_MAX)
		return error_set(err, ERROR_TOO_LARGE, "the header has more than %d fields", HEADER_FIELDS_MAX);
	field->raw = slice_of(scan->rest.data, end);
	if (split_name(scan, first_line_len, field, err) != 0)
		return -1;
	scan->fields++;
	advance(scan, end);
	return 1;
}

static bool
is_space(unsigned char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

int
header_unfold(struct slice value, struct buffer *out, struct error *err)
{
	size_t start = 0, end = value.len;
	while (start < end && is_space(value.data[start]))
		start++;
	while (end > start && is_space(value.data[end - 1]))
		end--;
	while (start < end) {
		const unsigned char *cr = memchr(value.data + start, '\r', end - start);
		size_t stop = cr == NULL ? end : (size_t)(cr - value.data);
		if (buffer_append(out, value.data + start, stop - start, err) != 0)
			return -1;
		start = cr == NULL ? end : stop + 2;
	}
	return 0;
}
