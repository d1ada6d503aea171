/* SPDX-License-Identifier: ISC */
#include "mime/parts.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/hash.h"
#include "mime/fields.h"
#include "mime/header.h"

/* ---- writing */

static int
put(struct parts *p, const void *bytes, size_t len, struct error *err)
{
	unsigned char bits = 0;
	for (size_t i = 0; i < len; i++)
		bits |= ((const unsigned char *)bytes)[i];
	p->all_bits |= bits;
	return len == 0 ? 0 : p->stream->write(p->stream->context, bytes, len, err);
}

static int
put_line_end_owed(struct parts *p, struct error *err)
{
	bool owes = p->owes_line_end;
	p->owes_line_end = false;
	return owes ? put(p, "\r\n", 2, err) : 0;
}

/* The last CRLF is kept back: should a boundary follow, it is the boundary's. */
static int
put_kept(struct parts *p, struct slice bytes, struct error *err)
{
	if (bytes.len == 0)
		return 0;
	if (put_line_end_owed(p, err) != 0)
		return -1;
	p->has_content = true;
	p->owes_line_end = bytes.data[bytes.len - 1] == '\n';
	return put(p, bytes.data, bytes.len - (p->owes_line_end ? 2 : 0), err);
}

/* Lines of content, or, as their end, none. */
static int
put_html(struct parts *p, struct slice lines, bool is_end, struct error *err)
{
	struct buffer out;
	buffer_init(&out, 1024 * 1024 + 64 * lines.len);
	int result = cid_take(&p->html, lines, &out, err);
	if (result == 0 && is_end)
		result = cid_end(&p->html, &out, err);
	if (result == 0)
		result = put_kept(p, slice_of(buffer_bytes(&out), buffer_len(&out)), err);
	buffer_finish(&out);
	return result;
}

static int
put_content(struct parts *p, struct slice lines, struct error *err)
{
	return p->is_html && lines.len > 0 ? put_html(p, lines, false, err) : put_kept(p, lines, err);
}

static int
end_content(struct parts *p, struct error *err)
{
	if (!p->is_html)
		return 0;
	int result = put_html(p, slice_of("", 0), true, err);
	cid_finish(&p->html);
	p->is_html = false;
	return result;
}

static void
report(const struct parts *p, struct slice before, struct slice after, const char *why)
{
	const struct prepare_report *r = p->stream->report;
	if (r != NULL)
		r->on_lines(r->context, p->parts, before, after, why);
}

static int
put_boundary(struct parts *p, const struct parts_level *level, bool is_last, struct slice before, struct error *err)
{
	char line[PARTS_BOUNDARY_SIZE + 8];
	int len = snprintf(line, sizeof line, "--%s%s\r\n", level->renewed, is_last ? "--" : "");
	report(p, before, slice_of(line, (size_t)len), "boundaries are made anew: each program has its own kind");
	if (put_line_end_owed(p, err) != 0 || put(p, line, (size_t)len - (is_last ? 2 : 0), err) != 0)
		return -1;
	p->owes_line_end = is_last;
	return 0;
}

/* ---- levels */

/* What comes after the multiparts there were is not to be told from them by anybody without the seed. */
static void
make_next_boundary(struct parts *p)
{
	unsigned char number[8], digest[20];
	char letters[ENCODE_BASE32_LEN(sizeof digest) + 1];
	struct hash hash;
	encode_number(number, p->multiparts++, sizeof number);
	hash_init(&hash, sizeof digest, p->request->seed, sizeof p->request->seed);
	hash_update(&hash, number, sizeof number);
	hash_final(&hash, digest, sizeof digest);
	encode_base32(letters, digest, sizeof digest);
	snprintf(p->next_boundary, sizeof p->next_boundary, "=_%.*s", PARTS_LETTERS, letters);
}

/* Whether a line could be a boundary of both. */
static bool
are_alike(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	if (a_len > b_len)
		return are_alike(b, a);
	return strncmp(a, b, a_len) == 0 && (b[a_len] == '\0' || strcmp(b + a_len, "--") == 0);
}

