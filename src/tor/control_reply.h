/* SPDX-License-Identifier: ISC
 *
 * Replies and events of tor's control port (tor's control-spec, section 2.3):
 *
 *   250-version=0.4.9.11      a line in the middle
 *   250+info=                 a line with data behind it, up to a line "."
 *   250 OK                    the last line
 *   650 HS_DESC UPLOADED ...  an event, which is nobody's answer
 *
 * A pure parser over the bytes that have arrived. Whatever breaks the form or a maximum ends the connection: what follows
 * could not be told apart.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define CONTROL_REPLY_LINE_MAX_BYTES 4096   /* without CRLF */
#define CONTROL_REPLY_MAX_BYTES 65536       /* the texts and data of one reply */
#define CONTROL_REPLY_LINES_MAX 64          /* lines with a code */

struct control_reply_line {
	size_t text_at, text_len, data_at, data_len;
};

struct control_reply {
	unsigned code;             /* 200 to 699; the same on every line */
	unsigned line_count;
	bool complete, in_data;
	struct buffer bytes;
	struct control_reply_line lines[CONTROL_REPLY_LINES_MAX];
};

void control_reply_init(struct control_reply *r);
void control_reply_finish(struct control_reply *r);

/* Consumes whole lines from the front of input until a reply is complete, then *complete is true and the rest stays.
 * input holds at least CONTROL_REPLY_LINE_MAX_BYTES + 2. The next call begins a new reply. ERROR_PROTOCOL,
 * ERROR_TOO_LARGE. */
int control_reply_take(struct control_reply *r, struct buffer *input, bool *complete, struct error *err);

bool control_reply_is_event(const struct control_reply *r); /* 6yz */

/* The text of line i behind code and separator, and its data (lines joined by LF), empty without. Borrowed until
 * the next control_reply_take(). Neither holds NUL, CR or other line ends than these. */
struct slice control_reply_text(const struct control_reply *r, unsigned i);
struct slice control_reply_data(const struct control_reply *r, unsigned i);

/* The value of "key=" in the text of a GETINFO answer's line. false when there is none. */
bool control_reply_value(const struct control_reply *r, const char *key, struct slice *value);

/* Takes the next word from the front of *text: up to a space, the inside of "quotes" counting as part of it.
 * false at the end. */
bool control_reply_next_word(struct slice *text, struct slice *word);

/* The value of KEY=value or KEY="value" among the words of text, without quotes and escapes, cut to out_size - 1
 * bytes; control characters become spaces. false when there is none. */
bool control_reply_keyword(struct slice text, const char *key, char *out, size_t out_size);
