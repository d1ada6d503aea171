/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/random.h"
#include "tor/login.h"

static const unsigned char cookie[LOGIN_COOKIE_BYTES] = "0123456789abcdef0123456789abcde";

/* Python's hmac said what must come out. */
static void
the_proofs_are_those_of_the_specification(void **state)
{
	(void)state;
	unsigned char client_nonce[LOGIN_NONCE_BYTES], server_nonce[LOGIN_NONCE_BYTES], out[LOGIN_PROOF_BYTES];
	char hex[65];
	memset(client_nonce, 1, sizeof client_nonce);
	memset(server_nonce, 2, sizeof server_nonce);
	login_proof(LOGIN_SIDE_SERVER, cookie, client_nonce, server_nonce, out);
	encode_hex(hex, out, sizeof out);
	assert_string_equal(hex, "5AC72A0DFC5D053C5BBAE83A155B205216689CA847507040797D1757103C5B0D");
	login_proof(LOGIN_SIDE_CLIENT, cookie, client_nonce, server_nonce, out);
	encode_hex(hex, out, sizeof out);
	assert_string_equal(hex, "1C2522D89A864990A2E658E6CB9F04B8BA695BC9AB86392939F3B427AE134026");
}

/* A tor that answers as it is told: what it says to each command in turn; NULL: closes. "PROOF": a challenge's answer with
 * a proof by its cookie, and then it checks ours. */
struct script {
	const char *answers[5];
	const unsigned char *cookie;
	int fd;
	bool was_proved;
};

static void
put(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		return;
}

static void
challenge(const struct script *s, const char *line, unsigned char client_nonce[32], const unsigned char server_nonce[32])
{
	unsigned char proof[32];
	char hash[65], nonce[65], answer[256];
	for (size_t i = 0; i < 32; i++)
		sscanf(line + strlen("AUTHCHALLENGE SAFECOOKIE ") + 2 * i, "%2hhx", &client_nonce[i]);
	login_proof(LOGIN_SIDE_SERVER, s->cookie, client_nonce, server_nonce, proof);
	encode_hex(hash, proof, 32);
	encode_hex(nonce, server_nonce, 32);
	snprintf(answer, sizeof answer, "250 AUTHCHALLENGE SERVERHASH=%s SERVERNONCE=%s\r\n", hash, nonce);
	put(s->fd, answer);
}

static void *
play(void *context)
{
	struct script *s = context;
	unsigned char client_nonce[32] = { 0 }, server_nonce[32] = "a server's nonce", proof[32];
	char line[512], expected[128], hex[65];
	for (size_t i = 0; i < 5 && s->answers[i] != NULL; i++) {
		ssize_t n = recv(s->fd, line, sizeof line - 1, 0);
		if (n <= 0)
			break;
		line[n] = '\0';
		if (strcmp(s->answers[i], "PROOF") == 0) {
			challenge(s, line, client_nonce, server_nonce);
			continue;
		}
		login_proof(LOGIN_SIDE_CLIENT, s->cookie, client_nonce, server_nonce, proof);
		encode_hex(hex, proof, 32);
		snprintf(expected, sizeof expected, "AUTHENTICATE %s\r\n", hex);
		s->was_proved |= strcmp(line, expected) == 0;
		put(s->fd, s->answers[i]);
	}
	close(s->fd);
	return NULL;
}

static int
try_login(struct script *s, struct slice with, struct error *err)
{
	int fds[2];
	pthread_t thread;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s->fd = fds[1];
	assert_int_equal(pthread_create(&thread, NULL, play, s), 0);
	int result = login(fds[0], with, "127.0.0.1:9050", 10000, err);
	close(fds[0]);
	pthread_join(thread, NULL);
	return result;
}

#define INFO(methods) "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=" methods " COOKIEFILE=\"/run/tor/a \\\"cookie\"\r\n250-VERSION Tor=\"0.4.9.11\"\r\n250 OK\r\n"

