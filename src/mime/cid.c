/* SPDX-License-Identifier: ISC */
#include "mime/cid.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/hash.h"
#include "mime/lines.h"

#define SCHEME "cid:"
#define SCHEME_BYTES 4
#define GROUP_BYTES 57 /* a line of 76 letters */
#define PENDING_MAX_BYTES 4096
#define SOFT_BREAK "=\r\n"

static bool
is_ours(struct slice id)
{
	if (id.len != CID_SIZE - 1 || memcmp(id.data + CID_LETTERS, "@cid", 4) != 0)
		return false;
	for (size_t i = 0; i < CID_LETTERS; i++)
		if (!(id.data[i] >= 'a' && id.data[i] <= 'z') && !(id.data[i] >= '2' && id.data[i] <= '7'))
			return false;
	return true;
}

void
cid_map(const unsigned char seed[CID_SEED_BYTES], struct slice id, char out[CID_SIZE])
{
	unsigned char digest[20];
	char letters[ENCODE_BASE32_LEN(sizeof digest) + 1];
	struct hash hash;
	if (is_ours(id)) {
		slice_to_string(id, out, CID_SIZE);
		return;
	}
	hash_init(&hash, sizeof digest, seed, CID_SEED_BYTES);
	hash_update(&hash, SCHEME, SCHEME_BYTES);
	hash_update(&hash, id.data, id.len);
	hash_final(&hash, digest, sizeof digest);
	encode_base32(letters, digest, sizeof digest);
	snprintf(out, CID_SIZE, "%.*s@cid", CID_LETTERS, letters);
}

/* ---- writing */

static int
encode_group(struct buffer *plain, size_t len, struct buffer *out, struct error *err)
{
	char text[ENCODE_BASE64_LEN(GROUP_BYTES) + 1];
	encode_base64(text, buffer_bytes(plain), len);
	buffer_consume(plain, len);
	return buffer_printf(out, err, "%s\r\n", text);
}

static int
emit(struct cid *c, const void *bytes, size_t len, struct buffer *out, struct error *err)
{
	if (c->encoding != CID_BASE64) {
		const unsigned char *newline = len > 0 ? memrchr(bytes, '\n', len) : NULL;
		c->column = newline == NULL ? c->column + len : (size_t)((const unsigned char *)bytes + len - newline) - 1;
		if (c->column > LINES_LENGTH_MAX_BYTES + 1) /* with CR */
			return error_set(err, ERROR_INVALID, "a line of HTML would become longer than %d bytes: have the mail program send "
			    "quoted-printable or base64", LINES_LENGTH_MAX_BYTES);
		return buffer_append(out, bytes, len, err);
	}
	if (buffer_append(&c->plain, bytes, len, err) != 0)
		return -1;
	while (buffer_len(&c->plain) >= GROUP_BYTES)
		if (encode_group(&c->plain, GROUP_BYTES, out, err) != 0)
			return -1;
	return 0;
}

static int
emit_pending(struct cid *c, struct buffer *out, struct error *err)
{
	int result = emit(c, buffer_bytes(&c->pending), buffer_len(&c->pending), out, err);
	buffer_consume(&c->pending, buffer_len(&c->pending));
	c->matched = c->id_len = 0;
	return result;
}

/* ---- finding references */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A URL may have percent signs where the field has none. */
static size_t
decode_percent(char *text, size_t len)
{
	size_t to = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '%' && i + 2 < len && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
			text[to++] = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			i += 2;
		} else {
			text[to++] = text[i];
		}
	}
	return to;
}

/* A whole reference is pending. */
static int
end_reference(struct cid *c, struct buffer *out, struct error *err)
{
	char mapped[CID_SIZE];
	struct slice id = slice_of(c->id, decode_percent(c->id, c->id_len));
	bool is_quoted = c->encoding == CID_QUOTED_PRINTABLE;
	if (id.len == 0 || is_ours(id))
		return emit_pending(c, out, err);
	cid_map(c->seed, id, mapped);
	buffer_consume(&c->pending, buffer_len(&c->pending));
	c->matched = c->id_len = 0;
	/* the line must not become too long: breaks that do not count, before and behind */
	if ((is_quoted && emit(c, SOFT_BREAK, strlen(SOFT_BREAK), out, err) != 0) || emit(c, SCHEME, SCHEME_BYTES, out, err) != 0 ||
	    emit(c, mapped, strlen(mapped), out, err) != 0)
		return -1;
	return is_quoted ? emit(c, SOFT_BREAK, strlen(SOFT_BREAK), out, err) : 0;
}

static bool
may_stand_before(unsigned char b)
{
	return b != '\0' && strchr("\"'(=;", b) != NULL; /* src="cid:..., url(cid:..., &quot;cid:... */
}

