/* SPDX-License-Identifier: ISC
 *
 * Drives the real executable (its path is the argument) as the parent, smtp@ID, submission, tor and content@ID would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "daemon/role.h"
#include "ipc/body.h"
#include "ipc/codec.h"
#include "ipc/pack.h"

#define DEADLINE_S 20
#define OWN "efv6n5rgp4snez6qh7qc3wphma44lemwpqacfmo5xxw6o4tjgygz45yd.onion"
#define BOB "5ta3lbzh6pyswmmuranj5s454czizz5sa4rq3dutb7q3zz26evwb64qd.onion"
#define LARGE_BYTES (3 * 1024 * 1024)

static const char *program;
static uint32_t retry_s = 1;
static char folder[] = "/tmp/smtorp-role-mail-test-XXXXXX";

struct mail_process {
	pid_t pid;
	int parent, smtp, submission, tor, content; /* our ends */
	unsigned char received[IPC_MESSAGE_MAX];
};

/* ---- messages */

static void
send_message(int socket_fd, const struct ipc_message *m)
{
	struct buffer bytes;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	buffer_init(&bytes, IPC_MESSAGE_MAX);
	assert_int_equal(ipc_encode(m, &bytes, NULL), 0);
	struct iovec iov = { (void *)(uintptr_t)buffer_bytes(&bytes), buffer_len(&bytes) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
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

/* The next message, which must be of this type. Byte fields are good until the next one. */
static struct ipc_message
next_message(struct mail_process *p, int socket_fd, enum ipc_type type)
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
	if (n <= 0)
		fail_msg("no %s came", ipc_type_name(type));
	assert_int_equal(ipc_decode(p->received, (size_t)n, &m, NULL), 0);
	if (CMSG_FIRSTHDR(&msg) != NULL)
		memcpy(&m.fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof m.fd);
	if (m.type != type)
		fail_msg("%s came instead of %s", ipc_type_name(m.type), ipc_type_name(type));
	return m;
}

static void
pack_one(struct buffer *list, const char *recipient)
{
	buffer_init(list, IPC_RECIPIENTS_MAX);
	assert_int_equal(pack_string(list, slice_of_string(recipient), NULL), 0);
}

/* ---- the process and its peers */

static void
make_pair(int fds[2])
{
	const struct timeval deadline = { .tv_sec = DEADLINE_S };
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline), 0);
}

static int
give_peer(struct mail_process *p, enum role role)
{
	int fds[2];
	make_pair(fds);
	struct ipc_message m = { .type = IPC_TYPE_PEER, .fd = fds[1] };
	m.peer.role = (uint8_t)role;
	send_message(p->parent, &m);
	close(fds[1]);
	return fds[0];
}

static void
close_peers(struct mail_process *p)
{
	file_close(&p->parent);
	file_close(&p->smtp);
	file_close(&p->submission);
	file_close(&p->tor);
	file_close(&p->content);
}

static void
launch(struct mail_process *p)
{
	int parent[2];
	make_pair(parent);
	*p = (struct mail_process){ .parent = parent[0], .content = -1 };
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
	next_message(p, p->parent, IPC_TYPE_READY);
	struct ipc_message m = { .type = IPC_TYPE_MAIL_CONFIG, .fd = -1 };
	strcpy(m.mail_config.onion, OWN);
	strcpy(m.mail_config.local_part, "alice");
	m.mail_config.message_max_bytes = 4 * 1024 * 1024;
	m.mail_config.retry_first_s = retry_s;
	m.mail_config.retry_most_s = retry_s;
	m.mail_config.expire_s = 3600;
	send_message(p->parent, &m);
	p->smtp = give_peer(p, ROLE_SMTP);
	p->submission = give_peer(p, ROLE_SUBMISSION);
	p->tor = give_peer(p, ROLE_TOR);
}

static void
end_process(struct mail_process *p, int signal_number)
{
	int status;
	kill(p->pid, signal_number);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	p->pid = 0;
	close_peers(p);
}

static int
start(void **state)
{
	struct mail_process *p = calloc(1, sizeof *p);
	if (mkdir("mail", 0700) != 0 || chdir("mail") != 0)
		return -1;
	launch(p);
	*state = p;
	return 0;
}

