/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "ipc/channel.h"
#include "ipc/test_send.h"
#include "loop/loop.h"

static int receiving_fails_with; /* once */

ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
	errno = receiving_fails_with;
	receiving_fails_with = 0;
	return errno != 0 ? -1 : syscall(SYS_recvmsg, fd, msg, flags);
}

/* One end, and what happened to it. */
struct end {
	struct loop *loop;
	struct channel *channel;
	size_t messages, descriptors, ends;
	uint64_t last_id;
	bool in_order;
	bool free_in_callback;
	size_t stop_after; /* messages */
	enum error_code code;
};

static void
on_message(void *context, struct ipc_message *m)
{
	struct end *e = context;
	char byte = 0;
	assert_int_equal(m->type, IPC_TYPE_INTAKE);
	e->in_order = e->in_order && m->intake.transaction_id == e->last_id + 1;
	e->last_id = m->intake.transaction_id;
	e->messages++;
	if (m->fd >= 0) {
		e->descriptors++;
		assert_int_equal(pread(m->fd, &byte, 1, 0), 1);
		assert_int_equal(byte, 'b');
	}
	if (e->free_in_callback) {
		channel_free(e->channel);
		e->channel = NULL;
	}
	if (e->messages == e->stop_after)
		loop_stop(e->loop);
}

static void
on_end(void *context, const struct error *err)
{
	struct end *e = context;
	e->ends++;
	e->code = err->code;
	loop_stop(e->loop);
}

static const struct channel_events events = { on_message, on_end };

/* fds[0] stays a plain socket for the test to misuse; fds[1] is mail's end of a channel to smtp. */
static void
begin(struct end *e, int fds[2])
{
	assert_int_equal(channel_pair(fds, NULL), 0);
	*e = (struct end){ .loop = loop_new(), .in_order = true };
	e->channel = channel_new(e->loop, fds[1], ROLE_MAIL, ROLE_SMTP, &events, e);
}

static void
finish(struct end *e)
{
	channel_free(e->channel);
	loop_free(e->loop);
}

