/* SPDX-License-Identifier: ISC
 *
 * The client's side of one SMTP session (RFC 5321) on a connected descriptor: takes
 * messages one after the other and tells what became of each recipient.
 *
 * SMTPC_SMTORP (port 465): TLS from the first byte; ready as soon as ALPN smtorp/1 was
 * agreed. EHLO, MAIL, RCPT and BDAT LAST then go in one flight, waiting for nothing; a body
 * of more than 256 KiB waits until a recipient was accepted.
 * SMTPC_SMTP (port 25): greeting, EHLO (HELO for those who do not know it), STARTTLS
 * where offered; PIPELINING (RFC 2920), CHUNKING (RFC 3030), SIZE (RFC 1870), 8BITMIME
 * (RFC 6152) and SMTPUTF8 (RFC 6531) where offered.
 *
 * Each step has its time limit, and a transaction has one as a whole (20 minutes, and one more for each
 * 512 KiB), which a peer that trickles cannot stretch.
 *
 * A session on port 465 may go on with an earlier one: then a message can be handed over before there is a connection, and goes in
 * the first flight, to the peer of that session and nobody else.
 *
 * Nothing leaves but the own onion name, the envelope and the body. What the peer says is
 * bounded, and made printable before it is handed on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "loop/tls.h"

struct smtpc_session;

enum smtpc_mode {
	SMTPC_SMTORP = 1,
	SMTPC_SMTP = 2,
};

enum smtpc_end {
	SMTPC_END_QUIT = 0,   /* after smtpc_session_quit(), orderly */
	SMTPC_END_LOST,       /* the connection broke; a message without on_delivered may have arrived or not */
	SMTPC_END_NOT_SMTORP, /* TLS works, but the peer did not select smtorp/1: try port 25 */
	SMTPC_END_REFUSED,    /* the peer refused the session: code and text say how (554, 421) */
	SMTPC_END_PROTOCOL,   /* the peer does not speak SMTP, or not TLS, as it must */
	SMTPC_END_TIMEOUT,
};

enum smtpc_flags {
	SMTPC_8BIT = 1 << 0,     /* octets >= 0x80 in the body */
	SMTPC_SMTPUTF8 = 1 << 1, /* UTF-8 in the envelope or header */
};

/* Mailboxes without angle brackets; an empty reverse_path is the null sender. */
struct smtpc_message {
	struct slice reverse_path;
	const struct slice *recipients;
	size_t recipient_count; /* >= 1 */
	unsigned flags;         /* enum smtpc_flags */
	struct slice body;      /* lines end with CRLF; a message with a bare CR or LF is refused with 554 5.6.0 */
	const struct smtpc_file *file; /* not NULL: the body is all of this file, which nobody changes, and `body` is empty */
};

struct smtpc_file {
	int fd; /* borrowed as a body is */
	size_t bytes;
};

/* What became of one recipient: the reply that decided it. */
struct smtpc_result {
	unsigned code;         /* 250, 4yz, 5yz */
	struct slice enhanced; /* "5.1.1" or empty */
	struct slice text;     /* one line of printable UTF-8, at most SMTPC_TEXT_MAX bytes */
};
#define SMTPC_TEXT_MAX 480

struct smtpc_readiness {
	bool is_tls;             /* the session is encrypted */
	bool is_early;           /* nothing was heard of the peer yet, and the key is that of the earlier session */
	uint64_t size_max_bytes; /* the peer's SIZE, 0 when it is not known */
};

