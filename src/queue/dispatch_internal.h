/* SPDX-License-Identifier: ISC
 *
 * What dispatch.c (who is dialled when) and outbound.c (the course of one session) share.
 */
#pragma once

#include "queue/dispatch.h"
#include "queue/sessions.h"

#define DISPATCH_TOR_DOWN_MS (2 * 1000) /* tor or a channel is not ready: ask again */

enum outbound_state {
	OUTBOUND_FREE,
	OUTBOUND_DIALLING,   /* SESSION_START and DIAL sent */
	OUTBOUND_WARM,       /* ready, nothing at hand */
	OUTBOUND_FETCHING,   /* FETCH_CARD sent, for the message at hand */
	OUTBOUND_READYING,   /* the owner makes the message at hand ready */
	OUTBOUND_DELIVERING, /* DELIVER sent */
	OUTBOUND_QUITTING,   /* SESSION_QUIT sent */
	OUTBOUND_LOST,       /* the connection broke; is it the peer, or has tor died? */
};

struct outbound {
	struct dispatch *dispatch;
	enum outbound_state state;
	uint64_t id;
	char onion[IPC_ONION_MAX + 1];
	uint16_t port;
	bool is_doubtful;       /* the last try failed */
	bool is_early;          /* OUTBOUND_WARM, _DELIVERING: nothing was heard of the peer yet, which may still be dialled */
	uint32_t turn;          /* of the last SESSION_READY */
	uint64_t size_max_bytes;
	char key[PINS_FINGERPRINT_SIZE]; /* the fingerprint of the TLS key that was shown; "": none was */
	int64_t warm_until_ms;  /* OUTBOUND_WARM: queue clock */
	bool has_asked;         /* for the peer's card, which a session shows once, and got an answer */
	struct buffer card;     /* empty: the peer has none, or card_is_later: none to show now */
	bool card_is_later;
	struct queue_item item; /* what is at hand; id 0: nothing */
	struct timer *timer;
};

struct dispatch {
	struct loop *loop;
	struct mailstore *mailstore;
	struct sessions *resumable;
	const struct dispatch_events *events;
	void *context;
	struct outbound sessions[DISPATCH_SESSIONS_MAX];
	struct timer *look;     /* when the next peer is due, or at once */
	int64_t stagger_ms;
	int64_t paused_until_ms; /* queue clock: tor was not ready */
	uint64_t next_id;
	bool is_tor_down; /* it said so when it was last asked to dial */
	bool has_tor, has_smtp, is_stopped, is_broken;
};

int64_t dispatch_stagger_ms(const struct dispatch *dispatch); /* drawn anew */

/* A result below 0: says so to the owner, or tries again later if it was for lack of room. true if it failed. */
bool dispatch_broke(struct dispatch *dispatch, int result, const struct error *err);

/* 1: nothing may go to the onion any more, and what waited for it has failed; 0; -1. */
int dispatch_close(struct dispatch *dispatch, const char *onion, struct error *err);

/* Dials peer s->onion on a port; s was free or dialled another port. */
void outbound_dial(struct outbound *s, uint16_t port);
/* Ready, warm, or with its message done: the next message, or warmth. */
void outbound_go_on(struct outbound *s);
void outbound_quit(struct outbound *s);        /* ends it politely */
void outbound_release(struct outbound *s);     /* forgets it */
void outbound_defer(struct outbound *s);       /* the message at hand, if any, counts as tried */
bool outbound_order_quit(struct outbound *s);
void outbound_cancel_dial(struct outbound *s);
/* ---- outbound_key.c */
void outbound_set_key(struct outbound *s, struct slice hash);
/* An earlier session with the peer that may be gone on with: its key is the one that mail for the peer is held to. 1, 0 or -1. */
int outbound_find_resumable(struct outbound *s, struct session_kept *out, struct error *err);
/* Whether the key violates the peer's pin, which is then written down: the session may carry nothing. 1, 0 or -1. */
int outbound_has_wrong_key(struct outbound *s, struct error *err);

enum outbound_fitness {
	OUTBOUND_ITEM_FITS,    /* and the key is taken for the peer's */
	OUTBOUND_REFUSED_SOME, /* of its recipients, whose addresses name another key: it has changed in the queue */
	OUTBOUND_KEY_IS_OLD,   /* the pin is another since the session began */
	OUTBOUND_CHECK_FAILED,
};
/* Right before the item is handed over. */
enum outbound_fitness outbound_check_item(struct outbound *s, const struct queue_item *item, struct error *err);

/* The item's recipients as the peer shall see them: without labels, which have done their work. */
int outbound_pack_for_wire(const struct outbound *s, const struct queue_item *item, struct buffer *out, struct error *err);

/* ---- outbound_wait.c */
/* Takes the item, which waits for keys, over. */
void outbound_make_ready(struct outbound *s, struct queue_item *item);
void outbound_on_card(struct outbound *s, const struct ipc_card_fetched *c);
void outbound_forget_card(struct outbound *s);
void outbound_on_readied(struct outbound *s, enum dispatch_readied readied, const char *text);

/* ---- outbound.c */
/* One permanent result for every recipient of an item that cannot be sent at all. */
void outbound_refuse_item(struct outbound *s, const struct queue_item *item, const struct pack_result *why);
void outbound_on_timer(void *context);
void outbound_on_dial_failed(struct outbound *s, const struct ipc_dial_failed *f);
void outbound_on_ready(struct outbound *s, const struct ipc_session_ready *r);
void outbound_on_ticket(struct outbound *s, const struct ipc_session_ticket *t);
void outbound_on_delivered(struct outbound *s, const struct ipc_delivered *r);
void outbound_on_end(struct outbound *s, const struct ipc_session_end *e);