static int
finish(void **state)
{
	struct mail_process *p = *state;
	if (p->pid > 0)
		end_process(p, SIGKILL);
	close_peers(p);
	free(p);
	return chdir("..") != 0 ? -1 : file_remove_tree(AT_FDCWD, "mail", NULL);
}

static void
intake(int socket_fd, uint64_t id, const char *reverse_path, const char *recipient, struct slice bytes)
{
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 };
	struct buffer recipients;
	struct body body;
	pack_one(&recipients, recipient);
	m.intake.transaction_id = id;
	strcpy(m.intake.reverse_path, reverse_path);
	m.intake.recipients = slice_of(buffer_bytes(&recipients), buffer_len(&recipients));
	assert_int_equal(body_from_bytes(bytes, &body, NULL), 0);
	assert_int_equal(body_attach(&body, &m, &m.intake.body, NULL), 0);
	send_message(socket_fd, &m);
	body_finish(&body);
	buffer_finish(&recipients);
}

static void
expect_done(struct mail_process *p, int socket_fd, uint64_t id, unsigned code)
{
	struct ipc_message m = next_message(p, socket_fd, IPC_TYPE_INTAKE_DONE);
	if (m.intake_done.code != code)
		fail_msg("%u %s %s", m.intake_done.code, m.intake_done.enhanced, m.intake_done.text);
	assert_true(m.intake_done.transaction_id == id);
}

static void
receive_text(struct mail_process *p, uint64_t id, const char *text)
{
	intake(p->smtp, id, "bob@" BOB, "alice@" OWN, slice_of_string(text));
}

/* content: answers PREPARE with the same bytes and a mark in front. */
static void
prepare(struct mail_process *p)
{
	struct body body;
	struct buffer marked;
	struct ipc_message m = next_message(p, p->content, IPC_TYPE_PREPARE);
	assert_string_equal(m.prepare.onion, OWN);
	assert_string_equal(m.prepare.local_part, "alice");
	struct ipc_message result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	result.content_result.request_id = m.prepare.request_id;
	result.content_result.code = 250;
	result.content_result.flags = BODY_8BIT;
	assert_int_equal(body_take(&m, m.prepare.body, 8 * 1024 * 1024, &body, NULL), 0);
	buffer_init(&marked, 8 * 1024 * 1024);
	assert_int_equal(buffer_append_string(&marked, "Prepared: yes\r\n", NULL), 0);
	assert_int_equal(buffer_append(&marked, body.bytes.data, body.bytes.len, NULL), 0);
	body_finish(&body);
	assert_int_equal(body_from_bytes(slice_of(buffer_bytes(&marked), buffer_len(&marked)), &body, NULL), 0);
	assert_int_equal(body_attach(&body, &result, &result.content_result.body, NULL), 0);
	send_message(p->content, &result);
	body_finish(&body);
	buffer_finish(&marked);
}

static void
submit(struct mail_process *p, uint64_t id, const char *recipient, struct slice bytes)
{
	intake(p->submission, id, "alice@" OWN, recipient, bytes);
	if (p->content < 0) {
		next_message(p, p->parent, IPC_TYPE_NEED_CONTENT);
		p->content = give_peer(p, ROLE_CONTENT);
	}
	prepare(p);
	expect_done(p, p->submission, id, 250);
}

/* SESSION_START and DIAL for bob; returns the session's id. */
static uint64_t
expect_dial(struct mail_process *p, unsigned port)
{
	struct ipc_message m = next_message(p, p->smtp, IPC_TYPE_SESSION_START);
	uint64_t id = m.session_start.session_id;
	assert_string_equal(m.session_start.onion, BOB);
	assert_int_equal(m.session_start.mode, port == 465 ? SESSION_SMTORP : SESSION_SMTP);
	m = next_message(p, p->tor, IPC_TYPE_DIAL);
	assert_true(m.dial.session_id == id);
	assert_string_equal(m.dial.onion, BOB);
	assert_int_equal(m.dial.port, port);
	return id;
}

static void
fail_dial(struct mail_process *p, uint64_t id, enum ipc_dial_reason reason)
{
	struct ipc_message m = { .type = IPC_TYPE_DIAL_FAILED, .fd = -1 };
	m.dial_failed.session_id = id;
	m.dial_failed.reason = (uint8_t)reason;
	send_message(p->tor, &m);
	m = next_message(p, p->smtp, IPC_TYPE_SESSION_QUIT);
	assert_true(m.session_quit.session_id == id);
}

