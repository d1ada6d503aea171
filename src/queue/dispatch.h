/* SPDX-License-Identifier: ISC
 *
 * Sends what the queue holds: dials destinations that are due, one session for each, a bounded number at a
 * time; several messages over one session, which is kept warm for a while. Writes results down in the queue.
 *
 * It speaks to the tor and smtp roles through the owner, who passes their messages in. While one of them is
 * missing nothing is dialled and nothing counts as a failure of a peer.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "ipc/messages.h"
#include "ipc/pack.h"
#include "loop/loop.h"
#include "queue/mailstore.h"

/* Sessions at one time; of these, such as are not ready yet; of these, with peers that did not take mail when last
 * tried. A slow or dead peer has one place of each at most, and many of them leave places for those that work. */
#define DISPATCH_SESSIONS_MAX 64
#define DISPATCH_DIALS_MAX 24
#define DISPATCH_DIALS_DOUBTFUL_MAX 12

struct dispatch;

struct dispatch_events {
	/* Sends to the role; false when that is not possible. */
	bool (*send_tor)(void *context, const struct ipc_message *m);
	bool (*send_smtp)(void *context, const struct ipc_message *m);
	/* An item that waits for keys is next in its session: the owner looks for them, makes it ready (RECORD_READY), and says dispatch_readied(). card: the peer's, as
	 * it came, borrowed; empty: it has none, or is_later: none to show now. */
	void (*on_waits)(void *context, const char *onion, const struct queue_item *item, struct slice card, bool is_later);
	/* Whether nothing may go to this onion any more: 1, and *why, which is borrowed until the next call, is what its senders are told; 0; -1. */
	int (*is_closed)(void *context, const char *onion, struct pack_result *why, struct error *err);
	/* A result was written down: perhaps a bounce is owed. */
	void (*on_result)(void *context);
	/* The database failed: the process must end. Nothing more happens after it. */
	void (*on_broken)(void *context, const struct error *err);
};

/* mailstore and events are borrowed. Opens sessions.db in the working directory (sessions.h). Nothing happens before dispatch_wake(). stagger_ms: whenever tor has become ready, or all is to
 * be tried again, nothing is dialled for a random part of this time, so that the identities of a node do not dial in one moment. */
struct dispatch *dispatch_new(struct loop *loop, struct mailstore *mailstore, int64_t stagger_ms,
    const struct dispatch_events *events, void *context);
void dispatch_free(struct dispatch *dispatch); /* takes NULL */

void dispatch_wake(struct dispatch *dispatch); /* something is new in the queue */

/* A fresh channel is there, or the role is gone: what it was doing is lost. */
void dispatch_set_tor(struct dispatch *dispatch, bool is_there);
void dispatch_set_smtp(struct dispatch *dispatch, bool is_there);

/* DIAL_FAILED, SESSION_READY, SESSION_TICKET, CARD_FETCHED, DELIVERED, SESSION_END; others are not for it and return false. */
bool dispatch_on_message(struct dispatch *dispatch, const struct ipc_message *m);

/* What came of on_waits(): the queue has it ready (or it is gone), or it is to be tried again later, or its recipients are refused with this text for good. */
enum dispatch_readied { DISPATCH_READY, DISPATCH_NOT_NOW, DISPATCH_REFUSED };
void dispatch_readied(struct dispatch *dispatch, uint64_t item, enum dispatch_readied readied, const char *text);

/* What is being done about an item now: DELIVERING, DIALLING or TOR_DOWN; NEW: nothing, it waits for its time. */
enum ipc_wait_reason dispatch_reason(const struct dispatch *dispatch, const char *onion, uint64_t item);

bool dispatch_is_delivering(const struct dispatch *dispatch, uint64_t item);

/* The owner wants everything tried now; the same word may go to all identities. */
void dispatch_retry_all(struct dispatch *dispatch);

/* The machine's network may be another one: what could not be reached is tried now. */
void dispatch_network(struct dispatch *dispatch);

/* This onion is perhaps closed now: what waits for it is looked at at once. */
void dispatch_closed(struct dispatch *dispatch, const char *onion);

/* A client has proved to be this onion: what could not be brought to it is tried within seconds, and not at the very moment. "": none has. */
void dispatch_proved(struct dispatch *dispatch, const char *onion);

void dispatch_stop(struct dispatch *dispatch); /* ends all sessions politely and begins no others */
