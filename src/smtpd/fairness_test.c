/* SPDX-License-Identifier: ISC
 *
 * Who goes when slots, memory or disk are short, and how slow a session may be. Minutes are short here.
 */
#include "smtpd/test_session.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "loop/stream.h"
#include "smtpd/session.h"

#define GREETING "220 " ONION " ESMTP\r\n"
#define BEGIN "HELO x\r\nMAIL FROM:<bob@example.net>\r\nRCPT TO:<alice@" ONION ">\r\n"
#define BEGUN GREETING "250 " ONION "\r\n250 2.1.0 OK\r\n250 2.1.5 OK\r\n"
#define GO "354 End with <CRLF>.<CRLF>\r\n"
#define TOO_MANY "421 4.3.2 Too many connections, try again later\r\n"
#define SLOTS 10 /* bench_begin() */

struct guest {
	int fd, server_fd;
	struct session *session;
};

static void
arrive(struct bench *b, struct guest *guest, const char *says)
{
	guest->fd = bench_connect(b, &guest->server_fd);
	guest->session = b->server->sessions; /* the newest is first */
	bench_say(b, guest->fd, guest->server_fd, slice_of_string(says));
	buffer_finish(&b->heard);
}

/* As if it had got on last so long ago. */
static void
age(struct guest *guest, int64_t ms)
{
	guest->session->progress_ms -= ms;
}

static void
leave(struct guest *guests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(guests[i].fd);
}

static bool
is_served(struct bench *b, struct guest *guest)
{
	struct buffer kept = b->heard;
	buffer_init(&b->heard, 100000);
	bool is_over = bench_hear(b, guest->fd);
	buffer_finish(&b->heard);
	b->heard = kept;
	return !is_over;
}

static void
the_longest_idle_makes_room_for_a_newcomer(void **state)
{
	(void)state;
	struct bench b;
	struct guest guests[SLOTS], honest;
	bench_begin(&b, SMTPD_ONION);
	for (int i = 0; i < SLOTS; i++) {
		arrive(&b, &guests[i], "HELO x\r\n");
		age(&guests[i], 60 * 1000);
	}
	age(&guests[4], 1000);
	arrive(&b, &honest, BEGIN "BDAT 1 LAST\r\nx");
	assert_buffer_is(&b.taken, "taken", "bob@example.net>alice@" ONION ",\nx");
	bench_wait_end(&b, guests[4].fd);
	assert_buffer_is(&b.heard, "heard", TOO_MANY);
	for (int i = 0; i < SLOTS; i++)
		assert_true(i == 4 || is_served(&b, &guests[i]));
	while (smtpd_session_count(b.server) > SLOTS)
		bench_round(&b);
	leave(guests, SLOTS);
	close(honest.fd);
	bench_end(&b);
}

static void
nobody_goes_who_got_on_a_moment_ago(void **state)
{
	(void)state;
	struct bench b;
	struct guest guests[SLOTS], late;
	bench_begin(&b, SMTPD_ONION);
	for (int i = 0; i < SLOTS; i++) {
		arrive(&b, &guests[i], "HELO x\r\n");
		age(&guests[i], 9000);
	}
	int fd = bench_connect(&b, &late.server_fd);
	bench_wait_end(&b, fd);
	assert_buffer_is(&b.heard, "heard", TOO_MANY);
	for (int i = 0; i < SLOTS; i++)
		assert_true(is_served(&b, &guests[i]));
	leave(guests, SLOTS);
	close(fd);
	bench_end(&b);
}

