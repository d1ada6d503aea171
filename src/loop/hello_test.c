/* SPDX-License-Identifier: ISC
 *
 * What a stranger may cost a server by what he says of TLS.
 */
#include "loop/test_stream.h"

#include <openssl/ssl.h>
#include <signal.h>

#include "base/random.h"
#include "loop/test_round.h"
#include "loop/tlsconn.h"

#define ALPN TLS_ALPN_SMTORP
#define TICKET_BYTES 400

static unsigned char hello[9000];
static size_t hello_len;

static void
put(const void *bytes, size_t len)
{
	assert_true(hello_len + len <= sizeof hello);
	memcpy(hello + hello_len, bytes, len);
	hello_len += len;
}

static void
put_number(size_t number, size_t bytes)
{
	while (bytes-- > 0)
		put(&(unsigned char){ (unsigned char)(number >> (8 * bytes)) }, 1);
}

/* pre_shared_key (RFC 8446 section 4.2.11): so many tickets that are not ours, and one binder. */
static void
put_tickets(size_t count)
{
	static const unsigned char ticket[TICKET_BYTES] = { 1 };
	size_t all = count * (2 + TICKET_BYTES + 4);
	put_number(41, 2);
	put_number(2 + all + 2 + 33, 2);
	put_number(all, 2);
	for (size_t i = 0; i < count; i++) {
		put_number(TICKET_BYTES, 2);
		put(ticket, TICKET_BYTES);
		put_number(i, 4);
	}
	put_number(33, 2);
	put_number(32, 1);
	put(ticket, 32);
}

/* A ClientHello in one record. */
static void
make_hello(size_t tickets)
{
	static const unsigned char begin[] = { 22, 3, 1, 0, 0, /* the record; its length comes last */
		1, 0, 0, 0, 3, 3 };
	static const unsigned char middle[] = { 0, 0, 2, 0x13, 2, 1, 0 }; /* no session id, TLS_AES_256_GCM_SHA384 */
	static const unsigned char extensions[] = { 0, 43, 0, 3, 2, 3, 4, /* supported_versions */
		0, 10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4, 0, 2, 4, 3, /* x25519, ecdsa_secp256r1_sha256 */
		0, 45, 0, 2, 1, 1, 0, 16, 0, 11, 0, 9, 8, 's', 'm', 't', 'o', 'r', 'p', '/', '1', /* psk_dhe_ke, ALPN */
		0, 51, 0, 38, 0, 36, 0, 29, 0, 32 };
	static const unsigned char random[32] = { 9 };
	hello_len = 0;
	put(begin, sizeof begin);
	put(random, sizeof random);
	put(middle, sizeof middle);
	size_t at = hello_len;
	put_number(0, 2);
	put(extensions, sizeof extensions);
	put(random, sizeof random); /* the key share */
	if (tickets > 0)
		put_tickets(tickets);
	size_t end = hello_len;
	hello_len = at;
	put_number(end - at - 2, 2);
	hello_len = 3;
	put_number(end - 5, 2);
	hello_len = 6;
	put_number(end - 9, 3);
	hello_len = end;
}

/* Whether the server has an answer to it, or ends the connection. */
static bool
is_answered(const unsigned char *bytes, size_t len, size_t step)
{
	unsigned char reply[4096];
	int fds[2];
	ssize_t n = 0;
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], 1000, 10000, &events, &a);
	a.stops_on_end = true;
	assert_int_equal(stream_start_tls_server(a.stream, server_context, ALPN, NULL), 0);
	for (size_t at = 0; at < len && a.ended == 0; at += step) {
		size_t piece = len - at < step ? len - at : step;
		assert_int_equal(send(fds[1], bytes + at, piece, MSG_NOSIGNAL), piece);
		test_run_rounds(loop, 1);
	}
	while (a.ended == 0 && (n = recv(fds[1], reply, sizeof reply, MSG_DONTWAIT)) < 0)
		test_run_rounds(loop, 1);
	stream_free(a.stream);
	a.stream = NULL;
	a.ended = 0;
	close(fds[1]);
	return n > 0 && reply[0] == 22;
}

