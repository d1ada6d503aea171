/* SPDX-License-Identifier: ISC
 *
 * Makes a submitted message (RFC 6409 section 8) fit to leave an identity.
 *
 * - From: at most one, and every address in it the identity's own (mailboxes.h); anything else is refused. Where there is
 *   none (cron, scripts), the identity's address is written.
 * - Sender: one that is not the identity's own is removed, not refused: mail programs write it by themselves (often
 *   user@machine), their users can seldom change it, and From has just been found to be right.
 * - Removed: Bcc and Resent-Bcc (whom else it goes to), Received, Return-Path and Delivered-To (where it was), and the
 *   fields by which programs tell of themselves, their users and machines (User-Agent, X-Mailer, X-Originating-IP and
 *   their like; the table is in prepare.c). Only in the message's own header; nested parts are left alone.
 * - Date (and Resent-Date): rewritten to the same moment in UTC, "+0000"; now when it is missing or cannot be read.
 * - Message-ID: <random@onion> when it is missing or empty. One that the mail program made stays, even if its right side
 *   is not the onion: replacing it would break the threads in the sender's own mailbox as long as no map of both names is
 *   kept. So a program that puts its host name there must be told not to; replacing it is the work of the scrubber.
 * - Lines: CRLF everywhere; NUL, bare CR, bare LF and lines of more than 998 bytes are refused. Long lines are not folded
 *   (that changes what was signed or attached) and not passed on (servers on the way break or refuse them, where the sender
 *   learns of it late or never); mail programs that people use encode such text. A last line without CRLF gets one.
 * - Bytes >= 0x80 in header fields that stay must be UTF-8 (RFC 6532).
 *
 * Everything else stays byte for byte. Preparing what was prepared changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define PREPARE_ID_LETTERS 26
#define PREPARE_ADDED_MAX_BYTES 65536 /* the result is at most so much longer than the message */

struct prepare_request {
	struct slice message;
	const char *local_part;
	const char *onion;                        /* with ".onion" */
	int64_t now_s;                            /* since 1970 */
	char id_letters[PREPARE_ID_LETTERS + 1];  /* random_name() */
};

/* What the prepared message asks of the way it goes; the envelope may ask for more. */
struct prepare_facts {
	bool has_8bit;       /* octets >= 0x80 anywhere: BODY=8BITMIME (RFC 6152) */
	bool needs_smtputf8; /* octets >= 0x80 in the header: SMTPUTF8 (RFC 6531) */
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
};
int prepare_stream(const struct prepare_request *request, const struct prepare_stream *stream, struct prepare_facts *facts,
    struct error *err);
