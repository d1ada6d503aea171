/* SPDX-License-Identifier: ISC
 *
 * TLS contexts for streams (stream.h). OpenSSL is driven over memory buffers and is
 * seen nowhere else. TLS >= 1.2, no client certificates, no compression, no
 * renegotiation. Sessions are resumed, and early data is sent, with TLS 1.3 and an
 * agreed ALPN only (doc/spec/transport.md, section 3.1).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

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

/* A key that a server's tickets are encrypted with (RFC 5077 section 4). */
struct tls_ticket_key {
	unsigned char name[16];   /* a secret, too: by it the server sees in a ticket which key was used, and nobody else does */
	unsigned char cipher[32];
	unsigned char mac[32];
};
#define TLS_TICKET_KEYS_MAX 8

/* Lets a server give one ticket on each connection that speaks the ALPN it accepts, encrypted with the first key, and take those of all
 * keys. May be called again, for connections to come and those that stand; before it was called there are no tickets. The keys are copied
 * into memory for secrets, and bound to the certificate: with another one they make, and take, other tickets. 1 <= count <= TLS_TICKET_KEYS_MAX. */
int tls_context_set_ticket_keys(struct tls_context *context, const struct tls_ticket_key *keys, size_t count, struct error *err);

/* Early data: what a ticket of ours allows, so that a message of 48 KiB with all around it fits. */
#define TLS_EARLY_MAX_BYTES 65536
/* How long a ticket may be used; RFC 8446 section 4.6.1 allows no more. */
#define TLS_TICKET_LIFETIME_S (7 * 24 * 3600)

/* Room in each ticket for what a client has proved about itself, and what is bound to one connection (stream.h). */
#define TLS_PROVED_BYTES 64
#define TLS_EXPORTER_BYTES 32

/* A session that a client may go on with, as octets that only this module understands: stream_events.on_session gives them. They hold
 * a secret, from which the early data can be decrypted that is sent with them. */
#define TLS_SESSION_MAX_BYTES 4096
struct tls_session_info {
	size_t early_max_bytes;      /* how much early data the server takes; 0: none */
	int64_t expires;             /* Unix time */
	unsigned char key_hash[32];  /* of the peer, as stream_peer_key_hash() tells it when the session is resumed */
};
/* ERROR_INVALID when it is damaged, or none of TLS 1.3 with a ticket and a peer's certificate. */
int tls_session_read(struct slice session, struct tls_session_info *out, struct error *err);

/* How a client begins with a session: bytes borrowed for the call. */
struct tls_resumption {
	struct slice session;
	const unsigned char *key_hash; /* 32 bytes: go on only with this peer; NULL: with any */
	struct slice early;            /* to be sent in the first flight; may be empty, at most TLS_EARLY_MAX_BYTES */
};

void tls_context_free(struct tls_context *context);