static void
be_ready(struct mail_process *p, uint64_t id)
{
	struct ipc_message m = { .type = IPC_TYPE_SESSION_READY, .fd = -1 };
	m.session_ready.session_id = id;
	m.session_ready.tls = 1;
	send_message(p->smtp, &m);
}

static void
end_session(struct mail_process *p, uint64_t id, enum ipc_end_reason reason)
{
	struct ipc_message m = { .type = IPC_TYPE_SESSION_END, .fd = -1 };
	m.session_end.session_id = id;
	m.session_end.reason = (uint8_t)reason;
	send_message(p->smtp, &m);
}

static struct ipc_message
expect_deliver(struct mail_process *p, uint64_t session_id)
{
	struct ipc_message m = next_message(p, p->smtp, IPC_TYPE_DELIVER);
	assert_true(m.deliver.session_id == session_id);
	assert_string_equal(m.deliver.reverse_path, "alice@" OWN);
	assert_int_equal(m.deliver.flags, BODY_8BIT);
	return m;
}

static void
answer_delivery(struct mail_process *p, uint64_t session_id, uint64_t delivery_id, unsigned code)
{
	struct ipc_message m = { .type = IPC_TYPE_DELIVERED, .fd = -1 };
	struct pack_result r = { code, slice_of_string(""), slice_of_string("said the server") };
	struct buffer results;
	buffer_init(&results, 1000);
	assert_int_equal(pack_result(&results, &r, NULL), 0);
	m.delivered.session_id = session_id;
	m.delivered.delivery_id = delivery_id;
	m.delivered.results = slice_of(buffer_bytes(&results), buffer_len(&results));
	send_message(p->smtp, &m);
	buffer_finish(&results);
}

/* ---- the folder */

static size_t
count_files(const char *name, const char *text)
{
	size_t count = 0;
	struct buffer b;
	DIR *dir = opendir(name);
	if (dir == NULL)
		return 0;
	buffer_init(&b, 8 * 1024 * 1024);
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.' || file_load(dirfd(dir), e->d_name, &b, NULL) != 0)
			continue;
		count += text == NULL || memmem(buffer_bytes(&b), buffer_len(&b), text, strlen(text)) != NULL;
		buffer_finish(&b);
	}
	closedir(dir);
	return count;
}

/* Waits until a folder holds so many files. */
static void
await_files(const char *name, const char *text, size_t count)
{
	const int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_S * 1000;
	char events[4096];
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	assert_true(watch >= 0 && inotify_add_watch(watch, name, IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE) >= 0);
	while (count_files(name, text) != count) {
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0)
			fail_msg("%zu files in %s instead of %zu", count_files(name, text), name, count);
		struct pollfd poll_fd = { watch, POLLIN, 0 };
		poll(&poll_fd, 1, (int)left_ms);
		while (read(watch, events, sizeof events) > 0)
			;
	}
	close(watch);
}

static void
stop(struct mail_process *p)
{
	int status;
	struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	send_message(p->parent, &m);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	p->pid = 0;
	close_peers(p);
}

/* ---- in */

static void
a_stranger_s_message_comes_into_the_mailbox(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 7, "Subject: hello\r\n\r\nHello\r\n");
	expect_done(p, p->smtp, 7, 250);
	await_files("Maildir/new", "Return-Path: <bob@" BOB ">\nSubject: hello\n\nHello\n", 1);
	stop(p);
	assert_int_equal(count_files("staging", NULL), 0);
}

static void
a_duplicate_is_accepted_and_dropped(void **state)
{
	struct mail_process *p = *state;
	receive_text(p, 1, "Subject: hello\r\n\r\n");
	receive_text(p, 2, "Subject: hello\r\n\r\n");
	expect_done(p, p->smtp, 1, 250);
	expect_done(p, p->smtp, 2, 250);
	await_files("Maildir/new", NULL, 1);
	receive_text(p, 3, "Subject: hello\r\n\r\n");
	expect_done(p, p->smtp, 3, 250);
	receive_text(p, 4, "Subject: other\r\n\r\n");
	expect_done(p, p->smtp, 4, 250);
	await_files("Maildir/new", "Subject: other", 1);
	assert_int_equal(count_files("Maildir/new", NULL), 2);
}

