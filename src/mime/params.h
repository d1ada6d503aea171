/* SPDX-License-Identifier: ISC
 *
 * Parameters of Content-Type and Content-Disposition (RFC 2045 5.1, RFC 2231), read one by one by their names and written
 * in one way, so that all readers see the same.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define PARAMS_TEXT_MAX_BYTES 16384
#define PARAMS_VALUE_MAX_BYTES 300
#define PARAMS_CHARSET_MAX 40

struct param {
	char value[PARAMS_VALUE_MAX_BYTES + 1];
	size_t len;
	char charset[PARAMS_CHARSET_MAX + 1]; /* "": it was written as it is */
	bool is_plain;  /* there once, neither in pieces nor encoded, and a token or a whole quoted string */
};

/* What stands before the first parameter, without comments and white space. Borrowed from text, which is flat (fold.h). */
struct slice params_head(struct slice text);

/* 1: there is such a parameter; 0: there is none; -1: ERROR_TOO_LARGE for a value or a text over its maximum. name is in lower
 * case. Of two the first counts, and an encoded one more than a plain one. */
int params_find(struct slice text, const char *name, struct param *out, struct error *err);

/* Makes a file name of a path: what stands before the last separator goes. */
void params_strip_path(struct param *p);

/* Appends "name=value" in the shortest way that is right. */
int params_write(const char *name, const struct param *p, struct buffer *out, struct error *err);
