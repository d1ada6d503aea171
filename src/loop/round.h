/* SPDX-License-Identifier: ISC
 *
 * What the module loop keeps for itself, and channels beside it: work at the end of a round (after all callbacks for what was ready),
 * one scratch buffer that everybody reads into, so that idle objects need none of their own, and libevent's base.
 */
#pragma once

#include <stddef.h>

#include "loop/loop.h"

/* Part of the object that wants to be called; zeroed at first. */
struct round_call {
	struct round_call *next, *previous; /* NULL when it is not waiting */
	loop_callback *callback;
	void *context;
};

/* The callback fires once, at the end of the round that runs now (of the next one when called from such
 * a callback). Nothing happens when it waits already. */
void loop_at_round_end(struct loop *loop, struct round_call *call);
void loop_forget_round_call(struct round_call *call);

/* What is dear, a server's part of a TLS handshake, may happen LOOP_HANDSHAKES_PER_ROUND times in a round: who may not now
 * comes in the next one, behind what is cheap and ready. */
#define LOOP_HANDSHAKES_PER_ROUND 8
bool loop_may_handshake(const struct loop *loop);
void loop_note_handshake(struct loop *loop);

/* A stream tells by how much its buffers have grown. */
void loop_note_buffered(struct loop *loop, size_t before, size_t now);
bool loop_may_buffer(const struct loop *loop);

struct event_base;
struct event_base *loop_base(struct loop *loop); /* for event_assign() */

#define LOOP_SCRATCH_BYTES 65536
unsigned char *loop_scratch(struct loop *loop); /* good until the next callback of anybody */
