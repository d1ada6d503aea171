/* SPDX-License-Identifier: ISC
 *
 * Drives the real executable (its path is the argument) as the parent and mail@ID would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/role.h"
#include "ipc/body.h"
#include "ipc/codec.h"
#include "ipc/pack.h"

#define DEADLINE_S 20
#define FROM "From: alice@own.onion\r\nDate: Sun, 22 Nov 2026 10:47:51 +0000\r\nMessage-ID: <1@own.onion>\r\n"

static const char *program;

struct role_process {
	pid_t pid;
	int parent, mail; /* our ends */
	unsigned char received[IPC_MESSAGE_MAX];
};

static void
make_pair(int fds[2])
{
	const struct timeval deadline = { .tv_sec = DEADLINE_S };
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline), 0);
}

static void
send_message(int socket_fd, const struct ipc_message *m)
{
	struct buffer bytes;
	struct iovec iov;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	buffer_init(&bytes, IPC_MESSAGE_MAX);
	assert_int_equal(ipc_encode(m, &bytes, NULL), 0);
	iov = (struct iovec){ (void *)(uintptr_t)buffer_bytes(&bytes), buffer_len(&bytes) };
	if (m->fd >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof control.space;
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof m->fd);
		memcpy(CMSG_DATA(h), &m->fd, sizeof m->fd);
	}
	assert_int_equal(sendmsg(socket_fd, &msg, MSG_NOSIGNAL), (ssize_t)buffer_len(&bytes));
	buffer_finish(&bytes);
}

/* Waits for the next message of this type. Byte fields are good until the next one. */
static struct ipc_message
next_message(struct role_process *p, int socket_fd, enum ipc_type type)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { p->received, sizeof p->received };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
		.msg_controllen = sizeof control.space };
	struct ipc_message m;
	ssize_t n = recvmsg(socket_fd, &msg, MSG_CMSG_CLOEXEC);
	assert_true(n > 0);
	assert_int_equal(ipc_decode(p->received, (size_t)n, &m, NULL), 0);
	if (CMSG_FIRSTHDR(&msg) != NULL)
		memcpy(&m.fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof m.fd);
	assert_int_equal(m.type, type);
	return m;
}

static int
start(void **state)
{
	struct role_process *p = calloc(1, sizeof *p);
	int parent[2], mail[2];
	make_pair(parent);
	make_pair(mail);
	p->pid = fork();
	if (p->pid == 0) {
		if (parent[1] == ROLE_PARENT_FD)
			fcntl(ROLE_PARENT_FD, F_SETFD, 0);
		else
			dup2(parent[1], ROLE_PARENT_FD);
		execl(program, program, (char *)NULL);
		_exit(127);
	}
	close(parent[1]);
	p->parent = parent[0];
	p->mail = mail[0];
	struct ipc_message m = { .type = IPC_TYPE_PEER, .fd = mail[1] };
	m.peer.role = ROLE_MAIL;
	send_message(p->parent, &m);
	close(mail[1]);
	next_message(p, p->parent, IPC_TYPE_READY);
	*state = p;
	return 0;
}

