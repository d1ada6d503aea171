/* SPDX-License-Identifier: ISC
 *
 * Runs one server session over a socket pair, for tests: bytes in, bytes out, messages that were taken.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "ipc/pack.h"
#include "loop/loop.h"
#include "loop/test_certificate.h"
#include "loop/test_round.h"
#include "smtpd/rules.h"
#include "smtpd/smtpd.h"

#define ONION "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
#define FINGERPRINT "abcd2345abcd2345abcd2345abcd2345abcd2345abcd2345abca"
#define OTHER_ONION "zqktlwiuavvvqqt4ybvgvi7tyo4hjl5xgfuvpdf6otjiycgwqbym2qad.onion"
#define DEADLINE_MS 20000
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum answering { AT_ONCE, LATER, NEVER };

struct bench {
	struct loop *loop;
	struct smtpd *server;
	struct smtpd_listener *listener;
	struct timer *later;
	struct tls_context *tls;
	enum answering answering;
	uint64_t pending;      /* the transaction to be answered later */
	unsigned answer_code;  /* 250 unless a test changes it */
	struct buffer taken;   /* "reverse-path>recipient,recipient [8] [u]\n" and the body, for each message */
	struct buffer heard;   /* what the client has read */
	bool is_stopped;
};

static enum smtpd_verdict
bench_on_sender(void *context, struct smtpd_question *q)
{
	(void)context;
	if (q->login == NULL || path_is_null(q->path) || rules_is_own_sender(ONION, "alice", q->path))
		return SMTPD_ACCEPT;
	snprintf(q->text, ERROR_TEXT_MAX, "<%s>", q->login);
	return SMTPD_NOT_SENDER;
}

static enum smtpd_verdict
bench_on_recipient(void *context, struct smtpd_question *q)
{
	(void)context;
	if (q->kind == SMTPD_ONION || q->kind == SMTPD_SMTORP)
		return rules_inbound_recipient(ONION, FINGERPRINT, "alice", q->path, q->mailbox);
	return rules_outbound_recipient(q->path, q->mailbox, q->text);
}

static bool
bench_on_login(void *context, const char *login, struct slice password)
{
	(void)context;
	return strcmp(login, "alice@" ONION) == 0 && slice_is(password, "secret");
}

static void
bench_answer(void *context)
{
	struct bench *b = context;
	smtpd_answer(b->server, b->pending, b->answer_code, b->answer_code < 300 ? "2.0.0" : "4.3.0", "Kept");
}

static const void *
bench_on_message(void *context, const struct smtpd_message *m)
{
	struct bench *b = context;
	struct slice list = m->recipients, each;
	buffer_printf(&b->taken, NULL, "%s>", m->reverse_path);
	while (pack_next(&list, &each))
		buffer_printf(&b->taken, NULL, "%.*s,", (int)each.len, (const char *)each.data);
	buffer_printf(&b->taken, NULL, "%s%s\n", m->has_8bit ? " 8" : "", m->is_smtputf8 ? " u" : "");
	if (m->proved[0] != '\0')
		buffer_printf(&b->taken, NULL, "proved %s\n", m->proved);
	if (m->fd >= 0) {
		size_t len;
		assert_int_equal(file_check_sealed(m->fd, SIZE_MAX, &len, NULL), 0);
		assert_int_equal(file_read_all(m->fd, &b->taken, NULL), 0);
	} else {
		assert_int_equal(buffer_append(&b->taken, m->body.data, m->body.len, NULL), 0);
	}
	b->pending = m->transaction_id;
	if (b->answering == AT_ONCE)
		bench_answer(b);
	else if (b->answering == LATER)
		timer_start(b->later, 0);
	return b;
}

/* Of two lines. */
static const void *
bench_on_card(void *context, uint64_t transaction_id)
{
	struct bench *b = context;
	b->pending = transaction_id;
	if (b->answering != NEVER)
		smtpd_answer_card(b->server, transaction_id, slice_of_string(b->answer_code == 250 ? "BEGIN:VCARD\r\n folded\r\nEND:VCARD\r\n" : ""));
	return b;
}

