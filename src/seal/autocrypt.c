/* SPDX-License-Identifier: ISC */
#include "seal/autocrypt.h"

#include "base/encode.h"
#include "mime/header.h"
#include "seal/entity.h"

#define ATTRIBUTES_MAX 32
#define LINE_BYTES 75 /* without the space it begins with */

static int
wrap(struct slice text, struct buffer *out, struct error *err)
{
	int result = 0;
	for (size_t at = 0; result == 0 && at < text.len; at += LINE_BYTES) {
		size_t len = text.len - at < LINE_BYTES ? text.len - at : LINE_BYTES;
		result = buffer_printf(out, err, "\r\n %.*s", (int)len, (const char *)text.data + at);
	}
	return result;
}

int
autocrypt_write(const char *address, bool prefers_encryption, struct slice keydata, struct buffer *out, struct error *err)
{
	if (buffer_printf(out, err, AUTOCRYPT_FIELD ": addr=%s;%s keydata=", address,
	        prefers_encryption ? " prefer-encrypt=mutual;" : "") != 0 || wrap(keydata, out, err) != 0)
		return -1;
	return buffer_append_string(out, "\r\n", err);
}

/* ---- in */

static bool
is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice
trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.data[0]))
		s = slice_of(s.data + 1, s.len - 1);
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* Takes "name=value" off the list. false at the end. */
static bool
next_attribute(struct slice *list, struct slice *name, struct slice *value)
{
	if (trim(*list).len == 0)
		return false;
	const unsigned char *semicolon = memchr(list->data, ';', list->len);
	struct slice one = slice_of(list->data, semicolon == NULL ? list->len : (size_t)(semicolon - list->data));
	size_t taken = one.len + (semicolon != NULL);
	const unsigned char *equals = memchr(one.data, '=', one.len);
	size_t name_len = equals == NULL ? one.len : (size_t)(equals - one.data);
	*name = trim(slice_of(one.data, name_len));
	*value = equals == NULL ? slice_of(NULL, 0) : trim(slice_of(equals + 1, one.len - name_len - 1));
	*list = slice_of(list->data + taken, list->len - taken);
	return true;
}

struct attributes {
	struct slice address, preference, keydata;
};

/* The key comes last, and each attribute that is known once. */
static bool
read_attributes(struct slice list, struct attributes *out)
{
	struct slice name, value;
	size_t count = 0;
	*out = (struct attributes){ 0 };
	while (next_attribute(&list, &name, &value)) {
		struct slice *place = slice_is(name, "addr") ? &out->address : slice_is(name, "prefer-encrypt") ? &out->preference :
		    slice_is(name, "keydata") ? &out->keydata : NULL;
		if (++count > ATTRIBUTES_MAX || out->keydata.len > 0 || name.len == 0)
			return false;
		if (place == NULL && name.data[0] != '_')
			return false;
		if (place != NULL && (place->len > 0 || value.len == 0))
			return false;
		if (place != NULL)
			*place = value;
	}
	return out->address.len > 0 && out->keydata.len > 0;
}

static int
decode(struct slice text, struct buffer *out, struct error *err)
{
	struct buffer plain;
	buffer_init(&plain, ENCODE_BASE64_LEN(OPENPGP_AUTOCRYPT_MAX_BYTES));
	int result = 0;
	for (size_t i = 0; result == 0 && i < text.len; i++)
		if (!is_blank(text.data[i]))
			result = buffer_append(&plain, &text.data[i], 1, err);
	size_t len = OPENPGP_AUTOCRYPT_MAX_BYTES;
	unsigned char *room = result == 0 ? buffer_reserve(out, len, err) : NULL;
	if (room == NULL || encode_from_base64(room, &len, (const char *)buffer_bytes(&plain), buffer_len(&plain), err) != 0)
		result = -1;
	else
		buffer_commit(out, len);
	buffer_finish(&plain);
	return result;
}

/* Whether one field is valid. The key is appended to out only then. */
static bool
read_field(struct slice value, const char *from, struct autocrypt *out, struct buffer *key, struct error *err)
{
	struct attributes a;
	*out = (struct autocrypt){ 0 };
	if (!read_attributes(value, &a) || !slice_is_nocase(a.address, from) || decode(a.keydata, key, err) != 0)
		return false;
	struct slice binary = slice_of(buffer_bytes(key), buffer_len(key));
	if (openpgp_autocrypt_scan(binary, err) == 0 && openpgp_look(binary, &out->key, err) == 0 && out->key.can_encrypt &&
	    !out->key.has_secret) {
		out->prefers_encryption = slice_is(a.preference, "mutual");
		return true;
	}
	buffer_finish(key);
	return false;
}

int
autocrypt_find(struct slice header, const char *from, struct autocrypt *out, struct buffer *key, struct error *err)
{
	struct header_scan scan;
	struct header_field field;
	struct entity entity;
	size_t tried = 0, valid = 0;
	int got;
	*out = (struct autocrypt){ 0 };
	if (entity_read(header, &entity, err) != 0)
		return -1;
	header_scan_init(&scan, header);
	while ((got = header_scan_next(&scan, &field, err)) == 1 && valid < 2) {
		struct error why = { 0 };
		struct autocrypt found;
		struct buffer one;
		if (!slice_is_nocase(field.name, AUTOCRYPT_FIELD) || ++tried > AUTOCRYPT_TRIED_MAX)
			continue;
		buffer_init(&one, OPENPGP_AUTOCRYPT_MAX_BYTES);
		if (read_field(field.value, from, &found, &one, &why) && ++valid == 1) {
			*out = found;
			got = buffer_append(key, buffer_bytes(&one), buffer_len(&one), err);
		}
		buffer_finish(&one);
		if (why.code == ERROR_NO_MEMORY || got < 0)
			return error_set(err, ERROR_NO_MEMORY, "out of memory");
	}
	if (got >= 0 && valid == 1 && tried <= AUTOCRYPT_TRIED_MAX && strcmp(entity.type, "multipart/report") != 0)
		return 1;
	buffer_finish(key);
	*out = (struct autocrypt){ 0 };
	return got < 0 ? -1 : 0;
}
