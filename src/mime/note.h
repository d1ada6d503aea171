/* SPDX-License-Identifier: ISC
 *
 * A copy of an own message with a note at its head, for the owner to look at: what became of it so far. The copy keeps the
 * message's own header, so that a mail program lists it, threads it and answers it as the message; only its content moves
 * below the note, into the second part of a multipart/mixed (RFC 2046 5.1.3).
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define NOTE_LETTERS 26
#define NOTE_ADDED_MAX_BYTES (256 * 1024) /* to the message; a note is at most 64 KiB */

struct note_request {
	struct slice message; /* as it was to leave: CRLF */
	bool is_cut;          /* of the message only the beginning is there: its content is left out */
	struct slice mark;    /* goes in brackets before the subject; may be empty */
	struct slice text;    /* UTF-8, lines end with LF; what is not harmless becomes '?' */
	char boundary_letters[NOTE_LETTERS + 1]; /* random_name() */
};

/* Appends the copy, CRLF everywhere that the message has it, to out. A header that is malformed ends there, and the content is
 * left out. ERROR_TOO_LARGE over out's maximum, ERROR_NO_MEMORY. */
int note_compose(const struct note_request *request, struct buffer *out, struct error *err);
