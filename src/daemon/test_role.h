/* SPDX-License-Identifier: ISC
 *
 * For tests that drive a role's real executable as the parent and the other roles would.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/role.h"
#include "ipc/body.h"
#include "ipc/codec.h"
#include "ipc/pack.h"
#include "ipc/test_send.h"

#define TEST_ROLE_DEADLINE_S 20

struct test_role {
	pid_t pid;
	int parent; /* our end */
	unsigned char received[IPC_MESSAGE_MAX];
};

/* fds[0] is ours. */
static inline void
test_role_pair(int type, int fds[2])
{
	const struct timeval deadline = { .tv_sec = TEST_ROLE_DEADLINE_S };
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline), 0);
}

static inline void
test_role_send(int socket_fd, const struct ipc_message *m)
{
	struct buffer bytes;
	buffer_init(&bytes, IPC_MESSAGE_MAX);
	assert_int_equal(ipc_encode(m, &bytes, NULL), 0);
	assert_true(test_send(socket_fd, buffer_bytes(&bytes), buffer_len(&bytes), &m->fd, m->fd >= 0, 0));
	buffer_finish(&bytes);
}

/* Waits for the next message. Byte fields are good until the next one. */
static inline struct ipc_message
test_role_any(struct test_role *role, int socket_fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { role->received, sizeof role->received };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
		.msg_controllen = sizeof control.space };
	struct ipc_message m;
	ssize_t n = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		fail_msg("no message came");
	assert_int_equal(ipc_decode(role->received, (size_t)n, &m, NULL), 0);
	if (CMSG_FIRSTHDR(&msg) != NULL)
		memcpy(&m.fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof m.fd);
	return m;
}

/* The same, and the message must be of this type. */
static inline struct ipc_message
test_role_next(struct test_role *role, int socket_fd, enum ipc_type type)
{
	struct ipc_message m = test_role_any(role, socket_fd);
	if (m.type != type)
		fail_msg("%s came instead of %s", ipc_type_name(m.type), ipc_type_name(type));
	return m;
}

/* argument may be NULL. descriptors_max: the role's limit; 0: ours. */
static inline void
test_role_start_limited(struct test_role *role, const char *program, const char *argument, rlim_t descriptors_max)
{
	int fds[2];
	test_role_pair(SOCK_SEQPACKET, fds);
	role->pid = fork();
	if (role->pid == 0) {
		if (fds[1] == ROLE_PARENT_FD)
			fcntl(ROLE_PARENT_FD, F_SETFD, 0);
		else
			dup2(fds[1], ROLE_PARENT_FD);
		const struct rlimit limit = { descriptors_max, descriptors_max };
		if (descriptors_max > 0 && setrlimit(RLIMIT_NOFILE, &limit) != 0)
			_exit(126);
		const char *wrapper = getenv("MESON_EXE_WRAPPER"); /* an emulator, when the role is for another machine */
		if (wrapper != NULL)
			execlp(wrapper, wrapper, program, argument, (char *)NULL);
		else
			execl(program, program, argument, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	role->parent = fds[0];
	test_role_next(role, role->parent, IPC_TYPE_READY);
}

static inline void
test_role_start(struct test_role *role, const char *program, const char *argument)
{
	test_role_start_limited(role, program, argument, 0);
}

/* Hands a peer over; returns our end. */
static inline int
test_role_give_peer(struct test_role *role, enum role peer, const char *identity)
{
	int fds[2];
	test_role_pair(SOCK_SEQPACKET, fds);
	struct ipc_message m = { .type = IPC_TYPE_PEER, .fd = fds[1], .peer.role = (uint8_t)peer };
	strcpy(m.peer.identity, identity);
	test_role_send(role->parent, &m);
	close(fds[1]);
	return fds[0];
}

/* The exit status, once the role has ended. */
static inline int
test_role_wait(struct test_role *role)
{
	unsigned char byte;
	int status = 0;
	while (recv(role->parent, &byte, 1, 0) > 0) /* the deadline is the socket's */
		;
	if (errno == EAGAIN)
		kill(role->pid, SIGKILL);
	waitpid(role->pid, &status, 0);
	role->pid = 0;
	file_close(&role->parent);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Kills it, unless it has been waited for. */
static inline void
test_role_kill(struct test_role *role)
{
	if (role->pid > 0) {
		kill(role->pid, SIGKILL);
		waitpid(role->pid, NULL, 0);
		role->pid = 0;
	}
	file_close(&role->parent);
}
