/* SPDX-License-Identifier: ISC
 *
 * JSON that is written as text, since there may be a hundred thousand rows.
 */
#pragma once

#include "base/buffer.h"
#include "base/slice.h"
#include "daemon/reason.h"

#define CONTROL_JSON_TEXT_MAX REASON_TEXT_MAX /* octets of a text; the rest is cut off */

/* Text of others as a JSON string: without control characters, which could play with a terminal, and UTF-8. */
int control_json_put(struct buffer *out, struct slice text, struct error *err);

/* name: what stands before it, as it is: ",\"id\":". */
int control_json_member(struct buffer *out, const char *name, const char *text, struct error *err);

/* The same, null for an empty text, or for the number 0. */
int control_json_member_or_null(struct buffer *out, const char *name, const char *text, struct error *err);
int control_json_number_or_null(struct buffer *out, const char *name, uint64_t number, struct error *err);
