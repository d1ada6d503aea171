/* SPDX-License-Identifier: ISC
 *
 * TLS contexts for streams (stream.h). OpenSSL is driven over memory buffers and is
 * seen nowhere else. TLS >= 1.2, no session tickets that outlive a process yet, no
 * client certificates, no compression, no renegotiation.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

struct tls_context;

#define TLS_ALPN_SMTORP "smtorp/1"

/* Prepares OpenSSL, before anything else of it is used, for a process that will open no file. The machine's openssl.cnf is
 * not read: what our handshakes look like is not to depend on where they happen. */
void tls_library_init(void);

/* A server context from PEM texts (certificate and unencrypted private key). ERROR_INVALID. */
int tls_context_new_server(struct slice certificate_pem, struct slice key_pem, struct tls_context **out,
    struct error *err);

/* A client context that accepts any certificate: the onion name has authenticated the peer already, and
 * pins are checked by the caller with stream_peer_key_hash(). */
int tls_context_new_client(struct tls_context **out, struct error *err);

/* A client context that offers nothing but what a server should refuse, to see whether it does. It offers what the OpenSSL of this machine
 * still has of it. */
enum tls_probe {
	TLS_PROBE_OLD,           /* TLS 1.0 and 1.1 */
	TLS_PROBE_ANONYMOUS,     /* no certificate, or no encryption */
	TLS_PROBE_NO_SECRECY,    /* RSA key exchange: who gets the key later reads what was recorded */
	TLS_PROBE_RENEGOTIATION, /* TLS 1.2 as it should be, for stream_renegotiate() */
};
int tls_context_new_probe(enum tls_probe kind, struct tls_context **out, struct error *err);

/* SHA-256 of the SubjectPublicKeyInfo of a server's own certificate. ERROR_NOT_FOUND for a client context. */
int tls_context_key_hash(const struct tls_context *context, unsigned char hash[32], struct error *err);

void tls_context_free(struct tls_context *context);
