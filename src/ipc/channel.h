/* SPDX-License-Identifier: ISC
 *
 * One end of a SOCK_SEQPACKET pair between two roles, on the event loop.
 *
 * Every message is checked like a stranger's: type, direction, sizes, descriptor. A peer that breaks the
 * rules loses the channel.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "ipc/codec.h"
#include "loop/loop.h"

struct channel;

struct channel_events {
	/* Byte fields of m are borrowed until the callback returns; see struct ipc_message for m->fd. The
	 * callback may free the channel. */
	void (*on_message)(void *context, struct ipc_message *m);
	/* The other role is gone (ERROR_CLOSED) or broke the rules (ERROR_PROTOCOL). Or this process had no room for a
	 * descriptor that came (ERROR_BUSY): nobody but us knows that the channel is lost, and only the parent makes
	 * another, when we end and are started again. Fires once; free the channel here or later. */
	void (*on_end)(void *context, const struct error *err);
};

/* A pair of sockets made for channels. */
int channel_pair(int fds[2], struct error *err);

/* Takes over fd. events is borrowed. */
struct channel *channel_new(struct loop *loop, int fd, enum role own, enum role peer,
    const struct channel_events *events, void *context);
void channel_free(struct channel *channel); /* takes NULL */
/* Reads what has come until now, for a peer that is known to have ended; on_message and on_end fire from here, and the channel may be
 * freed in them. */
void channel_drain(struct channel *channel);

/* Sends m, or queues it when the socket is full (bounded; descriptors are duplicated). m->fd stays the
 * caller's. ERROR_CLOSED after the end, ERROR_BUSY when so much is waiting: bytes are those that it takes in memory, however small a
 * message is, and whoever asks and never reads takes neither all memory nor all descriptors. */
#define CHANNEL_QUEUE_MAX_BYTES (64 * 1024 * 1024)
#define CHANNEL_QUEUE_MAX_DESCRIPTORS 1024
int channel_send(struct channel *channel, const struct ipc_message *m, struct error *err);
/* The same, but what is sent like this in one round of the loop goes out together at its end, in order with all else: the peer is woken
 * once. For what is sent many times a second; ERROR_CLOSED may come too late to be told, and then on_end says it. */
int channel_send_soon(struct channel *channel, const struct ipc_message *m, struct error *err);
bool channel_is_idle(const struct channel *channel); /* nothing queued */
