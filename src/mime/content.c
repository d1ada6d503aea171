/* SPDX-License-Identifier: ISC */
#include "mime/content.h"

#include <stdio.h>
#include <string.h>

#include "mime/fold.h"
#include "mime/params.h"

/* A field that is being written, broken between its parameters only: some readers leave the breaks in file names. */
struct line {
	struct buffer *out;
	size_t start; /* of the line, in bytes of out */
};

/* In this order. is_word: one that compares without case and is written in lower case. */
static const struct {
	const char *name;
	bool is_word;
} type_params[] = {
	{ "charset", true },
	{ "format", true },      /* RFC 3676: text that may be wrapped again */
	{ "delsp", true },
	{ "protocol", true },    /* multipart/signed and encrypted */
	{ "micalg", true },
	{ "smime-type", true },
	{ "report-type", true },
	{ "type", true },        /* multipart/related */
	{ "start", false },
	{ "method", false },     /* text/calendar: an invitation, an answer */
	{ "name", false },
};

static void
lower(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] = (char)(text[i] | 0x20);
}

static int
put_param(struct line *line, const char *name, const struct param *p, struct error *err)
{
	struct buffer text;
	buffer_init(&text, 8 * PARAMS_VALUE_MAX_BYTES);
	int result = params_write(name, p, &text, err);
	if (result == 0) {
		bool fits = buffer_len(line->out) - line->start + 3 + buffer_len(&text) <= FOLD_LINE_BYTES;
		result = buffer_append_string(line->out, fits ? "; " : ";\r\n ", err);
		if (!fits)
			line->start = buffer_len(line->out) - 1;
	}
	if (result == 0)
		result = buffer_append(line->out, buffer_bytes(&text), buffer_len(&text), err);
	buffer_finish(&text);
	return result;
}

static bool
is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] <= ' ' || s.data[i] >= 0x7f || strchr("()<>@,;:\\\"/[]?=", s.data[i]) != NULL)
			return false;
	return s.len > 0;
}

static int
read_type(struct slice value, struct content *content, struct error *err)
{
	struct slice head = params_head(value);
	const unsigned char *slash = memchr(head.data, '/', head.len);
	size_t len = slash == NULL ? 0 : (size_t)(slash - head.data);
	if (slash == NULL || head.len > CONTENT_TYPE_MAX || !is_token(slice_of(head.data, len)) ||
	    !is_token(slice_of(slash + 1, head.len - len - 1)))
		return error_set(err, ERROR_INVALID, "Content-Type is no type like text/plain");
	memcpy(content->type, head.data, head.len);
	content->type[head.len] = '\0';
	lower(content->type, head.len);
	content->is_multipart = strncmp(content->type, "multipart/", 10) == 0;
	content->is_signed = strcmp(content->type, "multipart/signed") == 0;
	return 0;
}

/* RFC 2046 5.1.1, and what programs write although it forbids it; but nothing that readers take differently. */
static int
read_boundary(struct slice value, struct content *content, struct error *err)
{
	struct param p;
	int found = params_find(value, "boundary", &p, err);
	if (found < 0)
		return -1;
	if (found == 0)
		return error_set(err, ERROR_INVALID, "a %s has no boundary", content->type);
	bool is_good = p.is_plain && p.len > 0 && p.len <= CONTENT_BOUNDARY_MAX && p.value[p.len - 1] != ' ';
	for (size_t i = 0; i < p.len; i++)
		is_good = is_good && p.value[i] >= ' ' && p.value[i] < 0x7f && p.value[i] != '\\' && p.value[i] != '"';
	if (!is_good)
		return error_set(err, ERROR_INVALID, "the boundary of a %s cannot be read in one way only: it is to stand there once, in "
		    "quotes", content->type);
	memcpy(content->boundary, p.value, p.len);
	content->boundary[p.len] = '\0';
	return 0;
}

/* What stands between the outermost brackets. */
static struct slice
id_of(struct slice value)
{
	const unsigned char *start = memchr(value.data, '<', value.len), *end = memrchr(value.data, '>', value.len);
	if (start == NULL || end == NULL || end < start || end - start > CID_ID_MAX_BYTES)
		return slice_of("", 0);
	return slice_of(start + 1, (size_t)(end - start) - 1);
}

