/* SPDX-License-Identifier: ISC */
#include "ipc/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "loop/round.h"

/* How many messages one channel may take before other events get their turn. */
#define MESSAGES_PER_TURN 32
/* A socket holds fewer messages; but somebody else may have got hold of the other end. */
#define DRAIN_TURNS 100
/* When the kernel, not the socket, is full: it does not say when there is room again. */
#define RETRY_MS 50

/* What may wait for the end of a round. */
#define SOON_MAX_BYTES 65536

#define QUEUED_BYTES 1024 /* about what the smallest message takes while it waits */

struct queued {
	struct queued *next;
	int fd;
	bool is_secret;
	struct buffer bytes;
};

struct channel {
	struct loop *loop;
	int fd;
	enum role own, peer;
	const struct channel_events *events;
	void *context;
	struct watch *readable, *writable;
	struct timer *retry;
	struct round_call soon; /* waits while what is queued only waits for the end of the round */
	struct queued *first, **last;
	size_t queued_bytes, queued_descriptors;
	bool ended;
	bool in_callback; /* a callback may free the channel: then it is freed when the callback has returned */
	bool freed;
};

int
channel_pair(int fds[2], struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		return error_set_errno(err, errno, "cannot make a socket pair");
	int bytes = IPC_MESSAGE_MAX * 4;
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes); /* the kernel may give less */
	return 0;
}

static void
end(struct channel *c, const struct error *err)
{
	if (c->ended)
		return;
	c->ended = true;
	watch_enable(c->readable, false);
	watch_enable(c->writable, false);
	timer_stop(c->retry);
	loop_forget_round_call(&c->soon);
	c->events->on_end(c->context, err);
}

/* 1: a message was read into bytes and *fd; 0: none now; -1: the channel ended. */
static int
receive(struct channel *c, unsigned char *bytes, size_t *len, int *fd, struct error *err)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * 4)];
	} control;
	struct iovec iov = { bytes, IPC_MESSAGE_MAX };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
		.msg_controllen = sizeof control.space };
	ssize_t n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	/* A peer that ended with something of ours unread: the kernel says so once, before it gives out what the peer had sent. */
	if (n < 0 && errno == ECONNRESET)
		n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	/* For want of memory nothing was read and nothing lost: the message waits, and so the loop comes back. */
	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOMEM || errno == ENOBUFS))
		return 0;
	if (n < 0)
		return error_set_errno(err, errno, "the channel to %s broke", ipc_role_name(c->peer));
	*fd = -1;
	size_t descriptors = 0;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&msg); h != NULL; h = CMSG_NXTHDR(&msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= h->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
			int each;
			memcpy(&each, CMSG_DATA(h) + at, sizeof each);
			if (descriptors++ == 0)
				*fd = each;
			else
				close(each);
		}
	}
	if (n == 0 && descriptors == 0)
		return error_set(err, ERROR_CLOSED, "%s is gone", ipc_role_name(c->peer));
	if (descriptors == 0 && (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == MSG_CTRUNC)
		return error_set(err, ERROR_BUSY, "no room for a descriptor that %s sent: it is lost, and its message",
		    ipc_role_name(c->peer));
	if (descriptors > 1 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		file_close(fd);
		return error_set(err, ERROR_PROTOCOL, "%s sent an oversized message", ipc_role_name(c->peer));
	}
	*len = (size_t)n;
	return 1;
}

static void on_writable(void *context);

static void
drop_first(struct channel *c)
{
	struct queued *q = c->first;
	c->first = q->next;
	if (c->first == NULL)
		c->last = &c->first;
	c->queued_bytes -= QUEUED_BYTES + buffer_len(&q->bytes);
	c->queued_descriptors -= q->fd >= 0;
	file_close(&q->fd);
	if (q->is_secret)
		explicit_bzero((void *)(uintptr_t)buffer_bytes(&q->bytes), buffer_len(&q->bytes));
	buffer_finish(&q->bytes);
	free(q);
}