static void
a_large_message_comes_sealed(void **state)
{
	struct mail_process *p = *state;
	char *text = malloc(LARGE_BYTES + 1);
	memset(text, 'x', LARGE_BYTES);
	text[LARGE_BYTES] = '\0';
	for (size_t i = 78; i + 2 < LARGE_BYTES; i += 80)
		memcpy(text + i, "\r\n", 2);
	memcpy(text, "A: 1\r\n\r\n", 8);
	intake(p->smtp, 1, "", "alice@" OWN, slice_of(text, LARGE_BYTES));
	expect_done(p, p->smtp, 1, 250);
	await_files("Maildir/new", "Return-Path: <>\nA: 1\n\nxxx", 1);
	/* more than the identity takes */
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 };
	struct buffer recipients;
	pack_one(&recipients, "alice@" OWN);
	char *huge = calloc(2, LARGE_BYTES);
	assert_int_equal(file_sealed_memory(huge, 2 * LARGE_BYTES, &m.fd, NULL), 0);
	m.intake.recipients = slice_of(buffer_bytes(&recipients), buffer_len(&recipients));
	send_message(p->smtp, &m);
	close(m.fd);
	expect_done(p, p->smtp, 0, 554);
	buffer_finish(&recipients);
	free(huge);
	free(text);
}

static void
a_kill_after_the_answer_loses_nothing(void **state)
{
	struct mail_process *p = *state;
	char text[64];
	for (int round = 0; round < 8; round++) {
		snprintf(text, sizeof text, "Subject: round %d\r\n\r\n", round);
		receive_text(p, (uint64_t)round, text);
		expect_done(p, p->smtp, (uint64_t)round, 250);
		end_process(p, SIGKILL);
		launch(p);
		receive_text(p, 100, text); /* the sender never saw the 250 */
		expect_done(p, p->smtp, 100, 250);
		snprintf(text, sizeof text, "Subject: round %d\n", round);
		await_files("Maildir/new", text, 1);
	}
	receive_text(p, 200, "Subject: the end\r\n\r\n");
	expect_done(p, p->smtp, 200, 250);
	await_files("Maildir/new", "Subject: the end", 1);
	assert_int_equal(count_files("Maildir/new", NULL), 9);
}

static void
malformed_envelopes_are_refused(void **state)
{
	struct mail_process *p = *state;
	intake(p->smtp, 1, "bob\r\nX-Evil: 1@x", "alice@" OWN, slice_of_string("A: 1\r\n\r\n"));
	expect_done(p, p->smtp, 1, 554);
	intake(p->smtp, 2, "bob@x", "", slice_of_string("A: 1\r\n\r\n"));
	expect_done(p, p->smtp, 2, 554);
}

/* ---- out */

static const char message[] = "Subject: out\r\n\r\nHello\r\n";

static void
a_submitted_message_is_delivered(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	uint64_t session = expect_dial(p, 465);
	await_files("queue", NULL, 1);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	assert_true(slice_is(m.deliver.body, "Prepared: yes\r\nSubject: out\r\n\r\nHello\r\n"));
	struct slice list = m.deliver.recipients, recipient;
	assert_true(pack_next(&list, &recipient));
	assert_true(slice_is(recipient, "bob@" BOB));
	assert_int_equal(list.len, 0);
	answer_delivery(p, session, m.deliver.delivery_id, 250);
	await_files("queue", NULL, 0);
	/* the session is warm: the next message needs no dialling */
	submit(p, 2, "bob@" BOB, slice_of_string(message));
	m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 250);
	stop(p);
}

static void
a_large_message_is_delivered(void **state)
{
	struct mail_process *p = *state;
	struct body body;
	char *text = malloc(LARGE_BYTES);
	memset(text, 'x', LARGE_BYTES);
	memcpy(text, "A: 1\r\n\r\n", 8);
	submit(p, 1, "bob@" BOB, slice_of(text, LARGE_BYTES));
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	assert_int_equal(body_take(&m, m.deliver.body, 8 * 1024 * 1024, &body, NULL), 0); /* sealed */
	assert_int_equal(body.bytes.len, LARGE_BYTES + strlen("Prepared: yes\r\n"));
	assert_memory_equal(body.bytes.data + strlen("Prepared: yes\r\n"), text, LARGE_BYTES);
	body_finish(&body);
	free(text);
}

