/* SPDX-License-Identifier: ISC
 *
 * What cannot be seen from behind a real tor: the credentials, how many dials are under way, a SOCKS socket that
 * talks nonsense. (With a real tor: daemon/role_tor_test.c.)
 */
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
#include "tor/dialer.h"
#include "tor/endpoint.h"

#define ONION_A "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion"
#define ONION_A_UPPER "25NJQAMCWEFLPVKL73J4SZAHHIHOC4XT3KTCGJNPAINGR5YHKENL5SID.ONION"
#define ONION_B "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion"
#define SLOW "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid"
#define CONNECTIONS_MAX 64
#define HOLD 0x100     /* no answer to CONNECT */
#define SILENT 0x101   /* no answer at all */
#define NONSENSE 0x102 /* HTTP */
#define HANG_UP 0x103

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
on_connected(void *context, const char *identity, uint64_t session_id, int fd, size_t flight_sent_bytes)
{
	(void)context;
	connected++;
	last_flight_sent = flight_sent_bytes;
	file_close(&last_fd);
	last_fd = fd;
	note(identity, session_id);
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
on_flight_wanted(void *context, const char *identity, uint64_t session_id)
{
	(void)context;
	flights_wanted++;
	dialer_take_flight(dialer, identity, session_id, slice_of_string(flight));
	if (flight[0] != '\0')
		dialer_take_flight(dialer, identity, session_id, slice_of_string("said twice")); /* the first one counts */
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
	for (int i = 0; i < 50; i++) {
		timer_start(deadline, 0);
		loop_run(loop);
	}
	timer_stop(deadline);
}

/* ---- the tests */

static void
the_circuit_belongs_to_identity_and_destination(void **state)
{
	(void)state;
	static const struct {
		const char *identity, *onion;
		uint16_t port;
		int same_as; /* an earlier row, or -1 */
	} table[] = {
		{ "alice", ONION_A, 25, -1 }, { "alice", ONION_A, 465, 0 }, { "alice", ONION_A_UPPER, 25, 0 },
		{ "alice", ONION_B, 25, -1 }, { "bob", ONION_A, 25, -1 }, { "bob", ONION_A, 25, 4 }, { "alic", ONION_A, 25, -1 },
	};
	const size_t rows = sizeof table / sizeof table[0];
	for (size_t i = 0; i < rows; i++) {
		assert_int_equal(dialer_dial(dialer, table[i].identity, i, table[i].onion, table[i].port, NULL), 0);
		run_until_events((unsigned)i + 1);
		assert_string_equal(last_identity, table[i].identity);
		assert_int_equal(strlen(connections[i].password), 64);
		assert_int_equal(strspn(connections[i].password, "0123456789ABCDEF"), 64);
		assert_string_equal(connections[i].host, table[i].onion[4] == ONION_B[4] ? ONION_B : ONION_A);
		for (size_t j = 0; j < i; j++) {
			int a = table[i].same_as < 0 ? (int)i : table[i].same_as, b = table[j].same_as < 0 ? (int)j : table[j].same_as;
			assert_int_equal(strcmp(connections[i].password, connections[j].password) == 0, a == b);
		}
	}
	make_dialer(DIALER_LIMITS); /* another run has another secret */
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	run_until_events((unsigned)rows + 1);
	assert_string_not_equal(connections[rows].password, connections[0].password);
}

static void
what_the_peer_says_first_stays_in_the_socket(void **state)
{
	(void)state;
	char got[8];
	assert_int_equal(dialer_dial(dialer, "alice", 77, ONION_A, 465, NULL), 0);
	run_until_events(1);
	assert_int_equal(connected, 1);
	assert_true(last_id == 77);
	assert_int_equal(read(last_fd, got, sizeof got), 3);
	assert_memory_equal(got, "220", 3);
	assert_true((fcntl(last_fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(last_fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void
the_first_flight_goes_with_connect_where_the_client_speaks_first(void **state)
{
	(void)state;
	flight = "ClientHello";
	codes[0] = 0xf0; /* and again with the second try */
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 465, NULL), 0);
	run_until_events(1);
	assert_int_equal(connected, 1);
	assert_int_equal(flights_wanted, 2);
	assert_int_equal(last_flight_sent, strlen(flight));
	dialer_take_flight(dialer, "alice", 1, slice_of_string("too late"));
	flight = "";
	assert_int_equal(dialer_dial(dialer, "alice", 2, ONION_A, 25, NULL), 0);
	run_until_events(2);
	assert_int_equal(flights_wanted, 2);
	assert_int_equal(last_flight_sent, 0);
}

static void
a_missing_descriptor_is_looked_for_once_more(void **state)
{
	(void)state;
	codes[0] = 0xf0;
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	run_until_events(1);
	assert_int_equal(connected, 1);
	assert_int_equal(connection_count, 2);
	assert_string_equal(connections[0].password, connections[1].password);
	codes[2] = codes[3] = 0xf0;
	assert_int_equal(dialer_dial(dialer, "alice", 2, ONION_A, 25, NULL), 0);
	run_until_events(2);
	assert_int_equal(failed, 1);
	assert_int_equal(last_reason, DIAL_REASON_NO_DESCRIPTOR);
	assert_int_equal(connection_count, 4);
}

static void
every_failure_has_its_reason(void **state)
{
	(void)state;
	static const struct {
		int code;
		enum ipc_dial_reason reason;
	} table[] = {
		{ 0x01, DIAL_REASON_OTHER }, { 0x05, DIAL_REASON_PORT_REFUSED }, { 0x06, DIAL_REASON_TIMEOUT },
		{ 0xf1, DIAL_REASON_OTHER }, { 0xf2, DIAL_REASON_OFFLINE }, { 0xf3, DIAL_REASON_RENDEZVOUS },
		{ 0xf4, DIAL_REASON_AUTHORIZATION }, { 0xf5, DIAL_REASON_AUTHORIZATION }, { 0xf6, DIAL_REASON_BAD_ADDRESS },
		{ 0xf7, DIAL_REASON_RENDEZVOUS }, { NONSENSE, DIAL_REASON_OTHER }, { HANG_UP, DIAL_REASON_OTHER },
	};
	for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
		codes[i] = table[i].code;
		assert_int_equal(dialer_dial(dialer, "alice", i, ONION_A, 25, NULL), 0);
		run_until_events(i + 1);
		assert_int_equal(failed, i + 1);
		assert_int_equal(last_reason, table[i].reason);
		assert_true(strlen(last_text) > 10);
		assert_null(strstr(last_text, "25njq"));
	}
}

static void
a_silent_socks_port_is_given_up(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.deadline_ms = 30;
	make_dialer(limits);
	codes[0] = SILENT;
	codes[1] = HOLD;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(dialer_dial(dialer, "alice", i, ONION_A, 25, NULL), 0);
		run_until_events(i + 1);
		assert_int_equal(failed, i + 1);
		assert_int_equal(last_reason, DIAL_REASON_TIMEOUT);
	}
}

/* tor holds a stream at an introduction point that nobody listens at any more, until it is told to fetch. */
static void
a_slow_dial_is_made_anew_with_a_new_descriptor(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.slow_ms = 10;
	limits.renew_spread_ms = 20;
	make_dialer(limits);
	codes[0] = HOLD;
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	wanted_events = 1;
	loop_run(loop);
	assert_int_equal(slow, 1);
	assert_int_equal(strlen(last_slow), 56);
	assert_memory_equal(last_slow, ONION_A, 56);
	static const char *const others[] = {
		"HS_DESC REQUESTED " SLOW " NO_AUTH $0000000000000000000000000000000000000000~relay id",
		"HS_DESC FAILED " SLOW " NO_AUTH $0000000000000000000000000000000000000000~relay id REASON=NOT_FOUND",
		"HS_DESC RECEIVED duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad NO_AUTH $00~relay id",
		"HS_DESC RECEIVED", "HS_DESC",
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		dialer_take_event(dialer, slice_of_string(others[i]));
	settle();
	assert_int_equal(connection_count, 1);
	dialer_take_event(dialer, slice_of_string("HS_DESC RECEIVED " SLOW " NO_AUTH $00~relay id"));
	run_until_events(1);
	assert_int_equal(connected, 1);
	assert_int_equal(connection_count, 2);
	assert_string_not_equal(connections[0].password, connections[1].password);
	assert_string_equal(connections[0].host, connections[1].host);
}

static void
a_slow_dial_is_made_anew_once(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.slow_ms = 5;
	limits.deadline_ms = 60;
	limits.renew_spread_ms = 0;
	make_dialer(limits);
	codes[0] = codes[1] = HOLD;
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	wanted_events = 1;
	loop_run(loop);
	for (int i = 0; i < 3; i++)
		dialer_take_event(dialer, slice_of_string("HS_DESC FAILED " SLOW " NO_AUTH UNKNOWN id REASON=QUERY_NO_HSDIR"));
	run_until_events(1);
	assert_int_equal(last_reason, DIAL_REASON_TIMEOUT);
	assert_int_equal(connection_count, 2);
	assert_int_equal(slow, 1);
}

/* The peer would see two identities come at once, and know that they are of one node. */
static void
slow_dials_of_two_identities_are_not_made_anew_together(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.slow_ms = 5;
	limits.renew_spread_ms = INT64_C(1) << 40; /* so that one at once would be a miracle */
	make_dialer(limits);
	codes[0] = codes[1] = HOLD;
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	assert_int_equal(dialer_dial(dialer, "carol", 1, ONION_A, 25, NULL), 0);
	run_until_holding(2);
	wanted_events = 1;
	timer_start(deadline, 20000);
	while (slow < 2 && timer_is_running(deadline))
		loop_run(loop);
	timer_stop(deadline);
	assert_int_equal(slow, 2);
	dialer_take_event(dialer, slice_of_string("HS_DESC RECEIVED " SLOW " NO_AUTH $00~relay id"));
	settle();
	assert_int_equal(connection_count, 2);
	assert_string_not_equal(connections[0].password, connections[1].password);
}

static void
without_tor_dials_fail(void **state)
{
	(void)state;
	unlink(socks_path);
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	run_until_events(1);
	assert_int_equal(last_reason, DIAL_REASON_TOR_DOWN);
}

static void
dials_wait_for_tor_but_not_for_ever(void **state)
{
	(void)state;
	dialer_set_ready(dialer, false);
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0);
	settle();
	assert_int_equal(connected + failed + connection_count, 0);
	dialer_set_ready(dialer, true);
	run_until_events(1);
	assert_int_equal(connected, 1);
	struct dialer_limits limits = DIALER_LIMITS;
	limits.tor_wait_ms = 20;
	make_dialer(limits);
	dialer_set_ready(dialer, false);
	assert_int_equal(dialer_dial(dialer, "alice", 2, ONION_A, 25, NULL), 0);
	assert_int_equal(dialer_dial(dialer, "bob", 3, ONION_A, 25, NULL), 0);
	run_until_events(3);
	assert_int_equal(failed, 2);
	assert_int_equal(last_reason, DIAL_REASON_TOR_DOWN);
	assert_int_equal(connection_count, 1);
}

static void
identities_share_what_tor_can_do(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.identity_max = 4;
	limits.under_way_max = 6;
	make_dialer(limits);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		codes[i] = HOLD;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(dialer_dial(dialer, "alice", i, ONION_A, 25, NULL), 0);
	run_until_holding(4);
	settle();
	assert_int_equal(connection_count, 4); /* no more of hers */
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(dialer_dial(dialer, "bob", i, ONION_B, 25, NULL), 0);
	run_until_holding(6);
	settle();
	assert_int_equal(connection_count, 6); /* no more in all */
	assert_string_equal(connections[4].host, ONION_B);
	dialer_cancel(dialer, "alice", 2);
	dialer_cancel(dialer, "alice", 7); /* one that waits */
	settle();
	assert_int_equal(connection_count, 7);
	assert_int_equal(count_holding(), 6);
	dialer_cancel_all(dialer, "alice");
	settle();
	assert_int_equal(connection_count, 9); /* two of bob's, who has his four now */
	assert_int_equal(count_holding(), 4);
	assert_int_equal(connected + failed, 0);
}

static void
a_queue_has_an_end(void **state)
{
	(void)state;
	struct dialer_limits limits = DIALER_LIMITS;
	limits.queue_max = 2;
	make_dialer(limits);
	codes[0] = codes[1] = HOLD;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(dialer_dial(dialer, "alice", i, ONION_A, 25, NULL), 0);
	run_until_events(1);
	assert_true(last_id == 2);
	assert_int_equal(last_reason, DIAL_REASON_OTHER);
	dialer_cancel(dialer, "alice", 0);
	assert_int_equal(dialer_dial(dialer, "alice", 1, ONION_A, 25, NULL), 0); /* a session that is being dialled */
	run_until_events(2);
	assert_true(last_id == 1);
	assert_int_equal(failed, 2);
	/* Somebody who asks and asks cannot fill the memory with what is refused. */
	struct error err = { 0 };
	unsigned taken = 0;
	while (taken < 100 && dialer_dial(dialer, "alice", 10 + taken, "x.onion", 25, &err) == 0)
		taken++;
	assert_int_equal(taken, 3);
	assert_int_equal(err.code, ERROR_BUSY);
	assert_int_equal(dialer_dial(dialer, "bob", 1, ONION_A, 25, NULL), 0);
	dialer_cancel_all(dialer, "alice");
	assert_int_equal(dialer_dial(dialer, "alice", 10, ONION_A, 25, NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_circuit_belongs_to_identity_and_destination),
		TEST(what_the_peer_says_first_stays_in_the_socket),
		TEST(the_first_flight_goes_with_connect_where_the_client_speaks_first),
		TEST(a_missing_descriptor_is_looked_for_once_more),
		TEST(every_failure_has_its_reason),
		TEST(a_silent_socks_port_is_given_up),
		TEST(a_slow_dial_is_made_anew_with_a_new_descriptor),
		TEST(a_slow_dial_is_made_anew_once),
		TEST(slow_dials_of_two_identities_are_not_made_anew_together),
		TEST(without_tor_dials_fail),
		TEST(dials_wait_for_tor_but_not_for_ever),
		TEST(identities_share_what_tor_can_do),
		TEST(a_queue_has_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
