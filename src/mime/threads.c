/* SPDX-License-Identifier: ISC */
#include "mime/threads.h"

#include <assert.h>
#include <stdio.h>

enum kind { OTHER, MESSAGE_ID, REPLY, REFERENCES };

/* ---- finding */

/* Takes the text up to the next CRLF, or to its end. */
static struct slice
next_line(struct slice *text)
{
	const unsigned char *at = text->data, *end = text->data + text->len;
	while (at < end && (at = memchr(at, '\r', (size_t)(end - at))) != NULL && at + 1 < end && at[1] != '\n')
		at++;
	if (at == NULL || at + 1 >= end)
		at = end;
	struct slice line = slice_of(text->data, (size_t)(at - text->data));
	size_t taken = at < end ? line.len + 2 : line.len;
	*text = slice_of(text->data + taken, text->len - taken);
	return line;
}

static enum kind
kind_of(struct slice line, struct slice *value)
{
	static const char *const names[] = { [MESSAGE_ID] = "Message-ID", [REPLY] = "In-Reply-To", [REFERENCES] = "References" };
	const unsigned char *colon = line.len > 0 ? memchr(line.data, ':', line.len) : NULL;
	if (colon == NULL)
		return OTHER;
	size_t len = (size_t)(colon - line.data);
	*value = slice_of(colon + 1, line.len - len - 1);
	while (len > 0 && (line.data[len - 1] == ' ' || line.data[len - 1] == '\t')) /* RFC 5322 4.5 */
		len--;
	for (enum kind kind = MESSAGE_ID; kind <= REFERENCES; kind++)
		if (slice_is_nocase(slice_of(line.data, len), names[kind]))
			return kind;
	return OTHER;
}

/* Takes the next id from the front of the text. Each byte is looked at once. */
static bool
next_id(struct slice *text, struct slice *id)
{
	const unsigned char *begin = NULL, *end = text->data + text->len;
	for (const unsigned char *at = text->data; at < end; at++) {
		if (*at == '<') {
			begin = at;
		} else if (*at == '>' && begin != NULL && at - begin > 1) {
			*id = slice_of(begin, (size_t)(at - begin) + 1);
			*text = slice_of(at + 1, (size_t)(end - at) - 1);
			return true;
		} else if (*at <= ' ' || *at >= 0x7f || *at == '>' || (begin != NULL && at - begin >= THREADS_ID_MAX_BYTES - 1)) {
			begin = NULL;
		}
	}
	return false;
}

static void
take(struct threads *out, enum kind kind, struct slice id)
{
	if (kind == MESSAGE_ID && out->message_id.len == 0) {
		out->message_id = id;
	} else if (kind == REPLY && out->reply_count < THREADS_REPLIES_MAX) {
		out->replies[out->reply_count++] = id;
	} else if (kind == REFERENCES) {
		/* a ring behind the first one; threads_find() puts it in order */
		size_t n = out->reference_count++;
		out->references[n < THREADS_REFERENCES_MAX ? n : 1 + (n - 1) % (THREADS_REFERENCES_MAX - 1)] = id;
	}
}

static void
reverse(struct slice *ids, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct slice id = ids[i];
		ids[i] = ids[count - 1 - i];
		ids[count - 1 - i] = id;
	}
}

static void
order_references(struct threads *t)
{
	const size_t ring = THREADS_REFERENCES_MAX - 1;
	if (t->reference_count <= THREADS_REFERENCES_MAX)
		return;
	size_t oldest = (t->reference_count - 1) % ring;
	reverse(t->references + 1, oldest);
	reverse(t->references + 1 + oldest, ring - oldest);
	reverse(t->references + 1, ring);
	t->reference_count = THREADS_REFERENCES_MAX;
}

