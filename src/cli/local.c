/* SPDX-License-Identifier: ISC */
#include "cli/local.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

static int
fail(const struct paths *paths, int errnum, struct error *err)
{
	if (errnum == ENOENT || errnum == ENOTDIR || errnum == ECONNREFUSED)
		return error_set(err, ERROR_UNREACHABLE, "the node is not running: start it with `%s` (its folder is %.150s)",
		    paths_start_command(paths), paths->data);
	return error_set_errno(err, errnum, "cannot connect to the node in %.150s", paths->runtime);
}

int
local_connect(const struct paths *paths, const char *name, int *out_fd, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred listener;
	socklen_t size = sizeof listener;
	int len = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", paths->runtime, name);
	if (len < 0 || (size_t)len >= sizeof address.sun_path)
		return error_set(err, ERROR_TOO_LARGE, "the path of the node's socket is too long");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
		int errnum = errno;
		file_close(&fd);
		return fail(paths, errnum, err);
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0 || listener.uid != geteuid()) {
		file_close(&fd);
		return error_set(err, ERROR_DENIED, "somebody else listens on %.120s: nothing was sent there", address.sun_path);
	}
	*out_fd = fd;
	return 0;
}
