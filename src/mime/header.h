/* SPDX-License-Identifier: ISC
 *
 * The header section of a message, field by field, as ranges of the message's own bytes (RFC 5322 2.2, 3.6 and
 * 4.5; RFC 6532 lets bytes >= 0x80 stand in values). Nothing is copied or changed, so a field that must stay as
 * it is (signed, encrypted) is copied by its range.
 *
 * Lines end in CRLF and nothing else. Bounded by the maxima below, time linear in the section's length.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define HEADER_SECTION_MAX_BYTES (1024 * 1024) /* fields and the empty line after them */
#define HEADER_LINE_MAX_BYTES 998              /* without CRLF: RFC 5322 2.1.1 */
#define HEADER_FIELDS_MAX 1000

/* Borrowed from the message. */
struct header_field {
	struct slice name;  /* printable ASCII; without the white space that RFC 5322 4.5 allows before the colon */
	struct slice value; /* what stands after the colon, still folded, without the last CRLF */
	struct slice raw;   /* the whole field from its name to its last CRLF */
};

struct header_scan {
	struct slice rest;    /* not scanned yet; after the end: the body */
	size_t scanned_bytes;
	size_t fields;
	bool has_empty_line;  /* after the end: an empty line stood between header and body */
};

void header_scan_init(struct header_scan *scan, struct slice message);

/* 1: *field is the next one; 0: the section has ended; -1: ERROR_INVALID for what is no header field (the text
 * names it by its number), ERROR_TOO_LARGE over a maximum. */
int header_scan_next(struct header_scan *scan, struct header_field *field, struct error *err);

/* Appends the value in one line: each CRLF is taken out, white space is taken from both ends. */
int header_unfold(struct slice value, struct buffer *out, struct error *err);
