/* SPDX-License-Identifier: ISC
 *
 * Lists inside one byte field: recipients, their results, their failures. Each item is its strings,
 * each with a 16-bit length before it.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

/* Appends one string to a packed list. ERROR_TOO_LARGE over 65535 bytes or the buffer's maximum; nothing is appended then.
 * The same holds for the items below. */
int pack_string(struct buffer *list, struct slice string, struct error *err);

/* Takes the next string from the front of *list (borrowed from it). false at the end or when malformed;
 * *list is empty at an orderly end only. The same holds for the items below. */
bool pack_next(struct slice *list, struct slice *string);

/* The outcome for one recipient: an SMTP reply. code 0: not known. */
struct pack_result {
	unsigned code;          /* 250, 4yz, 5yz */
	struct slice enhanced;  /* "5.1.1" or empty */
	struct slice text;      /* one line */
};
int pack_result(struct buffer *list, const struct pack_result *result, struct error *err);
bool pack_next_result(struct slice *list, struct pack_result *result);

/* A recipient together with its outcome. */
int pack_failure(struct buffer *list, struct slice recipient, const struct pack_result *result, struct error *err);
bool pack_next_failure(struct slice *list, struct slice *recipient, struct pack_result *result);