static bool
is_of_url(unsigned char b)
{
	return b > ' ' && b < 0x7f && strchr("\"'<>()&\\", b) == NULL;
}

/* One byte as the reader sees it, and how it stands there. */
static int
take_byte(struct cid *c, unsigned char b, struct slice raw, struct buffer *out, struct error *err)
{
	unsigned char lower = b >= 'A' && b <= 'Z' ? (unsigned char)(b | 0x20) : b;
	bool goes_on = c->matched < SCHEME_BYTES ? lower == (unsigned char)SCHEME[c->matched] : is_of_url(b) && c->id_len < sizeof c->id;
	if (c->matched == 0)
		goes_on = goes_on && may_stand_before(c->previous);
	c->previous = b;
	if (goes_on && buffer_len(&c->pending) + raw.len <= PENDING_MAX_BYTES) {
		if (c->matched < SCHEME_BYTES)
			c->matched++;
		else
			c->id[c->id_len++] = (char)b;
		return buffer_append(&c->pending, raw.data, raw.len, err);
	}
	bool is_end = c->matched == SCHEME_BYTES && !is_of_url(b);
	if ((is_end ? end_reference(c, out, err) : emit_pending(c, out, err)) != 0)
		return -1;
	return emit(c, raw.data, raw.len, out, err);
}

/* ---- the encodings */

/* A break that does not count: part of a reference that is pending, or passed on. */
static int
take_soft_break(struct cid *c, struct slice raw, struct buffer *out, struct error *err)
{
	if (c->matched > 0 && buffer_len(&c->pending) + raw.len <= PENDING_MAX_BYTES)
		return buffer_append(&c->pending, raw.data, raw.len, err);
	return emit_pending(c, out, err) != 0 ? -1 : emit(c, raw.data, raw.len, out, err);
}

static int
take_quoted(struct cid *c, struct slice lines, struct buffer *out, struct error *err)
{
	for (size_t at = 0, len; at < lines.len; at += len) {
		const unsigned char *text = lines.data + at;
		size_t left = lines.len - at, end = 1;
		unsigned char b = text[0];
		len = 1;
		while (b == '=' && end < left && (text[end] == ' ' || text[end] == '\t'))
			end++;
		if (b == '=' && end + 1 < left && text[end] == '\r') {
			len = end + 2;
			if (take_soft_break(c, slice_of(text, len), out, err) != 0)
				return -1;
			continue;
		}
		if (b == '=' && left > 2 && hex_digit((char)text[1]) >= 0 && hex_digit((char)text[2]) >= 0) {
			b = (unsigned char)(hex_digit((char)text[1]) * 16 + hex_digit((char)text[2]));
			len = 3;
		}
		if (take_byte(c, b, slice_of(text, len), out, err) != 0)
			return -1;
	}
	return 0;
}

static int
base64_digit(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int
take_base64(struct cid *c, struct slice lines, struct buffer *out, struct error *err)
{
	for (size_t i = 0; i < lines.len; i++) {
		int digit = base64_digit(lines.data[i]);
		if (lines.data[i] == '=')
			c->bit_count = 0;
		if (digit < 0)
			continue;
		c->bits = c->bits << 6 | (unsigned)digit;
		c->bit_count += 6;
		if (c->bit_count < 8)
			continue;
		c->bit_count -= 8;
		unsigned char b = (unsigned char)(c->bits >> c->bit_count);
		if (take_byte(c, b, slice_of(&b, 1), out, err) != 0)
			return -1;
	}
	return 0;
}

int
cid_take(struct cid *c, struct slice lines, struct buffer *out, struct error *err)
{
	if (c->encoding == CID_QUOTED_PRINTABLE)
		return take_quoted(c, lines, out, err);
	if (c->encoding == CID_BASE64)
		return take_base64(c, lines, out, err);
	for (size_t i = 0; i < lines.len; i++)
		if (take_byte(c, lines.data[i], slice_of(lines.data + i, 1), out, err) != 0)
			return -1;
	return 0;
}

int
cid_end(struct cid *c, struct buffer *out, struct error *err)
{
	if ((c->matched == SCHEME_BYTES ? end_reference(c, out, err) : emit_pending(c, out, err)) != 0)
		return -1;
	return buffer_len(&c->plain) > 0 ? encode_group(&c->plain, buffer_len(&c->plain), out, err) : 0;
}

void
cid_init(struct cid *c, const unsigned char seed[CID_SEED_BYTES], enum cid_encoding encoding)
{
	*c = (struct cid){ .seed = seed, .encoding = encoding };
	buffer_init(&c->pending, PENDING_MAX_BYTES);
	buffer_init(&c->plain, GROUP_BYTES + PENDING_MAX_BYTES);
}

void
cid_finish(struct cid *c)
{
	buffer_finish(&c->pending);
	buffer_finish(&c->plain);
}
