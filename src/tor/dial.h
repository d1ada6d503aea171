/* SPDX-License-Identifier: ISC
 *
 * One connection through tor's SOCKS socket: connect, dialogue, deadline.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "socks/socks.h"

struct dial;

/* One of the last three fires once, from the loop. The dial may be freed in it. */
struct dial_events {
	/* It needs a connection to tor's SOCKS port, which dial_take() answers, at once or later. */
	void (*on_wanted)(void *context);
	/* Connected. fd is the callee's, nonblocking and close-on-exec; nothing behind the SOCKS reply was read from it. So many bytes of
	 * the first flight were sent. */
	void (*on_connected)(void *context, int fd, size_t flight_sent_bytes);
	/* tor says why not. */
	void (*on_refused)(void *context, enum socks_result result);
	/* ERROR_UNREACHABLE: no tor there; ERROR_TIMEOUT: the deadline passed; or what else went wrong. */
	void (*on_broken)(void *context, const struct error *err);
};

/* Starts at once. deadline_ms is a time of clock_monotonic_ms(). All arguments but events and context are copied.
 * isolation is the SOCKS password: connections with different ones share no circuit. */
struct dial *dial_new(struct loop *loop, struct slice isolation, struct slice host, uint16_t port, int64_t deadline_ms,
    const struct dial_events *events, void *context);
/* Takes over fd, a nonblocking connection to tor's SOCKS port, which may still be in the making; or -1, with the errno that
 * says why there is none: for a while (EAGAIN, EINTR: it asks again), or for this dial. Once for each on_wanted. */
void dial_take(struct dial *dial, int fd, int errnum);
/* What goes out right behind CONNECT, if it comes in time; copied. The first one counts. May fire on_broken. */
#define DIAL_FLIGHT_MAX_BYTES 65536
void dial_set_flight(struct dial *dial, struct slice bytes);
void dial_free(struct dial *dial); /* takes NULL; closes */
