/* SPDX-License-Identifier: ISC
 *
 * What the service manager is told. Its status line is for everybody's eyes, so it names no identity.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/parent.h"

void
parent_notify_open(struct parent *parent)
{
	struct error err = { 0 };
	if (notify_open(&parent->notify.manager, getenv("NOTIFY_SOCKET"), &err) != 0)
		log_warn("%s", err.text);
}

/* One that died before it was ready is not waited for: one damaged identity must not keep the others from starting. */
static bool
is_settled(const struct role_process *role)
{
	return role->ready || role->process.restarts > 0;
}

static bool
all_are_settled(const struct parent *parent)
{
	if (!is_settled(&parent->control) || !is_settled(&parent->submission) || !is_settled(&parent->tor.role))
		return false;
	for (const struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next)
		if (parent_identity_is_awake(identity) && (!is_settled(&identity->mail) || !is_settled(&identity->smtp)))
			return false;
	return true;
}

static void
describe(const struct parent *parent, char *out, size_t size)
{
	unsigned count = 0, published = 0, locked = 0;
	for (const struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next) {
		count += !identity->leaving;
		published += !identity->leaving && identity->state == SERVICE_PUBLISHED;
		locked += !identity->leaving && identity->is_locked;
	}
	if (parent->tor.bootstrap_percent < 100)
		snprintf(out, size, "tor: %u %%, %s", parent->tor.bootstrap_percent, parent->tor.phase);
	else if (locked > 0)
		snprintf(out, size, "tor: connected; %u of %u identities published, %u locked", published, count, locked);
	else
		snprintf(out, size, "tor: connected; %u of %u identities published", published, count);
}

void
parent_notify_look(struct parent *parent)
{
	struct parent_notify *told = &parent->notify;
	char status[sizeof told->status], text[sizeof told->status + 32];
	if (told->manager.fd < 0 || parent->stopping)
		return;
	describe(parent, status, sizeof status);
	bool is_ready = told->is_ready || all_are_settled(parent);
	if (is_ready == told->is_ready && strcmp(status, told->status) == 0)
		return;
	snprintf(text, sizeof text, "%sSTATUS=%s", is_ready && !told->is_ready ? "READY=1\n" : "", status);
	notify_send(&told->manager, text);
	memcpy(told->status, status, sizeof status);
	told->is_ready = is_ready;
}

void
parent_notify_stopping(struct parent *parent)
{
	notify_send(&parent->notify.manager, "STOPPING=1\nSTATUS=ending");
}

void
parent_notify_close(struct parent *parent)
{
	notify_close(&parent->notify.manager);
}
