/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "daemon/parent.h"

#define BACKLOG 1024         /* so many connections wait while a role is started again */
#define IN_USE_WAIT_MS 4000  /* what is left of a node that was killed lets go of its ports within that */
#define IN_USE_STEP_MS 50

static socklen_t
to_address(const struct config_endpoint *endpoint, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, endpoint->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(endpoint->port);
		return sizeof *v4;
	}
	inet_pton(AF_INET6, endpoint->host, &v6->sin6_addr);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(endpoint->port);
	return sizeof *v6;
}

static int
bind_with_patience(int fd, const struct sockaddr_storage *address, socklen_t len)
{
	int64_t deadline = clock_monotonic_ms() + IN_USE_WAIT_MS;
	while (bind(fd, (const struct sockaddr *)address, len) != 0) {
		if (errno != EADDRINUSE || clock_monotonic_ms() > deadline)
			return -1;
		poll(NULL, 0, IN_USE_STEP_MS);
	}
	return 0;
}

static int
port_of(int fd, uint16_t *port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { 0 };
	socklen_t len = sizeof address;
	if (getsockname(fd, &address.any, &len) != 0)
		return -1;
	*port = ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
	return 0;
}

static int
port_in_use(const struct config_endpoint *endpoint, const char *key, struct error *err)
{
	bool is_v6 = strchr(endpoint->host, ':') != NULL;
	/* Not port 0: it is another one at each start, and mail programs would have to be told each time. */
	unsigned other = endpoint->port + (endpoint->port < 60000 ? 1000U : -1000U);
	return error_set(err, ERROR_BUSY, "port %u of %s is in use by another program: choose another in smtorp.conf, such as "
	    "`%s = %s%s%s:%u`", endpoint->port, endpoint->host, key, is_v6 ? "[" : "", endpoint->host, is_v6 ? "]" : "", other);
}

int
parent_listen_bind(const struct config_endpoint *endpoint, const char *key, int *out_fd, uint16_t *port,
    struct error *err)
{
	struct sockaddr_storage address;
	socklen_t len = to_address(endpoint, &address);
	int on = 1;
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot make a socket for %s", key);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* no wait for the last connections of the last run */
	if (bind_with_patience(fd, &address, len) != 0 || port_of(fd, port) != 0) {
		if (errno == EADDRINUSE)
			port_in_use(endpoint, key, err);
		else
			error_set_errno(err, errno, "cannot use %s:%u for %s", endpoint->host, endpoint->port, key);
		file_close(&fd);
		return -1;
	}
	*out_fd = fd;
	return 0;
}

static int
listen_tcp(const struct config_endpoint *endpoint, const char *key, int *out_fd, uint16_t *port, struct error *err)
{
	if (parent_listen_bind(endpoint, key, out_fd, port, err) != 0)
		return -1;
	if (listen(*out_fd, BACKLOG) == 0)
		return 0;
	/* With SO_REUSEADDR two may bind the same port, but only one may listen. */
	if (errno == EADDRINUSE)
		port_in_use(endpoint, key, err);
	else
		error_set_errno(err, errno, "cannot listen on %s:%u for %s", endpoint->host, *port, key);
	file_close(out_fd);
	return -1;
}

int
parent_listen_unix(const char *path, int *out_fd, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path)
		return error_set(err, ERROR_TOO_LARGE, "the name of the socket %s is too long", path);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot make a socket");
	/* The umask of 077 makes it 0600 from the first moment. */
	if ((unlink(path) != 0 && errno != ENOENT) ||
	    bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0) {
		error_set_errno(err, errno, "cannot listen on %s", path);
		file_close(&fd);
		return -1;
	}
	*out_fd = fd;
	return 0;
}

static int
listen_in_runtime(const struct parent *parent, const char *name, char path[IPC_PATH_MAX + 1], int *out_fd,
    struct error *err)
{
	int n = snprintf(path, IPC_PATH_MAX + 1, "%s/%s", parent->paths.runtime, name);
	if (n < 0 || n > IPC_PATH_MAX)
		return error_set(err, ERROR_TOO_LARGE, "the path of the runtime folder is too long");
	return parent_listen_unix(path, out_fd, err);
}

int
parent_listen_open(struct parent *parent, struct error *err)
{
	struct parent_listeners *l = &parent->listeners;
	const struct config *config = &parent->config;
	if (listen_tcp(&config->submission, "submission.listen", &l->submission, &l->submission_port, err) != 0 ||
	    listen_tcp(&config->submissions, "submissions.listen", &l->submissions, &l->submissions_port, err) != 0 ||
	    listen_in_runtime(parent, "sendmail.sock", l->sendmail_path, &l->sendmail, err) != 0)
		return -1;
	return listen_in_runtime(parent, "control.sock", l->control_path, &l->control, err);
}

void
parent_listen_close(struct parent *parent)
{
	file_close(&parent->listeners.submission);
	file_close(&parent->listeners.submissions);
	file_close(&parent->listeners.sendmail);
	file_close(&parent->listeners.control);
}

void
parent_listen_send(struct role_process *role, enum ipc_listener listener, int fd)
{
	const struct ipc_message m = { .type = IPC_TYPE_LISTEN, .fd = fd, .listen.listener = (uint8_t)listener };
	parent_role_send(role, &m);
}
