/* SPDX-License-Identifier: ISC
 *
 * A connected byte stream, plain or TLS, with bounded buffers on both sides.
 *
 * The owner gets on_input when bytes arrived and takes them from stream_input();
 * what it leaves is offered again together with the next bytes. When the input
 * buffer is full, nothing more is read from the network until bytes are consumed:
 * a caller that waits for something else simply leaves the bytes there and calls
 * stream_resume_input() later.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "loop/tls.h"

struct stream;

struct stream_events {
	/* New bytes are in stream_input(). */
	void (*on_input)(void *context);
	/* Everything written has gone to the kernel. May be NULL. */
	void (*on_drained)(void *context);
	/* TLS that was started stands: the handshake has finished, or at a server early data may be read and answered. May be NULL. */
	void (*on_tls)(void *context);
	/* The stream ended: err->code is ERROR_CLOSED for an orderly end, else what went wrong. Fires once,
	 * never after stream_free(); input that came before it has been offered. Free the stream here or later. */
	void (*on_end)(void *context, const struct error *err);
	/* A server gave a client a session to go on with (tls.h), after on_tls: at most TLS_SESSION_MAX_BYTES, lent, and secret; the last one
	 * is the one to keep. May be NULL. */
	void (*on_session)(void *context, struct slice session);
};

/* Takes over fd (nonblocking). events is borrowed for the life of the stream. input_max_bytes bounds what is
 * buffered for the owner; output is bounded by output_max_bytes: stream_write() fails beyond it. */
struct stream *stream_new(struct loop *loop, int fd, size_t input_max_bytes, size_t output_max_bytes,
    const struct stream_events *events, void *context);

/* A stream of which there is no connection yet (fd -1) takes what is written, and begins TLS. What it would send at once may be sent
 * by whoever makes the connection: borrowed until the next call. Then the connection comes, on which sent_bytes of that went out. */
struct slice stream_first_flight(const struct stream *stream);
void stream_connect(struct stream *stream, int fd, size_t sent_bytes);

void stream_free(struct stream *stream); /* closes at once, without sending what is buffered */

/* Unread input. The owner consumes from the front with buffer_consume(). */
struct buffer *stream_input(struct stream *stream);
void stream_resume_input(struct stream *stream); /* on_input fires in the next round if there is input */

/* Queues bytes to be sent. ERROR_TOO_LARGE when the output is full, ERROR_CLOSED after the end. */
int stream_write(struct stream *stream, const void *bytes, size_t len, struct error *err);
size_t stream_output_len(const struct stream *stream);

/* Memory that its buffers take: what loop_buffered_bytes() counts. */
size_t stream_buffered_bytes(const struct stream *stream);

/* Sends what is queued (and a TLS close_notify), then closes and fires on_end with ERROR_CLOSED; input is dropped.
 * Gives up after timeout_ms. tor knows no half-close. */
void stream_finish(struct stream *stream, int64_t timeout_ms);

/* Starts TLS after what is queued has gone out in plain. Unread plain input must be empty or the call fails
 * with ERROR_PROTOCOL (STARTTLS injection): the caller then ends the session. context is borrowed.
 * server_name (may be NULL) goes into SNI; alpn (may be NULL) is the one protocol offered or accepted: a
 * server without a match goes on without ALPN. */
int stream_start_tls_server(struct stream *stream, struct tls_context *context, const char *alpn, struct error *err);
int stream_start_tls_client(struct stream *stream, struct tls_context *context, const char *server_name,
    const char *alpn, struct error *err);

/* As stream_start_tls_client(), but goes on with a session (tls.h) and sends early data in the first flight. A session that cannot be
 * gone on with (damaged, too old, another name, protocol or key) is not used, nor is early data larger than it allows sent: a full handshake
 * happens then. Nothing is to be written until on_tls. There the caller checks the peer's key, which may be another than the session's when
 * early data was not taken, and then asks stream_early(): unless it was TAKEN, stream_send_again() queues the same bytes once more, before
 * anything else is written. */
int stream_resume_tls_client(struct stream *stream, struct tls_context *context, const char *server_name,
    const char *alpn, const struct tls_resumption *resumption, struct error *err);
enum stream_early {
	STREAM_EARLY_NONE,    /* none was sent; at a server: what is read came after the handshake */
	STREAM_EARLY_SENT,    /* and no answer came yet */
	STREAM_EARLY_TAKEN,
	STREAM_EARLY_REFUSED, /* the server has seen none of it */
	STREAM_EARLY_READING, /* at a server: what stands in the input may be a copy of what was sent another time (RFC 8446 section 8). What must
	                       * not happen twice is left there, and offered again when the client has finished the handshake */
};
enum stream_early stream_early(const struct stream *stream);
int stream_send_again(struct stream *stream, struct error *err); /* as stream_write() */

bool stream_is_tls(const struct stream *stream);        /* on_tls has fired, or fires now */
const char *stream_alpn(const struct stream *stream);   /* the agreed protocol or NULL; borrowed */

/* SHA-256 of the peer certificate's SubjectPublicKeyInfo. ERROR_NOT_FOUND without TLS or certificate. */
int stream_peer_key_hash(const struct stream *stream, unsigned char hash[32], struct error *err);

/* Whether this connection goes on with an earlier session: known from on_tls on. */
bool stream_is_resumed(const struct stream *stream);

/* Octets that only the two ends of this connection know, and that no other connection has, resumed or not (RFC 8446 section 7.5; without a
 * context). ERROR_NOT_FOUND without TLS 1.3 and an agreed protocol, and at a server as long as what is read is early. */
int stream_exporter(const struct stream *stream, const char *label, unsigned char out[TLS_EXPORTER_BYTES], struct error *err);

/* A server: notes what the client has proved about itself, in a form that is the caller's and not all zeros. It is in every ticket that is given from
 * now on; one more is, in front of what is written next. Not while what is read is early. */
void stream_set_proved(struct stream *stream, const unsigned char proved[TLS_PROVED_BYTES]);
/* What was noted on this connection, or is in the ticket that it goes on with. false: nothing, and zeros are filled in. */
bool stream_proved(const struct stream *stream, unsigned char proved[TLS_PROVED_BYTES]);

/* What was agreed on, as OpenSSL names it: "TLSv1.3", "TLS_AES_256_GCM_SHA384". Borrowed; "" without TLS. */
const char *stream_tls_version(const struct stream *stream);
const char *stream_tls_cipher(const struct stream *stream);

/* Appends the peer's certificate in DER. ERROR_NOT_FOUND without TLS or certificate; ERROR_TOO_LARGE. */
int stream_peer_certificate(const struct stream *stream, struct buffer *der, struct error *err);

/* Asks the server for another handshake, as only TLS 1.2 knows it and only TLS_PROBE_RENEGOTIATION may: on_tls fires once more when
 * it agrees, on_end when it does not. Nothing may be written meanwhile. */
int stream_renegotiate(struct stream *stream, struct error *err);
