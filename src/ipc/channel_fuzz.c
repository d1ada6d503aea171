/* SPDX-License-Identifier: ISC
 *
 * A channel whose other end sends what it likes, with any number of descriptors. The first two octets choose the roles; then
 * each message is its length (two octets), a count of descriptors and its bytes. Only what the table allows is
 * handed on, nothing after the end, and no descriptor stays open.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "ipc/test_send.h"
#include "loop/test_round.h"

#define DESCRIPTORS_MAX 6
#define ROLES 7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static enum role own, peer;
static unsigned ends, messages;

static void
on_message(void *context, struct ipc_message *m)
{
	struct buffer again;
	(void)context;
	messages++;
	if (ends > 0 || !ipc_is_allowed(m->type, peer, own, m->fd >= 0) || (m->fd >= 0 && fcntl(m->fd, F_GETFD) < 0))
		abort();
	buffer_init(&again, IPC_MESSAGE_MAX);
	if (ipc_encode(m, &again, NULL) != 0)
		abort();
	buffer_finish(&again);
}

static void
on_end(void *context, const struct error *err)
{
	(void)context;
	(void)err;
	if (ends++ > 0)
		abort();
}

static int
next_descriptor(void)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct channel_events events = { on_message, on_end };
	static int something[DESCRIPTORS_MAX];
	int fds[2];
	if (size < 2)
		return 0;
	if (loop == NULL) {
		loop = loop_new();
		something[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		for (size_t i = 1; i < DESCRIPTORS_MAX; i++)
			something[i] = something[0];
	}
	int before = next_descriptor();
	own = (enum role)(1 << data[0] % ROLES);
	peer = (enum role)(1 << data[1] % ROLES);
	ends = messages = 0;
	if (channel_pair(fds, NULL) != 0)
		abort();
	struct channel *channel = channel_new(loop, fds[0], own, peer, &events, NULL);
	unsigned sent = 0;
	for (data += 2, size -= 2; size >= 3 && ends == 0; sent++) {
		size_t len = (size_t)data[0] | (size_t)data[1] << 8;
		unsigned count = data[2] % (DESCRIPTORS_MAX + 1);
		data += 3;
		size -= 3;
		len = len < size ? len : size;
		test_send(fds[1], data, len, something, count, MSG_DONTWAIT);
		data += len;
		size -= len;
		test_run_rounds(loop, 1);
	}
	if (messages > sent)
		abort();
	close(fds[1]);
	for (int i = 0; i < 10 && ends == 0; i++)
		test_run_rounds(loop, 1);
	channel_free(channel);
	if (ends != 1 || next_descriptor() != before)
		abort();
	return 0;
}
