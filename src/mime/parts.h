/* SPDX-License-Identifier: ISC
 *
 * The body of a message that leaves, line by line, in flat memory and linear time. Where it is made of parts (RFC 2046
 * section 5.1) each gets a header that may leave (fields.h) and each multipart a new boundary; what stands before the first
 * part and after the last, which no mail program shows, goes. The content of the parts is passed on byte by byte, but for what
 * refers to other parts in HTML (cid.h) and the program's name in receipts (RFC 8098); and so is, header and all, the first part
 * of a multipart/signed, whatever is inside. Attached messages are content.
 *
 * A line is a boundary when it is exactly one, but for white space at its end; of several that are open the innermost counts.
 * A multipart that does not end, ends where the one around it goes on, or at the end. One in which there is no part at all, two
 * inside each other that have the same boundary, and too many parts or levels are refused.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "mime/content.h"
#include "mime/prepare.h"

#define PARTS_MAX 10000
#define PARTS_LEVELS_MAX 30
#define PARTS_LETTERS 26
#define PARTS_BOUNDARY_SIZE (2 + PARTS_LETTERS + 1) /* "=_", which is in no quoted-printable, and a NUL */

struct parts_level {
	char boundary[CONTENT_BOUNDARY_MAX + 1];
	size_t boundary_len;
	char renewed[PARTS_BOUNDARY_SIZE];
	bool is_signed;
	size_t parts;
};

enum parts_place { PARTS_IN_HEADER, PARTS_IN_CONTENT, PARTS_IN_NOTHING };

struct parts {
	const struct prepare_request *request;
	const struct prepare_stream *stream;
	struct parts_level levels[PARTS_LEVELS_MAX];
	size_t depth;
	enum parts_place place;
	struct buffer header;  /* of the part, as far as it has come */
	char next_boundary[PARTS_BOUNDARY_SIZE];
	size_t parts, multiparts;
	struct cid html;       /* while is_html */
	bool is_receipt;       /* the content is fields (RFC 8098), of which Reporting-UA goes */
	bool is_dropped;       /* and so does the line of it that began last */
	bool is_html;          /* the content is HTML, in which names of parts are replaced */
	bool has_content;      /* of the part, something came */
	bool owes_line_end;    /* the last line's, which belongs to a boundary if one follows */
	unsigned char all_bits; /* of what was written */
};

/* The stream's write() and report are used. parts_finish() in any case. */
void parts_init(struct parts *p, const struct prepare_request *request, const struct prepare_stream *stream);
void parts_finish(struct parts *p);

/* The header of the message, which must be at the beginning of text. *rest: where its body begins. */
int parts_take_header(struct parts *p, struct slice text, bool *needs_smtputf8, size_t *rest, struct error *err);

/* Whole lines of the body, which lines_check() has passed; only the last one of all may lack its CRLF. */
int parts_take_lines(struct parts *p, struct slice lines, struct error *err);
int parts_end(struct parts *p, struct error *err);
