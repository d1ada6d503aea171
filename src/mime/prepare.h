/* SPDX-License-Identifier: ISC
 *
 * Makes a submitted message (RFC 6409 section 8) fit to leave an identity: what tells of the sender's programs, machine,
 * time zone, account and other identities goes. doc/spec/message.md says what is left.
 *
 * - From: at most one, and every address in it the identity's own (mailboxes.h); anything else is refused. Where there is
 *   none (cron, scripts), the identity's address is written. Reply-To the same, but it need not be there.
 * - Sender and other addresses that programs write by themselves: those that are not the identity's own are removed.
 * - Only the fields of the table in fields.c stay, in the message's header and in those of its parts; in one order, spelling
 *   and folding.
 * - Date (and Resent-Date): the same moment in UTC, "+0000", cut to date_step_s; now when it is missing or cannot be read.
 * - Message-ID: <letters@onion>, whatever the mail program wrote. In-Reply-To and References: what stands for their ids in
 *   the request's map (threads.h), one id in a line, and nothing else; doc/spec/ids.md.
 * - Boundaries are made anew, and what stands outside of all parts goes (parts.h).
 * - Lines: CRLF everywhere; NUL, bare CR, bare LF and lines of more than 998 bytes are refused. Long lines are not folded
 *   (that changes what was signed or attached) and not passed on (servers on the way break or refuse them, where the sender
 *   learns of it late or never); mail programs that people use encode such text. A last line without CRLF gets one.
 * - Bytes >= 0x80 in header fields that stay must be UTF-8 (RFC 6532).
 *
 * The content of parts stays byte for byte, but for names of parts in HTML (cid.h), and so does what was signed (the first part of a multipart/signed, with its
 * header), encrypted or attached as a message. Preparing what was prepared changes nothing but the boundaries' letters,
 * if the map leaves the new ids as they are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define PREPARE_ID_LETTERS 26
#define PREPARE_SEED_BYTES 32
#define PREPARE_ADDED_MAX_BYTES (2 * 1024 * 1024) /* the result is at most so much longer than the message */

struct prepare_request {
	struct slice message;
	const char *local_part;
	const char *onion;                        /* with ".onion" */
	int64_t now_s;                            /* since 1970 */
	int64_t date_step_s;                      /* 60: dates tell the minute; 0 is 1 */
	char id_letters[PREPARE_ID_LETTERS + 1];  /* of its Message-ID: THREADS_LETTERS */
	struct slice ids;                         /* a threads_map of the ids that it refers to */
	unsigned char seed[PREPARE_SEED_BYTES];   /* random_bytes(): boundaries are made of it */
};

/* Told of each header field and each boundary, in the order of the message, and why it is not as it was: why is NULL when it
 * is. before and after are whole lines; one of them is empty when something was added or removed. Good during the call. */
struct prepare_report {
	void (*on_lines)(void *context, size_t part, struct slice before, struct slice after, const char *why);
	void *context;
};

/* What the prepared message asks of the way it goes; the envelope may ask for more. */
struct prepare_facts {
	bool has_8bit;       /* octets >= 0x80 anywhere: BODY=8BITMIME (RFC 6152) */
	bool needs_smtputf8; /* octets >= 0x80 in the message's own header: SMTPUTF8 (RFC 6531) */
};

/* Appends the prepared message to out, whose maximum must leave PREPARE_ADDED_MAX_BYTES over; on error out holds rubbish.
 * ERROR_DENIED: not the identity's own (550 5.7.1); ERROR_INVALID: malformed (550 5.6.0); ERROR_TOO_LARGE (552 5.3.4);
 * ERROR_NO_MEMORY. The texts are for the sender. library_init() first. */
int prepare_message(const struct prepare_request *request, struct buffer *out, struct prepare_facts *facts,
    struct error *err);

/* The same for a message of any size: request->message is not used; all of it is read once, but for its first MiB, and the
 * result is written in pieces. What the callbacks say of errors is passed on. */
struct prepare_stream {
	uint64_t len; /* of the message */
	int (*read)(void *context, uint64_t offset, void *out, size_t len, struct error *err); /* exactly len bytes */
	int (*write)(void *context, const void *bytes, size_t len, struct error *err);
	void *context;
	const struct prepare_report *report; /* or NULL */
};
int prepare_stream(const struct prepare_request *request, const struct prepare_stream *stream, struct prepare_facts *facts,
    struct error *err);

/* From one piece of memory to the end of a buffer; good as long as both and *memory are. */
struct prepare_memory {
	struct slice message;
	struct buffer *out;
};
struct prepare_stream prepare_memory_stream(struct prepare_memory *memory);
