/* SPDX-License-Identifier: ISC
 *
 * Takes out of a line of the log what tells who writes to whom: addresses, onion names, and words that were named (the
 * names of identities, their local parts). Pure.
 *
 * What is hidden becomes <address:3fa2b1>, <onion:...> or <name:...>: the same digits for the same bytes (letters in
 * either case) under the same key, so that lines about one peer can be told to belong together as long as the key lives.
 */
#pragma once

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define REDACT_KEY_BYTES 32
#define REDACT_WORDS_MAX 1024
#define REDACT_WORD_MAX_BYTES 64
#define REDACT_LINE_MAX_BYTES 4096
#define REDACT_OUT_MAX_BYTES (8 * REDACT_LINE_MAX_BYTES)

struct redact {
	unsigned char key[REDACT_KEY_BYTES];
	char words[REDACT_WORDS_MAX][REDACT_WORD_MAX_BYTES + 1];
	size_t count;
};

/* Without words. */
void redact_init(struct redact *r, const unsigned char key[REDACT_KEY_BYTES]);

/* From now on this word is hidden where it stands by itself, in letters of either case. One that is there already
 * changes nothing. ERROR_INVALID when it is empty or too long, ERROR_TOO_LARGE when there are too many. */
int redact_hide(struct redact *r, struct slice word, struct error *err);

/* Appends the line, which has no line end, without what is hidden. Longer lines are cut at REDACT_LINE_MAX_BYTES. out holds at
 * least REDACT_OUT_MAX_BYTES. */
int redact_line(const struct redact *r, struct slice line, struct buffer *out, struct error *err);
