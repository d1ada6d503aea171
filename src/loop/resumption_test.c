/* SPDX-License-Identifier: ISC */
#include "loop/test_stream.h"

#include <openssl/ssl.h>

#include "base/random.h"
#include "loop/tlsconn.h"

#define ALPN TLS_ALPN_SMTORP

/* A session that the server gave, as the owner would keep it. */
static unsigned char saved[TLS_SESSION_MAX_BYTES];
static size_t saved_len;
static int sessions_given;
static struct tls_ticket_key keys[2];

static void
on_session(void *context, struct slice session)
{
	(void)context;
	assert_true(session.len > 0 && session.len <= sizeof saved);
	memcpy(saved, session.data, session.len);
	saved_len = session.len;
	sessions_given++;
	loop_stop(loop);
}

static const struct stream_events client_events = { on_input, on_drained, on_tls, on_end, on_session };

static void
key_of(struct tls_ticket_key *key, int seed)
{
	memset(key->name, seed, sizeof key->name);
	memset(key->cipher, seed + 1, sizeof key->cipher);
	memset(key->mac, seed + 2, sizeof key->mac);
}

static void
give_keys(int seed)
{
	key_of(&keys[0], seed);
	assert_int_equal(tls_context_set_ticket_keys(server_context, keys, 1, NULL), 0);
}

static void
make_sides(size_t input_max)
{
	int fds[2];
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], input_max, 300000, &events, &a);
	b.stream = stream_new(loop, fds[1], 300000, 300000, &client_events, &b);
}

static void
drop_sides(void)
{
	stream_free(a.stream);
	stream_free(b.stream);
	buffer_finish(&a.got);
	buffer_finish(&b.got);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	buffer_init(&a.got, 64 * 1024 * 1024);
	buffer_init(&b.got, 64 * 1024 * 1024);
}

/* A full handshake, from which a session is saved. */
static void
get_session(void)
{
	sessions_given = 0;
	make_sides(1000);
	start_tls(ALPN, ALPN);
	while (sessions_given == 0)
		loop_run(loop);
	drop_sides();
}

static struct slice
session(void)
{
	return slice_of(saved, saved_len);
}

static void
resume_with(const char *early, const unsigned char *key_hash)
{
	struct error err = { 0 };
	struct tls_resumption how = { session(), key_hash, slice_of(early, strlen(early)) };
	assert_int_equal(stream_start_tls_server(a.stream, server_context, ALPN, &err), 0);
	assert_int_equal(stream_resume_tls_client(b.stream, client_context, "example.onion", ALPN, &how, &err), 0);
}

static void
until_tls(void)
{
	b.stops_on_tls = true;
	while (b.tls == 0)
		loop_run(loop);
}

static void
a_server_without_keys_gives_no_session(void **state)
{
	(void)state;
	make_sides(1000);
	sessions_given = 0;
	start_tls(ALPN, ALPN);
	b.reply_to_tls = "QUIT\r\n";
	a.echoes = true;
	b.stop_at = 6;
	loop_run(loop);
	got_is(&b, "QUIT\r\n");
	assert_int_equal(sessions_given, 0);
}

static void
without_the_protocol_there_is_no_session(void **state)
{
	(void)state;
	static const char *const pairs[][2] = { { NULL, NULL }, { ALPN, NULL }, { NULL, ALPN }, { ALPN, "smtorp/2" } };
	give_keys(1);
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		make_sides(1000);
		sessions_given = 0;
		start_tls(pairs[i][0], pairs[i][1]);
		b.reply_to_tls = "QUIT\r\n";
		a.echoes = true;
		b.stop_at = 6;
		loop_run(loop);
		assert_int_equal(sessions_given, 0);
		drop_sides();
	}
}

static void
a_session_tells_the_key_and_how_much_may_be_early(void **state)
{
	(void)state;
	struct tls_session_info info;
	char hex[65];
	give_keys(1);
	get_session();
	assert_int_equal(sessions_given, 1);
	assert_int_equal(tls_session_read(session(), &info, NULL), 0);
	assert_int_equal(info.early_max_bytes, TLS_EARLY_MAX_BYTES);
	assert_in_range(info.expires, clock_wall_s() + TLS_TICKET_LIFETIME_S - 60, clock_wall_s() + TLS_TICKET_LIFETIME_S);
	encode_hex(hex, info.key_hash, sizeof info.key_hash);
	assert_string_equal(hex, test_key_hash_hex);
}