static void
bench_on_stopped(void *context)
{
	((struct bench *)context)->is_stopped = true;
}

static void
bench_begin(struct bench *b, enum smtpd_kind kind)
{
	static const struct smtpd_events events = { .on_sender = bench_on_sender, .on_recipient = bench_on_recipient, .on_login = bench_on_login,
		.on_message = bench_on_message, .on_card = bench_on_card, .on_stopped = bench_on_stopped };
	struct smtpd_config config = { .kind = kind, .hostname = ONION, .message_max_bytes = 1000000,
		.allow_plain_auth = true, .sessions_max = 10 };
	*b = (struct bench){ .loop = loop_new(), .answer_code = 250 };
	buffer_init(&b->taken, (size_t)1 << 30);
	buffer_init(&b->heard, (size_t)1 << 30);
	b->later = timer_new(b->loop, bench_answer, b);
	assert_int_equal(tls_context_new_server(slice_of_string(test_certificate_pem), slice_of_string(test_key_pem),
	    &b->tls, NULL), 0);
	config.tls = b->tls;
	b->server = smtpd_new(b->loop, 100, &events, b);
	b->listener = smtpd_listen(b->server, -1, &config);
}

static void
bench_end(struct bench *b)
{
	smtpd_free(b->server);
	tls_context_free(b->tls);
	timer_free(b->later);
	loop_free(b->loop);
	buffer_finish(&b->taken);
	buffer_finish(&b->heard);
}

static void
bench_round(struct bench *b)
{
	test_run_rounds(b->loop, 1);
}

/* Connects; *server_fd is the other end, which the server owns. */
static int
bench_connect(struct bench *b, int *server_fd)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	*server_fd = fds[1];
	smtpd_serve(b->listener, fds[1]);
	return fds[0];
}

/* Reads what there is. true: the server has hung up. */
static bool
bench_hear(struct bench *b, int fd)
{
	unsigned char bytes[65536];
	ssize_t n;
	while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
		assert_int_equal(buffer_append(&b->heard, bytes, (size_t)n, NULL), 0);
	return n == 0 || errno != EAGAIN;
}

/* Sends all of it, while the loop runs, until the server has taken it from its socket. */
static void
bench_say(struct bench *b, int fd, int server_fd, struct slice bytes)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	int waiting = 1;
	while (bytes.len > 0 || waiting > 0) {
		assert_true(clock_monotonic_ms() < deadline);
		ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return; /* it has hung up */
		if (n > 0)
			bytes = slice_of(bytes.data + n, bytes.len - (size_t)n);
		bench_round(b);
		if (bench_hear(b, fd) || ioctl(server_fd, FIONREAD, &waiting) != 0)
			return;
	}
	bench_round(b);
}

/* Runs until the server hangs up. */
static void
bench_wait_end(struct bench *b, int fd)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	while (!bench_hear(b, fd)) {
		assert_true(clock_monotonic_ms() < deadline);
		bench_round(b);
	}
}

static void
assert_buffer_is(const struct buffer *b, const char *what, const char *expected)
{
	size_t len = buffer_len(b);
	if (len != strlen(expected) || memcmp(buffer_bytes(b), expected, len) != 0)
		fail_msg("%s:\n%.*s\n--- instead of:\n%s", what, (int)len, (const char *)buffer_bytes(b), expected);
}

/* One session: says in, cut at the given place, and waits for the end, which in must bring about. */
static inline void
bench_transcript(struct bench *b, struct slice in, size_t cut, const char *heard, const char *taken)
{
	int server_fd, fd = bench_connect(b, &server_fd);
	bench_say(b, fd, server_fd, slice_of(in.data, cut));
	bench_say(b, fd, server_fd, slice_of(in.data + cut, in.len - cut));
	bench_wait_end(b, fd);
	close(fd);
	while (smtpd_session_count(b->server) > 0)
		bench_round(b);
	assert_buffer_is(&b->heard, "heard", heard);
	assert_buffer_is(&b->taken, "taken", taken);
	buffer_finish(&b->heard);
	buffer_finish(&b->taken);
}
