/* SPDX-License-Identifier: ISC */
#include "daemon/role_peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

struct role_peer *
role_peers_find(const struct role_peers *peers, enum role role, const char *identity)
{
	for (struct role_peer *p = peers->first; p != NULL; p = p->next)
		if (p->role == role && strcmp(p->identity, identity) == 0)
			return p;
	return NULL;
}

/* Takes it from its list. */
static void
take_out(struct role_peer *peer)
{
	struct role_peer **at = &peer->all->first;
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
}

static void
release(struct role_peer *peer)
{
	channel_free(peer->channel);
	free(peer);
}

void
role_peers_remove(struct role_peer *peer)
{
	take_out(peer);
	if (peer->all->on_end != NULL)
		peer->all->on_end(peer);
	release(peer);
}

static void
on_message(void *context, struct ipc_message *m)
{
	struct role_peer *peer = context;
	peer->all->on_message(peer, m);
}

static void
on_end(void *context, const struct error *err)
{
	struct role_peer *peer = context;
	if (err->code != ERROR_CLOSED)
		log_warn("%s@%s: %s", ipc_role_name(peer->role), peer->identity, err->text);
	role_peers_remove(peer); /* the parent sends a new channel when that role runs again */
}

void
role_peers_come(void *context, enum role role, const char *identity, int fd)
{
	static const struct channel_events events = { on_message, on_end };
	struct role_peers *peers = context;
	role_peers_go(peers, role, identity);
	struct role_peer *peer = calloc(1, sizeof *peer);
	if (peer == NULL || (role != ROLE_MAIL && role != ROLE_SMTP)) {
		free(peer);
		file_close(&fd);
		return;
	}
	peer->role = role;
	snprintf(peer->identity, sizeof peer->identity, "%s", identity);
	peer->channel = channel_new(role_loop(), fd, peers->own, role, &events, peer);
	peer->all = peers;
	peer->next = peers->first;
	peers->first = peer;
}

void
role_peers_go(void *context, enum role role, const char *identity)
{
	struct role_peer *peer = role_peers_find(context, role, identity);
	if (peer != NULL)
		role_peers_remove(peer);
}

void
role_peers_finish(struct role_peers *peers)
{
	for (struct role_peer *p = peers->first, *next; p != NULL; p = next) {
		next = p->next;
		release(p);
	}
	peers->first = NULL;
}
