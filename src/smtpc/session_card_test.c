/* SPDX-License-Identifier: ISC
 *
 * The onion's card, before the first message or between two.
 */
#include "smtpc/test_session.h"

#include "base/random.h"

#define FLIGHT MAIL " SIZE=3\r\n" BOB "BDAT 3 LAST\r\na\r\n"
#define ANSWERS "250 ok\r\n250 ok\r\n250 done\r\n"
#define CARD "250-BEGIN:VCARD\r\n250- folded\r\n250 END:VCARD\r\n"

static char card[20000];
static int cards;
static bool is_later;

static void
on_ready_to_ask(void *context, const struct smtpc_readiness *readiness)
{
	struct error err = { 0 };
	(void)context, (void)readiness;
	client.ready++;
	assert_int_equal(smtpc_session_fetch_card(client.session, &err), 0);
	assert_int_equal(smtpc_session_fetch_card(client.session, &err), -1);
	assert_int_equal(err.code, ERROR_BUSY);
	assert_int_equal(smtpc_session_deliver(client.session, client.messages, &err), -1);
	assert_int_equal(err.code, ERROR_BUSY);
}

static void
on_card(void *context, struct slice bytes, bool later)
{
	(void)context;
	cards++;
	is_later = later;
	slice_to_string(bytes, card, sizeof card);
	deliver_next();
}

static const struct smtpc_session_events asking = { .on_ready = on_ready_to_ask, .on_delivered = on_delivered, .on_end = on_end, .on_card = on_card };

static void
run_asking(const struct line *lines)
{
	static const struct slice bob = { (const unsigned char *)"bob@" PEER, sizeof "bob@" PEER - 1 };
	static struct smtpc_message message;
	message = (struct smtpc_message){ .reverse_path = slice_of_string("alice@" OWN), .recipients = &bob, .recipient_count = 1,
		.body = slice_of_string("a\r\n") };
	memset(&client, 0, sizeof client);
	client.quits = true;
	server.alpn = TLS_ALPN_SMTORP;
	server.speaks_on_tls = true;
	cards = 0;
	test_events = &asking;
	run(SMTPC_SMTORP, lines, &message, 1);
	assert_int_equal(client.ended, 1);
}

static void
the_card_costs_one_round_trip_before_the_first_message(void **state)
{
	(void)state;
	static const struct line lines[] = { GREETING, { EHLO "CARD\r\n", "250 peer\r\n" CARD, PLAINLY }, { FLIGHT, ANSWERS, PLAINLY }, QUIT };
	run_asking(lines);
	assert_int_equal(client.reason, SMTPC_END_QUIT);
	assert_int_equal(cards, 1);
	assert_string_equal(card, "BEGIN:VCARD\r\n folded\r\nEND:VCARD\r\n");
	assert_string_equal(client.results, "250  done\n");
}

static void
a_peer_without_a_card_gets_its_message(void **state)
{
	(void)state;
	static const struct {
		const char *reply;
		bool is_later;
	} table[] = { { "250 peer\r\n500 what?\r\n", false }, { "250 peer\r\n451 later\r\n", true }, { "250 peer\r\n503 again?\r\n", true },
		{ "250 peer\r\n500-what\r\n500 is it?\r\n", false } };
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct line lines[] = { GREETING, { EHLO "CARD\r\n", table[i].reply, PLAINLY }, { FLIGHT, ANSWERS, PLAINLY }, QUIT };
		run_asking(lines);
		assert_int_equal(cards, 1);
		assert_int_equal(is_later, table[i].is_later);
		assert_string_equal(card, "");
		assert_string_equal(client.results, "250  done\n");
	}
}

/* A hostile server: what it says as a card is bounded, and no card when it is more than that. */
static void
a_card_without_end_is_none(void **state)
{
	(void)state;
	static char large[40000], endless[400000];
	strcpy(large, "250 peer\r\n");
	for (int i = 0; i < 100; i++) {
		size_t len = strlen(large);
		snprintf(large + len, sizeof large - len, "250%c%0300d\r\n", i < 99 ? '-' : ' ', i);
	}
	const struct line lines[] = { GREETING, { EHLO "CARD\r\n", large, PLAINLY }, { FLIGHT, ANSWERS, PLAINLY }, QUIT };
	run_asking(lines);
	assert_string_equal(card, "");
	assert_string_equal(client.results, "250  done\n");
	strcpy(endless, "250 peer\r\n");
	for (int i = 0; i < 10000; i++)
		memcpy(endless + 10 + 8 * i, "250-xy\r\n", 9);
	const struct line more[] = { GREETING, { EHLO "CARD\r\n", endless, PLAINLY } };
	run_asking(more);
	assert_int_equal(client.reason, SMTPC_END_PROTOCOL);
	assert_int_equal(cards, 0);
}

int
main(void)
{
	random_init();
	const struct CMUnitTest tests[] = {
		TEST(the_card_costs_one_round_trip_before_the_first_message),
		TEST(a_peer_without_a_card_gets_its_message),
		TEST(a_card_without_end_is_none),
	};
	tls_library_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
