/* SPDX-License-Identifier: ISC */
#include "queue/ids.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/hash.h"
#include "base/random.h"

#define KEY_BYTES 32
#define NAME_BYTES 17  /* 130 bits are used; the length is part of what is hashed, so this is another hash */

enum { FIND, KEEP, RECEIVE, STATEMENTS };

static const char *const sql[STATEMENTS] = {
	[FIND] = "SELECT inner_id FROM ids WHERE hash = ?1",
	[KEEP] = "INSERT OR REPLACE INTO ids VALUES (?1, ?2)",
	[RECEIVE] = "INSERT OR IGNORE INTO ids VALUES (?1, '')",
};

struct ids {
	struct statement *statements[STATEMENTS];
	unsigned char key[KEY_BYTES];
};

/* ---- the key */

static int
make_key(struct ids *ids, struct database *db, struct error *err)
{
	struct statement *insert = NULL;
	random_bytes(ids->key, sizeof ids->key);
	if (statement_new(db, "INSERT INTO ids_key VALUES (1, ?1)", &insert, err) != 0)
		return -1;
	statement_bind_blob(insert, 1, slice_of(ids->key, sizeof ids->key));
	int result = statement_run(insert, err);
	statement_free(insert);
	return result;
}

static int
load_key(struct ids *ids, struct database *db, struct error *err)
{
	struct statement *load = NULL;
	if (statement_new(db, "SELECT key FROM ids_key", &load, err) != 0)
		return -1;
	int row = statement_step(load, err);
	if (row == 1 && statement_bytes(load, 0).len != sizeof ids->key)
		row = error_set(err, ERROR_DAMAGED, "the database mail.db is damaged: a key that is none");
	if (row == 1)
		memcpy(ids->key, statement_bytes(load, 0).data, sizeof ids->key);
	statement_free(load);
	return row == 0 ? make_key(ids, db, err) : row < 0 ? -1 : 0;
}

