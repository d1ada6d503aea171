/* SPDX-License-Identifier: ISC
 *
 * A growing byte buffer that is born with its maximum.
 *
 * Bytes are appended at the end and consumed from the front. An empty buffer
 * gives its memory back, so idle sessions cost nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

struct buffer {
	unsigned char *data; /* NULL when empty; data + start is the first unread byte */
	size_t start;
	size_t end;
	size_t capacity;
	size_t max;          /* most unread bytes it will ever hold */
};

void buffer_init(struct buffer *b, size_t max_bytes);
void buffer_finish(struct buffer *b); /* frees; the buffer may be used again, empty */

/* The unread bytes. Borrowed until the next call that changes the buffer. */
static inline const unsigned char *
buffer_bytes(const struct buffer *b)
{
	return b->data == NULL ? (const unsigned char *)"" : b->data + b->start;
}

static inline size_t
buffer_len(const struct buffer *b)
{
	return b->end - b->start;
}

/* Both, borrowed as long. */
static inline struct slice
buffer_slice(const struct buffer *b)
{
	return slice_of(buffer_bytes(b), buffer_len(b));
}

/* ERROR_TOO_LARGE when the maximum would be passed, ERROR_NO_MEMORY; nothing is appended then. */
int buffer_append(struct buffer *b, const void *bytes, size_t len, struct error *err);
int buffer_append_string(struct buffer *b, const char *string, struct error *err);
__attribute__((format(printf, 3, 4)))
int buffer_printf(struct buffer *b, struct error *err, const char *format, ...);

/* Room for len bytes at the end, to be filled by the caller and then added with buffer_commit(). */
unsigned char *buffer_reserve(struct buffer *b, size_t len, struct error *err);
void buffer_commit(struct buffer *b, size_t len);

void buffer_consume(struct buffer *b, size_t len); /* from the front; len <= buffer_len() */