#define PORTS(flags) "250-SocksPort=unix:/run/tor/socks NoIsolateSOCKSAuth\r\n250 SocksPort=127.0.0.1:9050" flags "\r\n"

static void
each_way_that_tor_offers_is_taken(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct script safe = { .answers = { INFO("COOKIE,SAFECOOKIE,HASHEDPASSWORD"), "PROOF", "250 OK\r\n", "552 what\r\n" }, .cookie = cookie };
	assert_int_equal(try_login(&safe, slice_of(cookie, sizeof cookie), &err), 0);
	assert_true(safe.was_proved);
	struct script open = { .answers = { INFO("NULL"), "250 OK\r\n", PORTS("") }, .cookie = cookie };
	assert_int_equal(try_login(&open, slice_of(cookie, 0), &err), 0);
}

static void
what_cannot_be_is_said(void **state)
{
	(void)state;
	static const unsigned char other[LOGIN_COOKIE_BYTES] = "another cookie";
	static const struct {
		struct script script;
		bool has_cookie;
		enum error_code code;
		const char *says;
	} table[] = {
		{ { .answers = { INFO("COOKIE,SAFECOOKIE") }, .cookie = cookie }, false, ERROR_DENIED, "/run/tor/a \"cookie: set tor.cookie" },
		{ { .answers = { INFO("HASHEDPASSWORD") }, .cookie = cookie }, true, ERROR_DENIED, "CookieAuthentication 1" },
		{ { .answers = { INFO("SAFECOOKIES,NULLS") }, .cookie = cookie }, true, ERROR_DENIED, "CookieAuthentication 1" },
		{ { .answers = { INFO("SAFECOOKIE"), "PROOF", "250 OK\r\n" }, .cookie = other }, true, ERROR_DENIED, "does not know the cookie" },
		{ { .answers = { INFO("SAFECOOKIE"), "250 AUTHCHALLENGE SERVERHASH=00 SERVERNONCE=00\r\n" }, .cookie = cookie }, true, ERROR_DENIED, "refuses" },
		{ { .answers = { INFO("SAFECOOKIE"), "PROOF", "515 no\r\n" }, .cookie = cookie }, true, ERROR_DENIED, "515 no" },
		{ { .answers = { "510 what\r\n" }, .cookie = cookie }, true, ERROR_DENIED, "510 what" },
		{ { .answers = { "nonsense\r\n" }, .cookie = cookie }, true, ERROR_PROTOCOL, "" },
		{ { .answers = { NULL }, .cookie = cookie }, true, ERROR_CLOSED, "" },
		{ { .answers = { INFO("NULL"), "250 OK\r\n", PORTS("") "650 X\r\n" }, .cookie = cookie }, false, ERROR_PROTOCOL, "more" },
		{ { .answers = { INFO("NULL"), "250 OK\r\n", PORTS(" NoIsolateSOCKSAuth") }, .cookie = cookie }, false, ERROR_DENIED, "share circuits" },
		{ { .answers = { INFO("NULL"), "250 OK\r\n", PORTS("") }, .cookie = cookie }, true, ERROR_DENIED, "gets no key" },
		{ { .answers = { INFO("NULL,SAFECOOKIE"), "250 OK\r\n", PORTS("") }, .cookie = cookie }, true, ERROR_DENIED, "gets no key" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct error err = { 0 };
		struct script script = table[i].script;
		assert_int_equal(try_login(&script, slice_of(cookie, table[i].has_cookie ? sizeof cookie : 0), &err), -1);
		if (table[i].script.answers[0] != NULL)
			assert_int_equal(err.code, table[i].code);
		assert_non_null(strstr(err.text, table[i].says));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_proofs_are_those_of_the_specification),
		cmocka_unit_test(each_way_that_tor_offers_is_taken),
		cmocka_unit_test(what_cannot_be_is_said),
	};
	random_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
