/* SPDX-License-Identifier: ISC
 *
 * What the files of a client session share: session.c (its course), session_clock.c (how long it waits) and session_early.c (a
 * message before the handshake). For the module smtpc only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loop/stream.h"
#include "smtp/reply.h"
#include "smtpc/delivery.h"
#include "smtpc/session.h"

#define SESSION_ONION_MAX 62
#define SESSION_QUIT_MS 10000

enum state {
	WAITS_FOR_GREETING,
	WAITS_FOR_EHLO,
	WAITS_FOR_HELO,
	WAITS_FOR_STARTTLS,
	WAITS_FOR_TLS,
	EARLY,     /* TLS has not begun: it waits for a message to go along */
	EARLY_TLS, /* it has, with a message */
	WAITS_FOR_PROOF, /* by the owner: what the peer says meanwhile stays where it is */
	READY,     /* for a message, or sends one */
	QUITTING,
	ENDED,
};

struct smtpc_session {
	struct stream *stream;
	struct timer *timeout;
	struct timer *whole; /* of the transaction */
	struct timer *soon; /* for what may not fire from inside a call */
	struct smtpc_peer peer; /* own_onion and peer_onion are below */
	const struct smtpc_session_events *events;
	void *context;
	char own_onion[SESSION_ONION_MAX + 1], peer_onion[SESSION_ONION_MAX + 1];
	enum state state;
	struct reply reply;
	struct reply_extensions extensions;
	bool is_connected;
	bool greeting_due, ehlo_due; /* smtorp/1: these replies come, but nobody waits for them */
	bool ehlo_sent;
	bool wants_quit;
	bool needs_reset;
	struct delivery *delivery;
	bool refused_here; /* the delivery was decided without the peer */
	bool unasked;      /* the reply that comes in began before there was a command to answer */
	bool busy, freed;
	/* ---- session_proof.c */
	char proof[SMTPC_PROOF_MAX + 1];
	bool has_asked_owner, auth_due;     /* this reply comes behind that to EHLO */
	enum { TICKETS_TOLD, TICKETS_HELD, TICKETS_DROPPED } tickets;
	struct buffer held;                 /* the last ticket, until the proof is answered; wiped */
	/* ---- session_card.c */
	bool card_due, card_is_bad;         /* this reply comes behind those above, and before any to a message */
	struct buffer card;
	/* ---- session_early.c */
	struct buffer resume;               /* the session to go on with; wiped when it was used */
	size_t early_max_bytes;             /* that it allows */
	unsigned char resume_key[32];       /* of its peer */
};

extern const struct reply_extensions session_smtorp_promises;

/* ---- session_clock.c */
void session_wait_on(struct smtpc_session *s); /* restarts the clock; every reply and every piece of the body that went out does */
int64_t session_transaction_ms(size_t body_bytes);

/* ---- session_proof.c */
/* TLS stands. true: the owner is asked for a proof first. */
bool session_proof_ask(struct smtpc_session *s);
/* A full handshake without a proof after all: a later session is to begin with one. */
void session_proof_skip(struct smtpc_session *s);
void session_proof_answered(struct smtpc_session *s);
void session_proof_on_ticket(struct smtpc_session *s, struct slice ticket);
void session_proof_wipe(struct smtpc_session *s);

/* ---- session.c */
void session_open(struct smtpc_session *s); /* smtorp/1: EHLO and the proof, in front of what comes first */

/* ---- session_card.c */
void session_card_take_line(struct smtpc_session *s);
void session_card_answered(struct smtpc_session *s, const struct reply *reply);

/* ---- session_early.c */
/* Whether there is a session to go on with, on which a message may go early. */
bool session_early_prepare(struct smtpc_session *s, struct slice resume);
/* Begins TLS with the message at hand, which goes along if it is not too large; -1: TLS cannot begin. */
int session_early_begin(struct smtpc_session *s, size_t body_bytes, struct error *err);
/* TLS stands. true: the message is on its way, or may go; false: this is another peer than that of the session, and it has got nothing. */
bool session_early_finish(struct smtpc_session *s);
void session_early_wipe(struct smtpc_session *s);
