/* SPDX-License-Identifier: ISC */
#include "mime/note.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mime/header.h"
#include "mime/writer.h"

/* Fields that describe the content, and so go where it goes (RFC 2045 section 9). */
static bool
is_of_content(const struct header_field *field)
{
	return field->name.len > 8 && strncasecmp((const char *)field->name.data, "Content-", 8) == 0;
}

/* "[mark]" and, folded below it, the subject there was. */
static void
put_subject(struct writer *w, struct slice mark, struct slice value)
{
	while (value.len > 0 && strchr(" \t\r\n", value.data[0]) != NULL && value.data[0] != '\0')
		value = slice_of(value.data + 1, value.len - 1);
	writer_put(w, "Subject: [");
	writer_put_foreign(w, mark, true);
	writer_put(w, "]\r\n");
	if (value.len == 0)
		return;
	writer_put(w, " ");
	writer_put_bytes(w, value.data, value.len);
	writer_put(w, "\r\n");
}

/* The header of the copy, but for its content type. Returns whether the message's header ended as it must, with *body
 * what follows. */
static bool
put_header(struct writer *w, const struct note_request *request, struct slice *body)
{
	struct header_scan scan;
	struct header_field field;
	bool has_subject = request->mark.len == 0;
	int got;
	header_scan_init(&scan, request->message);
	while ((got = header_scan_next(&scan, &field, NULL)) == 1) {
		if (is_of_content(&field) || slice_is_nocase(field.name, "MIME-Version"))
			continue;
		if (request->mark.len > 0 && slice_is_nocase(field.name, "Subject")) {
			if (!has_subject)
				put_subject(w, request->mark, field.value);
			has_subject = true;
		} else {
			writer_put_bytes(w, field.raw.data, field.raw.len);
		}
	}
	if (!has_subject)
		put_subject(w, request->mark, slice_of("", 0));
	*body = scan.rest;
	return got == 0 && scan.has_empty_line;
}

static void
put_content_fields(struct writer *w, struct slice message)
{
	struct header_scan scan;
	struct header_field field;
	header_scan_init(&scan, message);
	while (header_scan_next(&scan, &field, NULL) == 1)
		if (is_of_content(&field))
			writer_put_bytes(w, field.raw.data, field.raw.len);
}

static void
put_text(struct writer *w, struct slice text)
{
	while (text.len > 0) {
		const unsigned char *end = memchr(text.data, '\n', text.len);
		size_t len = end == NULL ? text.len : (size_t)(end - text.data);
		writer_put_foreign(w, slice_of(text.data, len), false);
		writer_put(w, "\r\n");
		len += end != NULL;
		text = slice_of(text.data + len, text.len - len);
	}
}

int
note_compose(const struct note_request *request, struct buffer *out, struct error *err)
{
	struct writer writer = { .out = out, .err = err }, *w = &writer;
	struct slice body;
	char boundary[NOTE_LETTERS + 3];
	snprintf(boundary, sizeof boundary, "=_%s", request->boundary_letters);
	bool has_content = put_header(w, request, &body) && !request->is_cut;
	writer_put(w, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"", boundary,
	    "\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--", boundary,
	    "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nContent-Disposition: inline\r\n\r\n");
	put_text(w, request->text);
	if (has_content) {
		writer_put(w, "\r\n--", boundary, "\r\n");
		put_content_fields(w, request->message);
		writer_put(w, "\r\n");
		writer_put_bytes(w, body.data, body.len);
	}
	writer_put(w, "\r\n--", boundary, "--\r\n");
	return w->result;
}