static int
open_level(struct parts *p, const struct content *content, struct error *err)
{
	if (p->depth == PARTS_LEVELS_MAX)
		return error_set(err, ERROR_TOO_LARGE, "the message has parts inside parts over more than %d levels", PARTS_LEVELS_MAX);
	for (size_t i = 0; i < p->depth; i++)
		if (are_alike(p->levels[i].boundary, content->boundary))
			return error_set(err, ERROR_INVALID, "part %zu of the message has the same boundary as one around it", p->parts);
	struct parts_level *level = &p->levels[p->depth++];
	*level = (struct parts_level){ .boundary_len = strlen(content->boundary), .is_signed = content->is_signed };
	memcpy(level->boundary, content->boundary, sizeof level->boundary);
	memcpy(level->renewed, p->next_boundary, sizeof level->renewed);
	make_next_boundary(p);
	return 0;
}

/* Ends those inside of the level that has the number depth. */
static int
close_levels(struct parts *p, size_t depth, struct error *err)
{
	while (p->depth > depth) {
		const struct parts_level *level = &p->levels[p->depth - 1];
		if (level->parts == 0)
			return error_set(err, ERROR_INVALID, "a multipart says that \"%.70s\" parts it, but no such line follows: "
			    "nothing of it could be read", level->boundary);
		if (put_boundary(p, level, true, slice_of("", 0), err) != 0)
			return -1;
		p->depth--;
	}
	return 0;
}

static bool
find_boundary(const struct parts *p, struct slice line, size_t *level, bool *is_last)
{
	size_t len = line.len;
	while (len > 2 && (line.data[len - 1] == ' ' || line.data[len - 1] == '\t'))
		len--;
	for (size_t i = p->depth; i-- > 0;) {
		size_t want = p->levels[i].boundary_len;
		if (len < want + 2 || memcmp(line.data + 2, p->levels[i].boundary, want) != 0)
			continue;
		*level = i;
		*is_last = len == want + 4 && memcmp(line.data + want + 2, "--", 2) == 0;
		if (*is_last || len == want + 2)
			return true;
	}
	return false;
}

/* ---- the lines */

static int
end_header(struct parts *p, struct error *err)
{
	const struct fields_place place = { p->request, p->stream->report, p->parts, p->next_boundary };
	struct content content;
	struct error why = { 0 };
	struct buffer out;
	size_t rest;
	buffer_init(&out, 2 * HEADER_SECTION_MAX_BYTES);
	int result = fields_write(&place, slice_of(buffer_bytes(&p->header), buffer_len(&p->header)), &out, &content, &rest, &why);
	if (result != 0)
		error_set(err, why.code, "part %zu: %.220s", p->parts, why.text);
	if (result == 0)
		result = put(p, buffer_bytes(&out), buffer_len(&out), err);
	if (result == 0)
		result = put(p, "\r\n", 2, err);
	buffer_finish(&out);
	buffer_consume(&p->header, buffer_len(&p->header));
	p->has_content = false;
	p->is_receipt = strcmp(content.type, "message/disposition-notification") == 0;
	p->is_dropped = false;
	p->place = content.is_multipart ? PARTS_IN_NOTHING : PARTS_IN_CONTENT;
	if (result == 0 && content.is_multipart)
		result = open_level(p, &content, err);
	if (result == 0 && strcmp(content.type, "text/html") == 0 && content.encoding != CID_UNKNOWN) {
		p->is_html = true;
		cid_init(&p->html, p->request->seed, content.encoding);
	}
	return result;
}

static int
on_header_line(struct parts *p, struct slice line, bool is_empty, struct error *err)
{
	if (is_empty)
		return end_header(p, err);
	if (buffer_len(&p->header) + line.len > HEADER_SECTION_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the header of part %zu is larger than %d bytes", p->parts,
		    HEADER_SECTION_MAX_BYTES);
	return buffer_append(&p->header, line.data, line.len, err);
}

static int
on_boundary(struct parts *p, size_t i, bool is_last, struct slice line, struct error *err)
{
	struct parts_level *level = &p->levels[i];
	if ((p->place == PARTS_IN_HEADER && end_header(p, err) != 0) || end_content(p, err) != 0)
		return -1;
	/* an empty multipart is as good as one without boundaries */
	if (close_levels(p, i + 1, err) != 0 || (is_last && level->parts == 0 && close_levels(p, i, err) != 0))
		return -1;
	if (!is_last && ++p->parts > PARTS_MAX)
		return error_set(err, ERROR_TOO_LARGE, "the message has more than %d parts", PARTS_MAX);
	if (put_boundary(p, level, is_last, line, err) != 0)
		return -1;
	p->has_content = p->is_receipt = false;
	if (is_last) {
		p->depth = i;
		p->place = PARTS_IN_NOTHING;
	} else {
		p->place = level->is_signed && level->parts == 0 ? PARTS_IN_CONTENT : PARTS_IN_HEADER;
		level->parts++;
	}
	return 0;
}

