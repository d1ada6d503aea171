/* SPDX-License-Identifier: ISC
 *
 * What the tests of the dialer share: a SOCKS port that answers as it is told, a dialer that asks it, and what that reports.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "loop/test_round.h"
#include "tor/dialer.h"
#include "tor/endpoint.h"

/* Not every test needs everything of this. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"

#define ONION_A "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion"
#define ONION_A_UPPER "25NJQAMCWEFLPVKL73J4SZAHHIHOC4XT3KTCGJNPAINGR5YHKENL5SID.ONION"
#define ONION_B "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion"
#define CONNECTIONS_MAX 64
#define HOLD 0x100     /* no answer to CONNECT */
#define SILENT 0x101   /* no answer at all */
#define NONSENSE 0x102 /* HTTP */
#define HANG_UP 0x103
#define HOLD_FOR_FLIGHT 0x104 /* no answer to CONNECT before the flight has come */

/* A connection as the SOCKS socket sees it. */
struct connection {
	int fd, code;
	struct watch *watch;
	unsigned char got[1024];
	size_t got_len;
	unsigned step;
	char password[256], host[256];
};

static struct connection connections[CONNECTIONS_MAX];
static unsigned connection_count;
static int codes[CONNECTIONS_MAX]; /* what the n-th CONNECT is answered; 0 in the beginning: it works */

static char directory[64], socks_path[96];
static struct loop *loop;
static struct timer *deadline;
static struct listener *listener;
static struct dialer *dialer;

static unsigned connected, failed, slow, wanted_events;
static char last_identity[IPC_NAME_MAX + 1], last_text[IPC_TEXT_MAX + 1];
static char last_slow[IPC_ONION_MAX + 1];
static uint64_t last_id;
static int last_fd;
static size_t last_flight_sent;
static const char *flight; /* "": the client has nothing to say */
static unsigned flights_wanted;
static uint32_t last_attempt;
static enum ipc_dial_reason last_reason;

/* ---- the SOCKS socket */

static void
say(struct connection *c, const void *bytes, size_t len)
{
	assert_int_equal(file_write_all(c->fd, bytes, len, NULL), 0);
}

static void
drop(struct connection *c)
{
	watch_free(c->watch);
	c->watch = NULL;
	file_close(&c->fd);
}

static void
answer_connect(struct connection *c)
{
	unsigned char reply[] = { 5, (unsigned char)c->code, 0, 1, 0, 0, 0, 0, 0, 0, '2', '2', '0' };
	memcpy(c->host, c->got + 5, c->got[4]);
	if (c->code < HOLD)
		say(c, reply, c->code == 0 ? 13 : 10); /* what the peer says first comes in the same segment */
}

static void
on_request(void *context)
{
	struct connection *c = context;
	ssize_t n = read(c->fd, c->got + c->got_len, sizeof c->got - c->got_len);
	if (n <= 0) {
		drop(c);
		return;
	}
	c->got_len += (size_t)n;
	if (c->code == SILENT)
		return;
	if (c->code == NONSENSE)
		say(c, "HTTP/1.0 400\r\n", 14);
	if (c->code == HANG_UP || c->code == NONSENSE) {
		drop(c);
		return;
	}
	if (c->step == 0 && c->got_len == 3) {
		assert_memory_equal(c->got, "\x05\x01\x02", 3);
		say(c, "\x05\x02", 2);
	} else if (c->step == 1 && c->got_len > 12 && c->got_len == 12u + c->got[11]) {
		assert_memory_equal(c->got, "\x01\x09<torS0X>0", 11);
		memcpy(c->password, c->got + 12, c->got[11]);
		say(c, "\x01\x00", 2);
	} else if (c->step == 2 && c->got_len > 5 && c->got_len < 7u + c->got[4] + strlen(flight)) {
		return; /* what goes with CONNECT is on its way */
	} else if (c->step == 2 && c->got_len > 5 && c->got_len == 7u + c->got[4] + strlen(flight)) {
		assert_memory_equal(c->got + 7u + c->got[4], flight, strlen(flight));
		answer_connect(c);
	} else if (c->step == 3 && c->code == HOLD_FOR_FLIGHT) {
		if (c->got_len < strlen(flight))
			return;
		assert_int_equal(c->got_len, strlen(flight));
		assert_memory_equal(c->got, flight, strlen(flight));
		say(c, "\x05\x00\x00\x01\0\0\0\0\0\0", 10);
	} else {
		fail_msg("unexpected request of %zu bytes in step %u", c->got_len, c->step);
	}
	c->step++;
	c->got_len = 0;
	if (wanted_events == 0)
		loop_stop(loop);
}

