/* SPDX-License-Identifier: ISC */
#include "mime/prepare.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "mime/date.h"
#include "mime/header.h"
#include "mime/lines.h"
#include "mime/mailboxes.h"

/* A longer header is refused before this is at its end. */
#define BEGINNING_BYTES (HEADER_SECTION_MAX_BYTES + HEADER_LINE_MAX_BYTES + 2)
#define STEP_BYTES 65536

struct work {
	const struct prepare_request *request;
	struct buffer *out;
	struct prepare_facts *facts;
	unsigned from_fields, date_fields, id_fields;
};

typedef int field_action(struct work *w, const struct header_field *field, struct error *err);

static int
keep(struct work *w, const struct header_field *field, struct error *err)
{
	for (size_t i = 0; i < field->raw.len && !w->facts->needs_smtputf8; i++)
		w->facts->needs_smtputf8 = field->raw.data[i] >= 0x80;
	if (!g_utf8_validate_len((const char *)field->raw.data, field->raw.len, NULL))
		return error_set(err, ERROR_INVALID, "the header field %.*s is not in UTF-8: have the mail program send "
		    "UTF-8 or encoded-words", field->name.len > 60 ? 60 : (int)field->name.len,
		    (const char *)field->name.data);
	return buffer_append(w->out, field->raw.data, field->raw.len, err);
}

static int
drop(struct work *w, const struct header_field *field, struct error *err)
{
	(void)w, (void)field, (void)err;
	return 0;
}

/* 0: own mailboxes only. */
static int
check_own(struct work *w, const struct header_field *field, struct error *err)
{
	struct buffer value;
	buffer_init(&value, MAILBOXES_VALUE_MAX_BYTES + 1);
	int result = header_unfold(field->value, &value, err);
	if (result == 0 && !g_utf8_validate_len((const char *)buffer_bytes(&value), buffer_len(&value), NULL))
		result = error_set(err, ERROR_INVALID, "From: is not in UTF-8");
	if (result == 0)
		result = mailboxes_are_own(slice_of(buffer_bytes(&value), buffer_len(&value)), w->request->local_part,
		    w->request->onion, err);
	buffer_finish(&value);
	return result;
}

static int
from(struct work *w, const struct header_field *field, struct error *err)
{
	if (++w->from_fields > 1)
		return error_set(err, ERROR_INVALID, "there is more than one From: field");
	if (check_own(w, field, err) != 0)
		return -1;
	return keep(w, field, err);
}

static int
sender(struct work *w, const struct header_field *field, struct error *err)
{
	struct error why = { 0 };
	if (check_own(w, field, &why) == 0)
		return keep(w, field, err);
	if (why.code == ERROR_NO_MEMORY)
		return error_set(err, why.code, "%s", why.text);
	return 0;
}

static int
put_date(struct work *w, const char *name, size_t name_len, int64_t time_s, struct error *err)
{
	char text[DATE_TEXT_SIZE];
	date_format(time_s, text);
	return buffer_printf(w->out, err, "%.*s: %s\r\n", (int)name_len, name, text);
}

static int
any_date(struct work *w, const struct header_field *field, struct error *err)
{
	int64_t time_s;
	struct buffer value;
	buffer_init(&value, HEADER_SECTION_MAX_BYTES);
	int result = header_unfold(field->value, &value, err);
	if (result == 0 && date_parse(slice_of(buffer_bytes(&value), buffer_len(&value)), &time_s, NULL) != 0)
		time_s = w->request->now_s;
	buffer_finish(&value);
	if (result != 0)
		return -1;
	return put_date(w, (const char *)field->name.data, field->name.len, time_s, err);
}

static int
date(struct work *w, const struct header_field *field, struct error *err)
{
	if (++w->date_fields > 1)
		return error_set(err, ERROR_INVALID, "there is more than one Date: field");
	return any_date(w, field, err);
}

static int
put_message_id(struct work *w, struct error *err)
{
	w->id_fields++;
	return buffer_printf(w->out, err, "Message-ID: <%s@%s>\r\n", w->request->id_letters, w->request->onion);
}

static int
message_id(struct work *w, const struct header_field *field, struct error *err)
{
	if (w->id_fields > 0)
		return error_set(err, ERROR_INVALID, "there is more than one Message-ID: field");
	if (memchr(field->value.data, '@', field->value.len) == NULL)
		return put_message_id(w, err);
	w->id_fields++;
	return keep(w, field, err);
}

/* A '*' at the end stands for any rest. */
static const struct {
	const char *name;
	field_action *action;
} actions[] = {
	{ "From", from },
	{ "Sender", sender },
	{ "Date", date },
	{ "Resent-Date", any_date },
	{ "Message-ID", message_id },
	{ "Bcc", drop },
	{ "Resent-Bcc", drop },
	{ "Received", drop },
	{ "Return-Path", drop },
	{ "Delivered-To", drop },
	{ "X-Original-To", drop },
	{ "User-Agent", drop },
	{ "X-User-Agent", drop },
	{ "X-Mailer*", drop },
	{ "X-Newsreader", drop },
	{ "X-MimeOLE", drop },
	{ "X-Originating-*", drop },
	{ "X-Sender*", drop },
	{ "X-X-Sender", drop },              /* Alpine: user@machine */
	{ "X-Authentication-Warning", drop }, /* sendmail: user and machine */
	{ "X-Authenticated-*", drop },
	{ "X-Source*", drop },
};

