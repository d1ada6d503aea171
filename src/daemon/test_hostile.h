/* SPDX-License-Identifier: ISC
 *
 * What a hostile role may send: any message of the table with any content, and descriptors of every kind. Everything comes
 * from one seed, so that what was sent can be sent again.
 */
#pragma once

#include "daemon/test_role.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/un.h>

#define HOSTILE_ONION "efv6n5rgp4snez6qh7qc3wphma44lemwpqacfmo5xxw6o4tjgygz45yd.onion"
#define HOSTILE_OTHER "5ta3lbzh6pyswmmuranj5s454czizz5sa4rq3dutb7q3zz26evwb64qd.onion"
#define HOSTILE_IDS 64
#define HOSTILE_BYTES (4 * IPC_MESSAGE_MAX)

static uint64_t hostile_seed = 1;
static uint64_t hostile_ids[HOSTILE_IDS]; /* numbers that the role has said itself: of sessions, requests, transactions */
static unsigned hostile_ids_seen;
static unsigned char hostile_bytes[HOSTILE_BYTES]; /* the byte fields of the present message */
static size_t hostile_bytes_used;

static inline uint64_t
hostile_random(void)
{
	hostile_seed ^= hostile_seed << 13;
	hostile_seed ^= hostile_seed >> 7;
	hostile_seed ^= hostile_seed << 17;
	return hostile_seed * 0x2545f4914f6cdd1dULL >> 16;
}

static inline unsigned
hostile_below(unsigned bound)
{
	return (unsigned)(hostile_random() % bound);
}

/* ---- messages */

static inline uint64_t
hostile_number(void)
{
	static const uint64_t special[] = { 0, 1, 2, 25, 250, 354, 451, 465, 554, 600, UINT8_MAX, UINT16_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX };
	switch (hostile_below(4)) {
	case 0:
		return special[hostile_below(sizeof special / sizeof special[0])];
	case 1:
		return hostile_ids_seen == 0 ? 1 : hostile_ids[hostile_below(hostile_ids_seen < HOSTILE_IDS ? hostile_ids_seen : HOSTILE_IDS)];
	case 2:
		return hostile_below(8);
	default:
		return hostile_random();
	}
}

static inline void
hostile_text(char *out, size_t max)
{
	static const char *const texts[] = { "", "alice", "bob", "alice@" HOSTILE_ONION, "bob@" HOSTILE_OTHER, HOSTILE_ONION, HOSTILE_OTHER,
		"../../etc/passwd", "%n%n%s%s", "5.1.1", "250 ok\r\nMAIL FROM:<>\r\n", "\x1b]0;x\x07", "\xff\xfe", "127.0.0.1" };
	unsigned which = hostile_below(sizeof texts / sizeof texts[0] + 2);
	if (which < sizeof texts / sizeof texts[0]) {
		snprintf(out, max + 1, "%s", texts[which]);
		return;
	}
	size_t len = hostile_below(2) == 0 ? max : hostile_below((unsigned)max + 1);
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(1 + hostile_below(255));
	out[len] = '\0';
}

static inline struct slice
hostile_field(size_t max)
{
	static const char message[] = "From: alice@" HOSTILE_ONION "\r\nSubject: x\r\n\r\nx\r\n";
	unsigned char *at = hostile_bytes + hostile_bytes_used;
	size_t left = HOSTILE_BYTES - hostile_bytes_used, len = max < left ? max : left;
	switch (hostile_below(6)) {
	case 0:
		return slice_of("", 0);
	case 1:
		return slice_of_string(message).len <= len ? slice_of_string(message) : slice_of("", 0);
	case 2: /* a list of one; the following ones may be cut off */
		len = len < 100 ? len : (size_t)snprintf((char *)at, len, "%c%calice@" HOSTILE_ONION, 68, 0);
		len -= hostile_below(2) * hostile_below((unsigned)len + 1);
		break;
	case 3: /* each string as long as the next number says */
		len = hostile_below((unsigned)(len < 4000 ? len : 4000) + 1);
		for (size_t i = 0; i < len; i++)
			at[i] = (unsigned char)hostile_below(4);
		break;
	case 4:
		for (size_t i = 0; i < len; i++)
			at[i] = (unsigned char)(i * 7);
		break;
	default:
		len = hostile_below((unsigned)(len < 4000 ? len : 4000) + 1);
		for (size_t i = 0; i < len; i++)
			at[i] = (unsigned char)hostile_random();
	}
	hostile_bytes_used += len;
	return slice_of(at, len);
}

