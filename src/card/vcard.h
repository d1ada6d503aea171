/* SPDX-License-Identifier: ISC
 *
 * The lines of a vCard (RFC 6350 3.2, 3.4): folding, and the escapes of texts. Within this module only.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define VCARD_LINE_MAX 75 /* octets of a written line, without its end */

/* Appends NAME:value folded to `out`, and unfolded, with CRLF, to `plain`. */
int vcard_write(const char *name, struct slice value, struct buffer *out, struct buffer *plain, struct error *err);

/* A text with its escapes: into `out`, empty, and back, with a NUL. Text is one line. ERROR_INVALID, ERROR_TOO_LARGE. */
int vcard_escape(struct slice text, struct buffer *out, struct error *err);
int vcard_unescape(struct slice value, char *out, size_t room, struct error *err);

/* Appends the lines of a card, unfolded, each with CRLF. Nothing but UTF-8 without control characters is in them. ERROR_INVALID, ERROR_TOO_LARGE. */
int vcard_unfold(struct slice text, struct buffer *plain, struct error *err);

/* Takes the next of these lines: its name in front of the first ':', what stands behind, and the whole of it with its end. 1, 0 at the end, -1:
 * ERROR_INVALID. */
int vcard_next(struct slice *plain, struct slice *name, struct slice *value, struct slice *line, struct error *err);
