/* SPDX-License-Identifier: ISC
 *
 * What every role process has in common: it is started by the parent with one channel on descriptor 3,
 * gives up what it can give up, and learns its peers and its configuration by messages.
 */
#pragma once

#include "ipc/channel.h"
#include "ipc/messages.h"
#include "loop/loop.h"

#define ROLE_PARENT_FD 3

struct role_events {
	/* A message from the parent other than PEER, PEER_GONE and STOP. */
	void (*on_parent)(void *context, struct ipc_message *m);
	/* A fresh channel to another role; one that was there for the same role and identity is to be replaced. fd is the
	 * callee's, for channel_new(). identity is "" where only one such peer can exist. */
	void (*on_peer)(void *context, enum role peer, const char *identity, int fd);
	/* That peer is not coming back (its identity was removed). May be NULL. */
	void (*on_peer_gone)(void *context, enum role peer, const char *identity);
	/* Finish what is at hand and call role_quit() within five seconds. */
	void (*on_stop)(void *context);
};

/* Prepares the process (randomness, log, no new privileges, no core dumps, not traceable) and the loop. The
 * events begin with role_run(). Whose role it is is learnt by configuration, never by argument. */
void role_init(enum role own, const struct role_events *events, void *context);

struct loop *role_loop(void);

/* Enters the sandbox, announces READY, runs until role_quit() or until the parent is gone. Returns the process's exit status. */
int role_run(void);
void role_quit(int exit_status);

/* Sends to the parent; the end of the channel is handled by role_run(). */
void role_tell_parent(const struct ipc_message *m);