static void
who_is_in_a_message_has_more_patience_shown_than_who_is_not(void **state)
{
	(void)state;
	struct bench b;
	struct guest guests[SLOTS], honest;
	bench_begin(&b, SMTPD_ONION);
	for (int i = 0; i < SLOTS; i++) {
		arrive(&b, &guests[i], i == 7 ? "HELO x\r\nMAIL FROM:<>\r\n" : BEGIN "DATA\r\nx");
		age(&guests[i], i == 7 ? 30 * 1000 : 100 * 1000);
	}
	arrive(&b, &honest, "HELO x\r\n");
	bench_wait_end(&b, guests[7].fd);
	age(&guests[2], 21 * 1000); /* now a quarter of its age is more than anybody's */
	age(&honest, 11 * 1000);
	struct guest second;
	arrive(&b, &second, "HELO x\r\n");
	bench_wait_end(&b, guests[2].fd);
	assert_true(is_served(&b, &honest));
	leave(guests, SLOTS);
	close(honest.fd);
	close(second.fd);
	bench_end(&b);
}

static void
who_waits_for_the_answer_to_a_message_stays(void **state)
{
	(void)state;
	struct bench b;
	struct guest guests[SLOTS];
	bench_begin(&b, SMTPD_ONION);
	b.answering = NEVER;
	for (int i = 0; i < SLOTS; i++) {
		arrive(&b, &guests[i], BEGIN "BDAT 1 LAST\r\nx");
		age(&guests[i], 3600 * 1000);
	}
	int server_fd, fd = bench_connect(&b, &server_fd);
	bench_wait_end(&b, fd);
	assert_buffer_is(&b.heard, "heard", TOO_MANY);
	bench_answer(&b);
	bench_say(&b, guests[SLOTS - 1].fd, guests[SLOTS - 1].server_fd, slice_of_string("QUIT\r\n"));
	leave(guests, SLOTS);
	close(fd);
	bench_end(&b);
}

/* Octets, idle commands and transactions without end make nobody deserving. */
static void
only_what_helps_a_message_on_counts(void **state)
{
	(void)state;
	static const struct {
		const char *says;
		bool counts;
	} cases[] = {
		{ "NOOP\r\n", false },
		{ "HELO x\r\nRSET\r\n", false },
		{ "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@" ONION ">\r\n", false },
		{ BEGIN, true },
		{ BEGIN "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<alice@" ONION ">\r\n", true },
		{ BEGIN "BDAT 1 LAST\r\nx", true },
	};
	struct bench b;
	bench_begin(&b, SMTPD_ONION);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct guest guest;
		arrive(&b, &guest, "");
		age(&guest, 60 * 1000);
		int64_t before_ms = guest.session->progress_ms;
		bench_say(&b, guest.fd, guest.server_fd, slice_of_string(cases[i].says));
		if ((guest.session->progress_ms > before_ms) != cases[i].counts)
			fail_msg("case %zu", i);
		close(guest.fd);
	}
	struct guest guest;
	arrive(&b, &guest, "HELO x\r\n");
	for (int i = 0; i < SMTPD_TRIES_MAX + 1; i++) {
		age(&guest, 60 * 1000);
		int64_t before_ms = guest.session->progress_ms;
		bench_say(&b, guest.fd, guest.server_fd, slice_of_string("MAIL FROM:<>\r\nRCPT TO:<alice@" ONION ">\r\nRSET\r\n"));
		assert_int_equal(guest.session->progress_ms > before_ms, i < SMTPD_TRIES_MAX);
	}
	close(guest.fd);
	bench_end(&b);
}

static void
say_much(struct bench *b, struct guest *guest, size_t bytes)
{
	char *text = malloc(bytes);
	assert_non_null(text);
	memset(text, 'x', bytes);
	for (size_t i = 80; i < bytes; i += 80)
		memcpy(text + i - 2, "\r\n", 2);
	bench_say(b, guest->fd, guest->server_fd, slice_of(text, bytes));
	buffer_finish(&b->heard);
	free(text);
}