int
ids_open(struct database *db, struct ids **out, struct error *err)
{
	struct ids *ids = calloc(1, sizeof *ids);
	if (ids == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	int result = load_key(ids, db, err);
	for (size_t i = 0; result == 0 && i < STATEMENTS; i++)
		result = statement_new(db, sql[i], &ids->statements[i], err);
	if (result != 0)
		ids_free(ids);
	else
		*out = ids;
	return result;
}

void
ids_free(struct ids *ids)
{
	if (ids == NULL)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		statement_free(ids->statements[i]);
	free(ids);
}

static void
hash_id(const struct ids *ids, struct slice id, unsigned char *out, size_t len)
{
	struct hash hash;
	hash_init(&hash, len, ids->key, sizeof ids->key);
	hash_update(&hash, id.data, id.len);
	hash_final(&hash, out, len);
}

static void
name_of(const struct ids *ids, struct slice id, char letters[THREADS_LETTERS + 1])
{
	unsigned char name[NAME_BYTES];
	char text[ENCODE_BASE32_LEN(NAME_BYTES) + 1];
	_Static_assert(NAME_BYTES * 8 >= THREADS_LETTERS * 5, "every bit of every letter is there");
	hash_id(ids, id, name, sizeof name);
	encode_base32(text, name, sizeof name);
	memcpy(letters, text, THREADS_LETTERS);
	letters[THREADS_LETTERS] = '\0';
}

/* ---- the table */

/* 1: it is known, and *inner (if not NULL) is appended to; 0; -1. */
static int
find(struct ids *ids, struct slice id, struct buffer *inner, struct error *err)
{
	unsigned char hash[IDS_HASH_BYTES];
	struct statement *s = ids->statements[FIND];
	hash_id(ids, id, hash, sizeof hash);
	statement_bind_blob(s, 1, slice_of(hash, sizeof hash));
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	struct slice text = row == 1 ? statement_bytes(s, 0) : slice_of("", 0);
	if (inner != NULL && text.len > 0 && text.len <= THREADS_ID_MAX_BYTES && threads_map_add(inner, id, text, err) != 0)
		row = -1;
	statement_reset(s);
	return row;
}

/* The same; what the message's own record keeps is not in the table yet. */
static int
find_inner(struct ids *ids, struct slice id, struct slice kept, struct buffer *inner, struct error *err)
{
	struct slice text;
	if (!threads_map_find(kept, id, &text))
		return find(ids, id, inner, err);
	bool is_same = text.len == id.len && memcmp(text.data, id.data, id.len) == 0;
	if (is_same || text.len == 0 || text.len > THREADS_ID_MAX_BYTES)
		return 1;
	return threads_map_add(inner, id, text, err) != 0 ? -1 : 1;
}

static int
keep(struct ids *ids, struct slice id, struct slice inner, struct error *err)
{
	unsigned char hash[IDS_HASH_BYTES];
	struct statement *s = ids->statements[KEEP];
	hash_id(ids, id, hash, sizeof hash);
	statement_bind_blob(s, 1, slice_of(hash, sizeof hash));
	statement_bind_text(s, 2, inner);
	return statement_run(s, err);
}

int
ids_keep(struct ids *ids, struct slice kept, struct error *err)
{
	struct slice outer, inner;
	while (threads_map_next(&kept, &outer, &inner)) {
		bool is_same = outer.len == inner.len && memcmp(outer.data, inner.data, outer.len) == 0;
		if (keep(ids, outer, is_same ? slice_of("", 0) : inner, err) != 0)
			return -1;
	}
	return 0;
}

void
ids_find_received(const struct ids *ids, struct slice message, struct ids_received *out)
{
	struct threads t;
	struct slice list[IDS_RECEIVED_MAX];
	size_t count = 0;
	threads_find(message, &t);
	if (t.message_id.len > 0)
		list[count++] = t.message_id;
	if (t.reply_count > 0)
		list[count++] = t.replies[0];
	if (t.reference_count > 0)
		list[count++] = t.references[0];
	for (size_t i = t.reference_count; i > 1 && count < IDS_RECEIVED_MAX; i--)
		list[count++] = t.references[i - 1];
	out->count = count;
	for (size_t i = 0; i < count; i++)
		hash_id(ids, list[i], out->hashes[i], sizeof out->hashes[i]);
}

int
ids_receive(struct ids *ids, const struct ids_received *received, struct error *err)
{
	struct statement *s = ids->statements[RECEIVE];
	for (size_t i = 0; i < received->count; i++) {
		statement_bind_blob(s, 1, slice_of(received->hashes[i], IDS_HASH_BYTES));
		if (statement_run(s, err) != 0)
			return -1;
	}
	return 0;
}

/* ---- messages */

/* An id that the message refers to. */
static int
name_reference(struct ids *ids, struct slice id, const char *onion, struct ids_leaving *out, struct error *err)
{
	char letters[THREADS_LETTERS + 1], outer[THREADS_OUTER_SIZE];
	struct slice before, name;
	if (threads_map_find(slice_of(buffer_bytes(&out->map), buffer_len(&out->map)), id, &before))
		return 0;
	int known = find(ids, id, NULL, err);
	if (known < 0)
		return -1;
	if (known == 1)
		return threads_map_add(&out->map, id, id, err);
	name_of(ids, id, letters);
	threads_outer(letters, onion, outer);
	name = slice_of_string(outer);
	return threads_map_add(&out->map, id, name, err) != 0 ? -1 : threads_map_add(&out->kept, name, id, err);
}

int
ids_leave(struct ids *ids, struct slice message, const char *onion, struct ids_leaving *out, struct error *err)
{
	struct threads t;
	char outer[THREADS_OUTER_SIZE];
	*out = (struct ids_leaving){ 0 };
	buffer_init(&out->map, IDS_LINES_MAX_BYTES);
	buffer_init(&out->kept, IDS_LINES_MAX_BYTES);
	threads_find(message, &t);
	if (t.message_id.len > 0)
		name_of(ids, t.message_id, out->letters);
	else
		random_name(out->letters, sizeof out->letters);
	threads_outer(out->letters, onion, outer);
	struct slice name = slice_of_string(outer);
	if (threads_map_add(&out->kept, name, t.message_id.len > 0 ? t.message_id : name, err) != 0)
		return -1;
	for (size_t i = 0; i < t.reply_count; i++)
		if (name_reference(ids, t.replies[i], onion, out, err) != 0)
			return -1;
	for (size_t i = 0; i < t.reference_count; i++)
		if (name_reference(ids, t.references[i], onion, out, err) != 0)
			return -1;
	return 0;
}

void
ids_leaving_finish(struct ids_leaving *leaving)
{
	buffer_finish(&leaving->map);
	buffer_finish(&leaving->kept);
}

int
ids_restore(struct ids *ids, struct slice message, struct slice kept, bool has_message_id, struct buffer *out, size_t *replaced,
    struct error *err)
{
	struct threads threads;
	struct slice list[THREADS_IDS_MAX];
	struct buffer map;
	int result = 0;
	*replaced = 0;
	buffer_init(&map, IDS_LINES_MAX_BYTES);
	threads_find(message, &threads);
	size_t count = threads_list(&threads, list);
	for (size_t i = 0; result >= 0 && i < count; i++)
		result = find_inner(ids, list[i], kept, &map, err);
	if (result >= 0)
		result = threads_restore(message, has_message_id, slice_of(buffer_bytes(&map), buffer_len(&map)), out, replaced, err);
	buffer_finish(&map);
	return result;
}

int
ids_restore_body(struct ids *ids, struct body *body, struct error *err)
{
	struct buffer out;
	size_t replaced;
	buffer_init(&out, THREADS_RESTORED_MAX_BYTES + body->bytes.len);
	int result = ids_restore(ids, body->bytes, slice_of("", 0), true, &out, &replaced, err);
	if (result == 0 && replaced > 0)
		result = buffer_append(&out, body->bytes.data + replaced, body->bytes.len - replaced, err);
	if (result == 0 && replaced > 0) {
		body_finish(body);
		body_from_buffer(&out, body);
	}
	buffer_finish(&out);
	return result;
}