void
threads_find(struct slice message, struct threads *out)
{
	enum kind kind = OTHER;
	struct slice rest = slice_of(message.data, message.len < THREADS_SCAN_BYTES ? message.len : THREADS_SCAN_BYTES), id;
	*out = (struct threads){ 0 };
	while (rest.len > 0) {
		struct slice line = next_line(&rest), value = line;
		if (line.len == 0)
			break;
		if (line.data[0] != ' ' && line.data[0] != '\t')
			kind = kind_of(line, &value);
		while (kind != OTHER && next_id(&value, &id))
			take(out, kind, id);
	}
	order_references(out);
}

size_t
threads_list(const struct threads *t, struct slice out[THREADS_IDS_MAX])
{
	size_t count = 0;
	if (t->message_id.len > 0)
		out[count++] = t->message_id;
	for (size_t i = 0; i < t->reply_count; i++)
		out[count++] = t->replies[i];
	for (size_t i = 0; i < t->reference_count; i++)
		out[count++] = t->references[i];
	for (size_t i = 1; i < count; i++) /* each field's own are in order */
		for (size_t k = i; k > 0 && out[k].data < out[k - 1].data; k--) {
			struct slice id = out[k];
			out[k] = out[k - 1];
			out[k - 1] = id;
		}
	return count;
}

/* ---- the map */

void
threads_outer(const char letters[THREADS_LETTERS + 1], const char *onion, char out[THREADS_OUTER_SIZE])
{
	int len = snprintf(out, THREADS_OUTER_SIZE, "<%s@%s>", letters, onion);
	assert(len > 0 && len < THREADS_OUTER_SIZE);
}

int
threads_map_add(struct buffer *map, struct slice id, struct slice other, struct error *err)
{
	return buffer_printf(map, err, "%.*s %.*s\n", (int)id.len, (const char *)id.data, (int)other.len,
	    (const char *)other.data);
}

bool
threads_map_next(struct slice *map, struct slice *id, struct slice *other)
{
	const unsigned char *end = map->len > 0 ? memchr(map->data, '\n', map->len) : NULL;
	const unsigned char *space = end != NULL ? memchr(map->data, ' ', (size_t)(end - map->data)) : NULL;
	if (space == NULL)
		return false;
	*id = slice_of(map->data, (size_t)(space - map->data));
	*other = slice_of(space + 1, (size_t)(end - space) - 1);
	*map = slice_of(end + 1, map->len - (size_t)(end - map->data) - 1);
	return true;
}

static bool
is_same(struct slice a, struct slice b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

bool
threads_map_find(struct slice map, struct slice id, struct slice *other)
{
	struct slice each;
	while (threads_map_next(&map, &each, other))
		if (is_same(each, id))
			return true;
	return false;
}

/* ---- writing */

int
threads_put_field(struct buffer *out, const char *name, const struct slice *ids, size_t count, struct slice map,
    struct error *err)
{
	struct slice other;
	bool is_first = true;
	for (size_t i = 0; i < count; i++) {
		if (!threads_map_find(map, ids[i], &other))
			continue;
		if (buffer_printf(out, err, "%s%s %.*s\r\n", is_first ? name : "", is_first ? ":" : "", (int)other.len,
		        (const char *)other.data) != 0)
			return -1;
		is_first = false;
	}
	return 0;
}

int
threads_restore(struct slice message, bool has_message_id, struct slice map, struct buffer *out, size_t *replaced,
    struct error *err)
{
	struct threads threads;
	struct slice ids[THREADS_IDS_MAX], other;
	*replaced = 0;
	threads_find(message, &threads);
	if (!has_message_id)
		threads.message_id.len = 0;
	size_t count = threads_list(&threads, ids);
	for (size_t i = 0; i < count; i++) {
		size_t at = (size_t)(ids[i].data - message.data);
		if (!threads_map_find(map, ids[i], &other) || is_same(ids[i], other))
			continue;
		if (buffer_append(out, message.data + *replaced, at - *replaced, err) != 0 ||
		    buffer_append(out, other.data, other.len, err) != 0)
			return -1;
		*replaced = at + ids[i].len;
	}
	return 0;
}
