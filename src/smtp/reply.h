/* SPDX-License-Identifier: ISC
 *
 * Replies of a server, as a client reads them: RFC 5321 section 4.2, enhanced status
 * codes of RFC 2034 and 3463, EHLO keywords of RFC 5321 section 4.1.1.1.
 *
 * Servers are hostile: whatever comes, memory and work are bounded, and the text that is
 * kept is one line of printable UTF-8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define REPLY_TEXT_MAX 480
#define REPLY_LINE_MAX 2048  /* octets with the line end; RFC 5321 4.5.3.1.5 allows 512 */
#define REPLY_LINES_MAX 128
#define REPLY_ENHANCED_MAX 9 /* "5.999.999" */

struct reply {
	unsigned code;                          /* 200 to 599, once a line was read */
	char enhanced[REPLY_ENHANCED_MAX + 1];  /* of the first line that has one of the code's class; or "" */
	char text[REPLY_TEXT_MAX + 1];          /* the lines joined by spaces, without codes; made printable; cut */
	size_t text_len;
	unsigned line_count;
	/* private */
	char line[REPLY_LINE_MAX];
	size_t line_len;
	bool line_is_whole;
};

enum reply_progress {
	REPLY_NEEDS_MORE, /* all input was taken */
	REPLY_LINE,       /* a line was taken, others follow */
	REPLY_COMPLETE,   /* the last line was taken; what follows in the input belongs to the next reply */
	REPLY_MALFORMED,  /* this is no SMTP reply, or a monstrous one: err says what (ERROR_PROTOCOL) */
};

void reply_init(struct reply *reply);

/* Takes bytes from the front of *input, at most one line of them. */
enum reply_progress reply_take(struct reply *reply, struct slice *input, struct error *err);

/* After REPLY_LINE or REPLY_COMPLETE: the line behind its code, as it came. Borrowed until the next call. */
struct slice reply_line(const struct reply *reply);

/* Copies bytes into out (with a NUL; out_size >= 1) as one line of printable UTF-8, cut at a character: controls,
 * invalid octets and characters that turn the direction of text become '?'. Returns the length. */
size_t reply_make_printable(char *out, size_t out_size, struct slice bytes);

/* What a server offers. */
struct reply_extensions {
	bool pipelining, chunking, eight_bit_mime, smtputf8, starttls, size;
	uint64_t size_max_bytes; /* 0: no limit stated */
};

/* Adds what one line of an EHLO reply offers; the first line (the greeting) is not to be given. Unknown and
 * malformed keywords are ignored. */
void reply_take_extension(struct reply_extensions *extensions, struct slice line);
