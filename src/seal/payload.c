/* SPDX-License-Identifier: ISC */
#include "seal/payload.h"

#include "mime/fold.h"
#include "mime/header.h"
#include "mime/mailboxes.h"

bool
payload_may_replace(struct slice name)
{
	static const char *const names[] = { "Subject", "Comments", "Keywords", "Date", "To", "Cc", "Reply-To" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (slice_is_nocase(name, names[i]))
			return true;
	return false;
}

/* The fields that say what the content is: those of inside take the place of those of outside. */
static bool
is_structural(struct slice name)
{
	return slice_is_nocase(name, "MIME-Version") || (name.len > 8 && strncasecmp((const char *)name.data, "Content-", 8) == 0);
}

/* Of a name that a reader shows once, the first counts. */
static bool
has_earlier(const struct entity *entity, const struct header_field *field)
{
	struct header_scan scan;
	struct header_field other;
	header_scan_init(&scan, entity->header);
	while (header_scan_next(&scan, &other, NULL) == 1 && other.raw.data != field->raw.data)
		if (other.name.len == field->name.len &&
		    strncasecmp((const char *)other.name.data, (const char *)field->name.data, field->name.len) == 0)
			return true;
	return false;
}

static bool
has_field(const struct entity *entity, struct slice name)
{
	struct header_scan scan;
	struct header_field other;
	header_scan_init(&scan, entity->header);
	while (header_scan_next(&scan, &other, NULL) == 1)
		if (other.name.len == name.len && strncasecmp((const char *)other.name.data, (const char *)name.data, name.len) == 0)
			return true;
	return false;
}

static int
put_outside(const struct entity *outside, const struct entity *inside, struct buffer *out, struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	int got;
	header_scan_init(&scan, outside->header);
	while ((got = header_scan_next(&scan, &field, err)) == 1) {
		if (is_structural(field.name) ||
		    (inside->has_protected_headers && payload_may_replace(field.name) && has_field(inside, field.name)))
			continue;
		if (buffer_append(out, field.raw.data, field.raw.len, err) != 0)
			return -1;
	}
	return got;
}

/* Opened, it is as it was before it was sealed. */
static int
put_unmarked(struct slice field, struct buffer *out, struct error *err)
{
	const size_t mark_len = sizeof PAYLOAD_MARK - 1;
	if (field.len < mark_len || memcmp(field.data + field.len - mark_len, PAYLOAD_MARK, mark_len) != 0)
		return buffer_append(out, field.data, field.len, err);
	return buffer_append(out, field.data, field.len - mark_len, err) != 0 ? -1 : buffer_append_string(out, "\r\n", err);
}

static int
put_inside(const struct entity *inside, bool structural, struct buffer *out, struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	int got;
	header_scan_init(&scan, inside->header);
	while ((got = header_scan_next(&scan, &field, err)) == 1) {
		bool is_wanted = structural ? is_structural(field.name) && !slice_is_nocase(field.name, "MIME-Version") :
		    payload_may_replace(field.name) && !has_earlier(inside, &field);
		if (is_wanted && put_unmarked(field.raw, out, err) != 0)
			return -1;
	}
	return got;
}

/* Programs encrypt lines as their system ends them. */
int
payload_lines(struct slice body, struct buffer *out, struct error *err)
{
	const unsigned char *at = body.data, *end = at + body.len;
	if (body.len > 0 && memchr(body.data, '\0', body.len) != NULL)
		return error_set(err, ERROR_INVALID, "what is encrypted holds a NUL");
	while (at < end) {
		const unsigned char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline == NULL ? end : newline;
		bool is_bare = newline != NULL && (newline == body.data || newline[-1] != '\r');
		if (buffer_append(out, at, (size_t)(stop - at), err) != 0 ||
		    (newline != NULL && buffer_append(out, is_bare ? "\r\n" : "\n", is_bare ? 2 : 1, err) != 0))
			return -1;
		at = newline == NULL ? end : newline + 1;
	}
	return 0;
}

int
payload_merge(const struct entity *outside, const struct entity *inside, struct buffer *out, struct error *err)
{
	if (put_outside(outside, inside, out, err) != 0 ||
	    (inside->has_protected_headers && put_inside(inside, false, out, err) != 0) ||
	    buffer_append_string(out, "MIME-Version: 1.0\r\n", err) != 0 || put_inside(inside, true, out, err) != 0 ||
	    buffer_append_string(out, "\r\n", err) != 0)
		return -1;
	return buffer_append(out, inside->body.data, inside->body.len, err);
}

int
payload_restore(const struct entity *inside, struct buffer *out, struct error *err)
{
	static const char no_type[] = PAYLOAD_NO_TYPE;
	struct header_scan scan;
	struct header_field field;
	bool has_version = false;
	int got;
	header_scan_init(&scan, inside->header);
	while ((got = header_scan_next(&scan, &field, err)) == 1) {
		if (slice_is_nocase(field.name, "HP-Outer") || slice_is(field.raw, no_type))
			continue;
		if (is_structural(field.name) && !has_version && buffer_append_string(out, "MIME-Version: 1.0\r\n", err) != 0)
			return -1;
		has_version = has_version || is_structural(field.name);
		if (put_unmarked(field.raw, out, err) != 0)
			return -1;
	}
	if (got != 0 || buffer_append_string(out, "\r\n", err) != 0)
		return -1;
	return buffer_append(out, inside->body.data, inside->body.len, err);
}

bool
payload_is_from_other(const struct entity *inside, const char *from)
{
	struct header_scan scan;
	struct header_field field;
	bool is_other = false;
	header_scan_init(&scan, inside->header);
	while (inside->has_protected_headers && header_scan_next(&scan, &field, NULL) == 1) {
		char address[MAILBOXES_ADDRESS_MAX + 1];
		struct buffer flat;
		if (!slice_is_nocase(field.name, "From"))
			continue;
		buffer_init(&flat, MAILBOXES_VALUE_MAX_BYTES);
		is_other = is_other || fold_flatten(field.value, &flat, NULL) != 0 ||
		    mailboxes_only(slice_of(buffer_bytes(&flat), buffer_len(&flat)), address, NULL) != 0 || strcasecmp(address, from) != 0;
		buffer_finish(&flat);
	}
	return is_other;
}
