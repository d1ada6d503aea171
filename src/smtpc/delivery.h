/* SPDX-License-Identifier: ISC
 *
 * One message on its way through one mail transaction (RFC 5321 section 3.3): which commands may be sent now, what
 * the replies mean for each recipient. Knows the stream only as a place to write to. For the module smtpc only.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "loop/stream.h"
#include "smtp/reply.h"
#include "smtpc/session.h"

struct delivery;

/* How the peer wants to be spoken to. */
struct delivery_rules {
	bool pipelining;
	bool chunking;
	bool size;          /* MAIL ... SIZE= */
	bool waits_for_recipients; /* a large body only when somebody wants it */
	bool resets_first;  /* the last transaction may still be open */
};

/* In this order. What a session waits for, and what is to be sent next. */
enum delivery_step { DELIVERY_RSET, DELIVERY_MAIL, DELIVERY_RCPT, DELIVERY_DATA, DELIVERY_BODY, DELIVERY_END };

enum delivery_progress {
	DELIVERY_GOES_ON,
	DELIVERY_DONE,    /* the results stand; another message may follow */
	DELIVERY_CUT,     /* the results stand, but the peer stopped listening in the middle of the body */
	DELIVERY_BROKEN,  /* the peer broke the protocol: err */
};

/* Copies the envelope, borrows the body. ERROR_INVALID for a mailbox that cannot be in a command. */
int delivery_new(const struct smtpc_message *message, const struct delivery_rules *rules, struct delivery **out,
    struct error *err);
void delivery_free(struct delivery *delivery); /* takes NULL */

/* Of a message that SMTP, or this peer by what it offers, cannot carry: decides it without asking the peer, the same
 * result for all. is_clean: source_has_only_crlf(). false: it can go. */
bool delivery_refuse_unfit(struct delivery *delivery, const struct smtpc_message *message, bool is_clean,
    const struct reply_extensions *has);

/* Writes what may be written now, some 64 KiB at most; to be called again when the stream has drained and after each
 * reply. ERROR_IO, ERROR_NO_MEMORY: the body cannot be read, and its middle may have been sent. */
int delivery_pump(struct delivery *delivery, struct stream *stream, struct error *err);

/* The same, but all of it, into a buffer: only with pipelining and chunking, and where nothing waits for recipients. ERROR_TOO_LARGE. */
int delivery_gather(struct delivery *delivery, struct buffer *out, struct error *err);
size_t delivery_envelope_max(const struct delivery *delivery); /* no more bytes than that around the body */

/* The next complete reply from the peer; one must be due. */
enum delivery_progress delivery_take_reply(struct delivery *delivery, const struct reply *reply, struct error *err);

/* The step whose reply is due, or DELIVERY_END. */
enum delivery_step delivery_awaits(const struct delivery *delivery);
size_t delivery_replies_due(const struct delivery *delivery); /* for what was written so far */
bool delivery_sends_body(const struct delivery *delivery); /* the body is partly written */
bool delivery_needs_reset(const struct delivery *delivery); /* before the next message */

/* When done. Borrowed from the delivery. */
const struct smtpc_result *delivery_results(struct delivery *delivery, size_t *count);