static void
each_ticket_that_is_shown_is_looked_at_but_not_many(void **state)
{
	(void)state;
	struct tls_ticket_key key = { { 1 }, { 2 }, { 3 } };
	assert_int_equal(tls_context_set_ticket_keys(server_context, &key, 1, NULL), 0);
	for (size_t tickets = 0; tickets <= 20; tickets++) {
		make_hello(tickets);
		assert_int_equal(is_answered(hello, hello_len, hello_len), tickets <= 4);
	}
}

/* Memory is taken for what is announced. */
static void
a_hello_longer_than_any_is_refused_before_it_comes(void **state)
{
	(void)state;
	static const unsigned char announced[] = { 22, 3, 1, 0, 4, 1, 2, 1, 0x40 };
	for (size_t step = 1; step <= sizeof announced; step++)
		assert_false(is_answered(announced, sizeof announced, step));
	make_hello(0);
	assert_true(is_answered(hello, hello_len, 1));
}

static void
only_hellos_are_measured_wherever_they_are_cut(void **state)
{
	(void)state;
	static const struct {
		unsigned char bytes[24];
		size_t len;
		bool is_fine;
	} cases[] = {
		{ { 22, 3, 1, 0, 4, 1, 0, 0x40, 0 }, 9, true },
		{ { 22, 3, 1, 0, 4, 1, 0, 0x40, 1 }, 9, false },
		{ { 22, 3, 1, 0, 4, 1, 1, 0, 0 }, 9, false },
		{ { 22, 3, 1, 0, 3, 1, 0, 0 }, 8, false }, /* the length stands in the next record */
		{ { 22, 3, 1, 0, 0 }, 5, false },
		{ { 22, 3, 1, 0, 4, 16, 0xff, 0xff, 0xff }, 9, true }, /* another message; OpenSSL knows which may come */
		{ { 20, 3, 3, 0, 1, 1, 21, 3, 3, 0, 2, 1, 0 }, 13, true },
		{ { 23, 3, 3, 0, 5, 1, 0xff, 0xff, 0xff, 0xff, 23, 3, 3, 0, 4, 1, 0xff, 0xff, 0xff }, 19, true },
		{ { 20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 4, 1, 0xff, 0, 0 }, 15, false }, /* a second one */
		{ { 22, 3, 1, 0, 6, 1, 0, 0, 2, 0, 0, 22, 3, 3, 0, 4, 1, 0, 0x40, 1 }, 20, false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (size_t cut = 0; cut < cases[i].len; cut++) {
			struct tls_hello h = { .have = 0 };
			bool is_fine = tls_hello_may_go_on(&h, cases[i].bytes, cut) &&
			    tls_hello_may_go_on(&h, cases[i].bytes + cut, cases[i].len - cut);
			assert_int_equal(is_fine, cases[i].is_fine);
		}
}

/* ---- once TLS stands */

static void
run_round(void)
{
	test_run_rounds(loop, 2);
}

/* OpenSSL itself against our server. */
static SSL *
connect_client(SSL_CTX *ctx)
{
	int fds[2];
	SSL *ssl = SSL_new(ctx);
	make_pair(fds);
	a.stream = stream_new(loop, fds[0], 1000, 10000, &events, &a);
	assert_int_equal(stream_start_tls_server(a.stream, server_context, NULL, NULL), 0);
	SSL_set_fd(ssl, fds[1]);
	while (SSL_connect(ssl) != 1)
		run_round();
	return ssl;
}

static void
new_keys_may_be_wanted_but_not_all_the_time(void **state)
{
	(void)state;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = connect_client(ctx);
	char reply[16];
	int wanted = 0;
	for (; a.ended == 0 && wanted < 1000; wanted++) {
		assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		SSL_do_handshake(ssl);
		run_round();
		if (wanted == 20) {
			assert_int_equal(SSL_write(ssl, "a", 1), 1);
			run_round();
			got_is(&a, "a");
		}
		SSL_read(ssl, reply, sizeof reply);
	}
	assert_in_range(wanted, 50, 70);
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

int
main(void)
{
	random_init();
	tls_library_init();
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to who has hung up */
	static const struct CMUnitTest tests[] = {
		TEST(each_ticket_that_is_shown_is_looked_at_but_not_many),
		TEST(a_hello_longer_than_any_is_refused_before_it_comes),
		TEST(only_hellos_are_measured_wherever_they_are_cut),
		TEST(new_keys_may_be_wanted_but_not_all_the_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
