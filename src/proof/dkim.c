/* SPDX-License-Identifier: ISC
 *
 * What of a header is signed, RFC 6376 3.4.2, 3.7 and 5.4.2.
 */
#include "proof/dkim.h"

#include <ctype.h>
#include <stdlib.h>

#define STEP_BYTES 256

/* Bytes on their way into a hash. */
struct writer {
	struct hash_sha256 hash;
	unsigned char step[STEP_BYTES];
	size_t len;
};

static void
put(struct writer *w, unsigned char c)
{
	if (w->len == sizeof w->step) {
		hash_sha256_update(&w->hash, w->step, w->len);
		w->len = 0;
	}
	w->step[w->len++] = c;
}

/* The relaxed form of a value: unfolded, each run of white space one space, none at the ends. is_first: nothing stands before it. */
static void
put_value(struct writer *w, struct slice value, bool *is_first, bool *has_blank)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = value.data[i];
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			*has_blank = true;
			continue;
		}
		if (*has_blank && !*is_first)
			put(w, ' ');
		*has_blank = *is_first = false;
		put(w, c);
	}
}

/* A field without its last CRLF, and without what stands at `left_out`, a part of its value. */
static void
put_field(struct writer *w, const struct header_field *f, struct slice left_out)
{
	bool is_first = true, has_blank = false;
	for (size_t i = 0; i < f->name.len; i++)
		put(w, (unsigned char)tolower(f->name.data[i]));
	put(w, ':');
	if (left_out.data == NULL) {
		put_value(w, f->value, &is_first, &has_blank);
		return;
	}
	size_t before = (size_t)(left_out.data - f->value.data), after = before + left_out.len;
	put_value(w, slice_of(f->value.data, before), &is_first, &has_blank);
	put_value(w, slice_of(f->value.data + after, f->value.len - after), &is_first, &has_blank);
}

static int
read_fields(struct slice section, struct header_field **out, size_t *count, struct error *err)
{
	struct header_scan scan;
	struct header_field *fields = calloc(HEADER_FIELDS_MAX, sizeof *fields);
	if (fields == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	int got;
	*count = 0;
	header_scan_init(&scan, section);
	while ((got = header_scan_next(&scan, &fields[*count < HEADER_FIELDS_MAX ? *count : 0], err)) == 1)
		++*count;
	if (got != 0) {
		free(fields);
		return -1;
	}
	*out = fields;
	return 0;
}

static bool
has_name(const struct header_field *f, struct slice name)
{
	return f->name.len == name.len && strncasecmp((const char *)f->name.data, (const char *)name.data, name.len) == 0;
}

int
dkim_digest(struct slice section, const struct header_field *signature_field, const struct dkim_tags *tags,
    unsigned char digest[HASH_SHA256_BYTES], struct error *err)
{
	struct header_field *fields;
	struct writer w = { 0 };
	struct slice names = tags->names, name;
	size_t count, named = 0;
	int got;
	if (read_fields(section, &fields, &count, err) != 0)
		return -1;
	hash_sha256_init(&w.hash);
	while ((got = dkim_next_name(&names, &name, err)) == 1 && named++ < DKIM_NAMES_MAX)
		for (size_t i = count; i-- > 0;)
			if (fields[i].raw.len > 0 && has_name(&fields[i], name)) {
				put_field(&w, &fields[i], slice_of(NULL, 0));
				put(&w, '\r');
				put(&w, '\n');
				fields[i].raw.len = 0; /* the next of that name is the one above */
				break;
			}
	free(fields);
	if (got == 1)
		return error_set(err, ERROR_TOO_LARGE, "the signature's h= holds more than %d names", DKIM_NAMES_MAX);
	if (got != 0)
		return -1;
	put_field(&w, signature_field, tags->signature_place);
	hash_sha256_update(&w.hash, w.step, w.len);
	hash_sha256_final(&w.hash, digest);
	return 0;
}
