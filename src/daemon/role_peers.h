/* SPDX-License-Identifier: ISC
 *
 * For a role that serves all identities: its channels to mail@ID and smtp@ID of each.
 */
#pragma once

#include "daemon/role.h"

struct role_peer {
	struct role_peer *next;
	enum role role; /* ROLE_MAIL or ROLE_SMTP */
	char identity[IPC_NAME_MAX + 1];
	struct channel *channel;
	struct role_peers *all;
};

struct role_peers {
	enum role own;
	/* May remove the peer. */
	void (*on_message)(struct role_peer *peer, struct ipc_message *m);
	/* It is about to be freed. May be NULL. */
	void (*on_end)(const struct role_peer *peer);
	struct role_peer *first; /* NULL to begin with */
};

/* on_peer and on_peer_gone of struct role_events, with the role_peers as their context. */
void role_peers_come(void *peers, enum role role, const char *identity, int fd);
void role_peers_go(void *peers, enum role role, const char *identity);

/* NULL when there is none (now). A message that cannot be sent needs no care: the channel's end is seen to here. */
struct role_peer *role_peers_find(const struct role_peers *peers, enum role role, const char *identity);

void role_peers_remove(struct role_peer *peer);
void role_peers_finish(struct role_peers *peers); /* without on_end */
