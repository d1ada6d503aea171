/* SPDX-License-Identifier: ISC
 *
 * What the fuzzers of server sessions share: a server that takes all it may, and a client that says given bytes.
 */
#pragma once

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "ipc/pack.h"
#include "loop/test_round.h"
#include "smtp/data.h"
#include "smtpd/rules.h"
#include "smtpd/smtpd.h"

#define ONION "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
#define FINGERPRINT "abcd2345abcd2345abcd2345abcd2345abcd2345abcd2345abca"
#define MESSAGE_MAX 100000

static struct loop *loop;
static struct smtpd *server;
static struct buffer trace; /* every message that was taken, and the replies */
static unsigned message_count;

static enum smtpd_verdict
on_sender(void *context, struct smtpd_question *q)
{
	(void)context;
	(void)q;
	return SMTPD_ACCEPT;
}

static enum smtpd_verdict
on_recipient(void *context, struct smtpd_question *q)
{
	(void)context;
	if (q->kind == SMTPD_ONION)
		return rules_inbound_recipient(ONION, FINGERPRINT, "alice", q->path, q->mailbox);
	return rules_outbound_recipient(q->path, q->mailbox, q->text);
}

static bool
on_login(void *context, const char *login, struct slice password)
{
	(void)context;
	return strcmp(login, "alice@" ONION) == 0 && slice_is(password, "secret");
}

/* What is taken is mail: nothing in it ends a line where others would not, and its size is within bounds. */
static const void *
on_message(void *context, const struct smtpd_message *m)
{
	(void)context;
	struct buffer content;
	struct data_scan scan = DATA_SCAN_START;
	struct slice list = m->recipients, each;
	unsigned count = 0;
	buffer_init(&content, MESSAGE_MAX);
	if (m->fd >= 0 ? file_read_all(m->fd, &content, NULL) != 0
	               : buffer_append(&content, m->body.data, m->body.len, NULL) != 0)
		abort();
	data_scan(&scan, slice_of(buffer_bytes(&content), buffer_len(&content)));
	data_scan_end(&scan);
	while (pack_next(&list, &each))
		count++;
	if (scan.is_malformed || count == 0 || count > SMTPD_RECIPIENTS_MAX || list.len > 0)
		abort();
	if (m->kind == SMTPD_SUBMISSION && m->login == NULL)
		abort();
	buffer_printf(&trace, NULL, "message %d %s\n", (int)m->kind, m->reverse_path);
	buffer_append(&trace, m->recipients.data, m->recipients.len, NULL);
	buffer_append(&trace, buffer_bytes(&content), buffer_len(&content), NULL);
	message_count++;
	buffer_finish(&content);
	smtpd_answer(server, m->transaction_id, 250, "2.0.0", "OK");
	return NULL;
}

static void
on_stopped(void *context)
{
	(void)context;
}

/* Reads what there is into the trace; every line must be a reply. */
static void
check_replies(int fd)
{
	static char text[1 << 20];
	size_t len = 0;
	ssize_t n;
	while (len < sizeof text && (n = recv(fd, text + len, sizeof text - len, 0)) > 0)
		len += (size_t)n;
	for (char *line = text, *end; line < text + len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + len - line));
		if (end == NULL || end - line < 4 || end[-1] != '\r' || !isdigit((unsigned char)line[0]) ||
		    !isdigit((unsigned char)line[1]) || !isdigit((unsigned char)line[2]) || (line[3] != ' ' && line[3] != '-'))
			abort();
	}
	buffer_append(&trace, text, len, NULL);
}

/* A session of kind 0 (onion) or 1 (submission), in which the client says all of this, step octets at a time. */
static void
run_session(unsigned kind, struct slice said, size_t step)
{
	static const struct smtpd_events events = { on_sender, on_recipient, on_login, on_message, on_stopped };
	static struct smtpd_listener *listeners[2];
	int fds[2];
	if (loop == NULL) {
		struct smtpd_config config = { .kind = SMTPD_ONION, .hostname = ONION, .message_max_bytes = MESSAGE_MAX,
			.allow_plain_auth = true, .sessions_max = 10 };
		random_init();
		loop = loop_new();
		server = smtpd_new(loop, 10, &events, NULL);
		listeners[0] = smtpd_listen(server, -1, &config);
		config.kind = SMTPD_SUBMISSION;
		listeners[1] = smtpd_listen(server, -1, &config);
	}
	buffer_init(&trace, 16 << 20);
	message_count = 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		abort();
	smtpd_serve(listeners[kind], fds[1]);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &(int){ 256 * 1024 }, sizeof(int)); /* nobody reads before the end */
	while (said.len > 0) {
		size_t len = said.len < step ? said.len : step;
		if (send(fds[0], said.data, len, MSG_NOSIGNAL) != (ssize_t)len)
			break; /* the server has closed */
		said = slice_of(said.data + len, said.len - len);
		test_run_rounds(loop, 1);
	}
	shutdown(fds[0], SHUT_WR);
	while (smtpd_session_count(server) > 0)
		test_run_rounds(loop, 1);
	check_replies(fds[0]);
	close(fds[0]);
}