/* multipart/related says with which part it begins. */
static void
map_start(struct param *p, const unsigned char seed[CID_SEED_BYTES])
{
	char mapped[CID_SIZE];
	struct slice id = id_of(slice_of(p->value, p->len));
	p->len = 0;
	if (id.len == 0)
		return;
	cid_map(seed, id, mapped);
	p->len = (size_t)snprintf(p->value, sizeof p->value, "<%s>", mapped);
	p->charset[0] = '\0';
}

static int
put_type_params(struct line *line, struct slice value, const unsigned char seed[CID_SEED_BYTES], struct error *err)
{
	struct param p;
	for (size_t i = 0; i < sizeof type_params / sizeof type_params[0]; i++) {
		const char *name = type_params[i].name;
		int found = params_find(value, name, &p, err);
		if (found < 0)
			return -1;
		if (type_params[i].is_word)
			lower(p.value, p.len);
		if (strcmp(name, "name") == 0)
			params_strip_path(&p);
		if (strcmp(name, "start") == 0)
			map_start(&p, seed);
		if (found > 0 && p.len > 0 && put_param(line, name, &p, err) != 0)
			return -1;
	}
	return 0;
}

int
content_write_type(struct slice value, const char *new_boundary, const unsigned char seed[CID_SEED_BYTES],
    struct content *content, struct buffer *out, struct error *err)
{
	struct line line = { out, buffer_len(out) };
	if (read_type(value, content, err) != 0 || (content->is_multipart && read_boundary(value, content, err) != 0) ||
	    buffer_printf(out, err, "Content-Type: %s", content->type) != 0 || put_type_params(&line, value, seed, err) != 0)
		return -1;
	if (content->is_multipart && buffer_printf(out, err, ";\r\n boundary=\"%s\"", new_boundary) != 0)
		return -1;
	return buffer_append(out, "\r\n", 2, err);
}

int
content_write_disposition(struct slice value, struct buffer *out, struct error *err)
{
	struct line line = { out, buffer_len(out) };
	struct slice head = params_head(value);
	struct param p;
	char kind[32];
	if (!is_token(head) || head.len >= sizeof kind)
		return error_set(err, ERROR_INVALID, "Content-Disposition is neither inline nor attachment");
	slice_to_string(head, kind, sizeof kind);
	lower(kind, strlen(kind));
	int found = params_find(value, "filename", &p, err);
	if (found < 0 || buffer_printf(out, err, "Content-Disposition: %s", kind) != 0)
		return -1;
	params_strip_path(&p);
	if (found > 0 && p.len > 0 && put_param(&line, "filename", &p, err) != 0)
		return -1;
	return buffer_append(out, "\r\n", 2, err);
}

int
content_write_encoding(struct slice value, struct content *content, struct buffer *out, struct error *err)
{
	static const struct {
		const char *name;
		enum cid_encoding encoding;
	} table[] = {
		{ "7bit", CID_PLAIN }, { "8bit", CID_PLAIN }, { "quoted-printable", CID_QUOTED_PRINTABLE }, { "base64", CID_BASE64 },
	};
	struct slice head = params_head(value);
	char name[41];
	if (!is_token(head) || head.len >= sizeof name)
		return error_set(err, ERROR_INVALID, "Content-Transfer-Encoding is no encoding like base64");
	slice_to_string(head, name, sizeof name);
	lower(name, head.len);
	content->encoding = CID_UNKNOWN;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strcmp(name, table[i].name) == 0)
			content->encoding = table[i].encoding;
	return buffer_printf(out, err, "Content-Transfer-Encoding: %s\r\n", name);
}

int
content_write_id(struct slice value, const unsigned char seed[CID_SEED_BYTES], struct buffer *out, struct error *err)
{
	char mapped[CID_SIZE];
	struct slice id = id_of(value);
	if (id.len == 0)
		return 0;
	cid_map(seed, id, mapped);
	return buffer_printf(out, err, "Content-ID: <%s>\r\n", mapped);
}
