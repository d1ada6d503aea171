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

/* What OpenSSL says last, behind `what`; returns -1. (tls.c) */
int tls_error(struct error *err, enum error_code code, const char *what);
SSL_CTX *tls_context_get(struct tls_context *context);
/* SHA-256 of the certificate's SubjectPublicKeyInfo; certificate may be NULL: ERROR_NOT_FOUND. (tls.c) */
int tls_key_hash(X509 *certificate, unsigned char hash[32], struct error *err);

/* wire is borrowed for the life of the connection, as is alpn (may be NULL). A client's first bytes are made by
 * the first tlsconn_handshake(). */
int tlsconn_new(struct tls_context *context, bool is_server, const char *server_name, const char *alpn,
    struct buffer *wire, struct tlsconn **out, struct error *err);
void tlsconn_free(struct tlsconn *tls);

/* Lends bytes that came, to be read before what comes later. Whatever is left of them after handshake and read is
 * copied by tlsconn_keep(), at the latest before the bytes go away. */
void tlsconn_feed(struct tlsconn *tls, const void *bytes, size_t len);
int tlsconn_keep(struct tlsconn *tls, struct error *err);
size_t tlsconn_kept_bytes(const struct tlsconn *tls); /* memory that this takes */
void tlsconn_drop_kept(struct tlsconn *tls);

/* 1: finished; 0: needs more bytes; -1: failed (an alert may be in wire). */
int tlsconn_handshake(struct tlsconn *tls, struct error *err);
bool tlsconn_is_ready(const struct tlsconn *tls);

/* Decrypts into plain until there are no more bytes (1) or plain is full (0; call again when it has room). -1:
 * ERROR_CLOSED after the peer's close_notify, or ERROR_PROTOCOL; plain may have got bytes before. */
int tlsconn_read(struct tlsconn *tls, struct buffer *plain, struct error *err);

int tlsconn_write(struct tlsconn *tls, const void *bytes, size_t len, struct error *err);
void tlsconn_close(struct tlsconn *tls); /* close_notify */

const char *tlsconn_wanted_alpn(const struct tlsconn *tls);
const char *tlsconn_alpn(const struct tlsconn *tls); /* the agreed one, or NULL */
int tlsconn_peer_key_hash(const struct tlsconn *tls, unsigned char hash[32], struct error *err);

const char *tlsconn_version(const struct tlsconn *tls);
const char *tlsconn_cipher(const struct tlsconn *tls);
int tlsconn_peer_certificate(const struct tlsconn *tls, struct buffer *der, struct error *err);
/* Begins a handshake within the connection, which is not ready until it has finished. */
int tlsconn_renegotiate(struct tlsconn *tls, struct error *err);