/* The callbacks fire from the loop only, and each may free the session. */
struct smtpc_session_events {
	/* A message can be handed over now. Fires once, and once more when it was early but the peer is another than that of the
	 * earlier session: a message that was handed over is not borrowed any more, and nobody has got it. Later messages follow
	 * on_delivered. */
	void (*on_ready)(void *context, const struct smtpc_readiness *readiness);
	/* The peer answered: one result for each recipient, in order. Borrowed until the callback returns. The
	 * next message may be handed over from here. */
	void (*on_delivered)(void *context, const struct smtpc_result *results, size_t count);
	/* The session is over; fires once. code is the peer's reply or 0. A message without on_delivered: unknown. */
	void (*on_end)(void *context, enum smtpc_end reason, unsigned code, const char *text);
	/* Port 465: what a later session may go on with (loop/tls.h), lent, and secret. May be NULL. */
	void (*on_ticket)(void *context, struct slice session);
	/* Port 465, after a full handshake: who we are may be proved, by something bound to this connection. smtpc_session_prove() must follow,
	 * from inside or later; the session waits for it. May be NULL: then nobody proves anything. */
	void (*on_prove)(void *context, const unsigned char exporter[TLS_EXPORTER_BYTES]);
	/* What smtpc_session_fetch_card() asked for, lent; empty: the peer gives none, or is_later: not now. What it is has not been looked at. A message can be
	 * handed over from here. May be NULL for those who never ask. */
	void (*on_card)(void *context, struct slice card, bool is_later);
};
#define SMTPC_CARD_MAX_BYTES 8192
#define SMTPC_PROOF_LABEL "EXPERIMENTAL smtorp/1 session" /* of the exporter: doc/spec/proof.md, section 6 */

struct smtpc_peer {
	enum smtpc_mode mode;
	struct tls_context *tls;
	const char *own_onion, *onion; /* "<56 letters>.onion" */
	struct slice resume;           /* an earlier session with it, or empty; for port 465 */
};
/* A message with a larger body waits for the handshake: what tor takes at once is 61 KB. */
#define SMTPC_EARLY_BODY_MAX_BYTES 49152

/* Takes over fd (connected, nonblocking), or -1: the connection comes later. The onions and resume are copied, tls and events
 * borrowed. */
struct smtpc_session *smtpc_session_new(struct loop *loop, int fd, const struct smtpc_peer *peer,
    const struct smtpc_session_events *events, void *context);

/* It waits for a message to begin with: on_ready is about to say so, or has. */
bool smtpc_session_is_early(const struct smtpc_session *session);

/* What a session without a connection would send first, for whoever makes the connection to send along with it (port 465; empty on
 * port 25, where the server speaks first, and while it is early). Borrowed until the next call. */
struct slice smtpc_session_first_flight(const struct smtpc_session *session);
/* Gives it its connection, on which sent_bytes of that went out already. The clock runs from now. */
void smtpc_session_connect(struct smtpc_session *session, int fd, size_t sent_bytes);

/* Hands a message over. The envelope is copied, the body borrowed until on_delivered, on_end or
 * smtpc_session_free(). ERROR_BUSY when the session is not ready or another message is on its way, ERROR_INVALID
 * for a mailbox that cannot be in a command, ERROR_CLOSED after the end, ERROR_IO when the file cannot be read. */
int smtpc_session_deliver(struct smtpc_session *session, const struct smtpc_message *message, struct error *err);

/* Asks the peer for its onion's card, when a message could be handed over: on_card follows, or on_end, and until then no message goes. Not in an early session,
 * which is one with a peer that is known. ERROR_BUSY, ERROR_CLOSED; ERROR_UNSUPPORTED on port 25. */
int smtpc_session_fetch_card(struct smtpc_session *session, struct error *err);

/* SHA-256 of the SubjectPublicKeyInfo that the peer showed, from on_ready on. ERROR_NOT_FOUND without TLS. */
int smtpc_session_key_hash(const struct smtpc_session *session, unsigned char hash[32], struct error *err);

/* "MECHANISM initial-response" for AUTH, which goes in front of the first message and is not waited for; NULL: there is no proof. What a
 * later session may go on with is told when it has been answered, and not at all without a proof. */
#define SMTPC_PROOF_MAX 200
void smtpc_session_prove(struct smtpc_session *session, const char *proof);

/* Says QUIT when the message at hand is done; on_end follows. */
void smtpc_session_quit(struct smtpc_session *session);

void smtpc_session_free(struct smtpc_session *session); /* closes at once, without callbacks; takes NULL */

/* For tests: all time limits as if a minute had so many milliseconds. */
void smtpc_session_set_minute_ms(int64_t minute_ms);
