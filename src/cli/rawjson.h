/* SPDX-License-Identifier: ISC
 *
 * Reading the node's own compact JSON without building it: long lists are passed on as they came, row by row. What is no
 * JSON is never read beyond its end; which of it is an error is left open, since it came from a program of ours.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* The members of an object, one by one: *rest begins as the whole text of the object. name and value borrow from it; the
 * name is without quotes, the value as it stands there. false at the end, or when it is no object. */
bool rawjson_next_member(struct slice *rest, struct slice *name, struct slice *value);

/* The same for the elements of an array. */
bool rawjson_next_element(struct slice *rest, struct slice *value);

/* The value of the first member of this name; empty when there is none. */
struct slice rawjson_member(struct slice object, const char *name);

/* A text without quotes and escapes, cut at size - 1 bytes; "" when value is no text. */
void rawjson_text(struct slice value, char *out, size_t size);

/* A whole number; otherwise when value is none. */
long long rawjson_number(struct slice value, long long otherwise);