static void
a_message_that_comes_finds_memory_beside_messages_that_have_stopped(void **state)
{
	(void)state;
	struct bench b;
	struct guest slow[4], honest;
	bench_begin(&b, SMTPD_ONION);
	b.server->budget.max_bytes = 200000;
	for (int i = 0; i < 4; i++) {
		arrive(&b, &slow[i], BEGIN "DATA\r\n");
		say_much(&b, &slow[i], 49000);
		age(&slow[i], (60 + i) * 1000);
	}
	assert_true(b.server->budget.used_bytes > 190000);
	arrive(&b, &honest, BEGIN "DATA\r\n");
	say_much(&b, &honest, 40000);
	bench_say(&b, honest.fd, honest.server_fd, slice_of_string("\r\n.\r\n"));
	assert_buffer_is(&b.heard, "heard", "250 2.0.0 Kept\r\n");
	buffer_finish(&b.heard);
	bench_wait_end(&b, slow[3].fd); /* the oldest */
	for (int i = 0; i < 3; i++)
		assert_true(is_served(&b, &slow[i]));
	for (int i = 0; i < 3; i++) /* while all get on, nobody is ended, and who is too many is put off */
		slow[i].session->progress_ms = clock_monotonic_ms();
	buffer_finish(&b.heard);
	struct guest second;
	arrive(&b, &second, BEGIN "DATA\r\n");
	say_much(&b, &second, 60000);
	bench_say(&b, second.fd, second.server_fd, slice_of_string("\r\n.\r\n"));
	assert_buffer_is(&b.heard, "heard", "452 4.3.1 No space now, try again later\r\n");
	leave(slow, 4);
	close(honest.fd);
	close(second.fd);
	bench_end(&b);
}

