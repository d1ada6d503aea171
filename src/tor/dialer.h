/* SPDX-License-Identifier: ISC
 *
 * Connections to onion services through tor's SOCKS port. Those to the port are made by somebody else, who asks for no
 * destination, so that this process need not be able to connect to anything.
 *
 * A dial is known by its identity's local name and a session id of that identity's choosing. It goes to a version 3
 * onion name and to port 25 or 465, and nowhere else. Identity and destination together choose the circuit, by
 * SOCKS credentials that are a keyed hash of both; the key is random and dies with the process.
 *
 * Dials of an identity start in order; identities take turns. Only so many are under way at a time, others wait. While
 * tor is not ready dials wait as well, but not for long, so that what is sent while a node starts goes out when
 * it has started.
 *
 * A dial under way has a deadline. When tor finds no descriptor it is made once more at once, because tor 0.4.9 may
 * report that for a fetch that succeeded after all.
 *
 * A dial that takes long may be waiting for nobody: tor goes on with a cached descriptor of up to three hours, and an
 * introduction point of the service's last run may acknowledge each introduction long after that run was cut off (a
 * laptop that slept, a network that changed; seen for minutes). on_slow asks the owner to have the descriptor fetched
 * anew; when tor tells that it came, the dial is made once more, on fresh circuits.
 *
 * What that tells others: tor fetches on a circuit of its own that nothing else uses, whoever asks, and keeps one store of descriptors
 * for all identities. Fresh SOCKS credentials alone would not help, since the stale descriptor is in that store. So that
 * the peer does not see two identities come back at the moment of one fetch, each draws when its dials are renewed.
 *
 * Onion names and credentials are never logged and stand in no error text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "ipc/messages.h"
#include "loop/loop.h"

struct dialer_limits {
	unsigned under_way_max;        /* below tor's MaxClientCircuitsPending (torrc.h) */
	unsigned identity_max;         /* of these, for one identity */
	unsigned queue_max;            /* waiting or under way, of one identity */
	/* From the start of a dial. Shorter than tor's own (120 s, twice over): a stream that was opened while the peer
	 * went away keeps waiting when the peer is back (tried: 187 s), a new one fetches the new descriptor. Circuits that
	 * are being built stay in tor for the next dial, so giving up costs nothing. */
	int64_t deadline_ms;
	int64_t slow_ms;               /* from the start of a dial to on_slow */
	int64_t renew_spread_ms;       /* a slow dial is made once more within that from the descriptor's coming */
	int64_t tor_wait_ms;           /* from its asking, or from the moment when tor ceased to be ready */
};
#define DIALER_LIMITS ((struct dialer_limits){ 96, 32, 4096, 60000, 25000, 3000, 60000 })

struct dialer;

/* A dial whose connection stands: fd is the callee's, nonblocking, close-on-exec, and not one byte of what the peer sent was read from
 * it. So many bytes of the first flight of this attempt were sent. */
struct dialer_connection {
	const char *identity;
	uint64_t session_id;
	uint32_t attempt;
	int fd;
	size_t flight_sent_bytes;
};

/* One of the first two fires once for each dial, from the loop, unless it is cancelled. They may dial and cancel. */
struct dialer_events {
	void (*on_connected)(void *context, const struct dialer_connection *connection);
	/* text: what happened and what can be done, one line. */
	void (*on_failed)(void *context, const char *identity, uint64_t session_id, enum ipc_dial_reason reason,
	    const char *text);
	/* At most once for each dial, before one of those. onion: 56 letters, borrowed. */
	void (*on_slow)(void *context, struct slice onion);
	/* A connection to the SOCKS port is needed: dialer_take_socks() answers each of these, at once or later. */
	void (*on_socks_wanted)(void *context);
	/* Where the client speaks first (port 465), what it says can go out before the answer to CONNECT: dialer_take_flight() may answer.
	 * Fires again, with the next attempt, when the dial is made once more. */
	void (*on_flight_wanted)(void *context, const char *identity, uint64_t session_id, uint32_t attempt);
};

/* events is borrowed. */
struct dialer *dialer_new(struct loop *loop, struct dialer_limits limits, const struct dialer_events *events, void *context);
void dialer_free(struct dialer *dialer); /* takes NULL; ends all dials without a word; not from within an event */

/* Whether tor can be asked. Not ready in the beginning. Dials under way go on. */
void dialer_set_ready(struct dialer *dialer, bool ready);

/* Whether dialer_take_event() is told of STREAM events, as control-spec 4.1.2 has them. Then a flight is asked for when tor says that it has
 * asked the service for the stream (SENTCONNECT): the circuit stands, and what is written from then on goes out at once (tried with
 * 0.4.9.11, also seconds after CONNECT). A ClientHello with early data must be as young as that, for the age of its ticket is
 * checked to within some seconds, and a circuit may take twenty. Otherwise it is asked for when dialling begins. */
void dialer_set_streams_told(struct dialer *dialer, bool told);

/* onion: 56 letters and ".onion". What is wrong with it comes by on_failed, also that queue_max is passed. ERROR_BUSY at
 * twice that: who goes on asking without looking at the answers gets none. */
int dialer_dial(struct dialer *dialer, const char *identity, uint64_t session_id, const char *onion, uint16_t port,
    struct error *err);

/* Takes over fd, a nonblocking connection to tor's SOCKS port; or -1, with the errno that says why there is none. What nobody waits
 * for any more is closed. */
void dialer_take_socks(struct dialer *dialer, int fd, int errnum);

/* Copies the bytes. Those of a dial that nobody knows, or of another attempt, or that come too late, are dropped. */
void dialer_take_flight(struct dialer *dialer, const char *identity, uint64_t session_id, uint32_t attempt, struct slice bytes);

/* To be called with the words of each HS_DESC event (control-spec 4.1.25): slow dials to an onion whose descriptor was
 * fetched, or cannot be, are made once more. And with those of each STREAM event, of which all but our own are passed over. */
void dialer_take_event(struct dialer *dialer, struct slice words);

/* Ends a dial; no event fires for it any more. Unknown ones are no error: they may just have been connected. */
void dialer_cancel(struct dialer *dialer, const char *identity, uint64_t session_id);
void dialer_cancel_all(struct dialer *dialer, const char *identity);
