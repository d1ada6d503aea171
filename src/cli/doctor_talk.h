/* SPDX-License-Identifier: ISC
 *
 * A conversation with a mail server behind an onion, as a stranger has it: through tor's SOCKS port on a circuit of its own, one
 * thing after the other. Each call waits for what it is about, and gives up after a time.
 *
 * The server is hostile in principle: what it says is bounded (smtp/reply.h), and never shown but as one printable line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "loop/tls.h"
#include "smtp/reply.h"

#define TALK_REPLY_MS 60000    /* a reply through tor; a circuit that is stuck is given up */
#define TALK_HEARD_MAX 65536   /* so much of what the server said is kept */
#define TALK_EHLO_NAME "stranger.invalid"

struct talk;

/* Connects to a port of an onion; tor as endpoint_parse() takes it. Several tries, on fresh circuits each: ERROR_UNREACHABLE
 * when none succeeds, ERROR_NOT_FOUND when the onion has no such port. loop runs in this and all other calls. */
int talk_open(struct loop *loop, const char *tor, const char *onion, uint16_t port, struct talk **out, struct error *err);
void talk_free(struct talk *talk); /* closes at once; takes NULL */

/* Begins TLS; context is borrowed, alpn may be NULL. ERROR_PROTOCOL when plain bytes are left, or TLS is refused;
 * ERROR_CLOSED, ERROR_TIMEOUT. After a failure there is only talk_free(). */
int talk_start_tls(struct talk *talk, struct tls_context *context, const char *alpn, struct error *err);
/* Asks for another handshake (loop/stream.h): whether the server agreed. */
bool talk_renegotiate(struct talk *talk);
bool talk_is_tls(const struct talk *talk);
struct stream *talk_stream(struct talk *talk); /* for what TLS has agreed on */

/* Sends bytes as they are, in one segment where the network lets it. */
int talk_send(struct talk *talk, struct slice bytes, struct error *err);

/* Waits for a whole reply. ERROR_CLOSED: the server ended the connection; ERROR_TIMEOUT: nothing came within timeout_ms;
 * ERROR_PROTOCOL: that was no reply. */
int talk_reply(struct talk *talk, struct reply *reply, int64_t timeout_ms, struct error *err);

/* Sends a line, CRLF added, and waits for the reply. */
__attribute__((format(printf, 4, 5)))
int talk_ask(struct talk *talk, struct reply *reply, struct error *err, const char *format, ...);

/* What the server has said so far, as it came; borrowed until the next call. */
struct slice talk_heard(const struct talk *talk);