static bool
is_named(struct slice name, const char *pattern)
{
	size_t len = strlen(pattern);
	if (pattern[len - 1] == '*')
		return name.len >= len - 1 && strncasecmp((const char *)name.data, pattern, len - 1) == 0;
	return slice_is_nocase(name, pattern);
}

static field_action *
action_for(struct slice name)
{
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (is_named(name, actions[i].name))
			return actions[i].action;
	return keep;
}

static int
put_missing(struct work *w, struct error *err)
{
	if (w->from_fields == 0 &&
	    buffer_printf(w->out, err, "From: %s@%s\r\n", w->request->local_part, w->request->onion) != 0)
		return -1;
	if (w->date_fields == 0 && put_date(w, "Date", 4, w->request->now_s, err) != 0)
		return -1;
	if (w->id_fields == 0 && put_message_id(w, err) != 0)
		return -1;
	return 0;
}

/* The new header, up to the empty line. */
static int
prepare_header(const struct prepare_request *request, struct header_scan *scan, struct buffer *out,
    struct prepare_facts *facts, struct error *err)
{
	struct work w = { .request = request, .out = out, .facts = facts };
	struct header_field field;
	int got;
	*facts = (struct prepare_facts){ 0 };
	header_scan_init(scan, request->message);
	while ((got = header_scan_next(scan, &field, err)) == 1)
		if (action_for(field.name)(&w, &field, err) != 0)
			return -1;
	if (got != 0 || put_missing(&w, err) != 0)
		return -1;
	return buffer_append(out, "\r\n", 2, err);
}

int
prepare_message(const struct prepare_request *request, struct buffer *out, struct prepare_facts *facts,
    struct error *err)
{
	struct lines_facts lines;
	struct header_scan scan;
	*facts = (struct prepare_facts){ 0 };
	/* All at once, so that a large body is not copied again and again while the buffer grows. */
	if (buffer_reserve(out, request->message.len + PREPARE_ADDED_MAX_BYTES, err) == NULL ||
	    prepare_header(request, &scan, out, facts, err) != 0 || lines_check(scan.rest, &lines, err) != 0)
		return -1;
	facts->has_8bit = facts->needs_smtputf8 || lines.has_8bit;
	if (buffer_append(out, scan.rest.data, scan.rest.len, err) != 0)
		return -1;
	return lines.ends_with_crlf ? 0 : buffer_append(out, "\r\n", 2, err);
}

/* ---- a message too large for memory */

/* Looks at what is whole of the lines in the buffer, and passes it on. */
static int
pass_lines(const struct prepare_stream *io, struct buffer *text, bool is_end, struct lines_facts *lines,
    struct error *err)
{
	size_t len = buffer_len(text);
	const unsigned char *bytes = buffer_bytes(text), *newline = len > 0 ? memrchr(bytes, '\n', len) : NULL;
	/* without any line end there is a line that is too long: it will be said */
	if (!is_end && newline != NULL)
		len = (size_t)(newline - bytes) + 1;
	if (lines_check_more(slice_of(bytes, len), lines, err) != 0 || io->write(io->context, bytes, len, err) != 0)
		return -1;
	buffer_consume(text, len);
	return 0;
}

static int
pass_text(const struct prepare_stream *io, uint64_t offset, struct lines_facts *lines, struct error *err)
{
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
			result = pass_lines(io, &text, offset == io->len, lines, err);
		}
	}
	buffer_finish(&text);
	return result;
}

int
prepare_stream(const struct prepare_request *request, const struct prepare_stream *io, struct prepare_facts *facts,
    struct error *err)
{
	struct lines_facts lines = { .ends_with_crlf = true };
	struct header_scan scan;
	struct buffer beginning, header;
	struct prepare_request of_header = *request;
	size_t len = io->len < BEGINNING_BYTES ? (size_t)io->len : BEGINNING_BYTES;
	int result = -1;
	buffer_init(&beginning, BEGINNING_BYTES);
	buffer_init(&header, HEADER_SECTION_MAX_BYTES + PREPARE_ADDED_MAX_BYTES);
	/* The header is worked on in a copy of our own: whoever wrote the file might still do so. */
	unsigned char *room = buffer_reserve(&beginning, len, err);
	if (room == NULL || io->read(io->context, 0, room, len, err) != 0)
		goto out;
	of_header.message = slice_of(room, len);
	if (prepare_header(&of_header, &scan, &header, facts, err) != 0 ||
	    io->write(io->context, buffer_bytes(&header), buffer_len(&header), err) != 0 ||
	    pass_text(io, scan.scanned_bytes, &lines, err) != 0)
		goto out;
	facts->has_8bit = facts->needs_smtputf8 || lines.has_8bit;
	result = lines.ends_with_crlf ? 0 : io->write(io->context, "\r\n", 2, err);
out:
	buffer_finish(&beginning);
	buffer_finish(&header);
	return result;
}