static size_t
open_descriptors(void)
{
	size_t count = 0;
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void
send_raw(int fd, const void *bytes, size_t len, const int *descriptors, size_t count)
{
	assert_true(test_send(fd, bytes, len, descriptors, count, 0));
}

static size_t
encode(const struct ipc_message *m, unsigned char out[IPC_MESSAGE_MAX])
{
	struct buffer b;
	buffer_init(&b, IPC_MESSAGE_MAX);
	assert_int_equal(ipc_encode(m, &b, NULL), 0);
	size_t len = buffer_len(&b);
	memcpy(out, buffer_bytes(&b), len);
	buffer_finish(&b);
	return len;
}

static void
all_that_was_accepted_arrives_in_order(void **state)
{
	(void)state;
	static unsigned char body[IPC_BODY_INLINE_MAX];
	size_t before = open_descriptors();
	struct end mail, smtp;
	struct error err = { 0 };
	int fds[2], body_fd;
	begin(&mail, fds);
	smtp = (struct end){ .loop = mail.loop };
	smtp.channel = channel_new(mail.loop, fds[0], ROLE_SMTP, ROLE_MAIL, &events, &smtp);
	assert_int_equal(file_sealed_memory("body", 4, &body_fd, &err), 0);
	struct ipc_message m = { .type = IPC_TYPE_INTAKE };
	size_t sent = 0, with_fd = 0;
	for (;;) {
		m.intake.transaction_id = sent + 1;
		m.fd = sent % 4 == 0 ? body_fd : -1;
		m.intake.body = slice_of(body, m.fd < 0 ? sizeof body : 0);
		if (channel_send(smtp.channel, &m, &err) != 0)
			break;
		sent++;
		with_fd += m.fd >= 0;
	}
	assert_int_equal(err.code, ERROR_BUSY); /* bounded */
	assert_true(sent > CHANNEL_QUEUE_MAX_BYTES / (sizeof body + 2048));
	assert_false(channel_is_idle(smtp.channel));
	mail.stop_after = sent;
	loop_run(mail.loop);
	assert_int_equal(mail.messages, sent);
	assert_int_equal(mail.descriptors, with_fd);
	assert_true(mail.in_order);
	assert_true(channel_is_idle(smtp.channel));
	file_close(&body_fd);
	channel_free(smtp.channel);
	loop_run(mail.loop);
	assert_int_equal(mail.ends, 1);
	assert_int_equal(mail.code, ERROR_CLOSED);
	assert_int_equal(channel_send(mail.channel, &(struct ipc_message){ .type = IPC_TYPE_INTAKE_DONE, .fd = -1 }, &err), -1);
	assert_int_equal(err.code, ERROR_CLOSED);
	finish(&mail);
	assert_int_equal(open_descriptors(), before);
}

static void
what_is_sent_soon_waits_for_the_end_of_the_round_and_keeps_its_order(void **state)
{
	(void)state;
	static const enum { NOW, SOON, SOON_WITH_FD } ways[] = { SOON, SOON, NOW, SOON, SOON_WITH_FD, SOON };
	const size_t count = sizeof ways / sizeof *ways;
	struct end mail, smtp;
	int fds[2], body_fd;
	begin(&mail, fds);
	smtp = (struct end){ .loop = mail.loop };
	smtp.channel = channel_new(mail.loop, fds[0], ROLE_SMTP, ROLE_MAIL, &events, &smtp);
	assert_int_equal(file_sealed_memory("body", 4, &body_fd, NULL), 0);
	struct ipc_message m = { .type = IPC_TYPE_INTAKE };
	for (size_t i = 0; i < count; i++) {
		m.intake.transaction_id = i + 1;
		m.fd = ways[i] == SOON_WITH_FD ? body_fd : -1;
		assert_int_equal((ways[i] == NOW ? channel_send : channel_send_soon)(smtp.channel, &m, NULL), 0);
		if (i == 1) {
			channel_drain(mail.channel);
			assert_int_equal(mail.messages, 0); /* they wait */
		}
	}
	channel_drain(mail.channel);
	assert_int_equal(mail.messages, count - 1); /* what goes at once takes along what came before it */
	mail.stop_after = count;
	loop_run(mail.loop);
	assert_int_equal(mail.messages, count);
	m.fd = -1;
	m.intake.transaction_id = count + 1;
	assert_int_equal(channel_send_soon(smtp.channel, &m, NULL), 0);
	channel_free(smtp.channel);
	channel_drain(mail.channel);
	assert_int_equal(mail.messages, count + 1); /* nor is it forgotten */
	assert_true(mail.in_order);
	file_close(&body_fd);
	finish(&mail);
}

static void
sending_soon_is_bounded_too(void **state)
{
	(void)state;
	static unsigned char body[IPC_BODY_INLINE_MAX];
	struct end e;
	int fds[2];
	assert_int_equal(channel_pair(fds, NULL), 0);
	e = (struct end){ .loop = loop_new() };
	e.channel = channel_new(e.loop, fds[1], ROLE_SMTP, ROLE_MAIL, &events, &e);
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 };
	struct error err = { 0 };
	size_t sent = 0;
	m.intake.body = slice_of(body, sizeof body);
	while (channel_send_soon(e.channel, &m, &err) == 0)
		sent++;
	assert_int_equal(err.code, ERROR_BUSY);
	assert_true(sent > CHANNEL_QUEUE_MAX_BYTES / (sizeof body + 2048));
	close(fds[0]);
	finish(&e);
}

