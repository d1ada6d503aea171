/* SPDX-License-Identifier: ISC
 *
 * The tag-list of a signature field, RFC 6376 3.2 and 3.5.
 */
#include "proof/dkim.h"

#include "base/encode.h"

#define BASE64_MAX ENCODE_BASE64_LEN(DKIM_SIGNATURE_BYTES)

static bool
is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice
trim(struct slice s)
{
	while (s.len > 0 && is_space(s.data[0]))
		s = slice_of(s.data + 1, s.len - 1);
	while (s.len > 0 && is_space(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* Takes what stands before the separator off the list; NULL data in *list: that was the last. */
static struct slice
take_item(struct slice *list, char separator)
{
	const unsigned char *end = memchr(list->data, separator, list->len);
	struct slice item = slice_of(list->data, end == NULL ? list->len : (size_t)(end - list->data));
	*list = end == NULL ? slice_of(NULL, 0) : slice_of(end + 1, list->len - item.len - 1);
	return item;
}

static bool
is_tag_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = name.data[i], letter = c | 0x20;
		bool is_letter = letter >= 'a' && letter <= 'z';
		if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_')))
			return false;
	}
	return name.len > 0;
}

/* Strict base64 with white space anywhere, of exactly len bytes. */
static int
decode(struct slice text, unsigned char *out, size_t len, const char *tag, struct error *err)
{
	char packed[BASE64_MAX];
	size_t packed_len = 0, got = len;
	for (size_t i = 0; i < text.len; i++) {
		if (is_space(text.data[i]))
			continue;
		if (packed_len == sizeof packed)
			return error_set(err, ERROR_INVALID, "the signature's %s= is too long", tag);
		packed[packed_len++] = (char)text.data[i];
	}
	if (encode_from_base64(out, &got, packed, packed_len, NULL) != 0 || got != len)
		return error_set(err, ERROR_INVALID, "the signature's %s= is not %zu bytes in base64", tag, len);
	return 0;
}

struct reading {
	struct dkim_tags *out;
	struct slice names[DKIM_TAGS_MAX], body_digest, length, expiration, copied;
	size_t count;
};

static int
take_tag(struct reading *r, struct slice item, struct error *err)
{
	const unsigned char *equals = item.len == 0 ? NULL : memchr(item.data, '=', item.len);
	if (equals == NULL)
		return error_set(err, ERROR_INVALID, "the signature holds something that is no tag=value");
	size_t before = (size_t)(equals - item.data);
	struct slice name = trim(slice_of(item.data, before)), place = slice_of(equals + 1, item.len - before - 1);
	const struct {
		const char *name;
		struct slice *value;
	} known[] = {
		{ "v", &r->out->version }, { "a", &r->out->algorithm }, { "c", &r->out->canonicalization }, { "d", &r->out->domain },
		{ "s", &r->out->selector }, { "h", &r->out->names }, { "to", &r->out->to }, { "l", &r->length },
		{ "x", &r->expiration }, { "z", &r->copied }, { "bh", &r->body_digest }, { "b", &r->out->signature_place },
	};
	if (!is_tag_name(name) || r->count == DKIM_TAGS_MAX)
		return error_set(err, ERROR_INVALID, "the signature holds %s", r->count == DKIM_TAGS_MAX ? "too many tags" :
		    "a tag whose name is none");
	for (size_t i = 0; i < r->count; i++)
		if (r->names[i].len == name.len && memcmp(r->names[i].data, name.data, name.len) == 0)
			return error_set(err, ERROR_INVALID, "the signature holds a tag twice");
	r->names[r->count++] = name;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (slice_is(name, known[i].name))
			*known[i].value = known[i].value == &r->out->signature_place ? place : trim(place);
	return 0;
}

static int
check_choices(const struct reading *r, struct error *err)
{
	const struct dkim_tags *t = r->out;
	if (!slice_is(t->version, "1") || !slice_is(t->algorithm, "ed25519-sha256") ||
	    !slice_is(t->canonicalization, "relaxed/relaxed"))
		return error_set(err, ERROR_INVALID, "the signature is of another kind than v=1, ed25519-sha256, relaxed/relaxed");
	if (t->domain.len == 0 || t->selector.len == 0 || t->names.len == 0)
		return error_set(err, ERROR_INVALID, "the signature lacks d=, s= or h=");
	if (r->length.data != NULL)
		return error_set(err, ERROR_INVALID, "the signature covers a part of the body only (l=)");
	if (r->expiration.data != NULL || r->copied.data != NULL)
		return error_set(err, ERROR_INVALID, "the signature has an end (x=) or copies of fields (z=), which have no meaning here");
	return 0;
}

int
dkim_parse(struct slice value, struct dkim_tags *out, struct error *err)
{
	struct reading r = { .out = out };
	*out = (struct dkim_tags){ 0 };
	if (value.len > DKIM_VALUE_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the signature field is longer than %d bytes", DKIM_VALUE_MAX_BYTES);
	for (struct slice list = value; list.data != NULL;) {
		struct slice item = take_item(&list, ';');
		if (list.data == NULL && trim(item).len == 0)
			break; /* the last semicolon needs nothing behind it */
		if (take_tag(&r, item, err) != 0)
			return -1;
	}
	if (check_choices(&r, err) != 0)
		return -1;
	if (decode(r.body_digest, out->body_digest, sizeof out->body_digest, "bh", err) != 0)
		return -1;
	return decode(out->signature_place, out->signature, sizeof out->signature, "b", err);
}

int
dkim_next_name(struct slice *names, struct slice *name, struct error *err)
{
	if (names->data == NULL)
		return 0;
	*name = trim(take_item(names, ':'));
	for (size_t i = 0; i < name->len; i++)
		if (name->data[i] <= ' ' || name->data[i] >= 0x7f)
			return error_set(err, ERROR_INVALID, "the signature's h= holds what is no field name");
	return name->len > 0 ? 1 : error_set(err, ERROR_INVALID, "the signature's h= holds an empty name");
}
