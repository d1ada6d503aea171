/* SPDX-License-Identifier: ISC */
#include "smtpd/test_session.h"

#include "loop/stream.h"
#include "proof/session.h"
#include "smtp/command.h"

#define GREETING "220 " ONION " ESMTP\r\n"
#define HELLO \
	"250-" ONION "\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-AUTH SMTORP-ONION\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n" \
	"250-SMTPUTF8\r\n250 CHUNKING\r\n"
#define MESSAGE "MAIL FROM:<>\r\nRCPT TO:<alice@" ONION ">\r\nBDAT 1 LAST\r\nx"
#define KEPT "250 2.1.0 OK\r\n250 2.1.5 OK\r\n250 2.0.0 Kept\r\n"
#define TAKEN ">alice@" ONION ",\nx"
#define BYE "221 2.0.0 Bye\r\n"
#define PROVED "235 2.7.0 Authenticated\r\n"
#define WRONG "535 5.7.8 This proves nothing here\r\n"
#define AGAIN "503 5.5.1 One proof in a session, before MAIL\r\n"

static struct bench bench;
static struct onionkey bob;
static char proved_bob[200];
/* The last proof that was sent, and the last session that was given. */
static char last_proof[SESSION_PROOF_LEN + 1];
static unsigned char saved[TLS_SESSION_MAX_BYTES];
static size_t saved_len;

struct client {
	struct stream *stream;
	struct tls_context *tls;
	const char *alpn, *server, *say; /* "#" in say: the proof, made for this server */
	bool is_over;
};

static void
make_proof(struct client *c)
{
	unsigned char exporter[TLS_EXPORTER_BYTES] = { 0 }, server[ONIONKEY_PUBLIC_BYTES], text[CONTEXT_TEXT_MAX];
	unsigned char signature[ONIONKEY_SIGNATURE_BYTES];
	assert_int_equal(onionkey_parse_name(slice_of(c->server, ONIONKEY_NAME_LEN), server, NULL), 0);
	if (stream_exporter(c->stream, SESSION_PROOF_LABEL, exporter, NULL) != 0)
		assert_null(c->alpn);
	size_t len = context_session_text(bob.public_key, server, exporter, text);
	onionkey_sign(&bob, slice_of(text, len), signature);
	session_proof_write(bob.public_key, signature, last_proof);
}

static void
on_input(void *context)
{
	struct client *c = context;
	struct buffer *in = stream_input(c->stream);
	assert_int_equal(buffer_append(&bench.heard, buffer_bytes(in), buffer_len(in), NULL), 0);
	buffer_consume(in, buffer_len(in));
}

static void
on_tls(void *context)
{
	struct client *c = context;
	if (c->say == NULL)
		return;
	if (strchr(c->say, '#') != NULL)
		make_proof(c);
	for (const char *at = c->say, *next; *at != '\0'; at = next) {
		bool is_proof = *at == '#';
		next = is_proof ? at + 1 : at + strcspn(at, "#");
		assert_int_equal(stream_write(c->stream, is_proof ? last_proof : at, is_proof ? SESSION_PROOF_LEN : (size_t)(next - at), NULL), 0);
	}
}

static void
on_end(void *context, const struct error *err)
{
	(void)err;
	((struct client *)context)->is_over = true;
}

static void
on_session(void *context, struct slice session)
{
	(void)context;
	memcpy(saved, session.data, session.len);
	saved_len = session.len;
}

