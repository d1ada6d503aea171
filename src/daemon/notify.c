/* SPDX-License-Identifier: ISC */
#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/file.h"

int
notify_open(struct notify *notify, const char *socket_name, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	notify->fd = -1;
	if (socket_name == NULL || socket_name[0] == '\0')
		return 0;
	size_t len = strlen(socket_name);
	if ((socket_name[0] != '/' && socket_name[0] != '@') || len < 2 || len >= sizeof address.sun_path)
		return error_set(err, ERROR_INVALID, "NOTIFY_SOCKET names no socket that could be: '%.40s'", socket_name);
	memcpy(address.sun_path, socket_name, len);
	if (socket_name[0] == '@')
		address.sun_path[0] = '\0';
	/* the length counts: an abstract name ends there and not at a NUL */
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (socket_name[0] == '/'));
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify->fd < 0 || connect(notify->fd, (const struct sockaddr *)&address, size) != 0) {
		error_set_errno(err, errno, "cannot reach the service manager by NOTIFY_SOCKET");
		file_close(&notify->fd);
		return -1;
	}
	return 0;
}

void
notify_send(const struct notify *notify, const char *text)
{
	if (notify->fd >= 0)
		(void)!send(notify->fd, text, strlen(text), MSG_NOSIGNAL);
}

void
notify_close(struct notify *notify)
{
	file_close(&notify->fd);
}
