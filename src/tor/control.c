/* SPDX-License-Identifier: ISC */
#include "tor/control.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"

#define READ_BYTES 4096
#define READS_PER_TURN 16

/* A command that waits to be sent (bytes != NULL) or for its answer. */
struct command {
	struct command *next;
	control_callback *callback;
	void *context;
	unsigned char *bytes;
	size_t len, sent;
};

struct control {
	int fd;
	int64_t timeout_ms;
	const struct control_events *events;
	void *context;
	struct watch *readable, *writable;
	struct timer *answer_timer;
	struct buffer input;
	struct control_reply reply;
	struct command *first, **last;   /* in the order of their answers */
	struct command *unsent;          /* the first that is not sent as a whole */
	size_t count;
	bool ended;
};

static void
wipe_bytes(struct command *c)
{
	if (c->bytes == NULL)
		return;
	explicit_bzero(c->bytes, c->len);
	free(c->bytes);
	c->bytes = NULL;
}

static struct command *
take_first(struct control *t)
{
	struct command *c = t->first;
	t->first = c->next;
	if (t->first == NULL)
		t->last = &t->first;
	if (t->unsent == c)
		t->unsent = c->next;
	t->count--;
	return c;
}

static void
end(struct control *t, const struct error *err)
{
	if (t->ended)
		return;
	t->ended = true;
	watch_enable(t->readable, false);
	watch_enable(t->writable, false);
	timer_stop(t->answer_timer);
	while (t->first != NULL) {
		struct command *c = take_first(t);
		wipe_bytes(c);
		free(c);
	}
	t->events->on_end(t->context, err);
}

static void
on_answer_timer(void *context)
{
	struct control *t = context;
	struct error err = { 0 };
	error_set(&err, ERROR_TIMEOUT, "tor did not answer a command for %lld seconds",
	    (long long)(t->timeout_ms / 1000));
	end(t, &err);
}

static int
handle(struct control *t, struct error *err)
{
	if (control_reply_is_event(&t->reply)) {
		t->events->on_event(t->context, &t->reply);
		return 0;
	}
	if (t->first == NULL || t->first == t->unsent)
		return error_set(err, ERROR_PROTOCOL, "tor answered without being asked");
	struct command *c = take_first(t);
	if (t->first != NULL)
		timer_start(t->answer_timer, t->timeout_ms);
	else
		timer_stop(t->answer_timer);
	if (c->callback != NULL)
		c->callback(c->context, &t->reply);
	wipe_bytes(c);
	free(c);
	return 0;
}

/* 1: bytes came; 0: none now; -1: the end. */
static int
read_some(struct control *t, struct error *err)
{
	unsigned char bytes[READ_BYTES];
	ssize_t n = read(t->fd, bytes, sizeof bytes);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return error_set_errno(err, errno, "the control connection to tor broke");
	if (n == 0)
		return error_set(err, ERROR_CLOSED, "tor has ended");
	return buffer_append(&t->input, bytes, (size_t)n, err) != 0 ? -1 : 1;
}

static void
on_readable(void *context)
{
	struct control *t = context;
	struct error err = { 0 };
	int got = 1;
	for (int i = 0; i < READS_PER_TURN && got == 1; i++) {
		got = read_some(t, &err);
		bool complete = true;
		while (got >= 0 && complete && !t->ended) {
			if (control_reply_take(&t->reply, &t->input, &complete, &err) != 0 || (complete && handle(t, &err) != 0))
				got = -1;
		}
	}
	if (got < 0)
		end(t, &err);
}

static void
on_writable(void *context)
{
	struct control *t = context;
	while (t->unsent != NULL) {
		struct command *c = t->unsent;
		ssize_t n = send(t->fd, c->bytes + c->sent, c->len - c->sent, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno == EAGAIN || errno == EINTR)
				return;
			break; /* the reading side will say that the connection ended */
		}
		c->sent += (size_t)n;
		if (c->sent < c->len)
			return;
		wipe_bytes(c);
		t->unsent = c->next;
	}
	watch_enable(t->writable, false);
}

struct control *
control_new(struct loop *loop, int fd, int64_t timeout_ms, const struct control_events *events, void *context)
{
	struct control *t = calloc(1, sizeof *t);
	assert(t != NULL);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	*t = (struct control){ .fd = fd, .timeout_ms = timeout_ms, .events = events, .context = context };
	t->last = &t->first;
	buffer_init(&t->input, CONTROL_REPLY_LINE_MAX_BYTES + 2 + READ_BYTES);
	control_reply_init(&t->reply);
	t->readable = watch_new(loop, fd, WATCH_READ, on_readable, t);
	t->writable = watch_new(loop, fd, WATCH_WRITE, on_writable, t);
	t->answer_timer = timer_new(loop, on_answer_timer, t);
	watch_enable(t->readable, true);
	return t;
}

void
control_free(struct control *t)
{
	if (t == NULL)
		return;
	while (t->first != NULL) {
		struct command *c = take_first(t);
		wipe_bytes(c);
		free(c);
	}
	watch_free(t->readable);
	watch_free(t->writable);
	timer_free(t->answer_timer);
	buffer_finish(&t->input);
	control_reply_finish(&t->reply);
	file_close(&t->fd);
	free(t);
}

int
control_send(struct control *t, struct slice command, control_callback *callback, void *context, struct error *err)
{
	if (t->ended)
		return error_set(err, ERROR_CLOSED, "tor has ended");
	if (t->count >= CONTROL_QUEUE_MAX)
		return error_set(err, ERROR_BUSY, "tor does not keep up with our commands");
	if (command.len > CONTROL_COMMAND_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "a command to tor is longer than %d bytes", CONTROL_COMMAND_MAX_BYTES);
	for (size_t i = 0; i < command.len; i++)
		if (command.data[i] == '\r' || command.data[i] == '\n' || command.data[i] == '\0')
			return error_set(err, ERROR_INVALID, "a command to tor holds a line break");
	struct command *c = calloc(1, sizeof *c);
	unsigned char *bytes = malloc(command.len + 2);
	if (c == NULL || bytes == NULL) {
		free(c);
		free(bytes);
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	}
	memcpy(bytes, command.data, command.len);
	memcpy(bytes + command.len, "\r\n", 2);
	*c = (struct command){ .callback = callback, .context = context, .bytes = bytes, .len = command.len + 2 };
	if (t->first == NULL)
		timer_start(t->answer_timer, t->timeout_ms);
	*t->last = c;
	t->last = &c->next;
	t->count++;
	if (t->unsent == NULL)
		t->unsent = c;
	watch_enable(t->writable, true);
	return 0;
}