static void
release(struct channel *c)
{
	if (c->soon.next != NULL)
		on_writable(c);
	while (c->first != NULL)
		drop_first(c);
	watch_free(c->readable);
	watch_free(c->writable);
	timer_free(c->retry);
	file_close(&c->fd);
	free(c);
}

/* What should not lie about in memory that is used again. */
static bool
holds_secret(enum ipc_type type)
{
	return type == IPC_TYPE_LOGIN || type == IPC_TYPE_UNLOCK || type == IPC_TYPE_OPENPGP_MADE || type == IPC_TYPE_CARD_REQUEST ||
	    type == IPC_TYPE_CARD_FACTS; /* those two: of an invitation */
}

/* Whether there may be more. */
static bool
take_turn(struct channel *c)
{
	/* One for the process: callbacks never nest, and 200 KB of stack would be cleared for each small message. */
	static unsigned char bytes[IPC_MESSAGE_MAX];
	for (int i = 0; i < MESSAGES_PER_TURN && !c->freed && !c->ended; i++) {
		struct error err = { 0 };
		struct ipc_message m;
		size_t len;
		int fd = -1;
		int got = receive(c, bytes, &len, &fd, &err);
		if (got == 0)
			return false;
		if (got == 1 && ipc_decode(bytes, len, &m, &err) == 0) {
			m.fd = fd;
			if (ipc_is_allowed(m.type, c->peer, c->own, fd >= 0)) {
				c->events->on_message(c->context, &m);
				file_close(&m.fd);
				if (holds_secret(m.type))
					explicit_bzero(bytes, len);
				continue;
			}
			error_set(&err, ERROR_PROTOCOL, "%s may not send %s to %s like that", ipc_role_name(c->peer),
			    ipc_type_name(m.type), ipc_role_name(c->own));
		}
		file_close(&fd);
		end(c, &err);
	}
	return !c->freed && !c->ended;
}

static void
on_readable(void *context)
{
	struct channel *c = context;
	c->in_callback = true;
	take_turn(c);
	c->in_callback = false;
	if (c->freed)
		release(c);
}

void
channel_drain(struct channel *c)
{
	bool more = !c->ended;
	c->in_callback = true;
	for (int turns = 0; more && turns < DRAIN_TURNS; turns++)
		more = take_turn(c);
	c->in_callback = false;
	if (c->freed)
		release(c);
}

/* The message may be sent later: the socket or the kernel's memory is full, or too many descriptors are on their way. */
static bool
is_full(int errnum)
{
	return errnum == EAGAIN || errnum == ENOBUFS || errnum == ENOMEM || errnum == ETOOMANYREFS;
}

static int
send_now(int socket_fd, const void *bytes, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (fd >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof control.space;
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(h), &fd, sizeof fd);
	}
	ssize_t n;
	do
		n = sendmsg(socket_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}

/* Sends what is queued. A socket that is full becomes writable again; one that refuses for want of the kernel's memory or
 * of places for descriptors is writable all the time, and watching it would only burn the processor. */
static void
on_writable(void *context)
{
	struct channel *c = context;
	bool is_waiting = false;
	loop_forget_round_call(&c->soon);
	while (c->first != NULL && !is_waiting) {
		struct buffer *bytes = &c->first->bytes;
		if (send_now(c->fd, buffer_bytes(bytes), buffer_len(bytes), c->first->fd) == 0) {
			drop_first(c);
		} else if (errno == EAGAIN) {
			watch_enable(c->writable, true);
			return;
		} else if (is_full(errno)) {
			timer_start(c->retry, RETRY_MS);
			is_waiting = true;
		} else {
			break; /* the reading side will say that the channel ended */
		}
	}
	watch_enable(c->writable, false);
}

