/* SPDX-License-Identifier: ISC
 *
 * A session as client that goes on with an earlier one. The first octet chooses what the server does with the early data, the rest is what it
 * says inside TLS, or in its place: an octet 0xff ends what comes in one piece, and the client then does what it wants to before
 * the next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/random.h"
#include "loop/stream.h"
#include "loop/test_certificate.h"
#include "loop/test_round.h"
#include "smtpc/session.h"

#define OWN "ownownownownownownownownownownownownownownownownownowno.onion"
#define PEER "peerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeer.onion"
#define OUTPUT_MAX (1 << 20)
#define LARGE_BYTES 60000
#define BEGIN "EHLO " OWN "\r\nMAIL FROM:<alice@" OWN "> SIZE="

enum server_kind { TAKES, HAS_OTHER_TICKET_KEYS, HAS_OTHER_KEY, SPEAKS_NO_TLS, KINDS };
enum { LARGE = 4 }; /* too large for early data */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct tls_context *client_tls, *server_tls[KINDS];
static char large_body[LARGE_BYTES];
static unsigned char ticket[TLS_SESSION_MAX_BYTES];
static size_t ticket_len;
static const struct slice recipient = { (const unsigned char *)"bob@" PEER, sizeof PEER - 1 + 4 };

static struct {
	struct smtpc_session *session;
	struct stream *server;
	struct smtpc_message message;
	enum server_kind kind;
	unsigned ready, delivered, accepted, ended;
	unsigned char key[32];  /* that the session showed first */
	struct buffer heard;    /* inside TLS, by the server */
} run;

/* ---- the client's owner, who gives the message to no other key than that of the ticket */

static void
on_ready(void *context, const struct smtpc_readiness *readiness)
{
	(void)context;
	unsigned char key[32];
	if (++run.ready > 2 || smtpc_session_key_hash(run.session, key, NULL) != 0)
		abort();
	if (run.ready == 1)
		memcpy(run.key, key, sizeof key);
	else if (readiness->is_early || run.kind != HAS_OTHER_KEY || memcmp(run.key, key, sizeof key) == 0)
		abort(); /* only for another key is a message taken back */
	if (memcmp(run.key, key, sizeof key) != 0)
		smtpc_session_quit(run.session);
	else if (smtpc_session_deliver(run.session, &run.message, NULL) != 0)
		abort();
}

static void
on_delivered(void *context, const struct smtpc_result *results, size_t count)
{
	(void)context;
	if (++run.delivered > 1 || count != 1 || run.ended > 0 || results[0].code < 200 || results[0].code > 599 ||
	    results[0].text.len > SMTPC_TEXT_MAX)
		abort();
	run.accepted = results[0].code / 100 == 2;
	smtpc_session_quit(run.session);
}

static void
on_end(void *context, enum smtpc_end reason, unsigned code, const char *text)
{
	(void)context;
	(void)reason;
	(void)code;
	if (run.ended++ > 0 || strlen(text) > SMTPC_TEXT_MAX)
		abort();
}

static void
on_ticket(void *context, struct slice session)
{
	(void)context;
	if (session.len == 0 || session.len > sizeof ticket)
		abort();
	if (ticket_len > 0)
		return;
	memcpy(ticket, session.data, session.len);
	ticket_len = session.len;
}

/* ---- the server */

static void
on_server_input(void *context)
{
	(void)context;
	struct buffer *in = stream_input(run.server);
	if (buffer_append(&run.heard, buffer_bytes(in), buffer_len(in), NULL) != 0)
		abort(); /* a client that never ends to write */
	buffer_consume(in, buffer_len(in));
}

static void
on_server_end(void *context, const struct error *err)
{
	(void)context;
	(void)err;
}

static void
let_react(void)
{
	test_run_rounds(loop, 4);
}

