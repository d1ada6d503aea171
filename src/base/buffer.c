/* SPDX-License-Identifier: ISC */
#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST_BYTES 512
#define PRINT_LINE_BYTES 512

void
buffer_init(struct buffer *b, size_t max_bytes)
{
	*b = (struct buffer){ .max = max_bytes };
}

void
buffer_finish(struct buffer *b)
{
	free(b->data);
	buffer_init(b, b->max);
}

/* Returns where the next byte goes. */
static unsigned char *
move_to_front(struct buffer *b)
{
	size_t unread = buffer_len(b);
	if (b->data != NULL)
		memmove(b->data, b->data + b->start, unread);
	b->start = 0;
	b->end = unread;
	return b->data + unread;
}

unsigned char *
buffer_reserve(struct buffer *b, size_t len, struct error *err)
{
	size_t unread = buffer_len(b);
	if (len > b->max || unread > b->max - len) {
		error_set(err, ERROR_TOO_LARGE, "more than the %zu bytes allowed here", b->max);
		return NULL;
	}
	if (b->capacity - b->end >= len && b->data != NULL)
		return b->data + b->end;
	/* Moving pays when it moves no more than was consumed; else the buffer grows, as long as it may. */
	if (b->start > 0 && (b->start >= unread || b->capacity >= b->max)) {
		unsigned char *room = move_to_front(b);
		if (b->capacity - b->end >= len)
			return room;
	}
	size_t wanted = b->capacity < BUFFER_FIRST_BYTES ? BUFFER_FIRST_BYTES : b->capacity * 2;
	if (wanted < b->end + len)
		wanted = b->end + len;
	if (wanted > b->max)
		wanted = b->max; /* still >= unread + len, by the first check */
	unsigned char *grown = realloc(b->data, wanted);
	if (grown == NULL) {
		error_set(err, ERROR_NO_MEMORY, "out of memory");
		return NULL;
	}
	b->data = grown;
	b->capacity = wanted;
	return b->capacity - b->end >= len ? b->data + b->end : move_to_front(b);
}

void
buffer_commit(struct buffer *b, size_t len)
{
	assert(len <= b->capacity - b->end);
	b->end += len;
}

int
buffer_append(struct buffer *b, const void *bytes, size_t len, struct error *err)
{
	if (len == 0)
		return 0;
	unsigned char *room = buffer_reserve(b, len, err);
	if (room == NULL)
		return -1;
	memcpy(room, bytes, len);
	buffer_commit(b, len);
	return 0;
}

int
buffer_append_string(struct buffer *b, const char *string, struct error *err)
{
	return buffer_append(b, string, strlen(string), err);
}

int
buffer_printf(struct buffer *b, struct error *err, const char *format, ...)
{
	char line[PRINT_LINE_BYTES], *text = line;
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int result = -1;
	int len = vsnprintf(line, sizeof line, format, args);
	assert(len >= 0);
	if ((size_t)len < sizeof line || (text = malloc((size_t)len + 1)) != NULL) {
		if (text != line)
			vsnprintf(text, (size_t)len + 1, format, again);
		result = buffer_append(b, text, (size_t)len, err); /* the NUL needs no room there */
	} else {
		error_set(err, ERROR_NO_MEMORY, "out of memory");
	}
	if (text != line)
		free(text);
	va_end(again);
	va_end(args);
	return result;
}

void
buffer_consume(struct buffer *b, size_t len)
{
	assert(len <= buffer_len(b));
	b->start += len;
	if (b->start == b->end)
		buffer_finish(b);
}
