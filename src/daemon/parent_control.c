/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "daemon/parent.h"
#include "daemon/pulse.h"
#include "daemon/role_smtp.h"

#define STUCK_MS 30000 /* tor that comes no further for so long may need help */

void
parent_control_answer(struct parent *parent, uint64_t request_id, const struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_CONTROL_END, .fd = -1, .control_end.request_id = request_id };
	if (err != NULL) {
		m.control_end.error = (uint8_t)err->code;
		snprintf(m.control_end.text, sizeof m.control_end.text, "%s", err->text);
	}
	parent_role_send(&parent->control, &m);
}

/* Dovecot looks at its passwd file at most once in each second of the wall clock: who was told that the password
 * counts would be refused if somebody had just logged in. So the answer waits for the next second. */
static void
answer_in_next_second(struct parent *parent, uint64_t request_id)
{
	struct parent_control *control = &parent->control_answers;
	if (!parent->dovecot.enabled || control->count == CONTROL_ANSWERS_MAX) {
		parent_control_answer(parent, request_id, NULL);
		return;
	}
	control->request_ids[control->count++] = request_id;
	timer_start(control->timer, 1000 - clock_wall_ms() % 1000 + 1);
}

static void
on_next_second(void *context)
{
	struct parent *parent = context;
	struct parent_control *control = &parent->control_answers;
	for (unsigned i = 0; i < control->count; i++)
		parent_control_answer(parent, control->request_ids[i], NULL);
	control->count = 0;
}

void
parent_control_init(struct parent *parent)
{
	parent->control_answers.timer = timer_new(parent->loop, on_next_second, parent);
}

void
parent_control_finish(struct parent *parent)
{
	timer_free(parent->control_answers.timer);
}

static void
tell_role(struct parent *parent, uint64_t request_id, const struct role_process *role)
{
	struct ipc_message m = { .type = IPC_TYPE_STATUS_ROLE, .fd = -1, .status_role = { .request_id = request_id,
		.role = (uint8_t)role->role, .pid = (uint32_t)role->process.pid, .restarts = role->process.restarts,
		.ready = role->ready, .seccomp = role->ready && role->holds.seccomp,
		.landlock = role->ready ? role->holds.landlock : 0,
		.silent_s = role->unanswered > 1 ? (role->unanswered - 1) * (PULSE_MS / 1000) : 0 } };
	if (role->identity != NULL)
		snprintf(m.status_role.identity, sizeof m.status_role.identity, "%s", role->identity->is.name);
	parent_role_send(&parent->control, &m);
}

static void
tell_program(struct parent *parent, uint64_t request_id, const char *name, const struct process *process)
{
	struct ipc_message m = { .type = IPC_TYPE_STATUS_PROGRAM, .fd = -1, .status_program = { .request_id = request_id,
		.pid = (uint32_t)process->pid, .restarts = process->restarts, .seccomp = parent->holds.seccomp } };
	snprintf(m.status_program.name, sizeof m.status_program.name, "%s", name);
	parent_role_send(&parent->control, &m);
}

static void
tell_endpoint(struct parent *parent, uint64_t request_id, const char *name, const char *host, uint16_t port,
    const char *path)
{
	struct ipc_message m = { .type = IPC_TYPE_STATUS_ENDPOINT, .fd = -1, .status_endpoint = {
		.request_id = request_id, .port = port } };
	snprintf(m.status_endpoint.name, sizeof m.status_endpoint.name, "%s", name);
	snprintf(m.status_endpoint.host, sizeof m.status_endpoint.host, "%s", host);
	snprintf(m.status_endpoint.path, sizeof m.status_endpoint.path, "%s", path);
	parent_role_send(&parent->control, &m);
}

static void
tell_endpoints(struct parent *parent, uint64_t request_id)
{
	const struct config *config = &parent->config;
	const struct parent_listeners *listeners = &parent->listeners;
	tell_endpoint(parent, request_id, "submission", config->submission.host, listeners->submission_port, "");
	tell_endpoint(parent, request_id, "submissions", config->submissions.host, listeners->submissions_port, "");
	tell_endpoint(parent, request_id, "sendmail", "", 0, listeners->sendmail_path);
	if (!parent->dovecot.enabled)
		return;
	tell_endpoint(parent, request_id, "imap", config->imap.host, parent->dovecot.imap_port, "");
	tell_endpoint(parent, request_id, "imaps", config->imaps.host, parent->dovecot.imaps_port, "");
}

/* What can be done when tor comes no further: what its role says, or what is left to try. */
static const char *
hint(const struct parent *parent)
{
	const struct parent_tor *tor = &parent->tor;
	if (tor->program.said_often && tor->bootstrap_percent < 100)
		return "tor ends whenever it is started: `smtorp logs` says why";
	if (tor->hint[0] != '\0' || tor->bootstrap_percent == 100 || clock_monotonic_ms() - tor->progress_ms < STUCK_MS)
		return tor->hint;
	if (parent_tor_is_system(parent))
		return "tor makes no progress: is this machine online? The log of that tor says more";
	if (parent->config.tor_bridge.count > 0)
		return "tor makes no progress: is this machine online, and are the bridges still there? `smtorp logs` says more";
	return "tor makes no progress: is this machine online? Where Tor is blocked, `smtorp up --bridge LINE` helps";
}