/* Whoever asks and never reads. What waits takes memory and descriptors, however small it is. */
static void
small_messages_that_nobody_reads_are_bounded_too(void **state)
{
	(void)state;
	const size_t socket_most = 10000, most[] = { CHANNEL_QUEUE_MAX_BYTES / 512, CHANNEL_QUEUE_MAX_DESCRIPTORS };
	struct ipc_message messages[] = { { .type = IPC_TYPE_INTAKE_DONE, .fd = -1 }, { .type = IPC_TYPE_SPOOL_FILE } };
	assert_int_equal(file_sealed_memory("body", 4, &messages[1].fd, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		struct end e = { .loop = loop_new() };
		struct error err = { 0 };
		int fds[2];
		size_t sent = 0;
		assert_int_equal(channel_pair(fds, NULL), 0);
		e.channel = channel_new(e.loop, fds[1], ROLE_MAIL, ROLE_SMTP, &events, &e);
		while (sent < most[i] + socket_most && channel_send(e.channel, &messages[i], &err) == 0)
			sent++;
		assert_int_equal(err.code, ERROR_BUSY);
		if (i == 1) { /* those without a descriptor still go */
			file_close(&messages[i].fd);
			assert_int_equal(channel_send(e.channel, &messages[i], &err), 0);
		}
		close(fds[0]);
		finish(&e);
	}
}

enum { OVERFILL_DONE, OVERFILL_FAILED, OVERFILL_IMPOSSIBLE };

/* An emulator may only pretend to have lowered the limit. */
static bool
is_limited_to_32(void)
{
	char line[256];
	bool is = false;
	FILE *limits = fopen("/proc/self/limits", "re");
	while (limits != NULL && fgets(line, sizeof line, limits) != NULL)
		is = is || strncmp(line, "Max open files            32 ", 29) == 0;
	if (limits != NULL)
		fclose(limits);
	return is;
}

/* The kernel lets an ordinary user have only so many descriptors on their way. In a process of its own. */
static int
overfill(void)
{
	enum { MESSAGES = 40 };
	struct end mail, smtp;
	struct error err = { 0 };
	int fds[2], body_fd;
	const struct rlimit few = { 32, 32 };
	begin(&mail, fds);
	smtp = (struct end){ .loop = mail.loop };
	smtp.channel = channel_new(mail.loop, fds[0], ROLE_SMTP, ROLE_MAIL, &events, &smtp);
	bool is_limited = setrlimit(RLIMIT_NOFILE, &few) == 0 && is_limited_to_32();
	if (file_sealed_memory("body", 4, &body_fd, &err) != 0 || (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)))
		return OVERFILL_FAILED;
	if (!is_limited)
		return OVERFILL_IMPOSSIBLE;
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = body_fd };
	size_t sent = 0;
	for (; sent < MESSAGES; sent++) {
		m.intake.transaction_id = sent + 1;
		if (channel_send(smtp.channel, &m, &err) != 0)
			break; /* no place to keep it here either */
	}
	mail.stop_after = sent;
	loop_run(mail.loop);
	return sent > 32 && mail.in_order && mail.messages == sent && mail.descriptors == sent && smtp.ends == 0 ? OVERFILL_DONE : OVERFILL_FAILED;
}

static void
descriptors_that_find_no_place_are_sent_later(void **state)
{
	(void)state;
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(overfill());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == OVERFILL_DONE || WEXITSTATUS(status) == OVERFILL_IMPOSSIBLE);
}

