/* SPDX-License-Identifier: ISC
 *
 * tor and its role are joined by a socket pair: tor's end is its owning control connection, so tor ends when the
 * role does, and the role ends when tor does. Both are started together, by the program's process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/parent.h"
#include "tor/endpoint.h"
#include "tor/torrc.h"

static void
forget_state(struct parent *parent)
{
	struct parent_tor *tor = &parent->tor;
	/* A tor that is not ours and was never ready: what it last said is why it goes wrong. */
	if (!parent_tor_is_system(parent) || tor->bootstrap_percent > 0)
		snprintf(tor->phase, sizeof tor->phase, "%s", parent_tor_is_system(parent) ? "connecting to tor" : "starting");
	tor->bootstrap_percent = 0;
	tor->progress_ms = clock_monotonic_ms();
	tor->hint[0] = '\0';
	tor->has_been_ready = false;
	parent_identity_nothing_published(parent);
}

static int
spawn_program(struct process *process, int control_fd, struct error *err)
{
	struct parent *parent = process->parent;
	char program[PATH_MAX], torrc[PATHS_MAX + 16];
	if (parent_setup_find_program(parent->config.tor_program, "tor.program", program, err) != 0)
		return -1;
	snprintf(torrc, sizeof torrc, "%s/tor/torrc", parent->paths.runtime);
	const char *const arguments[] = { program, "--defaults-torrc", "/dev/null", "-f", torrc, "__OwningControllerFD",
		"4", NULL };
	const struct process_spawn how = { .program = program, .arguments = arguments, .fd3 = -1, .fd4 = control_fd,
		.directory_fd = -1 };
	return parent_process_spawn(process, &how, err);
}

static int
start(struct process *process, struct error *err)
{
	struct parent *parent = process->parent;
	int fds[2];
	if (parent->tor.role.process.pid != 0)
		return error_set(err, ERROR_BUSY, "the tor role of before has not ended yet");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return error_set_errno(err, errno, "cannot make a socket pair");
	forget_state(parent);
	int result = spawn_program(process, fds[0], err);
	if (result == 0)
		result = parent_role_start_with(&parent->tor.role, fds[1], -1, err);
	file_close(&fds[0]);
	file_close(&fds[1]);
	return result;
}

/* The role ends by itself when its control connection does; if it hangs, it is no use either. */
static void
on_dead(struct process *process)
{
	const struct role_process *role = &process->parent->tor.role;
	forget_state(process->parent);
	if (role->process.pid != 0)
		kill(role->process.pid, SIGKILL);
}

static void
ask_to_end(struct process *process)
{
	kill(process->pid, SIGTERM);
}

void
parent_tor_on_role_dead(struct parent *parent)
{
	struct process *program = &parent->tor.program;
	if (parent_tor_is_system(parent))
		forget_state(parent);
	if (program->pid == 0 || program->ending)
		return;
	/* It is on its way out, since its owner is gone. This is for a tor that is not, as one that hangs. */
	kill(program->pid, SIGTERM);
	timer_start(program->timer, PARENT_GRACE_MS);
}

void
parent_tor_on_state(struct parent *parent, const struct ipc_tor_state *state)
{
	struct parent_tor *tor = &parent->tor;
	bool is_back = tor->was_ready && tor->bootstrap_percent < 100 && state->bootstrap_percent == 100;
	if (state->bootstrap_percent > tor->bootstrap_percent)
		tor->progress_ms = clock_monotonic_ms();
	bool becomes_ready = tor->bootstrap_percent < 100 && state->bootstrap_percent == 100 && !tor->has_been_ready;
	tor->was_ready = tor->was_ready || state->bootstrap_percent == 100;
	tor->bootstrap_percent = state->bootstrap_percent;
	tor->has_been_ready = tor->has_been_ready || becomes_ready;
	if (becomes_ready && parent_identity_stagger_s(parent) > 0)
		parent_identity_publish_all(parent);
	snprintf(tor->hint, sizeof tor->hint, "%s", state->hint);
	if (is_back)
		parent_network_tell(parent, false);
	snprintf(tor->version, sizeof tor->version, "%s", state->version);
	snprintf(tor->phase, sizeof tor->phase, "%s", state->phase);
}

void
parent_tor_socks(const struct parent *parent, char out[PARENT_TOR_SOCKS_MAX])
{
	const char *place = parent->config.tor_socks;
	if (parent_tor_is_system(parent))
		snprintf(out, PARENT_TOR_SOCKS_MAX, "%s", place + (strncmp(place, "unix:", 5) == 0 ? 5 : 0));
	else
		snprintf(out, PARENT_TOR_SOCKS_MAX, "%s/tor/socks", parent->paths.runtime);
}

/* A role that asks without taking the answers gets no descriptors of ours, of which there are only so many. */
static int
connect_to_socks(const struct parent *parent)
{
	char place[PARENT_TOR_SOCKS_MAX];
	struct endpoint endpoint;
	parent_tor_socks(parent, place);
	errno = EAGAIN;
	if (!channel_is_idle(parent->tor.role.channel))
		return -1;
	errno = ENAMETOOLONG;
	return endpoint_parse(place, &endpoint, NULL) == 0 ? endpoint_connect(&endpoint) : -1;
}

void
parent_tor_on_socks_wanted(struct parent *parent)
{
	struct ipc_message m = { .type = IPC_TYPE_SOCKS_CONNECTION, .fd = connect_to_socks(parent) };
	m.socks_connection.errnum = m.fd < 0 ? (uint32_t)errno : 0;
	parent_role_send(&parent->tor.role, &m);
	file_close(&m.fd);
}

int
parent_tor_write_torrc(struct parent *parent, struct error *err)
{
	if (parent_tor_is_system(parent))
		return 0;
	char data[PATHS_MAX + 16], socks[PARENT_TOR_SOCKS_MAX];
	struct buffer text;
	int folder_fd = -1, data_fd = -1;
	buffer_init(&text, TORRC_MAX_BYTES);
	snprintf(data, sizeof data, "%s/tor", parent->paths.data);
	parent_tor_socks(parent, socks);
	int result = torrc_write(data, socks, &text, err);
	if (result == 0)
		result = parent_bridge_write(parent, &text, err);
	for (unsigned i = 0; result == 0 && i < parent->config.tor_extra.count; i++)
		result = torrc_add_line(parent->config.tor_extra.text[i], &text, err);
	if (result == 0)
		result = file_open_private_dir(parent->data_fd, "tor", &data_fd, err);
	if (result == 0)
		result = file_open_private_dir(parent->runtime_fd, "tor", &folder_fd, err);
	if (result == 0)
		result = file_replace(folder_fd, "torrc", buffer_bytes(&text), buffer_len(&text), 0600, err);
	file_close(&data_fd);
	file_close(&folder_fd);
	buffer_finish(&text);
	return result;
}

void
parent_tor_init(struct parent *parent)
{
	static const struct process_kind kind = { start, on_dead, ask_to_end, STOP_REST, SIGTERM, false };
	parent_process_init(&parent->tor.program, parent, &kind, "tor, the program");
	parent_role_init(&parent->tor.role, parent, ROLE_TOR, NULL);
}

void
parent_tor_want(struct parent *parent)
{
	parent_process_want(parent_tor_is_system(parent) ? &parent->tor.role.process : &parent->tor.program);
}

void
parent_tor_finish(struct parent *parent)
{
	parent_process_finish(&parent->tor.program);
	parent_role_finish(&parent->tor.role);
}