static void
tell_tor(struct parent *parent, uint64_t request_id)
{
	const struct parent_tor *tor = &parent->tor;
	struct ipc_message m = { .type = IPC_TYPE_STATUS_TOR, .fd = -1, .status_tor = { .request_id = request_id,
		.bootstrap_percent = tor->bootstrap_percent,
		.bridges = (uint8_t)parent->config.tor_bridge.count } };
	snprintf(m.status_tor.version, sizeof m.status_tor.version, "%s", tor->version);
	snprintf(m.status_tor.phase, sizeof m.status_tor.phase, "%s", tor->phase);
	snprintf(m.status_tor.control, sizeof m.status_tor.control, "%s", parent->config.tor_control);
	snprintf(m.status_tor.hint, sizeof m.status_tor.hint, "%s", hint(parent));
	snprintf(m.status_tor.network_event, sizeof m.status_tor.network_event, "%s", parent->network.event);
	m.status_tor.network_event_s = (uint32_t)((clock_monotonic_ms() - parent->network.event_ms) / 1000);
	parent_role_send(&parent->control, &m);
}

static void
tell_limits(struct parent *parent, uint64_t request_id)
{
	struct rlimit files = { 0 };
	getrlimit(RLIMIT_NOFILE, &files);
	const struct ipc_message m = { .type = IPC_TYPE_STATUS_LIMITS, .fd = -1, .status_limits = { .request_id = request_id,
		.open_files = files.rlim_cur < UINT32_MAX ? (uint32_t)files.rlim_cur : UINT32_MAX,
		.open_files_wanted = ROLE_SMTP_FILES_WANTED } };
	parent_role_send(&parent->control, &m);
}

static void
tell_identity(struct parent *parent, uint64_t request_id, const struct parent_identity *identity)
{
	struct ipc_message m = { .type = IPC_TYPE_STATUS_IDENTITY, .fd = -1, .status_identity = {
		.request_id = request_id, .state = (uint8_t)identity->state, .uploaded = identity->uploaded,
		.store = (uint8_t)identity->store } };
	struct ipc_status_identity *row = &m.status_identity;
	snprintf(row->identity, sizeof row->identity, "%s", identity->is.name);
	snprintf(row->onion, sizeof row->onion, "%s", identity->is.onion);
	snprintf(row->trouble, sizeof row->trouble, "%s", identity->trouble);
	snprintf(row->detail, sizeof row->detail, "%s", identity->detail);
	snprintf(row->path_25, sizeof row->path_25, "%s", identity->path_25);
	snprintf(row->path_465, sizeof row->path_465, "%s", identity->path_465);
	parent_role_send(&parent->control, &m);
}

static void
tell_status(struct parent *parent, uint64_t request_id)
{
	tell_tor(parent, request_id);
	tell_limits(parent, request_id);
	tell_endpoints(parent, request_id);
	tell_role(parent, request_id, &parent->tor.role);
	tell_role(parent, request_id, &parent->submission);
	tell_role(parent, request_id, &parent->control);
	tell_role(parent, request_id, &parent->sign);
	for (const struct parent_identity *identity = parent->identities; identity != NULL; identity = identity->next) {
		if (!identity->is_locked) {
			tell_role(parent, request_id, &identity->mail);
			tell_role(parent, request_id, &identity->smtp);
		}
		if (identity->content.process.pid != 0)
			tell_role(parent, request_id, &identity->content);
		if (!identity->leaving)
			tell_identity(parent, request_id, identity);
	}
	if (!parent_tor_is_system(parent))
		tell_program(parent, request_id, "tor", &parent->tor.program);
	tell_program(parent, request_id, "log", &parent->log.program);
	if (parent->dovecot.enabled)
		tell_program(parent, request_id, "dovecot", &parent->dovecot.program);
}

/* For what changes nothing when the node ends. */
static bool
refuse_at_end(struct parent *parent, uint64_t request_id)
{
	struct error err;
	if (!parent->stopping)
		return false;
	error_set(&err, ERROR_BUSY, "the node is being stopped");
	parent_control_answer(parent, request_id, &err);
	return true;
}

void
parent_control_on_unlock(struct parent *parent, const struct ipc_unlock *unlock)
{
	struct error err = { 0 };
	if (refuse_at_end(parent, unlock->request_id))
		return;
	if (parent_lock_unlock(parent, unlock->identity, unlock->key, &err) == 0)
		answer_in_next_second(parent, unlock->request_id);
	else
		parent_control_answer(parent, unlock->request_id, &err);
}

void
parent_control_on_request(struct parent *parent, const struct ipc_control_request *request)
{
	struct error err = { 0 };
	uint64_t id = request->request_id;
	bool is_done = false;
	int result = 0;
	if (request->verb != CONTROL_STATUS && request->verb != CONTROL_STOP && refuse_at_end(parent, id))
		return;
	switch (request->verb) {
	case CONTROL_STATUS:
		tell_status(parent, id);
		break;
	case CONTROL_IDENTITY_LOAD:
		if (parent_identity_load(parent, request->identity, &err) == 0) {
			answer_in_next_second(parent, id);
			return;
		}
		result = -1;
		break;
	case CONTROL_IDENTITY_UNLOAD:
		if (parent_identity_unload(parent, request->identity, id, &err) == 0)
			return; /* answered when it is gone */
		result = -1;
		break;
	case CONTROL_IDENTITY_ACCESS:
		result = parent_identity_look_at_access(parent, request->identity, &err);
		break;
	case CONTROL_IDENTITY_TAKEOVER:
		result = parent_identity_take_over(parent, request->identity, &err);
		break;
	case CONTROL_IDENTITY_LOCK:
		result = parent_lock_lock(parent, request->identity, id, &is_done, &err);
		if (result == 0 && !is_done)
			return; /* answered when it is gone */
		break;
	case CONTROL_STOP:
		parent_stop(parent);
		break;
	default:
		result = error_set(&err, ERROR_UNSUPPORTED, "this node does not know that request");
	}
	parent_control_answer(parent, id, result == 0 ? NULL : &err);
}