static void
rule_breakers_lose_the_channel(void **state)
{
	(void)state;
	static unsigned char bytes[IPC_MESSAGE_MAX + 1];
	size_t before = open_descriptors();
	for (int breach = 0; breach < 6; breach++) {
		struct end mail;
		struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 };
		int fds[2];
		/* qemu-user itself receives more descriptors than the program has room for, and leaves them open. */
		if (breach == 4 && getenv("MESON_EXE_WRAPPER") != NULL)
			continue;
		begin(&mail, fds);
		const int twice[8] = { fds[0], fds[0], fds[0], fds[0], fds[0], fds[0], fds[0], fds[0] };
		if (breach == 0)
			send_raw(fds[0], "\xff\xff", 2, NULL, 0); /* no such type */
		if (breach == 1) { /* smtp may not send what mail sends */
			m.type = IPC_TYPE_DELIVER;
			send_raw(fds[0], bytes, encode(&m, bytes), NULL, 0);
		}
		if (breach == 2) { /* a descriptor where none belongs */
			m.type = IPC_TYPE_SESSION_READY;
			send_raw(fds[0], bytes, encode(&m, bytes), twice, 1);
		}
		if (breach == 3)
			send_raw(fds[0], bytes, encode(&m, bytes), twice, 2);
		if (breach == 4) /* more than there is room for */
			send_raw(fds[0], bytes, encode(&m, bytes), twice, 8);
		if (breach == 5)
			send_raw(fds[0], bytes, sizeof bytes, twice, 1);
		loop_run(mail.loop);
		assert_int_equal(mail.messages, 0);
		assert_int_equal(mail.ends, 1);
		assert_int_equal(mail.code, ERROR_PROTOCOL);
		finish(&mail);
		close(fds[0]);
		assert_int_equal(open_descriptors(), before);
	}
}

static void
the_last_words_of_a_dying_peer_arrive(void **state)
{
	(void)state;
	static unsigned char bytes[IPC_MESSAGE_MAX];
	struct end mail;
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 };
	int fds[2];
	begin(&mail, fds);
	m.intake.transaction_id = 1;
	send_raw(fds[0], bytes, encode(&m, bytes), NULL, 0);
	const struct ipc_message unread = { .type = IPC_TYPE_INTAKE_DONE, .fd = -1 };
	assert_int_equal(channel_send(mail.channel, &unread, NULL), 0);
	close(fds[0]); /* with our message unread: the kernel reports that first */
	loop_run(mail.loop);
	assert_int_equal(mail.messages, 1);
	assert_int_equal(mail.ends, 1);
	assert_int_equal(mail.code, ERROR_CLOSED);
	finish(&mail);
}

static void
a_callback_may_free_its_channel(void **state)
{
	(void)state;
	static unsigned char bytes[IPC_MESSAGE_MAX];
	struct end mail;
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 };
	int fds[2];
	begin(&mail, fds);
	mail.free_in_callback = true;
	mail.stop_after = 1;
	for (int i = 0; i < 3; i++)
		send_raw(fds[0], bytes, encode(&m, bytes), NULL, 0);
	loop_run(mail.loop);
	assert_int_equal(mail.messages, 1);
	assert_int_equal(mail.ends, 0);
	assert_int_equal(send(fds[0], "x", 1, MSG_NOSIGNAL), -1); /* the other end is closed */
	finish(&mail);
	close(fds[0]);
}

static void
a_moment_without_memory_costs_nothing(void **state)
{
	(void)state;
	static const int moments[] = { ENOMEM, ENOBUFS, EINTR, EAGAIN };
	unsigned char bytes[IPC_MESSAGE_MAX];
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 };
	struct end mail;
	int fds[2];
	begin(&mail, fds);
	for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
		m.intake.transaction_id = i + 1;
		send_raw(fds[0], bytes, encode(&m, bytes), NULL, 0);
		mail.stop_after = i + 1;
		receiving_fails_with = moments[i];
		loop_run(mail.loop);
		assert_int_equal(receiving_fails_with, 0);
		assert_int_equal(mail.ends, 0);
		assert_int_equal(mail.messages, i + 1);
	}
	assert_true(mail.in_order);
	finish(&mail);
	close(fds[0]);
}