static void
what_fails_for_now_is_tried_again(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_OFFLINE);
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 451);
	m = expect_deliver(p, session); /* over the same session */
	end_session(p, session, SESSION_END_LOST);
	session = expect_dial(p, 465);
	be_ready(p, session);
	m = expect_deliver(p, session);
	end_process(p, SIGKILL); /* in the middle of a delivery */
	launch(p);
	session = expect_dial(p, 465);
	be_ready(p, session);
	m = expect_deliver(p, session);
	assert_true(slice_is(m.deliver.body, "Prepared: yes\r\nSubject: out\r\n\r\nHello\r\n"));
	answer_delivery(p, session, m.deliver.delivery_id, 250);
	await_files("queue", NULL, 0);
	assert_int_equal(count_files("Maildir/new", NULL), 0);
}

static void
the_port_that_works_is_remembered(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_PORT_REFUSED);
	uint64_t session = expect_dial(p, 25); /* at once */
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 250);
	await_files("queue", NULL, 0);
	end_session(p, session, SESSION_END_LOST);
	submit(p, 2, "bob@" BOB, slice_of_string(message));
	expect_dial(p, 25);
}

static void
a_server_without_our_protocol_gets_plain_smtp(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	end_session(p, expect_dial(p, 465), SESSION_END_NOT_SMTORP);
	expect_dial(p, 25);
}

static void
a_missing_tor_is_waited_for(void **state)
{
	struct mail_process *p = *state;
	end_process(p, SIGKILL);
	retry_s = 600; /* what counted as a failure would not be tried again in time */
	launch(p);
	retry_s = 1;
	file_close(&p->tor);
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	await_files("queue", NULL, 1);
	p->tor = give_peer(p, ROLE_TOR);
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_TOR_DOWN);
	uint64_t session = expect_dial(p, 465);
	file_close(&p->smtp); /* and smtp dies while it dials */
	struct ipc_message m = next_message(p, p->tor, IPC_TYPE_DIAL_CANCEL);
	assert_true(m.dial_cancel.session_id == session);
	p->smtp = give_peer(p, ROLE_SMTP);
	session = expect_dial(p, 465);
	be_ready(p, session);
	m = expect_deliver(p, session);
	end_session(p, session, SESSION_END_LOST); /* because tor dies */
	file_close(&p->tor);
	p->tor = give_peer(p, ROLE_TOR);
	session = expect_dial(p, 465);
	be_ready(p, session);
	m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 250);
	await_files("queue", NULL, 0);
}

/* Answers COMPOSE_DSN. */
static void
compose(struct mail_process *p, unsigned code)
{
	struct ipc_message m = next_message(p, p->content, IPC_TYPE_COMPOSE_DSN);
	struct slice list = m.compose_dsn.failures, recipient;
	struct pack_result why;
	assert_string_equal(m.compose_dsn.onion, OWN);
	assert_string_equal(m.compose_dsn.recipient, "alice@" OWN);
	assert_true(pack_next_failure(&list, &recipient, &why));
	assert_true(slice_is(recipient, "bob@" BOB));
	assert_int_equal(why.code, code);
	assert_int_equal(list.len, 0);
	assert_true(slice_is(m.compose_dsn.body, "Prepared: yes\r\nSubject: out\r\n\r\nHello\r\n"));
	struct ipc_message result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	result.content_result.request_id = m.compose_dsn.request_id;
	result.content_result.code = 250;
	result.content_result.body = slice_of_string("Subject: it failed\r\n\r\n");
	send_message(p->content, &result);
}

static void
a_permanent_failure_is_reported_once(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	uint64_t session = expect_dial(p, 465);
	be_ready(p, session);
	struct ipc_message m = expect_deliver(p, session);
	answer_delivery(p, session, m.deliver.delivery_id, 550);
	compose(p, 550);
	await_files("Maildir/new", "Return-Path: <>\nSubject: it failed\n", 1);
	await_files("queue", NULL, 0);
	stop(p);
	launch(p);
	receive_text(p, 9, "Subject: later\r\n\r\n");
	expect_done(p, p->smtp, 9, 250);
	await_files("Maildir/new", "Subject: later", 1);
	assert_int_equal(count_files("Maildir/new", NULL), 2);
}

static void
an_address_that_cannot_be_is_reported(void **state)
{
	struct mail_process *p = *state;
	submit(p, 1, "bob@" BOB, slice_of_string(message));
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_BAD_ADDRESS);
	compose(p, 550);
	await_files("Maildir/new", "Subject: it failed", 1);
}