/* Whether a line of a receipt names the program. */
static bool
is_of_program(struct parts *p, struct slice line)
{
	static const char name[] = "Reporting-UA";
	bool goes_on = line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t');
	if (!goes_on)
		p->is_dropped = line.len > sizeof name && strncasecmp((const char *)line.data, name, sizeof name - 1) == 0;
	return p->is_dropped;
}

int
parts_take_lines(struct parts *p, struct slice lines, struct error *err)
{
	size_t start = 0; /* what is before was dealt with */
	size_t i;
	bool is_last;
	if (p->depth == 0 && p->place == PARTS_IN_CONTENT)
		return put_content(p, lines, err);
	for (size_t at = 0, next; at < lines.len; at = next) {
		const unsigned char *newline = memchr(lines.data + at, '\n', lines.len - at);
		next = newline == NULL ? lines.len : (size_t)(newline - lines.data) + 1;
		struct slice whole = slice_of(lines.data + at, next - at);
		struct slice line = slice_of(whole.data, whole.len - (newline == NULL ? 0 : 2));
		int result = 0;
		if (line.len > 2 && line.data[0] == '-' && line.data[1] == '-' && find_boundary(p, line, &i, &is_last)) {
			result = put_content(p, slice_of(lines.data + start, at - start), err);
			if (result == 0)
				result = on_boundary(p, i, is_last, whole, err);
		} else if (p->place == PARTS_IN_CONTENT && (!p->is_receipt || !is_of_program(p, line))) {
			continue;
		} else if (p->place == PARTS_IN_CONTENT) {
			result = put_content(p, slice_of(lines.data + start, at - start), err);
			report(p, whole, slice_of("", 0), "names your mail program");
		} else if (p->place == PARTS_IN_HEADER) {
			result = on_header_line(p, whole, line.len == 0, err);
		} else if (line.len > 0) {
			report(p, whole, slice_of("", 0), "stands outside of all parts, where no mail program shows it");
		}
		if (result != 0)
			return -1;
		start = next;
	}
	return put_content(p, slice_of(lines.data + start, lines.len - start), err);
}

int
parts_end(struct parts *p, struct error *err)
{
	bool is_base64 = p->is_html && p->html.encoding == CID_BASE64; /* its line ends mean nothing */
	if ((p->place == PARTS_IN_HEADER && end_header(p, err) != 0) || end_content(p, err) != 0)
		return -1;
	/* no boundary followed: the line end is the content's, and the boundary to be written needs its own */
	if (p->place == PARTS_IN_CONTENT && p->has_content) {
		if (p->depth > 0 && !is_base64 && put_line_end_owed(p, err) != 0)
			return -1;
		p->owes_line_end = true;
	}
	return close_levels(p, 0, err) != 0 ? -1 : put_line_end_owed(p, err);
}

int
parts_take_header(struct parts *p, struct slice text, bool *needs_smtputf8, size_t *rest, struct error *err)
{
	const struct fields_place place = { p->request, p->stream->report, 0, p->next_boundary };
	struct content content;
	struct buffer out;
	buffer_init(&out, HEADER_SECTION_MAX_BYTES + PREPARE_ADDED_MAX_BYTES);
	int result = fields_write(&place, text, &out, &content, rest, err);
	if (result == 0 && content.is_multipart)
		result = open_level(p, &content, err);
	if (result == 0)
		result = put(p, buffer_bytes(&out), buffer_len(&out), err);
	*needs_smtputf8 = (p->all_bits & 0x80) != 0;
	if (result == 0)
		result = put(p, "\r\n", 2, err);
	p->place = content.is_multipart ? PARTS_IN_NOTHING : PARTS_IN_CONTENT;
	buffer_finish(&out);
	return result;
}

void
parts_init(struct parts *p, const struct prepare_request *request, const struct prepare_stream *stream)
{
	*p = (struct parts){ .request = request, .stream = stream };
	buffer_init(&p->header, HEADER_SECTION_MAX_BYTES + HEADER_LINE_MAX_BYTES + 2);
	make_next_boundary(p);
}

void
parts_finish(struct parts *p)
{
	buffer_finish(&p->header);
	if (p->is_html)
		cid_finish(&p->html);
}
