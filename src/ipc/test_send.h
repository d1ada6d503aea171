/* SPDX-License-Identifier: ISC
 *
 * What tests send past channel.h: any bytes, with any number of descriptors.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define TEST_SEND_DESCRIPTORS_MAX 253 /* the kernel takes no more in one message */

/* Descriptors are borrowed; flags are sendmsg()'s. false when not all was sent: the socket is full or closed. */
static inline bool
test_send(int socket_fd, const void *bytes, size_t len, const int *descriptors, size_t count, int flags)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * TEST_SEND_DESCRIPTORS_MAX)];
	} control = { .space = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (count > 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(h), descriptors, sizeof(int) * count);
	}
	return sendmsg(socket_fd, &msg, flags | MSG_NOSIGNAL) == (ssize_t)len;
}