static void
say(int fd, struct slice piece)
{
	if (run.kind != SPEAKS_NO_TLS)
		stream_write(run.server, piece.data, piece.len, NULL);
	else if (send(fd, piece.data, piece.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return; /* the client has gone */
	let_react();
}

static void
serve(int fd, struct slice script)
{
	let_react();
	while (script.len > 0 && run.ended == 0) {
		const unsigned char *end = memchr(script.data, 0xff, script.len);
		size_t len = end == NULL ? script.len : (size_t)(end - script.data), used = len + (end != NULL);
		say(fd, slice_of(script.data, len));
		script = slice_of(script.data + used, script.len - used);
	}
	if (run.kind == SPEAKS_NO_TLS)
		shutdown(fd, SHUT_WR);
	else
		stream_finish(run.server, 1000);
	for (int i = 0; i < 100 && run.ended == 0; i++)
		let_react();
	if (run.ended != 1)
		abort();
}

/* ---- what the server may have heard */

static bool
take(struct slice *rest, struct slice wanted)
{
	size_t len = rest->len < wanted.len ? rest->len : wanted.len;
	if (memcmp(rest->data, wanted.data, len) != 0)
		abort();
	*rest = slice_of(rest->data + len, rest->len - len);
	return len == wanted.len;
}

/* The message once, or the beginning of it, and QUIT; and nothing else of it for who has another key. */
static void
check_heard(void)
{
	char envelope[512];
	struct slice rest = slice_of(buffer_bytes(&run.heard), buffer_len(&run.heard)), body = run.message.body;
	bool is_whole = false;
	snprintf(envelope, sizeof envelope, BEGIN "%zu\r\nRCPT TO:<bob@" PEER ">\r\nBDAT %zu LAST\r\n", body.len, body.len);
	if (rest.len > 0 && rest.data[0] == 'E') {
		if (run.kind == HAS_OTHER_KEY)
			abort();
		is_whole = take(&rest, slice_of_string(envelope)) && take(&rest, body);
	}
	take(&rest, slice_of_string("QUIT\r\n"));
	if (rest.len > 0 || (run.accepted && !is_whole))
		abort();
}

/* ---- */

static void
run_session(enum server_kind kind, bool is_large, struct slice resume, struct slice script)
{
	static const struct smtpc_session_events events = { on_ready, on_delivered, on_end, on_ticket };
	static const struct stream_events server_events = { on_server_input, NULL, NULL, on_server_end, NULL };
	static const struct slice small_body = { (const unsigned char *)"Subject: x\r\n\r\n.\r\nQUIT\r\n", 23 };
	int fds[2];
	memset(&run, 0, sizeof run);
	buffer_init(&run.heard, OUTPUT_MAX);
	run.kind = kind;
	run.message = (struct smtpc_message){ .reverse_path = slice_of_string("alice@" OWN), .recipients = &recipient,
		.recipient_count = 1, .body = is_large ? slice_of(large_body, sizeof large_body) : small_body };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		abort();
	if (kind != SPEAKS_NO_TLS) {
		run.server = stream_new(loop, fds[1], 32768, 1 << 17, &server_events, NULL);
		if (stream_start_tls_server(run.server, server_tls[kind], TLS_ALPN_SMTORP, NULL) != 0)
			abort();
	}
	const struct smtpc_peer peer = { SMTPC_SMTORP, client_tls, OWN, PEER, resume };
	run.session = smtpc_session_new(loop, fds[0], &peer, &events, NULL);
	serve(fds[1], script);
	smtpc_session_free(run.session);
	stream_free(run.server);
	if (kind == SPEAKS_NO_TLS)
		close(fds[1]);
	check_heard();
	buffer_finish(&run.heard);
}

static void
make_server(enum server_kind kind, const char *certificate, const char *key, int seed)
{
	struct tls_ticket_key ticket_key;
	memset(&ticket_key, seed, sizeof ticket_key);
	if (tls_context_new_server(slice_of_string(certificate), slice_of_string(key), &server_tls[kind], NULL) != 0 ||
	    tls_context_set_ticket_keys(server_tls[kind], &ticket_key, 1, NULL) != 0)
		abort();
}

/* First contact, which brings the ticket. */
static void
prepare(void)
{
	random_init();
	tls_library_init();
	loop = loop_new();
	make_server(TAKES, test_certificate_pem, test_key_pem, 1);
	make_server(HAS_OTHER_TICKET_KEYS, test_certificate_pem, test_key_pem, 2);
	make_server(HAS_OTHER_KEY, test_other_certificate_pem, test_other_key_pem, 1);
	if (tls_context_new_client(&client_tls, NULL) != 0)
		abort();
	memset(large_body, 'x', sizeof large_body);
	memcpy(large_body + sizeof large_body - 2, "\r\n", 2);
	run_session(TAKES, false, slice_of("", 0), slice_of_string("220 p\r\n250 p\r\n250 ok\r\n250 ok\r\n250 ok\r\n"));
	if (ticket_len == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 60000)
		return 0;
	if (loop == NULL)
		prepare();
	run_session((enum server_kind)(data[0] % KINDS), (data[0] & LARGE) != 0, slice_of(ticket, ticket_len),
	    slice_of(data + 1, size - 1));
	return 0;
}
