/* SPDX-License-Identifier: ISC
 *
 * Who proves who he is, and what becomes of tickets.
 */
#include "smtpc/test_session.h"

#include "base/random.h"

#define PROOF "SMTORP-ONION AAAA"
#define AUTH "AUTH " PROOF "\r\n"
#define FLIGHT MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\na\r\n"
#define ANSWERS "250 ok\r\n250 ok\r\n250 done\r\n"

static int asked, tickets;
static bool proves_later, proves_nothing;
static struct timer *later;
static unsigned char ours[TLS_EXPORTER_BYTES];

static void
prove(void *context)
{
	unsigned char theirs[TLS_EXPORTER_BYTES];
	(void)context;
	if (proves_later) { /* the server's handshake has finished, too */
		assert_int_equal(stream_exporter(server.stream, SMTPC_PROOF_LABEL, theirs, NULL), 0);
		assert_memory_equal(theirs, ours, sizeof theirs);
	}
	smtpc_session_prove(client.session, proves_nothing ? NULL : PROOF);
	smtpc_session_prove(client.session, "OTHER"); /* one answer counts */
}

static void
on_prove(void *context, const unsigned char exporter[TLS_EXPORTER_BYTES])
{
	(void)context;
	asked++;
	memcpy(ours, exporter, sizeof ours);
	if (proves_later)
		timer_start(later, 20); /* the greeting comes before */
	else
		prove(NULL);
}

static void
count_ticket(void *context, struct slice session)
{
	on_ticket(context, session);
	tickets++;
}

static const struct smtpc_session_events proving = { on_ready, on_delivered, on_end, count_ticket, on_prove };

static void
run_proving(const struct line *lines)
{
	static const struct slice bob = { (const unsigned char *)"bob@" PEER, sizeof "bob@" PEER - 1 };
	const struct smtpc_message message = { .reverse_path = slice_of_string("alice@" OWN), .recipients = &bob, .recipient_count = 1,
		.body = slice_of_string("a\r\n") };
	struct tls_ticket_key key;
	memset(&key, 1, sizeof key);
	assert_int_equal(tls_context_set_ticket_keys(server_context, &key, 1, NULL), 0);
	memset(&client, 0, sizeof client);
	client.quits = true;
	server.alpn = TLS_ALPN_SMTORP;
	server.speaks_on_tls = true;
	asked = tickets = 0;
	test_events = &proving;
	later = timer_new(loop, prove, NULL);
	run(SMTPC_SMTORP, lines, &message, 1);
	timer_free(later);
	assert_int_equal(client.ended, 1);
	assert_int_equal(client.reason, SMTPC_END_QUIT);
	assert_string_equal(client.results, "250  done\n");
}

static void
the_proof_goes_in_the_flight_of_the_first_message(void **state)
{
	(void)state;
	static const struct line lines[] = { GREETING, { EHLO AUTH FLIGHT, "250 peer\r\n235 ok\r\n" ANSWERS, PLAINLY }, QUIT };
	uses_ticket = false;
	for (int i = 0; i < 2; i++) {
		proves_later = i == 1;
		run_proving(lines);
		assert_int_equal(asked, 1);
		assert_int_equal(client.ready, 1);
		assert_int_equal(tickets, 1);
	}
}

/* A session that is gone on with was proved by its ticket. */
static void
who_goes_on_with_a_session_proves_nothing_again(void **state)
{
	(void)state;
	static const struct line first[] = { GREETING, { EHLO AUTH FLIGHT, "250 peer\r\n235 ok\r\n" ANSWERS, PLAINLY }, QUIT };
	static const struct line second[] = { GREETING, { EHLO FLIGHT, "250 peer\r\n" ANSWERS, PLAINLY }, QUIT };
	proves_later = uses_ticket = false;
	run_proving(first);
	uses_ticket = true;
	run_proving(second);
	assert_int_equal(asked, 0);
	assert_int_equal(client.early, 1);
	uses_ticket = false;
}

static void
a_proof_that_is_refused_costs_no_message(void **state)
{
	(void)state;
	static const struct line lines[] = { GREETING, { EHLO AUTH FLIGHT, "250 peer\r\n502 no\r\n" ANSWERS, PLAINLY }, QUIT };
	proves_later = false;
	run_proving(lines);
	assert_int_equal(tickets, 1);
}

/* With its ticket he would stay a stranger. */
static void
who_cannot_prove_it_now_keeps_no_ticket(void **state)
{
	(void)state;
	static const struct line lines[] = { GREETING, { EHLO FLIGHT, "250 peer\r\n" ANSWERS, PLAINLY }, QUIT };
	proves_nothing = true;
	for (int i = 0; i < 2; i++) {
		proves_later = i == 1;
		run_proving(lines);
		assert_int_equal(asked, 1);
		assert_int_equal(tickets, 0);
	}
	proves_nothing = false;
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		TEST(the_proof_goes_in_the_flight_of_the_first_message),
		TEST(who_goes_on_with_a_session_proves_nothing_again),
		TEST(a_proof_that_is_refused_costs_no_message),
		TEST(who_cannot_prove_it_now_keeps_no_ticket),
	};
	tls_library_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
