/* SPDX-License-Identifier: ISC
 *
 * The keys of identities' tickets: made and kept here, since smtp@ID has no folder. They are in memory for secrets as long as the identity is
 * awake, because a role that is started again needs them again.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "daemon/parent.h"
#include "identity/tickets.h"

_Static_assert(TICKETS_KEYS_MAX * TICKETS_KEY_BYTES <= SECRET_PIPE_BYTES, "all keys fit in a pipe");

/* A locked identity's folder holds nothing that opens what was said to it. */
static bool
has_file(const struct parent_identity *identity)
{
	return identity->secrets == NULL;
}

static int
open_folder(const struct parent_identity *identity, int *out_fd, struct error *err)
{
	return identity_open(identity->parent->identities_fd, identity->is.name, ".", out_fd, err);
}

static void
load(struct parent_identity *identity)
{
	struct error err = { 0 };
	int fd = -1;
	identity->tickets = tickets_new();
	if (has_file(identity) && (open_folder(identity, &fd, &err) != 0 || tickets_load(fd, identity->tickets, &err) != 0) &&
	    err.code != ERROR_NOT_FOUND)
		log_warn("%s gets new keys for tickets: %s", identity->is.name, err.text);
	file_close(&fd);
}

/* Without the file the keys last as long as this process, and only first flights are slower after the next start. */
static void
save(const struct parent_identity *identity)
{
	struct error err = { 0 };
	int fd = -1;
	if (open_folder(identity, &fd, &err) != 0 || tickets_save(fd, identity->tickets, &err) != 0)
		log_warn("cannot keep the keys for tickets of %s: %s", identity->is.name, err.text);
	file_close(&fd);
}

static bool
rotate(struct parent_identity *identity)
{
	if (identity->tickets == NULL)
		load(identity);
	if (!tickets_rotate(identity->tickets, clock_wall_s()))
		return false;
	if (has_file(identity))
		save(identity);
	return true;
}

static int
send_keys(struct parent_identity *identity, struct error *err)
{
	const struct tickets *t = identity->tickets;
	int fd = secret_pipe(t->keys, t->count * TICKETS_KEY_BYTES);
	if (fd < 0)
		return error_set(err, ERROR_BUSY, "no descriptor is left for a pipe");
	parent_role_send_file(&identity->smtp, IPC_TYPE_TICKET_KEYS, fd);
	return 0;
}

int
parent_tickets_tell_smtp(struct parent_identity *identity, struct error *err)
{
	rotate(identity);
	return send_keys(identity, err);
}

void
parent_tickets_look(struct parent *parent)
{
	for (struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next) {
		struct error err = { 0 };
		if (identity->tickets != NULL && parent_identity_is_awake(identity) && rotate(identity) &&
		    identity->smtp.channel != NULL && send_keys(identity, &err) != 0)
			log_warn("%s goes on with its old keys for tickets: %s", identity->is.name, err.text);
	}
}
