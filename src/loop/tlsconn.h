/* SPDX-License-Identifier: ISC
 *
 * One TLS connection as a function from bytes to bytes: knows no descriptor and no loop. For the module loop only.
 *
 * Bytes from the network are lent with tlsconn_feed(); bytes for the network are appended to the `wire` buffer.
 * An idle connection holds no buffers.
 */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "loop/tls.h"

struct tlsconn;
struct ssl_session_st; /* SSL_SESSION */

/* What OpenSSL says last, behind `what`; returns -1. (tls.c) */
int tls_error(struct error *err, enum error_code code, const char *what);
SSL_CTX *tls_context_get(struct tls_context *context);
/* SHA-256 of the certificate's SubjectPublicKeyInfo; certificate may be NULL: ERROR_NOT_FOUND. (tls.c) */
int tls_key_hash(X509 *certificate, unsigned char hash[32], struct error *err);

/* Looks at what comes to a server until TLS stands. false: a ClientHello that is longer than any client's. Zeros at first. (tls_hello.c) */
#define TLS_HELLO_MAX_BYTES 16384
struct tls_hello {
	unsigned char head[9]; /* of the record that is coming, and of the message in it */
	size_t have, left;     /* of head; of the record's octets behind its own header */
};
bool tls_hello_may_go_on(struct tls_hello *hello, const unsigned char *bytes, size_t len);

/* A server's tickets, which SSL_CTX_free() does not know. (tls_ticket.c) */
struct tls_tickets;
void tls_tickets_free(struct tls_tickets *tickets);
/* Whether this context gives tickets to who speaks the wanted protocol. (tls_ticket.c) */
bool tls_context_has_tickets(struct tls_context *context);

/* What was written down of a session (tls.h), when a connection may go on with it: an onion name, protocol and key as they were, in time.
 * ERROR_INVALID. The caller frees it. (tls_session.c) */
int tls_session_use(struct slice bytes, const char *server_name, const char *alpn, const unsigned char *key_hash,
    struct ssl_session_st **out, struct error *err);
/* Writes down a session that the server lets us go on with; empties `out` when there is none. (tls_session.c) */
void tls_session_save(struct ssl_session_st *session, struct buffer *out);
int tls_session_on_new(SSL *ssl, struct ssl_session_st *session); /* OpenSSL's callback, for clients' contexts */

/* wire is borrowed for the life of the connection, as is alpn (may be NULL). A client's first bytes are made by
 * the first tlsconn_handshake(). */
int tlsconn_new(struct tls_context *context, bool is_server, const char *server_name, const char *alpn,
    struct buffer *wire, struct tlsconn **out, struct error *err);
void tlsconn_free(struct tlsconn *tls);

/* For a client, before its first bytes are made: goes on with a session, and sends early data (at most what tls_session_read() says)
 * with the first bytes. ERROR_INVALID when the session is none to go on with here, and everything is as if it had not been called. */
int tlsconn_resume(struct tlsconn *tls, const char *server_name, const struct tls_resumption *resumption, struct error *err);
bool tlsconn_took_early(const struct tlsconn *tls); /* the server took the early data: known when ready */
/* The context's callback: a server gave a ticket. (tls_session.c) */
void tlsconn_on_session(struct tlsconn *tls, struct ssl_session_st *session);
bool tlsconn_is_resumed(const struct tlsconn *tls);
/* As stream_exporter(), stream_set_proved() and stream_proved(). */
int tlsconn_exporter(const struct tlsconn *tls, const char *label, unsigned char out[TLS_EXPORTER_BYTES], struct error *err);
void tlsconn_set_proved(struct tlsconn *tls, const unsigned char proved[TLS_PROVED_BYTES]);
bool tlsconn_proved(const struct tlsconn *tls, unsigned char proved[TLS_PROVED_BYTES]);
/* A client shows one more ticket. false: he has shown more than any would. */
bool tlsconn_may_try_ticket(struct tlsconn *tls);
/* The last session that the server gave; tlsconn_forget_session() wipes it. */
struct buffer *tlsconn_session(struct tlsconn *tls);
void tlsconn_forget_session(struct tlsconn *tls);

/* Lends bytes that came, to be read before what comes later. Whatever is left of them after handshake and read is
 * copied by tlsconn_keep(), at the latest before the bytes go away. */
void tlsconn_feed(struct tlsconn *tls, const void *bytes, size_t len);
int tlsconn_keep(struct tlsconn *tls, struct error *err);
size_t tlsconn_kept_bytes(const struct tlsconn *tls); /* memory that this takes */
void tlsconn_drop_kept(struct tlsconn *tls);

/* 1: data may be read and written; 0: needs more bytes; -1: failed (an alert may be in wire). The first early data that came to a
 * server is appended to plain, which has room for one byte at least. */
int tlsconn_handshake(struct tlsconn *tls, struct buffer *plain, struct error *err);
bool tlsconn_is_ready(const struct tlsconn *tls);
/* A server's connection that is ready, but whose client has not finished: what is read may be a copy of what came another time. */
bool tlsconn_is_early(const struct tlsconn *tls);

/* Decrypts into plain until there are no more bytes (1) or plain is full (0; call again when it has room). -1:
 * ERROR_CLOSED after the peer's close_notify, or ERROR_PROTOCOL; plain may have got bytes before. */
int tlsconn_read(struct tlsconn *tls, struct buffer *plain, struct error *err);

int tlsconn_write(struct tlsconn *tls, const void *bytes, size_t len, struct error *err);
void tlsconn_close(struct tlsconn *tls); /* close_notify, when the handshake has finished */

const char *tlsconn_wanted_alpn(const struct tlsconn *tls);
const char *tlsconn_alpn(const struct tlsconn *tls); /* the agreed one, or NULL */
int tlsconn_peer_key_hash(const struct tlsconn *tls, unsigned char hash[32], struct error *err);

const char *tlsconn_version(const struct tlsconn *tls);
const char *tlsconn_cipher(const struct tlsconn *tls);
int tlsconn_peer_certificate(const struct tlsconn *tls, struct buffer *der, struct error *err);
/* Begins a handshake within the connection, which is not ready until it has finished. */
int tlsconn_renegotiate(struct tlsconn *tls, struct error *err);
