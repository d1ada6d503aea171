/* SPDX-License-Identifier: ISC */
#include "tor/login.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/hash.h"
#include "base/random.h"
#include "tor/control_reply.h"

#define PATH_SHOWN_MAX 256

struct exchange {
	int fd;
	int64_t deadline_ms;
	struct buffer input;
	struct control_reply reply;
};

static int
wait_for(struct exchange *x, short events, struct error *err)
{
	for (;;) {
		struct pollfd p = { .fd = x->fd, .events = events };
		int64_t left_ms = x->deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0)
			return error_set(err, ERROR_TIMEOUT, "tor's control port gives no answer");
		if (poll(&p, 1, (int)left_ms) > 0)
			return 0;
	}
}

static int
send_all(struct exchange *x, const char *text, struct error *err)
{
	size_t len = strlen(text), sent = 0;
	while (sent < len) {
		ssize_t n = send(x->fd, text + sent, len - sent, MSG_NOSIGNAL);
		if (n >= 0)
			sent += (size_t)n;
		else if (errno == EAGAIN || errno == EINTR) {
			if (wait_for(x, POLLOUT, err) != 0)
				return -1;
		} else
			return error_set_errno(err, errno, "cannot speak to tor's control port");
	}
	return 0;
}

/* One command, wiped as it may be a proof, and its answer in x->reply. */
static int
ask(struct exchange *x, char *command, struct error *err)
{
	bool complete = false;
	int result = send_all(x, command, err);
	explicit_bzero(command, strlen(command));
	while (result == 0 && !complete) {
		unsigned char *room = buffer_reserve(&x->input, CONTROL_REPLY_LINE_MAX_BYTES, err);
		if (room == NULL)
			return -1;
		ssize_t n = recv(x->fd, room, CONTROL_REPLY_LINE_MAX_BYTES, MSG_DONTWAIT);
		if (n == 0)
			return error_set(err, ERROR_CLOSED, "tor has closed its control port");
		if (n > 0) {
			buffer_commit(&x->input, (size_t)n);
			result = control_reply_take(&x->reply, &x->input, &complete, err);
		} else if (errno == EAGAIN || errno == EINTR)
			result = wait_for(x, POLLIN, err);
		else
			return error_set_errno(err, errno, "cannot hear tor's control port");
	}
	return result;
}

static int
no_such_answer(const struct exchange *x, struct error *err)
{
	struct slice text = control_reply_text(&x->reply, 0);
	return error_set(err, ERROR_DENIED, "tor's control port refuses: %u %.*s", x->reply.code, (int)(text.len < 200 ? text.len : 200),
	    (const char *)text.data);
}

/* ---- which way */

static bool
has_method(const char *methods, const char *method)
{
	size_t len = strlen(method);
	for (const char *p = methods; *p != '\0'; p += strspn(p, ",")) {
		size_t word = strcspn(p, ",");
		if (word == len && strncmp(p, method, len) == 0)
			return true;
		p += word;
	}
	return false;
}

static int
choose(struct exchange *x, struct slice cookie, bool *with_cookie, struct error *err)
{
	char methods[256] = "", file[PATH_SHOWN_MAX] = "its cookie file", command[] = "PROTOCOLINFO 1\r\n";
	if (ask(x, command, err) != 0)
		return -1;
	if (x->reply.code != 250)
		return no_such_answer(x, err);
	for (unsigned i = 0; i < x->reply.line_count; i++) {
		struct slice text = control_reply_text(&x->reply, i);
		if (text.len < 5 || memcmp(text.data, "AUTH ", 5) != 0)
			continue;
		control_reply_keyword(text, "METHODS", methods, sizeof methods);
		control_reply_keyword(text, "COOKIEFILE", file, sizeof file);
	}
	*with_cookie = !has_method(methods, "NULL");
	if (!*with_cookie && cookie.len == 0)
		return 0;
	/* It would get the onion keys without a proof that it is the tor whose cookie this is: anybody may listen on a free port. */
	if (!*with_cookie)
		return error_set(err, ERROR_DENIED, "what answers at tor.control gives no proof that it is the tor whose cookie is there, and gets no key: it "
		    "may be anybody's program. If it is right, set \"tor.cookie = none\" in smtorp.conf");
	if (!has_method(methods, "SAFECOOKIE"))
		return error_set(err, ERROR_DENIED, "tor lets nobody in by its cookie (it offers %.60s): set \"CookieAuthentication 1\" in its "
		    "torrc", methods[0] == '\0' ? "nothing" : methods);
	if (cookie.len != LOGIN_COOKIE_BYTES)
		return error_set(err, ERROR_DENIED, "tor wants a proof that the node can read %.200s: set tor.cookie to it in smtorp.conf, "
		    "and let the node's user read it (Debian: adduser USER debian-tor)", file);
	return 0;
}

/* ---- the proofs */

