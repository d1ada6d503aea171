/* SPDX-License-Identifier: ISC
 *
 * Composing a message: writes on until something fails, so that the caller looks once, at the end.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

struct writer {
	struct buffer *out; /* borrowed, like err */
	struct error *err;
	int result;         /* 0, or -1 since something failed */
};

void writer_put_bytes(struct writer *w, const void *bytes, size_t len);

/* Any number of strings, as they are. */
#define writer_put(w, ...) writer_put_strings(w, __VA_ARGS__, (char *)NULL)
__attribute__((sentinel))
void writer_put_strings(struct writer *w, ...);

/* A stranger's words in one line: what is not harmless UTF-8 (not ASCII, when ascii_only) becomes '?'; of more than
 * WRITER_FOREIGN_MAX_BYTES the rest is left out. */
#define WRITER_FOREIGN_MAX_BYTES 480
void writer_put_foreign(struct writer *w, struct slice text, bool ascii_only);