/* The server answers before it has heard more of the client than one flight: 0.5 round trips. */
static void
early_data_is_read_and_answered_in_the_first_flight(void **state)
{
	(void)state;
	struct error err = { 0 };
	int fds[2];
	give_keys(1);
	get_session();
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], 1000, 1000, &events, &a);
	b.stream = stream_new(loop, -1, 1000, 1000, &client_events, &b);
	resume_with("EHLO bob\r\n", NULL);
	assert_int_equal(stream_early(b.stream), STREAM_EARLY_SENT);
	struct slice flight = stream_first_flight(b.stream);
	assert_int_equal(send(fds[1], flight.data, flight.len, 0), flight.len);
	a.reply_to_tls = "220 alice\r\n";
	a.echoes = true;
	a.stop_at = 10;
	loop_run(loop);
	assert_int_equal(a.tls, 1);
	got_is(&a, "EHLO bob\r\n");
	assert_string_equal(stream_alpn(a.stream), ALPN);
	assert_int_equal(stream_early(a.stream), STREAM_EARLY_READING);
	/* Only now does the client hear anything. */
	stream_connect(b.stream, fds[1], flight.len);
	b.stop_at = 21;
	loop_run(loop);
	got_is(&b, "220 alice\r\nEHLO bob\r\n");
	assert_int_equal(stream_early(b.stream), STREAM_EARLY_TAKEN);
	unsigned char hash[32];
	char hex[65];
	assert_int_equal(stream_peer_key_hash(b.stream, hash, &err), 0); /* that of the session: the server showed no certificate */
	encode_hex(hex, hash, sizeof hash);
	assert_string_equal(hex, test_key_hash_hex);
	/* It goes on as any other. */
	a.stop_at = 15;
	b.stop_at = 26;
	write_string(&b, "QUIT\r");
	while (buffer_len(&b.got) < 26)
		loop_run(loop);
	assert_int_equal(stream_early(a.stream), STREAM_EARLY_NONE);
	assert_int_equal(a.tls + b.tls, 2);
}

static void
a_resumed_session_gives_the_next_one(void **state)
{
	(void)state;
	unsigned char first[sizeof saved];
	give_keys(1);
	get_session();
	memcpy(first, saved, sizeof first);
	for (int i = 0; i < 3; i++) {
		sessions_given = 0;
		make_sides(1000);
		resume_with("x", NULL);
		while (sessions_given == 0)
			loop_run(loop);
		assert_int_equal(stream_early(b.stream), STREAM_EARLY_TAKEN);
		assert_memory_not_equal(first, saved, saved_len);
		drop_sides();
	}
}

static void
as_much_as_is_allowed_is_taken_early_whatever_the_room(void **state)
{
	(void)state;
	static const size_t rooms[] = { 1, 100, 20000, 200000 };
	unsigned char *pattern = make_pattern(TLS_EARLY_MAX_BYTES);
	give_keys(1);
	get_session();
	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
		struct tls_resumption how = { session(), NULL, slice_of(pattern, TLS_EARLY_MAX_BYTES) };
		make_sides(rooms[i]);
		assert_int_equal(stream_start_tls_server(a.stream, server_context, ALPN, NULL), 0);
		assert_int_equal(stream_resume_tls_client(b.stream, client_context, "example.onion", ALPN, &how, NULL), 0);
		a.stop_at = TLS_EARLY_MAX_BYTES + 3;
		b.reply_to_tls = "end";
		while (buffer_len(&a.got) < a.stop_at)
			loop_run(loop);
		assert_int_equal(stream_early(b.stream), STREAM_EARLY_TAKEN);
		assert_memory_equal(buffer_bytes(&a.got), pattern, TLS_EARLY_MAX_BYTES);
		drop_sides();
	}
	free(pattern);
}

/* What an owner leaves there while it may be a copy comes again when it can be none. */
static void
leave_while_early(struct side *side)
{
	struct buffer *in = stream_input(side->stream);
	if (stream_early(side->stream) == STREAM_EARLY_READING)
		return;
	assert_int_equal(buffer_append(&side->got, buffer_bytes(in), buffer_len(in), NULL), 0);
	buffer_consume(in, buffer_len(in));
}

static void
what_is_left_because_it_was_early_is_offered_after_the_handshake(void **state)
{
	(void)state;
	give_keys(1);
	get_session();
	make_sides(1000);
	resume_with("AUTH\r\n", NULL);
	a.on_input = leave_while_early;
	a.stop_at = 6;
	loop_run(loop);
	got_is(&a, "AUTH\r\n");
	assert_true(a.inputs >= 2);
}

/* Keys that went, keys of somebody else, a ticket of which one bit was changed: the handshake is a full one, and the bytes come once. */
static void
refused_early_data_is_sent_again(void **state)
{
	(void)state;
	static const char big[50001] = { 0 };
	char *text = malloc(sizeof big);
	assert_non_null(text);
	memset(text, 'x', sizeof big);
	text[sizeof big - 1] = 0;
	give_keys(1);
	get_session();
	give_keys(10);
	make_sides(1000);
	resume_with(text, NULL);
	until_tls();
	assert_int_equal(stream_early(b.stream), STREAM_EARLY_REFUSED);
	assert_int_equal(stream_early(a.stream), STREAM_EARLY_NONE);
	assert_int_equal(stream_send_again(b.stream, NULL), 0);
	a.stop_at = strlen(text);
	loop_run(loop);
	got_is(&a, text);
	assert_int_equal(a.ended + b.ended, 0);
	free(text);
}