/* A session in which the client says this behind the handshake, or early, until the server hangs up. */
static void
run(struct client c, const char *early, const char *heard, const char *taken)
{
	static const struct stream_events events = { on_input, NULL, on_tls, on_end, on_session };
	int fds[2];
	struct tls_resumption how = { slice_of(saved, saved_len), NULL, slice_of_string(early == NULL ? "" : early) };
	assert_int_equal(tls_context_new_client(&c.tls, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	c.stream = stream_new(bench.loop, fds[0], 1000000, 1000000, &events, &c);
	smtpd_serve(bench.listener, fds[1]);
	if (early != NULL)
		assert_int_equal(stream_resume_tls_client(c.stream, c.tls, ONION, c.alpn, &how, NULL), 0);
	else
		assert_int_equal(stream_start_tls_client(c.stream, c.tls, ONION, c.alpn, NULL), 0);
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	while (!c.is_over) {
		assert_true(clock_monotonic_ms() < deadline);
		bench_round(&bench);
	}
	if (early != NULL && early[0] != '\0')
		assert_int_equal(stream_early(c.stream), STREAM_EARLY_TAKEN);
	assert_buffer_is(&bench.heard, "heard", heard);
	assert_buffer_is(&bench.taken, "taken", taken);
	buffer_finish(&bench.heard);
	buffer_finish(&bench.taken);
	stream_free(c.stream);
	tls_context_free(c.tls);
}

static const struct client to_us = { .alpn = TLS_ALPN_SMTORP, .server = ONION };

static struct client
says(const char *what)
{
	struct client c = to_us;
	c.say = what;
	return c;
}

static int
begin(void **state)
{
	(void)state;
	static const unsigned char seed[32] = { 7 };
	struct tls_ticket_key key;
	char name[ONIONKEY_NAME_LEN + 1];
	onionkey_from_seed(seed, &bob);
	onionkey_name(bob.public_key, name);
	snprintf(proved_bob, sizeof proved_bob, ">alice@" ONION ",\nproved %s.onion\nx", name);
	memset(&key, 1, sizeof key);
	bench_begin(&bench, SMTPD_SMTORP);
	return tls_context_set_ticket_keys(bench.tls, &key, 1, NULL);
}

static int
finish(void **state)
{
	(void)state;
	bench_end(&bench);
	return 0;
}

#define PROVE "EHLO x\r\nAUTH SMTORP-ONION #\r\n"

/* All in one flight: no round trip more than without. */
static void
a_proof_goes_in_front_of_the_message_in_one_flight(void **state)
{
	(void)state;
	run(says(PROVE MESSAGE "QUIT\r\n"), NULL, GREETING HELLO PROVED KEPT BYE, proved_bob);
	run(says("EHLO x\r\n" MESSAGE "QUIT\r\n"), NULL, GREETING HELLO KEPT BYE, TAKEN); /* the next one is who he is */
}

static void
a_proof_of_another_session_proves_nothing(void **state)
{
	(void)state;
	char again[2000];
	run(says(PROVE MESSAGE "QUIT\r\n"), NULL, GREETING HELLO PROVED KEPT BYE, proved_bob);
	snprintf(again, sizeof again, "EHLO x\r\nAUTH SMTORP-ONION %s\r\n" MESSAGE "QUIT\r\n", last_proof);
	run(says(again), NULL, GREETING HELLO WRONG KEPT BYE, TAKEN);
}

/* Somebody to whom bob wanted to prove himself hands the proof on, even if he could make the exporters the same. */
static void
a_proof_for_another_server_proves_nothing(void **state)
{
	(void)state;
	struct client c = says(PROVE MESSAGE "QUIT\r\n");
	c.server = OTHER_ONION;
	run(c, NULL, GREETING HELLO WRONG KEPT BYE, TAKEN);
}

static void
there_is_one_try_in_a_session_before_mail(void **state)
{
	(void)state;
	run(says(PROVE "AUTH SMTORP-ONION =\r\nQUIT\r\n"), NULL, GREETING HELLO PROVED AGAIN BYE, "");
	run(says("EHLO x\r\nAUTH SMTORP-ONION AAAA\r\nAUTH SMTORP-ONION #\r\n" MESSAGE "QUIT\r\n"), NULL, GREETING HELLO WRONG AGAIN KEPT BYE, TAKEN);
	run(says("EHLO x\r\nMAIL FROM:<>\r\nAUTH SMTORP-ONION #\r\nRSET\r\n" MESSAGE "QUIT\r\n"), NULL,
	    GREETING HELLO "250 2.1.0 OK\r\n" AGAIN "250 2.0.0 OK\r\n" KEPT BYE, TAKEN);
}

static void
what_is_no_proof_is_refused(void **state)
{
	(void)state;
	char said[COMMAND_LINE_MAX_BYTES + 100];
	run(says("AUTH SMTORP-ONION #\r\nEHLO x\r\nAUTH\r\nAUTH PLAIN AAAA\r\nAUTH SMTORP-ONION\r\nAUTH SMTORP-ONION # x\r\nAUTH SMTORP-ONION *\r\nQUIT\r\n"), NULL,
	    GREETING "503 5.5.1 Say EHLO first\r\n" HELLO "504 5.5.4 Only SMTORP-ONION is available\r\n504 5.5.4 Only SMTORP-ONION is available\r\n"
	    "501 5.5.2 The answer is malformed\r\n501 5.5.2 The answer is malformed\r\n" WRONG BYE, "");
	snprintf(said, sizeof said, "AUTH SMTORP-ONION %0*d\r\n", COMMAND_LINE_MAX_BYTES, 0);
	run(says(said), NULL, GREETING "500 5.5.2 Line too long\r\n", "");
}

static void
the_proved_are_offered_no_notifications_either(void **state)
{
	(void)state;
	run(says(PROVE "EHLO x\r\nMAIL FROM:<> RET=HDRS\r\nMAIL FROM:<>\r\nRCPT TO:<alice@" ONION "> NOTIFY=SUCCESS\r\nQUIT\r\n"), NULL,
	    GREETING HELLO PROVED HELLO "555 5.5.4 A parameter is not known here\r\n250 2.1.0 OK\r\n555 5.5.4 A parameter is not known here\r\n" BYE, "");
}

static void
without_the_protocol_nothing_is_proved(void **state)
{
	(void)state;
	struct client c = says("HELO x\r\nAUTH SMTORP-ONION #\r\n" MESSAGE "QUIT\r\n");
	c.alpn = NULL;
	run(c, NULL, GREETING "250 " ONION "\r\n502 5.5.1 Not available\r\n" KEPT BYE, TAKEN);
}

static void
a_ticket_keeps_what_was_proved(void **state)
{
	(void)state;
	run(says(PROVE "QUIT\r\n"), NULL, GREETING HELLO PROVED BYE, "");
	run(says(NULL), "EHLO x\r\n" MESSAGE "QUIT\r\n", GREETING HELLO KEPT BYE, proved_bob);
	/* A later one, too, and without early data; and there it is not proved again. */
	run(says("EHLO x\r\nAUTH SMTORP-ONION #\r\n" MESSAGE "QUIT\r\n"), "", GREETING HELLO AGAIN KEPT BYE, proved_bob);
}

static void
a_ticket_of_who_proved_nothing_proves_nothing(void **state)
{
	(void)state;
	run(says("EHLO x\r\nAUTH SMTORP-ONION AAAA\r\nQUIT\r\n"), NULL, GREETING HELLO WRONG BYE, "");
	run(says(NULL), "EHLO x\r\n" MESSAGE "QUIT\r\n", GREETING HELLO KEPT BYE, TAKEN);
}

/* A client cannot know the value before the handshake; what he says early is a copy, or guessed, and waits for the handshake. */
static void
an_early_proof_proves_nothing(void **state)
{
	(void)state;
	char early[2000];
	run(says(PROVE "QUIT\r\n"), NULL, GREETING HELLO PROVED BYE, "");
	run(says("EHLO x\r\nQUIT\r\n"), NULL, GREETING HELLO BYE, ""); /* its ticket tells nothing */
	snprintf(early, sizeof early, "EHLO x\r\nAUTH SMTORP-ONION %s\r\n" MESSAGE "QUIT\r\n", last_proof);
	run(says(NULL), early, GREETING HELLO WRONG KEPT BYE, TAKEN);
}

int
main(void)
{
	random_init();
	tls_library_init();
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
	const struct CMUnitTest tests[] = {
		TEST(a_proof_goes_in_front_of_the_message_in_one_flight),
		TEST(a_proof_of_another_session_proves_nothing),
		TEST(a_proof_for_another_server_proves_nothing),
		TEST(there_is_one_try_in_a_session_before_mail),
		TEST(what_is_no_proof_is_refused),
		TEST(the_proved_are_offered_no_notifications_either),
		TEST(without_the_protocol_nothing_is_proved),
		TEST(a_ticket_keeps_what_was_proved),
		TEST(a_ticket_of_who_proved_nothing_proves_nothing),
		TEST(an_early_proof_proves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