static void
nobody_is_told_about_a_message_from_nobody(void **state)
{
	struct mail_process *p = *state;
	intake(p->submission, 1, "", "bob@" BOB, slice_of_string(message));
	next_message(p, p->parent, IPC_TYPE_NEED_CONTENT);
	p->content = give_peer(p, ROLE_CONTENT);
	prepare(p);
	expect_done(p, p->submission, 1, 250);
	fail_dial(p, expect_dial(p, 465), DIAL_REASON_BAD_ADDRESS);
	await_files("queue", NULL, 0);
	submit(p, 2, "alice+note@" OWN, slice_of_string(message)); /* the next thing content hears is this, no COMPOSE_DSN */
	await_files("Maildir/new", "Prepared: yes\nSubject: out", 1);
	assert_int_equal(count_files("Maildir/new", NULL), 1);
}

static void
policy_is_checked_again(void **state)
{
	static const struct {
		const char *reverse_path, *recipient;
	} table[] = {
		{ "bob@" BOB, "bob@" BOB },
		{ "bob@" OWN, "bob@" BOB },
		{ "alice@" OWN, "bob@example.com" },
		{ "alice@" OWN, "bob@" },
		{ "alice@" OWN, "bob@aaaa.onion" },
		{ "alice@" OWN, "stranger@" OWN },
	};
	struct mail_process *p = *state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		intake(p->submission, i, table[i].reverse_path, table[i].recipient, slice_of_string(message));
		expect_done(p, p->submission, i, 550);
	}
}

static void
a_message_that_kills_content_is_refused(void **state)
{
	struct mail_process *p = *state;
	intake(p->submission, 1, "alice@" OWN, "bob@" BOB, slice_of_string(message));
	for (int i = 0; i < 2; i++) {
		next_message(p, p->parent, IPC_TYPE_NEED_CONTENT);
		p->content = give_peer(p, ROLE_CONTENT);
		next_message(p, p->content, IPC_TYPE_PREPARE);
		file_close(&p->content);
	}
	expect_done(p, p->submission, 1, 451);
	submit(p, 2, "bob@" BOB, slice_of_string(message)); /* and another goes its way */
}

static void
stopping_refuses_what_is_not_accepted(void **state)
{
	struct mail_process *p = *state;
	int status;
	intake(p->submission, 1, "alice@" OWN, "bob@" BOB, slice_of_string(message));
	next_message(p, p->parent, IPC_TYPE_NEED_CONTENT);
	struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	send_message(p->parent, &m);
	expect_done(p, p->submission, 1, 451);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	p->pid = 0;
}

static int
make_folder(void **state)
{
	(void)state;
	random_init();
	return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	return chdir("/") != 0 ? -1 : file_remove_tree(AT_FDCWD, folder, NULL);
}

int
main(int argc, char **argv)
{
#define WITH_MAIL(test) cmocka_unit_test_setup_teardown(test, start, finish)
	const struct CMUnitTest tests[] = {
		WITH_MAIL(a_stranger_s_message_comes_into_the_mailbox),
		WITH_MAIL(a_duplicate_is_accepted_and_dropped),
		WITH_MAIL(a_large_message_comes_sealed),
		WITH_MAIL(a_kill_after_the_answer_loses_nothing),
		WITH_MAIL(malformed_envelopes_are_refused),
		WITH_MAIL(a_submitted_message_is_delivered),
		WITH_MAIL(a_large_message_is_delivered),
		WITH_MAIL(what_fails_for_now_is_tried_again),
		WITH_MAIL(the_port_that_works_is_remembered),
		WITH_MAIL(a_server_without_our_protocol_gets_plain_smtp),
		WITH_MAIL(a_missing_tor_is_waited_for),
		WITH_MAIL(a_permanent_failure_is_reported_once),
		WITH_MAIL(an_address_that_cannot_be_is_reported),
		WITH_MAIL(nobody_is_told_about_a_message_from_nobody),
		WITH_MAIL(policy_is_checked_again),
		WITH_MAIL(a_message_that_kills_content_is_refused),
		WITH_MAIL(stopping_refuses_what_is_not_accepted),
	};
	program = argc == 2 ? realpath(argv[1], NULL) : NULL; /* the tests change their folder */
	if (program == NULL)
		return 2;
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