/* Fills in any content. */
static inline void
hostile_fill(struct ipc_message *m)
{
	hostile_bytes_used = 0;
#define FILL_U8(name) f->name = (uint8_t)hostile_number();
#define FILL_U16(name) f->name = (uint16_t)hostile_number();
#define FILL_U32(name) f->name = (uint32_t)hostile_number();
#define FILL_U64(name) f->name = hostile_number();
#define FILL_STR(name, max) hostile_text(f->name, max);
#define FILL_BYTES(name, max) f->name = hostile_field(max);
#define FILL(NAME, name, FROM, TO, DESCRIPTOR, FIELDS) \
	case IPC_TYPE_##NAME: { \
		struct ipc_##name *f = &m->name; \
		(void)f; \
		FIELDS(FILL_U8, FILL_U16, FILL_U32, FILL_U64, FILL_STR, FILL_BYTES) \
		break; \
	}
	switch (m->type) {
		IPC_MESSAGES(FILL)
	case IPC_TYPE_NONE:
	case IPC_TYPE_COUNT:
		break;
	}
}

/* Remembers the numbers that it says, to use them against it. */
static inline void
hostile_learn(const struct ipc_message *m)
{
#define LEARN_NONE(name)
#define LEARN_SOME(name, max)
#define LEARN_U64(name) hostile_ids[hostile_ids_seen++ % HOSTILE_IDS] = f->name;
#define LEARN(NAME, name, FROM, TO, DESCRIPTOR, FIELDS) \
	case IPC_TYPE_##NAME: { \
		const struct ipc_##name *f = &m->name; \
		(void)f; \
		FIELDS(LEARN_NONE, LEARN_NONE, LEARN_NONE, LEARN_U64, LEARN_SOME, LEARN_SOME) \
		break; \
	}
	switch (m->type) {
		IPC_MESSAGES(LEARN)
	case IPC_TYPE_NONE:
	case IPC_TYPE_COUNT:
		break;
	}
}

/* ---- descriptors */

static inline int
hostile_memory(const char *text, int seals)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	fcntl(fd, F_ADD_SEALS, seals);
	return fd;
}

static inline int
hostile_file(const char *name, off_t len, int flags)
{
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, len), 0);
	close(fd);
	return open(name, flags | O_CLOEXEC);
}

/* A socket whose other end has said words of no protocol, and is closed. */
static inline int
hostile_pair(int type)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(send(fds[1], "\xff\x00 220-\r\n", 9, 0), 9);
	close(fds[1]);
	return fds[0];
}

#define HOSTILE_DESCRIPTORS 19

/* One of each kind; the caller closes it. */
static inline int
hostile_descriptor(unsigned kind)
{
	int fds[2], all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	switch (kind) {
	case 0:
		return hostile_memory("Subject: sealed\r\n\r\nx\r\n", all);
	case 1:
		return hostile_memory("Subject: not sealed\r\n\r\nx\r\n", 0);
	case 2:
		return hostile_memory("Subject: may shrink\r\n\r\nx\r\n", F_SEAL_WRITE);
	case 3:
		return hostile_memory("", all);
	case 4:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case 5:
		return open("/dev/zero", O_RDWR | O_CLOEXEC);
	case 6:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 7:
		return open("/etc/passwd", O_PATH | O_CLOEXEC);
	case 8:
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		close(fds[1]);
		return fds[0];
	case 9:
		return eventfd(1, EFD_CLOEXEC);
	case 10:
		return epoll_create1(EPOLL_CLOEXEC);
	case 11:
		return hostile_file("../hostile-written-only", 100, O_WRONLY);
	case 12:
		return hostile_file("../hostile-empty", 0, O_RDWR);
	case 13:
		return hostile_file("../hostile-huge", (off_t)1 << 42, O_RDWR);
	case 14:
		return hostile_file("../hostile-zeros", 1 << 20, O_RDWR);
	case 15:
		return hostile_pair(SOCK_STREAM);
	case 16:
		return hostile_pair(SOCK_DGRAM);
	case 17:
		return hostile_pair(SOCK_SEQPACKET);
	default:
		return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	}
}

/* ---- sending */

/* Any bytes, with count descriptors; false when the socket is full or closed. */
static inline bool
hostile_send(int socket_fd, const void *bytes, size_t len, const int *fds, size_t count)
{
	return test_send(socket_fd, bytes, len, fds, count, MSG_DONTWAIT);
}

/* A message of the table, with m->fd. */
static inline bool
hostile_send_message(int socket_fd, const struct ipc_message *m)
{
	struct buffer bytes;
	buffer_init(&bytes, IPC_MESSAGE_MAX);
	bool is_sent = ipc_encode(m, &bytes, NULL) == 0 &&
	    hostile_send(socket_fd, buffer_bytes(&bytes), buffer_len(&bytes), &m->fd, m->fd >= 0);
	buffer_finish(&bytes);
	return is_sent;
}