static int
give_file(void *context, enum smtpd_kind kind, const char *login, const char *reverse_path)
{
	(void)context, (void)kind, (void)login, (void)reverse_path;
	return memfd_create("file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static void
a_large_message_that_comes_finds_disk_beside_those_that_have_stopped(void **state)
{
	(void)state;
	struct bench b;
	struct guest slow[2], honest;
	bench_begin(&b, SMTPD_ONION);
	struct smtpd_events events = *b.server->events;
	events.on_large = give_file;
	b.server->events = &events;
	b.server->budget.files_max_bytes = 1000000;
	for (int i = 0; i < 2; i++) {
		arrive(&b, &slow[i], BEGIN "DATA\r\n");
		say_much(&b, &slow[i], 490000);
		age(&slow[i], (60 + i) * 1000);
	}
	assert_true(b.server->budget.files_used_bytes > 900000);
	assert_true(b.server->budget.used_bytes == 0);
	arrive(&b, &honest, BEGIN "DATA\r\n");
	say_much(&b, &honest, 400000);
	assert_true(spool_takes(&honest.session->transaction->spool, SPOOL_FILES));
	bench_wait_end(&b, slow[1].fd); /* the one that has stopped for longer */
	assert_true(is_served(&b, &slow[0]));
	assert_true(b.server->budget.files_used_bytes <= 1000000);
	leave(slow, 2);
	close(honest.fd);
	bench_end(&b);
}

static void
large_messages_take_a_bounded_number_of_descriptors(void **state)
{
	(void)state;
	struct bench b;
	struct guest slow[3];
	bench_begin(&b, SMTPD_ONION);
	b.server->budget.large_max = 2;
	for (int i = 0; i < 3; i++) {
		arrive(&b, &slow[i], BEGIN "DATA\r\n");
		say_much(&b, &slow[i], 100000);
		age(&slow[i], (65 - i) * 1000);
		assert_int_equal(b.server->budget.large_used, i < 2 ? i + 1 : 2);
	}
	bench_wait_end(&b, slow[0].fd);
	assert_true(is_served(&b, &slow[1]));
	leave(slow, 3);
	while (smtpd_session_count(b.server) > 0)
		bench_round(&b);
	assert_int_equal(b.server->budget.large_used, 0);
	bench_end(&b);
}

/* Thousands of commands in one write, whose replies nobody fetches; and messages behind one that is not answered. */
static void
what_nobody_reads_takes_bounded_memory(void **state)
{
	(void)state;
	enum { MANY = 2500 };
	struct bench b;
	static int fds[MANY];
	static char commands[60000];
	int server_fd;
	for (size_t i = 0; i + 6 <= sizeof commands; i += 6)
		memcpy(commands + i, "RSET\r\n", 6);
	bench_begin(&b, SMTPD_ONION);
	b.listener->config.sessions_max = MANY;
	for (int i = 0; i < MANY; i++) {
		int small = 2048;
		fds[i] = bench_connect(&b, &server_fd);
		setsockopt(server_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
		assert_int_equal(send(fds[i], commands, sizeof commands, MSG_NOSIGNAL), sizeof commands);
		bench_round(&b);
		assert_true(loop_buffered_bytes(b.loop) < SMTPD_BUFFERS_MAX_BYTES + 1024 * 1024);
	}
	for (int i = 0; i < 10; i++)
		bench_round(&b);
	assert_true(loop_buffered_bytes(b.loop) <= SMTPD_BUFFERS_MAX_BYTES);
	assert_true(smtpd_session_count(b.server) < MANY);
	assert_true(smtpd_session_count(b.server) > MANY / 3);
	int fd = bench_connect(&b, &server_fd);
	bench_say(&b, fd, server_fd, slice_of_string(BEGIN "BDAT 1 LAST\r\nx"));
	assert_buffer_is(&b.heard, "heard", BEGUN "250 2.0.0 Kept\r\n");
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	close(fd);
	bench_end(&b);
	assert_true(b.server != NULL);
}

static void
who_fetches_no_replies_is_ended_by_time(void **state)
{
	(void)state;
	static char commands[20000];
	for (size_t i = 0; i + 6 <= sizeof commands; i += 6)
		memcpy(commands + i, "RSET\r\n", 6);
	struct bench b;
	struct guest deaf;
	int small = 2048;
	bench_begin(&b, SMTPD_ONION);
	b.server->minute_ms = 10;
	arrive(&b, &deaf, "");
	setsockopt(deaf.server_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	assert_int_equal(send(deaf.fd, commands, sizeof commands, MSG_NOSIGNAL), sizeof commands);
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	while (smtpd_session_count(b.server) > 0 && deaf.session->mode != SESSION_CLOSING) {
		assert_true(clock_monotonic_ms() < deadline);
		bench_round(&b);
	}
	close(deaf.fd);
	bench_end(&b);
}

static void
the_kernel_keeps_few_replies(void **state)
{
	(void)state;
	struct bench b;
	struct guest guest;
	int size;
	socklen_t len = sizeof size;
	bench_begin(&b, SMTPD_ONION);
	arrive(&b, &guest, "");
	assert_int_equal(getsockopt(guest.server_fd, SOL_SOCKET, SO_SNDBUF, &size, &len), 0);
	assert_true(size <= 65536);
	close(guest.fd);
	bench_end(&b);
}

/* Says the text an octet at a time, every few milliseconds, until the server hangs up. */
static void
trickle_until_end(struct bench *b, struct guest *guest, const char *text, size_t piece, int64_t every_ms)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS, next = 0;
	size_t at = 0, len = strlen(text);
	while (!bench_hear(b, guest->fd)) {
		int64_t now_ms = clock_monotonic_ms();
		assert_true(now_ms < deadline);
		if (now_ms >= next && at + piece <= len) {
			(void)!send(guest->fd, text + at, piece, MSG_NOSIGNAL);
			at += piece;
			next = now_ms + every_ms;
		}
		bench_round(b);
	}
	close(guest->fd);
}

#define TIMEOUT "421 4.4.2 Timeout\r\n"

/* Ended by time alone, when slots are not short. */
static void
a_session_must_get_on(void **state)
{
	(void)state;
	static char noops[60000], octets[60000];
	for (size_t i = 0; i + 6 < sizeof noops; i += 6)
		memcpy(noops + i, "NOOP\r\n", 6);
	memset(octets, 'x', sizeof octets - 1);
	struct bench b;
	struct guest guest;
	bench_begin(&b, SMTPD_ONION);
	b.server->minute_ms = 10;
	arrive(&b, &guest, ""); /* silence */
	trickle_until_end(&b, &guest, "", 1, 1);
	assert_buffer_is(&b.heard, "heard", TIMEOUT);
	buffer_finish(&b.heard);
	arrive(&b, &guest, ""); /* a line that never ends */
	trickle_until_end(&b, &guest, octets, 1, 1);
	assert_buffer_is(&b.heard, "heard", TIMEOUT);
	buffer_finish(&b.heard);
	arrive(&b, &guest, ""); /* a command in good time, for ever */
	trickle_until_end(&b, &guest, noops, 6, 2);
	assert_true(buffer_len(&b.heard) < sizeof noops);
	assert_memory_equal(buffer_bytes(&b.heard) + buffer_len(&b.heard) - strlen(TIMEOUT), TIMEOUT, strlen(TIMEOUT));
	buffer_finish(&b.heard);
	arrive(&b, &guest, BEGIN "DATA\r\n"); /* octets of a message */
	trickle_until_end(&b, &guest, octets, 1, 1);
	assert_buffer_is(&b.heard, "heard", TIMEOUT);
	bench_end(&b);
}

/* Its chunks come in time each, and yet it would not end before next year. */
static void
a_message_must_come_in_time_however_it_is_cut(void **state)
{
	(void)state;
	static char chunks[90000];
	for (size_t i = 0; i + 9 < sizeof chunks; i += 9)
		memcpy(chunks + i, "BDAT 1\r\nx", 9);
	struct bench b;
	struct guest guest;
	bench_begin(&b, SMTPD_ONION);
	b.server->minute_ms = 10;
	arrive(&b, &guest, BEGIN);
	int64_t begun_ms = clock_monotonic_ms();
	trickle_until_end(&b, &guest, chunks, 9, 1);
	assert_true(clock_monotonic_ms() - begun_ms >= SMTPD_MESSAGE_MINUTES * 10);
	assert_memory_equal(buffer_bytes(&b.heard) + buffer_len(&b.heard) - strlen(TIMEOUT), TIMEOUT, strlen(TIMEOUT));
	assert_int_equal(buffer_len(&b.taken), 0);
	bench_end(&b);
}

static void
a_message_has_more_time_the_more_of_it_has_come(void **state)
{
	(void)state;
	struct bench b;
	struct guest guest;
	bench_begin(&b, SMTPD_ONION);
	arrive(&b, &guest, BEGIN "DATA\r\n");
	struct transaction *t = guest.session->transaction;
	t->begun_ms -= (SMTPD_MESSAGE_MINUTES + 2) * 60 * 1000;
	assert_true(fairness_patience_ms(guest.session) < 0);
	t->content_bytes = 3 * 60 * SMTPD_SLOWEST_BYTES_PER_S;
	int64_t left_ms = fairness_patience_ms(guest.session);
	assert_true(left_ms > 59 * 1000 && left_ms <= 60 * 1000);
	t->content_bytes = 1000000000;
	assert_int_equal(fairness_patience_ms(guest.session), SMTPD_TIMEOUT_MINUTES * 60 * 1000);
	close(guest.fd);
	bench_end(&b);
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_idle_makes_room_for_a_newcomer),
		cmocka_unit_test(nobody_goes_who_got_on_a_moment_ago),
		cmocka_unit_test(who_is_in_a_message_has_more_patience_shown_than_who_is_not),
		cmocka_unit_test(who_waits_for_the_answer_to_a_message_stays),
		cmocka_unit_test(only_what_helps_a_message_on_counts),
		cmocka_unit_test(a_message_that_comes_finds_memory_beside_messages_that_have_stopped),
		cmocka_unit_test(a_large_message_that_comes_finds_disk_beside_those_that_have_stopped),
		cmocka_unit_test(large_messages_take_a_bounded_number_of_descriptors),
		cmocka_unit_test(what_nobody_reads_takes_bounded_memory),
		cmocka_unit_test(who_fetches_no_replies_is_ended_by_time),
		cmocka_unit_test(the_kernel_keeps_few_replies),
		cmocka_unit_test(a_session_must_get_on),
		cmocka_unit_test(a_message_must_come_in_time_however_it_is_cut),
		cmocka_unit_test(a_message_has_more_time_the_more_of_it_has_come),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