static void
the_key_before_is_still_taken(void **state)
{
	(void)state;
	give_keys(1);
	get_session();
	key_of(&keys[0], 10);
	key_of(&keys[1], 1);
	assert_int_equal(tls_context_set_ticket_keys(server_context, keys, 2, NULL), 0);
	make_sides(1000);
	resume_with("x", NULL);
	until_tls();
	assert_int_equal(stream_early(b.stream), STREAM_EARLY_TAKEN);
}

/* Or peers who remember its key would not notice. */
static void
a_server_with_a_new_certificate_takes_no_ticket_of_the_old_one(void **state)
{
	(void)state;
	SSL_CTX *ctx = tls_context_get(server_context);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	give_keys(1);
	get_session();
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_cert_and_key(ctx, certificate, key, NULL, 1), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	give_keys(1);
	make_sides(1000);
	resume_with("x", NULL);
	until_tls();
	assert_int_equal(stream_early(b.stream), STREAM_EARLY_REFUSED);
	unsigned char hash[32];
	char hex[65];
	assert_int_equal(stream_peer_key_hash(b.stream, hash, NULL), 0);
	encode_hex(hex, hash, sizeof hash);
	assert_string_not_equal(hex, test_key_hash_hex);
}

/* Nothing is sent early to whom it is not meant for, and nothing is sent again before the caller has looked at the key. */
static void
a_session_with_another_key_is_not_gone_on_with(void **state)
{
	(void)state;
	struct tls_session_info info;
	give_keys(1);
	get_session();
	assert_int_equal(tls_session_read(session(), &info, NULL), 0);
	make_sides(1000);
	resume_with("secret", info.key_hash);
	assert_int_equal(stream_early(b.stream), STREAM_EARLY_SENT);
	drop_sides();
	info.key_hash[31] ^= 1;
	make_sides(1000);
	resume_with("secret", info.key_hash);
	assert_int_equal(stream_early(b.stream), STREAM_EARLY_NONE);
	until_tls();
	stream_finish(b.stream, DEADLINE_MS);
	a.stops_on_end = true;
	loop_run(loop);
	assert_int_equal(buffer_len(&a.got), 0);
}

static void
old_foreign_and_damaged_sessions_lead_to_a_full_handshake(void **state)
{
	(void)state;
	unsigned char good[sizeof saved];
	size_t good_len;
	give_keys(1);
	get_session();
	memcpy(good, saved, sizeof good);
	good_len = saved_len;
	for (int i = 0; i < 6; i++) {
		const unsigned char *at = good;
		unsigned char *to = saved;
		SSL_SESSION *s = d2i_SSL_SESSION(NULL, &at, (long)good_len);
		assert_non_null(s);
		if (i == 0)
			SSL_SESSION_set_time(s, SSL_SESSION_get_time(s) - TLS_TICKET_LIFETIME_S);
		else if (i == 1)
			SSL_SESSION_set_time(s, SSL_SESSION_get_time(s) + 100);
		else if (i == 2)
			SSL_SESSION_set1_hostname(s, "other.onion");
		else if (i == 3)
			SSL_SESSION_set1_alpn_selected(s, (const unsigned char *)"h2", 2);
		else if (i == 4)
			SSL_SESSION_set_max_early_data(s, 5);
		saved_len = (size_t)i2d_SSL_SESSION(s, &to);
		if (i == 5)
			saved_len -= 1;
		SSL_SESSION_free(s);
		make_sides(1000);
		resume_with("secret", NULL);
		assert_int_equal(stream_early(b.stream), STREAM_EARLY_NONE);
		until_tls();
		assert_int_equal(stream_send_again(b.stream, NULL), 0);
		a.stop_at = 6;
		loop_run(loop);
		got_is(&a, "secret");
		drop_sides();
	}
}

/* OpenSSL takes early data only when the ticket's age is what the client says, within some seconds: a flight that lay around is refused,
 * and the connection goes on. */
static void
early_data_that_comes_too_late_is_refused(void **state)
{
	(void)state;
	const unsigned char *at = saved;
	unsigned char *to = saved;
	give_keys(1);
	get_session();
	SSL_SESSION *s = d2i_SSL_SESSION(NULL, &at, (long)saved_len);
	assert_non_null(s);
	SSL_SESSION_set_time(s, SSL_SESSION_get_time(s) - 60);
	saved_len = (size_t)i2d_SSL_SESSION(s, &to);
	SSL_SESSION_free(s);
	make_sides(1000);
	resume_with("late", NULL);
	until_tls();
	assert_int_equal(stream_early(b.stream), STREAM_EARLY_REFUSED);
	assert_int_equal(stream_send_again(b.stream, NULL), 0);
	a.stop_at = 4;
	loop_run(loop);
	got_is(&a, "late");
}

