/* SPDX-License-Identifier: ISC
 *
 * Borrowed bytes. Whoever hands a slice over says until when it is good.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
	const unsigned char *data; /* may be NULL when len is 0 */
	size_t len;
};

static inline struct slice
slice_of(const void *data, size_t len)
{
	return (struct slice){ data, len };
}

static inline struct slice
slice_of_string(const char *string)
{
	return slice_of(string, strlen(string));
}

/* As much of it as fits, and a NUL. */
static inline void
slice_to_string(struct slice s, char *out, size_t room)
{
	size_t len = s.len < room - 1 ? s.len : room - 1;
	if (len > 0)
		memcpy(out, s.data, len);
	out[len] = '\0';
}

static inline bool
slice_is(struct slice s, const char *string)
{
	return s.len == strlen(string) && (s.len == 0 || memcmp(s.data, string, s.len) == 0);
}

/* ASCII letters compare without case. */
static inline bool
slice_is_nocase(struct slice s, const char *string)
{
	return s.len == strlen(string) && (s.len == 0 || strncasecmp((const char *)s.data, string, s.len) == 0);
}