/* The role's exit status, once it has closed its end. */
static int
wait_for_exit(struct role_process *p)
{
	char byte;
	int status;
	assert_int_equal(recv(p->parent, &byte, 1, 0), 0);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	p->pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
finish(void **state)
{
	struct role_process *p = *state;
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	file_close(&p->parent);
	file_close(&p->mail);
	free(p);
	return 0;
}

static struct ipc_message
ask(struct role_process *p, struct slice message)
{
	struct ipc_message m = { .type = IPC_TYPE_PREPARE, .fd = -1 };
	struct body body;
	assert_int_equal(body_from_bytes(message, &body, NULL), 0);
	m.prepare.request_id = 42;
	strcpy(m.prepare.local_part, "alice");
	strcpy(m.prepare.onion, "own.onion");
	m.prepare.now_s = 1795344471;
	assert_int_equal(body_attach(&body, &m, &m.prepare.body, NULL), 0);
	send_message(p->mail, &m);
	body_finish(&body);
	struct ipc_message result = next_message(p, p->mail, IPC_TYPE_CONTENT_RESULT);
	assert_true(result.content_result.request_id == 42);
	return result;
}

static void
prepares_a_message(void **state)
{
	struct ipc_message m = ask(*state, slice_of_string(FROM "Bcc: x@y\r\n\r\nJ\xc3\xb6\r\n"));
	assert_int_equal(m.content_result.code, 250);
	assert_int_equal(m.content_result.flags, BODY_8BIT);
	assert_true(slice_is(m.content_result.body, FROM "\r\nJ\xc3\xb6\r\n"));
	assert_int_equal(m.fd, -1);
	m = ask(*state, slice_of_string("From: alice@own.onion\r\n\r\n"));
	assert_int_equal(m.content_result.code, 250);
	const char *id = memmem(m.content_result.body.data, m.content_result.body.len, "Message-ID: <", 13);
	assert_non_null(id);
	assert_int_equal(strspn(id + 13, "abcdefghijklmnopqrstuvwxyz234567"), 26);
	assert_memory_equal(id + 13 + 26, "@own.onion>\r\n", 13);
}

static void
refuses_in_words_for_the_sender(void **state)
{
	struct ipc_message m = ask(*state, slice_of_string("From: J\xc3\xb6 <j\xc3\xb6@other.onion>\r\n\r\n"));
	assert_int_equal(m.content_result.code, 550);
	assert_string_equal(m.content_result.enhanced, "5.7.1");
	assert_string_equal(m.content_result.text, "From: says j??@other.onion but this login is alice@own.onion: set this "
	    "account's sender address to it");
	m = ask(*state, slice_of_string(FROM "\r\n\n.\n"));
	assert_int_equal(m.content_result.code, 550);
	assert_string_equal(m.content_result.enhanced, "5.6.0");
	assert_int_equal(m.content_result.body.len, 0);
}

static void
large_messages_travel_sealed(void **state)
{
	const size_t lines = 200000, header = strlen(FROM "\r\n"), len = header + lines * 8;
	struct error err = { 0 };
	struct body body;
	char *message = malloc(len);
	assert_non_null(message);
	memcpy(message, FROM "\r\n", header);
	for (size_t i = 0; i < lines; i++)
		memcpy(message + header + i * 8, "line..\r\n", 8);
	struct ipc_message m = ask(*state, slice_of(message, len));
	assert_int_equal(m.content_result.code, 250);
	assert_true(m.fd >= 0);
	assert_int_equal(body_take(&m, m.content_result.body, len, &body, &err), 0); /* checks the seals */
	assert_int_equal(body.bytes.len, len);
	assert_memory_equal(body.bytes.data, message, len);
	body_finish(&body);
	free(message);
}

static void
composes_a_notification(void **state)
{
	struct role_process *p = *state;
	struct ipc_message m = { .type = IPC_TYPE_COMPOSE_DSN, .fd = -1 };
	const struct pack_result result = { 550, slice_of_string("5.1.1"), slice_of_string("no such mailbox") };
	struct buffer failures;
	buffer_init(&failures, 1000);
	assert_int_equal(pack_failure(&failures, slice_of_string("bob@other.onion"), &result, NULL), 0);
	m.compose_dsn.request_id = 43;
	strcpy(m.compose_dsn.onion, "own.onion");
	strcpy(m.compose_dsn.recipient, "alice@own.onion");
	m.compose_dsn.failures = slice_of(buffer_bytes(&failures), buffer_len(&failures));
	m.compose_dsn.body = slice_of_string(FROM "\r\nhello\r\n");
	send_message(p->mail, &m);
	struct ipc_message got = next_message(p, p->mail, IPC_TYPE_CONTENT_RESULT);
	assert_int_equal(got.content_result.code, 250);
	static const char status[] = "Final-Recipient: rfc822; bob@other.onion\r\nAction: failed\r\nStatus: 5.1.1\r\n";
	assert_non_null(memmem(got.content_result.body.data, got.content_result.body.len, status, sizeof status - 1));
	m.compose_dsn.failures.len--; /* cut off */
	send_message(p->mail, &m);
	got = next_message(p, p->mail, IPC_TYPE_CONTENT_RESULT);
	assert_int_equal(got.content_result.code, 451);
	buffer_finish(&failures);
}

static void
ends_with_its_mail_role(void **state)
{
	struct role_process *p = *state;
	file_close(&p->mail);
	assert_int_equal(wait_for_exit(p), 0);
}

static void
ends_when_told_to(void **state)
{
	struct role_process *p = *state;
	const struct ipc_message stop = { .type = IPC_TYPE_STOP, .fd = -1 };
	send_message(p->parent, &stop);
	assert_int_equal(wait_for_exit(p), 0);
}

static void
ends_when_mail_breaks_the_rules(void **state)
{
	struct role_process *p = *state;
	const struct ipc_message dial = { .type = IPC_TYPE_DIAL, .fd = -1 };
	send_message(p->mail, &dial);
	assert_int_equal(wait_for_exit(p), 1);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	program = argv[1];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(prepares_a_message, start, finish),
		cmocka_unit_test_setup_teardown(refuses_in_words_for_the_sender, start, finish),
		cmocka_unit_test_setup_teardown(large_messages_travel_sealed, start, finish),
		cmocka_unit_test_setup_teardown(composes_a_notification, start, finish),
		cmocka_unit_test_setup_teardown(ends_with_its_mail_role, start, finish),
		cmocka_unit_test_setup_teardown(ends_when_told_to, start, finish),
		cmocka_unit_test_setup_teardown(ends_when_mail_breaks_the_rules, start, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
