/* SPDX-License-Identifier: ISC
 *
 * What a stream is made of: for stream.c, which moves the bytes, and stream_tls.c, which begins TLS and tells about it.
 */
#pragma once

#include "loop/round.h"
#include "loop/stream.h"
#include "loop/tlsconn.h"

/* Plaintext is encrypted and sent in steps of about this size. */
#define STREAM_SEND_STEP_BYTES 65536
/* What TLS may put into the wire buffer besides one step: handshake flights with early data, alerts. */
#define STREAM_TLS_EXTRA_BYTES 131072

enum stream_state {
	OPEN,
	FINISHING, /* sends what is left, drops what comes */
	LINGERING, /* everything sent: waits for the other side's end, else a reset could overtake our last bytes */
	ENDED,
};

struct stream {
	struct loop *loop;
	const struct stream_events *events;
	void *context;
	struct watch *readable, *writable;
	struct timer *give_up;       /* made by stream_finish() */
	struct round_call round;
	struct buffer in;
	struct buffer wire;          /* bytes for the kernel */
	struct buffer out;           /* plaintext to be encrypted; unused without TLS */
	struct buffer early;         /* what a client sent as early data, until it is known whether the server took it */
	struct tlsconn *tls;
	size_t output_max_bytes;
	size_t dropped_bytes;        /* while finishing */
	size_t counted_bytes;        /* of the buffers, in the loop's sum */
	int fd;
	enum stream_state state;
	bool busy;    /* callbacks run: stream_free() leaves the memory to leave() */
	bool freed;
	bool resume;  /* offer the input again */
	bool stalled; /* TLS has bytes that did not fit into the input */
	bool blocked; /* the kernel takes no more now */
	bool broken;  /* the kernel will never take any more; what came before may still be read */
	bool undrained;
	bool eof;     /* seen while finishing */
	bool sent_early, took_early;
};
