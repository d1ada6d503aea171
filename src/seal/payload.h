/* SPDX-License-Identifier: ISC
 *
 * What was encrypted, brought under the header that stood outside.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "seal/entity.h"

/* What is put behind the type of the content that is sealed (RFC 9788), and goes when it is opened; and the type of what had none, in a spelling that no
 * prepared message has. */
#define PAYLOAD_MARK ";\r\n protected-headers=\"v1\"; hp=\"cipher\"\r\n"
#define PAYLOAD_NO_TYPE "Content-Type: text/plain; charset=US-ASCII" PAYLOAD_MARK

/* Fields that a header inside may stand for: never From, ids, or what says how a message came. */
bool payload_may_replace(struct slice name);

/* Appends it with CRLF at the end of each line, however it was. ERROR_INVALID for NUL, ERROR_TOO_LARGE, ERROR_NO_MEMORY. */
int payload_lines(struct slice plain, struct buffer *out, struct error *err);

/* Appends a message with the content of inside. ERROR_INVALID: a header is malformed; ERROR_TOO_LARGE, ERROR_NO_MEMORY. */
int payload_merge(const struct entity *outside, const struct entity *inside, struct buffer *out, struct error *err);
/* The same for a message of our own, as it was before it was sealed: what is inside is all of it. */
int payload_restore(const struct entity *inside, struct buffer *out, struct error *err);

/* Whether the payload has a From of its own, which is not that address. */
bool payload_is_from_other(const struct entity *inside, const char *from);