/* Who says goodbye in his early data still gets the answer, a ticket, and an orderly end. */
static void
finish_after_input(struct side *side)
{
	struct buffer *in = stream_input(side->stream);
	buffer_consume(in, buffer_len(in));
	write_string(side, "221 bye\r\n");
	stream_finish(side->stream, DEADLINE_MS);
}

static void
a_goodbye_in_early_data_is_answered_with_a_ticket(void **state)
{
	(void)state;
	give_keys(1);
	get_session();
	sessions_given = 0;
	make_sides(1000);
	resume_with("QUIT\r\n", NULL);
	a.on_input = finish_after_input;
	b.stops_on_end = true;
	while (b.ended == 0)
		loop_run(loop);
	got_is(&b, "221 bye\r\n");
	assert_int_equal(b.end.code, ERROR_CLOSED);
	assert_int_equal(sessions_given, 1);
}

static void
the_same_flight_may_come_many_times(void **state)
{
	(void)state;
	int fds[2];
	give_keys(1);
	get_session();
	b.stream = stream_new(loop, -1, 1000, 1000, &client_events, &b);
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], 1000, 1000, &events, &a);
	resume_with("BDAT\r\n", NULL);
	struct slice flight = stream_first_flight(b.stream);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(send(fds[1], flight.data, flight.len, 0), flight.len);
		a.stop_at = 6;
		loop_run(loop);
		got_is(&a, "BDAT\r\n");
		assert_int_equal(stream_early(a.stream), STREAM_EARLY_READING);
		stream_free(a.stream);
		close(fds[1]);
		buffer_finish(&a.got);
		make_pair(fds);
		a.stream = stream_new(loop, fds[0], 1000, 1000, &events, &a);
		assert_int_equal(stream_start_tls_server(a.stream, server_context, ALPN, NULL), 0);
	}
	close(fds[1]);
}

/* What differs from ticket to ticket is drawn at random, and has one length. */
static void
tickets_have_one_length(void **state)
{
	(void)state;
	static const char *const suites[] = { "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256" };
	size_t len = 0;
	give_keys(1);
	for (int i = 0; i < 60; i++) {
		const unsigned char *at = saved;
		const unsigned char *ticket;
		size_t ticket_len;
		assert_int_equal(SSL_CTX_set_ciphersuites(tls_context_get(client_context), suites[i % 3]), 1);
		get_session();
		SSL_SESSION *s = d2i_SSL_SESSION(NULL, &at, (long)saved_len);
		SSL_SESSION_get0_ticket(s, &ticket, &ticket_len);
		assert_int_equal(sessions_given, 1);
		if (i > 0)
			assert_int_equal(ticket_len, len);
		len = ticket_len;
		SSL_SESSION_free(s);
	}
}

static void
tls_1_2_has_no_tickets(void **state)
{
	(void)state;
	SSL_CTX *ctx = tls_context_get(client_context);
	give_keys(1);
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
	sessions_given = 0;
	make_sides(1000);
	start_tls(ALPN, ALPN);
	b.reply_to_tls = "QUIT\r\n";
	a.echoes = true;
	b.stop_at = 6;
	loop_run(loop);
	got_is(&b, "QUIT\r\n");
	assert_string_equal(stream_tls_version(b.stream), "TLSv1.2");
	assert_int_equal(sessions_given, 0);
}

int
main(void)
{
	random_init();
	tls_library_init();
	static const struct CMUnitTest tests[] = {
		TEST(a_server_without_keys_gives_no_session),
		TEST(without_the_protocol_there_is_no_session),
		TEST(a_session_tells_the_key_and_how_much_may_be_early),
		TEST(early_data_is_read_and_answered_in_the_first_flight),
		TEST(a_resumed_session_gives_the_next_one),
		TEST(as_much_as_is_allowed_is_taken_early_whatever_the_room),
		TEST(what_is_left_because_it_was_early_is_offered_after_the_handshake),
		TEST(refused_early_data_is_sent_again),
		TEST(the_key_before_is_still_taken),
		TEST(a_server_with_a_new_certificate_takes_no_ticket_of_the_old_one),
		TEST(a_session_with_another_key_is_not_gone_on_with),
		TEST(old_foreign_and_damaged_sessions_lead_to_a_full_handshake),
		TEST(early_data_that_comes_too_late_is_refused),
		TEST(a_goodbye_in_early_data_is_answered_with_a_ticket),
		TEST(the_same_flight_may_come_many_times),
		TEST(tickets_have_one_length),
		TEST(tls_1_2_has_no_tickets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
