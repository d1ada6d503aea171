/* SPDX-License-Identifier: ISC
 *
 * The field in which the node says what it has found out about a message (doc/spec/verdict.md), and what in a message asks for that. Like threads.h, it
 * needs nothing, so that mail@ID can use it: it compares bytes at the beginnings of lines. A line ends in LF, with or without a CR before it,
 * as mail programs read a mailbox.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define VERDICT_FIELD "SMTorP-Verdict"

/* Whether the header says something that can be true or false, or hides something: it names an onion in From, has an Onion-Signature, or is that of a
 * message that is encrypted or signed (RFC 1847). */
bool verdict_is_asked_for(struct slice header);

/* Whether the header has its end in the text. */
bool verdict_header_ends(struct slice text);

/* The same of a header of any length, which comes in pieces. Blanks in a field's name, and which multipart it is, do not count here: better asked for once too
 * often. */
#define VERDICT_NAME_MAX 24
struct verdict_scan {
	bool is_asked_for, has_verdict; /* a field of ours */
	bool has_ended;                 /* the header */
	/* its own */
	char name[VERDICT_NAME_MAX];    /* of the field in whose first line we are, as far as it was read */
	size_t name_len, column, matched; /* matched: letters of the word */
	const char *word;               /* that is looked for in this field; NULL: none */
	bool is_named, has_cr;
};
void verdict_scan_update(struct verdict_scan *scan, const void *bytes, size_t len); /* zeroed in the beginning */

/* Takes all fields of that name out of the header, in place, and lines at its beginning that go on with a field. Returns the new length. */
size_t verdict_drop(unsigned char *text, size_t len);
