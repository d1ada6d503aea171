/* SPDX-License-Identifier: ISC
 *
 * For the tests of smtorp-smtp: the executable; its parent, mail@ID and tor are played by the test.
 */
#pragma once

#include "daemon/test_role.h"

#include <sys/mman.h>

#include "ipc/body.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <sys/un.h>
#include <time.h>

#include "base/encode.h"
#include "base/password.h"
#include "base/random.h"
#include "loop/test_certificate.h"

#define ONION "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion"
#define OTHER_ONION "zqktlwiuavvvqqt4ybvgvi7tyo4hjl5xgfuvpdf6otjiycgwqbym2qad.onion"
#define ALICE "alice@" ONION
#define BOB "bob@" OTHER_ONION
#define MESSAGE_MAX 10000000

static const char *program;

/* A listening socket without a name in the file system, and a connection to it. */
struct door {
	int listening_fd;
	struct sockaddr_un address;
	socklen_t address_len;
};

static inline void
door_open(struct door *door)
{
	door->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	door->address_len = sizeof door->address;
	door->listening_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(door->listening_fd, (struct sockaddr *)&door->address, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(door->listening_fd, (struct sockaddr *)&door->address, &door->address_len), 0);
	assert_int_equal(listen(door->listening_fd, 512), 0);
}

static inline int
door_connect(const struct door *door)
{
	const struct timeval deadline = { .tv_sec = TEST_ROLE_DEADLINE_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&door->address, door->address_len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline), 0);
	return fd;
}

static inline void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads exactly what is expected. */
static inline void
hear(int fd, const char *expected)
{
	char text[4096] = "";
	size_t len = 0;
	while (len < strlen(expected)) {
		ssize_t n = recv(fd, text + len, strlen(expected) - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	assert_string_equal(text, expected);
}

static inline void
assert_ended(int fd)
{
	char byte;
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

static inline void
send_file(struct test_role *role, enum ipc_type type, const char *text)
{
	struct ipc_message m = { .type = type };
	assert_int_equal(file_sealed_memory(text, strlen(text), &m.fd, NULL), 0);
	test_role_send(role->parent, &m);
	close(m.fd);
}

static inline void
send_listener(struct test_role *role, enum ipc_listener which, struct door *door)
{
	door_open(door);
	struct ipc_message m = { .type = IPC_TYPE_LISTEN, .fd = door->listening_fd, .listen.listener = (uint8_t)which };
	test_role_send(role->parent, &m);
	close(door->listening_fd);
}

static inline void
answer(int mail, uint64_t transaction_id, unsigned code)
{
	struct ipc_message m = { .type = IPC_TYPE_INTAKE_DONE, .fd = -1, .intake_done = {
		.transaction_id = transaction_id, .code = (uint16_t)code, .enhanced = "2.0.0", .text = "Kept" } };
	test_role_send(mail, &m);
}

static inline void
assert_recipients(struct slice list, const char *expected)
{
	struct slice each;
	assert_true(pack_next(&list, &each));
	assert_true(slice_is(each, expected));
	assert_int_equal(list.len, 0);
}

static inline void
stop(struct test_role *role)
{
	const struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	time_t before = time(NULL);
	test_role_send(role->parent, &m);
	assert_int_equal(test_role_wait(role), 0);
	assert_true(time(NULL) - before < 5);
}

/* ---- smtp */

struct smtp {
	struct test_role role;
	struct door port_25, port_465;
	int mail, tor;
};

static inline void
start_smtp_limited(struct smtp *smtp, rlim_t descriptors_max)
{
	struct ipc_message config = { .type = IPC_TYPE_SMTP_CONFIG, .fd = -1, .smtp_config = { .onion = ONION,
		.local_part = "alice", .message_max_bytes = MESSAGE_MAX, .require_tls = 1 } };
	test_role_start_limited(&smtp->role, program, "smtp", descriptors_max);
	send_file(&smtp->role, IPC_TYPE_TLS_KEY, test_key_pem);
	send_file(&smtp->role, IPC_TYPE_TLS_CERTIFICATE, test_certificate_pem);
	send_listener(&smtp->role, LISTENER_SMTP, &smtp->port_25);
	test_role_send(smtp->role.parent, &config);
	send_listener(&smtp->role, LISTENER_SMTORP, &smtp->port_465);
	/* Peers come last, as from the parent: they speak on channels of their own, which may be read first. */
	smtp->mail = test_role_give_peer(&smtp->role, ROLE_MAIL, "");
	smtp->tor = test_role_give_peer(&smtp->role, ROLE_TOR, "");
}

static inline int
start_smtp(void **state)
{
	static struct smtp smtp;
	start_smtp_limited(&smtp, 0);
	*state = &smtp;
	return 0;
}

static inline int
stop_smtp(void **state)
{
	struct smtp *smtp = *state;
	stop(&smtp->role);
	close(smtp->mail);
	close(smtp->tor);
	return 0;
}
