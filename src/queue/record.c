/* SPDX-License-Identifier: ISC */
#include "queue/record.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/hash.h"
#include "ipc/pack.h"

#define HASH_STEP_BYTES 65536

#define FIXED_BYTES 9
#define DESTINATION_RECIPIENTS_MAX 65535

static int
encode_rest(const struct record *r, struct buffer *head, struct error *err)
{
	unsigned char item[8];
	switch (r->type) {
	case RECORD_RECEIVED:
		if (pack_string(head, slice_of(r->hash, sizeof r->hash), err) != 0)
			return -1;
		return buffer_append(head, r->recipients.data, r->recipients.len, err);
	case RECORD_SUBMITTED:
		return buffer_append(head, r->destinations.data, r->destinations.len, err);
	case RECORD_BOUNCE:
	case RECORD_DELAY:
	case RECORD_NOTICE:
	case RECORD_READY: /* without positions */
		encode_number(item, r->item, sizeof item);
		if (pack_string(head, slice_of(item, sizeof item), err) != 0)
			return -1;
		return buffer_append(head, r->positions.data, r->positions.len, err);
	}
	return error_set(err, ERROR_INVALID, "no such record type");
}

bool
record_is_own(uint32_t type)
{
	return type == RECORD_BOUNCE || type == RECORD_DELAY || type == RECORD_NOTICE;
}

int
record_encode(const struct record *r, struct buffer *out, struct error *err)
{
	unsigned char fixed[FIXED_BYTES], len[4];
	struct buffer head, first;
	struct slice rest = r->type == RECORD_RECEIVED ? r->verdict : r->ids;
	int result = -1;
	buffer_init(&head, RECORD_HEAD_MAX);
	buffer_init(&first, RECORD_HEAD_MAX);
	fixed[0] = r->flags;
	encode_number(fixed + 1, (uint64_t)r->arrival_ms, 8);
	if (buffer_append(&first, fixed, sizeof fixed, err) != 0 || buffer_append(&first, rest.data, rest.len, err) != 0 ||
	    pack_string(&head, slice_of(buffer_bytes(&first), buffer_len(&first)), err) != 0 ||
	    pack_string(&head, r->reverse_path, err) != 0 || encode_rest(r, &head, err) != 0)
		goto out;
	encode_number(len, buffer_len(&head), sizeof len);
	if (buffer_append(out, len, sizeof len, err) != 0 ||
	    buffer_append(out, buffer_bytes(&head), buffer_len(&head), err) != 0)
		goto out;
	result = 0;
out:
	buffer_finish(&head);
	buffer_finish(&first);
	return result;
}

int
record_decode(enum record_type type, struct slice head, struct record *r, struct error *err)
{
	struct slice fixed, string;
	*r = (struct record){ .type = type };
	if (!pack_next(&head, &fixed) || fixed.len < FIXED_BYTES || !pack_next(&head, &r->reverse_path))
		goto malformed;
	r->flags = fixed.data[0];
	r->arrival_ms = (int64_t)encode_from_number(fixed.data + 1, 8);
	*(type == RECORD_RECEIVED ? &r->verdict : &r->ids) = slice_of(fixed.data + FIXED_BYTES, fixed.len - FIXED_BYTES);
	switch (type) {
	case RECORD_RECEIVED:
		if (!pack_next(&head, &string) || string.len != RECORD_HASH_BYTES)
			goto malformed;
		memcpy(r->hash, string.data, RECORD_HASH_BYTES);
		r->recipients = head;
		return 0;
	case RECORD_SUBMITTED:
		r->destinations = head;
		return 0;
	case RECORD_BOUNCE:
	case RECORD_DELAY:
	case RECORD_NOTICE:
	case RECORD_READY: /* without positions */
		if (!pack_next(&head, &string) || string.len != 8)
			goto malformed;
		r->item = encode_from_number(string.data, 8);
		r->positions = head;
		return 0;
	}
malformed:
	return error_set(err, ERROR_INVALID, "a record in the journal is not one of this version");
}