/* As when the kernel says first that the process ended, and then that it had said something. */
static void
what_a_dead_peer_said_is_there_without_the_loop(void **state)
{
	(void)state;
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 };
	unsigned char bytes[IPC_MESSAGE_MAX];
	for (int is_freed = 0; is_freed < 2; is_freed++) {
		struct end e;
		int fds[2];
		begin(&e, fds);
		e.free_in_callback = is_freed == 1;
		for (m.intake.transaction_id = 1; m.intake.transaction_id <= 50; m.intake.transaction_id++)
			send_raw(fds[0], bytes, encode(&m, bytes), NULL, 0);
		channel_drain(e.channel); /* somebody may still hold the other end: this does not wait for it */
		assert_int_equal(e.messages, is_freed == 1 ? 1 : 50);
		if (is_freed == 0) {
			close(fds[0]);
			assert_int_equal(e.ends, 0);
			channel_drain(e.channel);
			assert_int_equal(e.ends, 1);
			channel_drain(e.channel);
			assert_int_equal(e.ends, 1);
		} else {
			close(fds[0]);
		}
		finish(&e);
	}
}

static struct slice taken;

static void
take_secret(void *context, struct ipc_message *m)
{
	(void)context;
	taken = m->type == IPC_TYPE_UNLOCK ? m->unlock.key : m->type == IPC_TYPE_OPENPGP_MADE ? m->openpgp_made.key :
	    m->type == IPC_TYPE_CARD_REQUEST ? m->card_request.secret : m->card_facts.secret;
	assert_memory_equal(taken.data, "0123456789abcdef", 16);
}

/* The receiver's memory is there for the next message. */
static void
secrets_do_not_stay_where_they_were_received(void **state)
{
	(void)state;
	static const struct channel_events taking = { take_secret, on_end };
	const struct slice secret = slice_of_string("0123456789abcdef");
	const struct {
		enum role from, to;
		struct ipc_message m;
	} cases[] = {
		{ ROLE_CONTROL, ROLE_PARENT, { .type = IPC_TYPE_UNLOCK, .fd = -1, .unlock.key = secret } },
		{ ROLE_CONTENT, ROLE_PARENT, { .type = IPC_TYPE_OPENPGP_MADE, .fd = -1, .openpgp_made.key = secret } },
		{ ROLE_CONTROL, ROLE_MAIL, { .type = IPC_TYPE_CARD_REQUEST, .fd = -1, .card_request.secret = secret } },
		{ ROLE_MAIL, ROLE_CONTROL, { .type = IPC_TYPE_CARD_FACTS, .fd = -1, .card_facts.secret = secret } },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct end e = { .loop = loop_new() };
		int fds[2];
		assert_int_equal(channel_pair(fds, NULL), 0);
		struct channel *from = channel_new(e.loop, fds[0], cases[i].from, cases[i].to, &taking, &e);
		e.channel = channel_new(e.loop, fds[1], cases[i].to, cases[i].from, &taking, &e);
		taken = slice_of("", 0);
		assert_int_equal(channel_send(from, &cases[i].m, NULL), 0);
		channel_drain(e.channel);
		assert_int_equal(taken.len, 16);
		for (size_t at = 0; at < taken.len; at++)
			assert_int_equal(taken.data[at], 0);
		channel_free(from);
		finish(&e);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_was_accepted_arrives_in_order),
		cmocka_unit_test(what_is_sent_soon_waits_for_the_end_of_the_round_and_keeps_its_order),
		cmocka_unit_test(sending_soon_is_bounded_too),
		cmocka_unit_test(small_messages_that_nobody_reads_are_bounded_too),
		cmocka_unit_test(descriptors_that_find_no_place_are_sent_later),
		cmocka_unit_test(rule_breakers_lose_the_channel),
		cmocka_unit_test(the_last_words_of_a_dying_peer_arrive),
		cmocka_unit_test(a_callback_may_free_its_channel),
		cmocka_unit_test(a_moment_without_memory_costs_nothing),
		cmocka_unit_test(what_a_dead_peer_said_is_there_without_the_loop),
		cmocka_unit_test(secrets_do_not_stay_where_they_were_received),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
