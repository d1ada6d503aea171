/* SPDX-License-Identifier: ISC */
#include "daemon/role.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/random.h"
#include "base/secret.h"
#include "sandbox/sandbox.h"

static struct {
	enum role role;
	struct loop *loop;
	struct channel *parent;
	const struct role_events *events;
	void *context;
	int exit_status;
} self;

static void
on_message(void *context, struct ipc_message *m)
{
	(void)context;
	int fd;
	switch (m->type) {
	case IPC_TYPE_PEER:
		fd = m->fd;
		m->fd = -1;
		self.events->on_peer(self.context, (enum role)m->peer.role, m->peer.identity, fd);
		break;
	case IPC_TYPE_PEER_GONE:
		if (self.events->on_peer_gone != NULL)
			self.events->on_peer_gone(self.context, (enum role)m->peer_gone.role, m->peer_gone.identity);
		break;
	case IPC_TYPE_PING:
		role_tell_parent(&(const struct ipc_message){ .type = IPC_TYPE_PONG, .fd = -1 });
		break;
	case IPC_TYPE_STOP:
		self.events->on_stop(self.context);
		break;
	default:
		self.events->on_parent(self.context, m);
	}
}

static void
on_end(void *context, const struct error *err)
{
	(void)context;
	log_warn("%s, so this role ends", err->text);
	role_quit(1);
}

static void
give_up_what_can_be(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	secret_shield_process();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the whole terminal group; the parent decides when to stop */
	signal(SIGHUP, SIG_IGN);
}

void
role_init(enum role own, const struct role_events *events, void *context)
{
	static const struct channel_events channel_events = { on_message, on_end };
	random_init();
	log_init(ipc_role_name(own), LOG_LEVEL_INFO);
	give_up_what_can_be();
	self.role = own;
	self.events = events;
	self.context = context;
	self.loop = loop_new();
	self.parent = channel_new(self.loop, ROLE_PARENT_FD, own, ROLE_PARENT, &channel_events, NULL);
}

struct loop *
role_loop(void)
{
	return self.loop;
}

int
role_run(void)
{
	struct ipc_message ready = { .type = IPC_TYPE_READY, .fd = -1 };
	struct sandbox_holds holds;
	struct error err = { 0 };
	if (sandbox_enter(self.role, &holds, &err) != 0) {
		log_error("this role does not start without its sandbox: %s", err.text);
		return 1;
	}
	ready.ready.seccomp = holds.seccomp;
	ready.ready.landlock = (uint8_t)(holds.landlock < UINT8_MAX ? holds.landlock : UINT8_MAX);
	role_tell_parent(&ready);
	loop_run(self.loop);
	return self.exit_status;
}

void
role_quit(int exit_status)
{
	self.exit_status = exit_status;
	loop_stop(self.loop);
}

void
role_tell_parent(const struct ipc_message *m)
{
	struct error err = { 0 };
	if (channel_send(self.parent, m, &err) != 0)
		log_warn("cannot tell the parent %s: %s", ipc_type_name(m->type), err.text);
}