int
record_add_destination(struct buffer *list, struct slice onion, struct slice recipients, struct error *err)
{
	unsigned char count[2];
	size_t n = 0;
	struct slice rest = recipients, recipient;
	while (pack_next(&rest, &recipient))
		n++;
	if (rest.len != 0 || n == 0 || n > DESTINATION_RECIPIENTS_MAX)
		return error_set(err, ERROR_INVALID, "a malformed list of recipients");
	encode_number(count, n, sizeof count);
	if (pack_string(list, onion, err) != 0 || pack_string(list, slice_of(count, sizeof count), err) != 0)
		return -1;
	return buffer_append(list, recipients.data, recipients.len, err);
}

bool
record_next_destination(struct slice *list, struct slice *onion, struct slice *recipients)
{
	struct slice rest = *list, count, recipient;
	if (!pack_next(&rest, onion) || !pack_next(&rest, &count) || count.len != 2)
		return false;
	const unsigned char *first = rest.data;
	for (size_t n = (size_t)encode_from_number(count.data, 2); n > 0; n--)
		if (!pack_next(&rest, &recipient))
			return false;
	*recipients = slice_of(first, (size_t)(rest.data - first));
	*list = rest;
	return true;
}

int
record_add_position(struct buffer *list, uint32_t position, struct error *err)
{
	unsigned char bytes[4];
	encode_number(bytes, position, sizeof bytes);
	return pack_string(list, slice_of(bytes, sizeof bytes), err);
}

bool
record_next_position(struct slice *list, uint32_t *position)
{
	struct slice bytes, rest = *list;
	if (!pack_next(&rest, &bytes) || bytes.len != 4)
		return false;
	*position = (uint32_t)encode_from_number(bytes.data, 4);
	*list = rest;
	return true;
}

static int
by_bytes(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
	return order != 0 ? order : x->len < y->len ? -1 : x->len > y->len;
}

static void
hash_string(struct hash *hash, struct slice s)
{
	unsigned char len[8];
	encode_number(len, s.len, sizeof len);
	hash_update(hash, len, sizeof len);
	hash_update(hash, s.data, s.len);
}

static int
hash_body(struct hash *hash, const struct body *body, struct error *err)
{
	unsigned char chunk[HASH_STEP_BYTES];
	hash_update(hash, body->bytes.data, body->bytes.len);
	for (uint64_t done = 0; done < body->file_bytes;) {
		size_t step = body->file_bytes - done < sizeof chunk ? (size_t)(body->file_bytes - done) : sizeof chunk;
		if (body_read(body, done, chunk, step, err) != 0)
			return -1;
		hash_update(hash, chunk, step);
		done += step;
	}
	return 0;
}

int
record_hash(struct slice reverse_path, struct slice recipients, const struct body *body,
    unsigned char out[RECORD_HASH_BYTES], struct error *err)
{
	struct hash hash;
	struct slice rest = recipients, each, *sorted = NULL;
	size_t count = 0, at = 0;
	while (pack_next(&rest, &each))
		count++;
	if (rest.len != 0 || count == 0)
		return error_set(err, ERROR_INVALID, "a malformed list of recipients");
	sorted = calloc(count, sizeof *sorted);
	if (sorted == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	for (rest = recipients; pack_next(&rest, &each);)
		sorted[at++] = each;
	qsort(sorted, count, sizeof *sorted, by_bytes);
	hash_init(&hash, RECORD_HASH_BYTES, NULL, 0);
	hash_string(&hash, reverse_path);
	for (size_t i = 0; i < count; i++)
		hash_string(&hash, sorted[i]);
	hash_string(&hash, slice_of("", 0)); /* a recipient is never empty: here the list ends */
	int result = hash_body(&hash, body, err);
	hash_final(&hash, out, RECORD_HASH_BYTES);
	free(sorted);
	return result;
}