static void
on_accept(void *context, int fd)
{
	(void)context;
	assert_true(connection_count < CONNECTIONS_MAX);
	struct connection *c = &connections[connection_count];
	*c = (struct connection){ .fd = fd, .code = codes[connection_count] };
	connection_count++;
	c->watch = watch_new(loop, fd, WATCH_READ, on_request, c);
	watch_enable(c->watch, true);
}

static unsigned
count_holding(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < connection_count; i++)
		count += connections[i].fd >= 0 && connections[i].step == 3;
	return count;
}

/* ---- the dialer's events */

static void
note(const char *identity, uint64_t session_id)
{
	snprintf(last_identity, sizeof last_identity, "%s", identity);
	last_id = session_id;
	if (connected + failed >= wanted_events && wanted_events > 0)
		loop_stop(loop);
}

static void
on_connected(void *context, const struct dialer_connection *connection)
{
	(void)context;
	connected++;
	last_flight_sent = connection->flight_sent_bytes;
	last_attempt = connection->attempt;
	file_close(&last_fd);
	last_fd = connection->fd;
	note(connection->identity, connection->session_id);
}

static void
on_failed(void *context, const char *identity, uint64_t session_id, enum ipc_dial_reason reason, const char *text)
{
	(void)context;
	failed++;
	last_reason = reason;
	snprintf(last_text, sizeof last_text, "%s", text);
	note(identity, session_id);
}

static void
on_slow(void *context, struct slice onion)
{
	(void)context;
	slow++;
	snprintf(last_slow, sizeof last_slow, "%.*s", (int)onion.len, (const char *)onion.data);
	loop_stop(loop);
}

/* As the parent does it. */
static void
on_socks_wanted(void *context)
{
	(void)context;
	struct endpoint endpoint;
	assert_int_equal(endpoint_parse(socks_path, &endpoint, NULL), 0);
	int fd = endpoint_connect(&endpoint);
	dialer_take_socks(dialer, fd, errno);
}

static void
on_flight_wanted(void *context, const char *identity, uint64_t session_id, uint32_t attempt)
{
	(void)context;
	flights_wanted++;
	dialer_take_flight(dialer, identity, session_id, attempt - 1, slice_of_string("of another attempt"));
	dialer_take_flight(dialer, identity, session_id, attempt, slice_of_string(flight));
	if (flight[0] != '\0')
		dialer_take_flight(dialer, identity, session_id, attempt, slice_of_string("said twice")); /* the first one counts */
}

static void
on_deadline(void *context)
{
	(void)context;
	loop_stop(loop);
}

static void
make_dialer(struct dialer_limits limits)
{
	static const struct dialer_events events = { on_connected, on_failed, on_slow, on_socks_wanted, on_flight_wanted };
	dialer_free(dialer);
	dialer = dialer_new(loop, limits, &events, NULL);
	dialer_set_ready(dialer, true);
}

static int
set_up(void **state)
{
	(void)state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	random_init();
	strcpy(directory, "/tmp/smtorp-dialer-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(socks_path, sizeof socks_path, "%s/socks", directory);
	strcpy(address.sun_path, socks_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0)
		return -1;
	loop = loop_new();
	deadline = timer_new(loop, on_deadline, NULL);
	listener = listener_new(loop, fd, on_accept, NULL);
	make_dialer(DIALER_LIMITS);
	connection_count = connected = failed = slow = wanted_events = flights_wanted = 0;
	flight = "";
	memset(codes, 0, sizeof codes);
	last_fd = -1;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	dialer_free(dialer);
	dialer = NULL;
	for (unsigned i = 0; i < connection_count; i++)
		if (connections[i].watch != NULL)
			drop(&connections[i]);
	file_close(&last_fd);
	listener_free(listener);
	timer_free(deadline);
	loop_free(loop);
	return file_remove_tree(AT_FDCWD, directory, NULL);
}

static void
run_until_events(unsigned count)
{
	wanted_events = count;
	timer_start(deadline, 20000);
	while (connected + failed < count && timer_is_running(deadline))
		loop_run(loop);
	assert_int_equal(connected + failed, count);
	timer_stop(deadline);
}

static void
run_until_holding(unsigned count)
{
	wanted_events = 0;
	timer_start(deadline, 20000);
	while (count_holding() < count && timer_is_running(deadline))
		loop_run(loop);
	assert_int_equal(count_holding(), count);
	timer_stop(deadline);
}

/* Lets everything happen that can happen without a further event from outside. */
static void
settle(void)
{
	test_run_rounds(loop, 50);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