void
login_proof(const char *side, const unsigned char cookie[LOGIN_COOKIE_BYTES],
    const unsigned char client_nonce[LOGIN_NONCE_BYTES], const unsigned char server_nonce[LOGIN_NONCE_BYTES],
    unsigned char out[LOGIN_PROOF_BYTES])
{
	unsigned char message[LOGIN_COOKIE_BYTES + 2 * LOGIN_NONCE_BYTES];
	memcpy(message, cookie, LOGIN_COOKIE_BYTES);
	memcpy(message + LOGIN_COOKIE_BYTES, client_nonce, LOGIN_NONCE_BYTES);
	memcpy(message + LOGIN_COOKIE_BYTES + LOGIN_NONCE_BYTES, server_nonce, LOGIN_NONCE_BYTES);
	hash_hmac_sha256(side, strlen(side), message, sizeof message, out);
	explicit_bzero(message, sizeof message);
}

static bool
take_hex(struct slice text, const char *key, unsigned char out[32])
{
	char hex[2 * 32 + 2];
	if (!control_reply_keyword(text, key, hex, sizeof hex) || strlen(hex) != 64)
		return false;
	for (size_t i = 0; i < 32; i++) {
		unsigned byte;
		if (!isxdigit((unsigned char)hex[2 * i]) || !isxdigit((unsigned char)hex[2 * i + 1]) ||
		    sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		out[i] = (unsigned char)byte;
	}
	return true;
}

static bool
is_equal(const unsigned char *a, const unsigned char *b, size_t len)
{
	unsigned char differs = 0;
	for (size_t i = 0; i < len; i++)
		differs |= a[i] ^ b[i];
	return differs == 0;
}

static int
prove(struct exchange *x, const unsigned char cookie[LOGIN_COOKIE_BYTES], struct error *err)
{
	unsigned char client_nonce[LOGIN_NONCE_BYTES], server_nonce[LOGIN_NONCE_BYTES], theirs[LOGIN_PROOF_BYTES];
	unsigned char proof[LOGIN_PROOF_BYTES];
	char hex[ENCODE_HEX_LEN(LOGIN_NONCE_BYTES) + 1], command[128];
	random_bytes(client_nonce, sizeof client_nonce);
	encode_hex(hex, client_nonce, sizeof client_nonce);
	snprintf(command, sizeof command, "AUTHCHALLENGE SAFECOOKIE %s\r\n", hex);
	if (ask(x, command, err) != 0)
		return -1;
	struct slice text = control_reply_text(&x->reply, 0);
	if (x->reply.code != 250 || !take_hex(text, "SERVERHASH", theirs) || !take_hex(text, "SERVERNONCE", server_nonce))
		return no_such_answer(x, err);
	login_proof(LOGIN_SIDE_SERVER, cookie, client_nonce, server_nonce, proof);
	if (!is_equal(proof, theirs, sizeof proof))
		return error_set(err, ERROR_DENIED, "what answers at tor.control does not know the cookie: it is not the tor whose cookie file "
		    "was read, or that file is an old one");
	login_proof(LOGIN_SIDE_CLIENT, cookie, client_nonce, server_nonce, proof);
	encode_hex(hex, proof, sizeof proof);
	snprintf(command, sizeof command, "AUTHENTICATE %s\r\n", hex);
	explicit_bzero(hex, sizeof hex);
	if (ask(x, command, err) != 0)
		return -1;
	return x->reply.code == 250 ? 0 : no_such_answer(x, err);
}

/* What is asked over one SOCKS port must not share circuits: identities could be told to live on one node. Who is not told the
 * configuration (control ports may be filtered) gets no warning either. */
static int
check_isolation(struct exchange *x, const char *socks, struct error *err)
{
	static const char mixes[] = "NoIsolateSOCKSAuth";
	char command[] = "GETCONF SocksPort\r\n";
	const char *colon = strrchr(socks, ':'), *ours = colon != NULL ? colon + 1 : socks;
	if (ask(x, command, err) != 0)
		return -1;
	for (unsigned i = 0; x->reply.code == 250 && i < x->reply.line_count; i++) {
		struct slice text = control_reply_text(&x->reply, i);
		if (memmem(text.data, text.len, mixes, strlen(mixes)) != NULL && memmem(text.data, text.len, ours, strlen(ours)) != NULL)
			return error_set(err, ERROR_DENIED, "tor's SOCKS port %.110s has NoIsolateSOCKSAuth, so identities would share circuits: take that "
			    "away in its torrc, or set tor.socks to another one", socks);
	}
	return 0;
}

int
login(int fd, struct slice cookie, const char *socks, int64_t timeout_ms, struct error *err)
{
	struct exchange x = { .fd = fd, .deadline_ms = clock_monotonic_ms() + timeout_ms };
	char command[] = "AUTHENTICATE\r\n";
	bool with_cookie = false;
	buffer_init(&x.input, 2 * CONTROL_REPLY_LINE_MAX_BYTES);
	control_reply_init(&x.reply);
	int result = choose(&x, cookie, &with_cookie, err);
	if (result == 0 && with_cookie)
		result = prove(&x, cookie.data, err);
	else if (result == 0 && (result = ask(&x, command, err)) == 0 && x.reply.code != 250)
		result = no_such_answer(&x, err);
	if (result == 0)
		result = check_isolation(&x, socks, err);
	if (result == 0 && buffer_len(&x.input) > 0)
		result = error_set(err, ERROR_PROTOCOL, "tor's control port says more than it was asked");
	control_reply_finish(&x.reply);
	buffer_finish(&x.input);
	return result;
}