struct channel *
channel_new(struct loop *loop, int fd, enum role own, enum role peer, const struct channel_events *events,
    void *context)
{
	struct channel *c = calloc(1, sizeof *c);
	assert(c != NULL);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	*c = (struct channel){ .loop = loop, .fd = fd, .own = own, .peer = peer, .events = events, .context = context };
	c->last = &c->first;
	c->readable = watch_new(loop, fd, WATCH_READ, on_readable, c);
	c->writable = watch_new(loop, fd, WATCH_WRITE, on_writable, c);
	c->retry = timer_new(loop, on_writable, c);
	c->soon = (struct round_call){ .callback = on_writable, .context = c };
	watch_enable(c->readable, true);
	return c;
}

void
channel_free(struct channel *c)
{
	if (c == NULL)
		return;
	c->freed = true;
	if (!c->in_callback)
		release(c);
}

/* Takes the bytes over. */
static int
enqueue(struct channel *c, struct buffer *bytes, const struct ipc_message *m, struct error *err)
{
	size_t len = QUEUED_BYTES + buffer_len(bytes);
	if (c->queued_bytes + len > CHANNEL_QUEUE_MAX_BYTES || (m->fd >= 0 && c->queued_descriptors >= CHANNEL_QUEUE_MAX_DESCRIPTORS))
		return error_set(err, ERROR_BUSY, "%s does not keep up", ipc_role_name(c->peer));
	struct queued *q = malloc(sizeof *q);
	if (q == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	*q = (struct queued){ .fd = -1, .is_secret = holds_secret(m->type) };
	if (m->fd >= 0 && (q->fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 0)) < 0) {
		free(q);
		return error_set_errno(err, errno, "cannot duplicate a descriptor");
	}
	q->bytes = *bytes;
	buffer_init(bytes, bytes->max);
	*c->last = q;
	c->last = &q->next;
	c->queued_bytes += len;
	c->queued_descriptors += q->fd >= 0;
	return 0;
}

static int
encode(const struct channel *c, const struct ipc_message *m, struct buffer *bytes, struct error *err)
{
	buffer_init(bytes, IPC_MESSAGE_MAX);
	if (c->ended)
		return error_set(err, ERROR_CLOSED, "%s is gone", ipc_role_name(c->peer));
	assert(ipc_is_allowed(m->type, c->own, c->peer, m->fd >= 0));
	return ipc_encode(m, bytes, err);
}

int
channel_send(struct channel *c, const struct ipc_message *m, struct error *err)
{
	struct buffer bytes;
	int result = encode(c, m, &bytes, err);
	if (result != 0)
		goto out;
	if (c->soon.next != NULL)
		on_writable(c); /* those come first */
	if (c->first == NULL && send_now(c->fd, buffer_bytes(&bytes), buffer_len(&bytes), m->fd) == 0)
		goto out;
	if (c->first == NULL && !is_full(errno)) {
		result = error_set(err, ERROR_CLOSED, "%s is gone", ipc_role_name(c->peer));
		goto out;
	}
	result = enqueue(c, &bytes, m, err);
	if (result == 0 && !timer_is_running(c->retry))
		watch_enable(c->writable, true);
out:
	if (holds_secret(m->type) && buffer_len(&bytes) > 0)
		explicit_bzero((void *)(uintptr_t)buffer_bytes(&bytes), buffer_len(&bytes));
	buffer_finish(&bytes);
	return result;
}

int
channel_send_soon(struct channel *c, const struct ipc_message *m, struct error *err)
{
	struct buffer bytes;
	bool must_wait = c->first != NULL && c->soon.next == NULL; /* the socket is full */
	if (m->fd >= 0 || must_wait)
		return channel_send(c, m, err);
	int result = encode(c, m, &bytes, err);
	if (result == 0 && (result = enqueue(c, &bytes, m, err)) == 0) {
		loop_at_round_end(c->loop, &c->soon);
		if (c->queued_bytes > SOON_MAX_BYTES)
			on_writable(c);
	}
	buffer_finish(&bytes);
	return result;
}

bool
channel_is_idle(const struct channel *c)
{
	return c->first == NULL;
}
