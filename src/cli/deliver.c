/* SPDX-License-Identifier: ISC */
#include "cli/deliver.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/file.h"
#include "cli/local.h"

#define REPLY_TIMEOUT_S 600 /* RFC 5321 4.5.3.2.6: the end of DATA may take that long */
#define COMMAND_MAX 2048

int
deliver_data(struct deliver *d, struct slice octets, struct error *err)
{
	while (octets.len > 0) {
		ssize_t n = send(d->fd, octets.data, octets.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (n < 0)
			return error_set_errno(err, errno, "cannot speak to the node");
		octets = slice_of(octets.data + n, octets.len - (size_t)n);
	}
	return 0;
}

static int
read_more(struct deliver *d, struct error *err)
{
	unsigned char *room = buffer_reserve(&d->in, 4096, err);
	if (room == NULL)
		return -1;
	for (;;) {
		ssize_t n = recv(d->fd, room, 4096, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return error_set(err, ERROR_TIMEOUT, "the node does not answer: look at its log");
		if (n <= 0)
			return error_set(err, ERROR_CLOSED, "the node hung up without an answer: look at its log");
		buffer_commit(&d->in, (size_t)n);
		return 0;
	}
}

/* One line of a reply; *more when others follow. */
static int
take_line(struct deliver *d, struct slice line, bool *more, struct error *err)
{
	const unsigned char *p = line.data;
	while (line.len > 0 && (p[line.len - 1] == '\n' || p[line.len - 1] == '\r'))
		line.len--;
	if (line.len < 3 || p[0] < '2' || p[0] > '5' || p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9' ||
	    (line.len > 3 && p[3] != ' ' && p[3] != '-'))
		return error_set(err, ERROR_PROTOCOL, "the node gave an answer that is not SMTP");
	d->code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	*more = line.len > 3 && p[3] == '-';
	size_t used = strlen(d->text);
	if (line.len > 4)
		snprintf(d->text + used, sizeof d->text - used, "%s%.*s", used > 0 ? " " : "", (int)(line.len - 4), p + 4);
	return 0;
}

int
deliver_reply(struct deliver *d, struct error *err)
{
	bool more = true;
	d->code = 0;
	d->text[0] = '\0';
	while (more) {
		const unsigned char *start = buffer_bytes(&d->in);
		const unsigned char *lf = buffer_len(&d->in) > 0 ? memchr(start, '\n', buffer_len(&d->in)) : NULL;
		if (lf == NULL) {
			if (read_more(d, err) != 0)
				return -1;
			continue;
		}
		size_t len = (size_t)(lf - start) + 1;
		if (take_line(d, slice_of(start, len), &more, err) != 0)
			return -1;
		buffer_consume(&d->in, len);
	}
	return 0;
}

int
deliver_command(struct deliver *d, struct error *err, const char *format, ...)
{
	char line[COMMAND_MAX];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line, sizeof line - 2, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof line - 2)
		return error_set(err, ERROR_TOO_LARGE, "an address is too long");
	memcpy(line + len, "\r\n", 2);
	if (deliver_data(d, slice_of(line, (size_t)len + 2), err) != 0)
		return -1;
	return deliver_reply(d, err);
}

int
deliver_open(struct deliver *d, const struct paths *paths, struct error *err)
{
	struct timeval timeout = { .tv_sec = REPLY_TIMEOUT_S };
	*d = (struct deliver){ .fd = -1 };
	buffer_init(&d->in, DELIVER_REPLY_MAX);
	if (local_connect(paths, "sendmail.sock", &d->fd, err) != 0)
		return -1;
	setsockopt(d->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	setsockopt(d->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	if (deliver_reply(d, err) != 0)
		return -1;
	if (d->code == 220 && deliver_command(d, err, "EHLO localhost") != 0)
		return -1;
	if (d->code != 250)
		return error_set(err, d->code / 100 == 4 ? ERROR_BUSY : ERROR_DENIED, "the node refuses: %d %.200s", d->code, d->text);
	return 0;
}

void
deliver_close(struct deliver *d)
{
	if (d->fd >= 0)
		deliver_command(d, NULL, "QUIT");
	file_close(&d->fd);
	buffer_finish(&d->in);
}
