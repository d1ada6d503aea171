/* SPDX-License-Identifier: ISC */
#include "daemon/control_status.h"

#include <string.h>

#include "ipc/channel.h"
#include "smtp/reply.h"

json_t *
control_text(const char *words)
{
	char printable[IPC_TEXT_MAX + 1];
	reply_make_printable(printable, sizeof printable, slice_of_string(words));
	return json_string(printable);
}

json_t *
control_status_new(void)
{
	return json_pack("{s:s, s:{s:i, s:s, s:s, s:i, s:i}, s:{}, s:[], s:[], s:[]}", "version", SMTORP_VERSION, "tor",
	    "bootstrap", 0, "phase", "", "version", "", "pid", 0, "bridges", 0, "endpoints", "roles", "programs", "identities");
}

static void
append(json_t *status, const char *list, json_t *row)
{
	json_array_append_new(json_object_get(status, list), row);
}

static void
add_tor(json_t *status, const struct ipc_status_tor *row)
{
	json_t *tor = json_object_get(status, "tor");
	json_object_set_new(tor, "bootstrap", json_integer(row->bootstrap_percent));
	json_object_set_new(tor, "phase", control_text(row->phase));
	json_object_set_new(tor, "version", control_text(row->version));
	json_object_set_new(tor, "bridges", json_integer(row->bridges));
	json_object_set_new(tor, "control", control_text(row->control));
	json_object_set_new(tor, "hint", control_text(row->hint));
	json_object_set_new(tor, "network_event", control_text(row->network_event));
	json_object_set_new(tor, "network_event_s", json_integer(row->network_event_s));
}

static void
add_limits(json_t *status, const struct ipc_status_limits *row)
{
	json_object_set_new(status, "limits", json_pack("{s:I, s:I}", "open_files", (json_int_t)row->open_files,
	    "open_files_wanted", (json_int_t)row->open_files_wanted));
}

static void
add_program(json_t *status, const struct ipc_status_program *row)
{
	append(status, "programs", json_pack("{s:s, s:I, s:I, s:{s:b}}", "name", row->name, "pid", (json_int_t)row->pid,
	    "restarts", (json_int_t)row->restarts, "sandbox", "seccomp", row->seccomp));
	if (strcmp(row->name, "tor") == 0)
		json_object_set_new(json_object_get(status, "tor"), "pid", json_integer(row->pid));
}

static void
add_endpoint(json_t *status, const struct ipc_status_endpoint *row)
{
	json_t *endpoint = row->path[0] != '\0' ? json_pack("{s:s}", "path", row->path) :
	    json_pack("{s:s, s:i}", "host", row->host, "port", row->port);
	json_object_set_new(json_object_get(status, "endpoints"), row->name, endpoint);
}

static void
add_role(json_t *status, const struct ipc_status_role *row)
{
	append(status, "roles", json_pack("{s:s, s:s, s:I, s:I, s:b, s:I, s:{s:b, s:i}}", "role",
	    ipc_role_name((enum role)row->role), "identity", row->identity, "pid", (json_int_t)row->pid, "restarts",
	    (json_int_t)row->restarts, "ready", row->ready, "silent_s", (json_int_t)row->silent_s, "sandbox", "seccomp", row->seccomp,
	    "landlock", row->landlock));
}

static void
add_identity(json_t *status, const struct ipc_status_identity *row)
{
	static const char *const states[] = { "waiting", "published", "failed", "locked", "standby" };
	static const char *const stores[] = { "opening", "works", "disk full", "damaged" };
	append(status, "identities", json_pack("{s:s, s:s, s:s, s:I, s:o, s:s, s:o, s:{s:s, s:s}}", "name", row->identity,
	    "onion", row->onion, "state", row->state <= SERVICE_STANDBY ? states[row->state] : "failed", "uploaded",
	    (json_int_t)row->uploaded, "detail", control_text(row->detail), "store",
	    stores[row->store <= STORE_DAMAGED ? row->store : STORE_OPENING], "trouble", control_text(row->trouble), "sockets", "25",
	    row->path_25, "465", row->path_465));
}

bool
control_status_is_row(const struct ipc_message *m, uint64_t *request_id)
{
	switch (m->type) {
	case IPC_TYPE_STATUS_TOR:
		*request_id = m->status_tor.request_id;
		return true;
	case IPC_TYPE_STATUS_LIMITS:
		*request_id = m->status_limits.request_id;
		return true;
	case IPC_TYPE_STATUS_PROGRAM:
		*request_id = m->status_program.request_id;
		return true;
	case IPC_TYPE_STATUS_ENDPOINT:
		*request_id = m->status_endpoint.request_id;
		return true;
	case IPC_TYPE_STATUS_ROLE:
		*request_id = m->status_role.request_id;
		return true;
	case IPC_TYPE_STATUS_IDENTITY:
		*request_id = m->status_identity.request_id;
		return true;
	default:
		return false;
	}
}

void
control_status_add(json_t *status, const struct ipc_message *row)
{
	switch (row->type) {
	case IPC_TYPE_STATUS_TOR:
		add_tor(status, &row->status_tor);
		break;
	case IPC_TYPE_STATUS_LIMITS:
		add_limits(status, &row->status_limits);
		break;
	case IPC_TYPE_STATUS_PROGRAM:
		add_program(status, &row->status_program);
		break;
	case IPC_TYPE_STATUS_ENDPOINT:
		add_endpoint(status, &row->status_endpoint);
		break;
	case IPC_TYPE_STATUS_ROLE:
		add_role(status, &row->status_role);
		break;
	case IPC_TYPE_STATUS_IDENTITY:
		add_identity(status, &row->status_identity);
		break;
	default:
		break;
	}
}
