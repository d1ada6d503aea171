/* SPDX-License-Identifier: ISC
 *
 * A whole session as client. The first octet chooses how, the rest is what the server says: an octet 0xff ends what
 * comes in one piece, and the client then does what it wants to before the next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/random.h"
#include "loop/test_round.h"
#include "smtpc/session.h"

#define OWN "ownownownownownownownownownownownownownownownownownowno.onion"
#define PEER "peerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeerpeer.onion"
#define MESSAGES 2
#define OUTPUT_MAX (1 << 20)
#define BYTEWISE_MAX 512

enum how { LINES = 1, LARGE = 2, SMTORP = 4 }; /* LINES: each line is a piece, and how it is cut changes nothing */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct tls_context *tls;
static char large_body[60000];
static const char small_body[] = "Subject: x\r\n\r\n.\r\n..\r\nMAIL FROM:<evil@example.net>\r\n";
static const char stuffed_body[] = "Subject: x\r\n\r\n..\r\n...\r\nMAIL FROM:<evil@example.net>\r\n.\r\n";
static const struct slice recipients[] = {
	{ (const unsigned char *)"bob@" PEER, sizeof PEER - 1 + 4 },
	{ (const unsigned char *)"carol@" PEER, sizeof PEER - 1 + 6 },
};

static struct {
	struct smtpc_session *session;
	struct smtpc_message message;
	unsigned offered, delivered, ended, accepted_count;
	struct buffer trace;  /* what the owner was told */
	struct buffer output; /* what the client wrote */
} run;

/* One line that a terminal can show, within its bounds. */
static void
check_text(struct slice text)
{
	if (text.len > SMTPC_TEXT_MAX)
		abort();
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] == 0x7f)
			abort();
}

static void
offer(void)
{
	if (run.offered == MESSAGES) {
		smtpc_session_quit(run.session);
		return;
	}
	run.offered++;
	if (smtpc_session_deliver(run.session, &run.message, NULL) != 0)
		abort();
}

static void
on_ready(void *context, const struct smtpc_readiness *readiness)
{
	(void)context;
	buffer_printf(&run.trace, NULL, "ready %d %llu\n", readiness->is_tls, (unsigned long long)readiness->size_max_bytes);
	if (run.offered > 0)
		abort();
	offer();
}

static void
on_delivered(void *context, const struct smtpc_result *results, size_t count)
{
	(void)context;
	if (++run.delivered > run.offered || count != run.message.recipient_count || run.ended > 0)
		abort();
	bool is_accepted = false;
	for (size_t i = 0; i < count; i++) {
		const struct smtpc_result *r = &results[i];
		if (r->code < 200 || r->code > 599 || r->code / 100 == 3)
			abort();
		is_accepted = is_accepted || r->code / 100 == 2;
		check_text(r->text);
		check_text(r->enhanced);
		buffer_printf(&run.trace, NULL, "%u %.*s %.*s\n", r->code, (int)r->enhanced.len, (const char *)r->enhanced.data,
		    (int)r->text.len, (const char *)r->text.data);
	}
	run.accepted_count += is_accepted;
	offer();
}

static void
on_end(void *context, enum smtpc_end reason, unsigned code, const char *text)
{
	(void)context;
	if (run.ended++ > 0)
		abort();
	check_text(slice_of_string(text));
	buffer_printf(&run.trace, NULL, "end %d %u %s\n", (int)reason, code, text);
}

/* ---- the server */

/* The client reacts, and what it writes is taken. */
static void
let_react(int fd)
{
	static unsigned char text[65536];
	ssize_t n;
	for (int i = 0; i < 3; i++) {
		test_run_rounds(loop, 1);
		while ((n = recv(fd, text, sizeof text, MSG_DONTWAIT)) > 0)
			if (buffer_append(&run.output, text, (size_t)n, NULL) != 0)
				abort(); /* a client that never ends to write */
	}
}

static void
say(int fd, struct slice piece, size_t step)
{
	for (size_t at = 0; at < piece.len; at += step) {
		size_t len = piece.len - at < step ? piece.len - at : step;
		if (send(fd, piece.data + at, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
			return; /* the client has gone */
		let_react(fd);
	}
}

static void
serve(int fd, struct slice script, bool by_lines, size_t step)
{
	let_react(fd);
	while (script.len > 0 && run.ended == 0) {
		const unsigned char *end = memchr(script.data, by_lines ? '\n' : 0xff, script.len);
		size_t len = end == NULL ? script.len : (size_t)(end - script.data) + by_lines;
		size_t used = len + (end != NULL && !by_lines);
		say(fd, slice_of(script.data, len), step);
		script = slice_of(script.data + used, script.len - used);
	}
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 100 && run.ended == 0; i++)
		let_react(fd);
	if (run.ended != 1)
		abort();
}

/* ---- what the client may say */

static bool
take(struct slice *rest, const char *text)
{
	size_t len = strlen(text);
	if (rest->len < len || memcmp(rest->data, text, len) != 0)
		return false;
	*rest = slice_of(rest->data + len, rest->len - len);
	return true;
}

/* Takes a body; true when all of it is there. */
static bool
take_body(struct slice *rest, struct slice body)
{
	size_t len = rest->len < body.len ? rest->len : body.len;
	if (memcmp(rest->data, body.data, len) != 0)
		abort();
	*rest = slice_of(rest->data + len, rest->len - len);
	return len == body.len;
}

/* Nothing that the server said is in it, no body is cut short and followed by a command, and who got a 2yz for a message has all
 * of it. */
static void
check_output(void)
{
	static const char *const lines[] = { "EHLO " OWN "\r\n", "HELO " OWN "\r\n", "STARTTLS\r\n", "RSET\r\n", "QUIT\r\n",
		"MAIL FROM:<alice@" OWN ">\r\n", "RCPT TO:<bob@" PEER ">\r\n", "RCPT TO:<carol@" PEER ">\r\n" };
	char mail_size[128], bdat[64];
	struct slice rest = slice_of(buffer_bytes(&run.output), buffer_len(&run.output));
	struct slice body = run.message.body, stuffed = slice_of_string(stuffed_body);
	unsigned whole = 0;
	snprintf(mail_size, sizeof mail_size, "MAIL FROM:<alice@" OWN "> SIZE=%zu\r\n", body.len);
	snprintf(bdat, sizeof bdat, "BDAT %zu LAST\r\n", body.len);
	bool is_data_open = false;
	while (rest.len > 0 && rest.data[0] != 0x16) { /* there TLS begins */
		size_t before = rest.len;
		for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
			take(&rest, lines[i]);
		take(&rest, mail_size);
		if (take(&rest, bdat))
			whole += take_body(&rest, body);
		if (take(&rest, "DATA\r\n"))
			is_data_open = true;
		if (is_data_open && rest.len >= 8 && memcmp(rest.data, "Subject:", 8) == 0) {
			bool is_small = body.len < sizeof large_body;
			bool all = take_body(&rest, is_small ? stuffed : body) && (is_small || take(&rest, ".\r\n"));
			whole += all;
			is_data_open = false;
		}
		if (rest.len == before)
			abort(); /* nothing of ours */
	}
	if (rest.len == 0 && run.accepted_count > whole)
		abort();
}

/* ---- */

static void
run_session(const uint8_t *data, size_t size, size_t step)
{
	static const struct smtpc_session_events events = { on_ready, on_delivered, on_end, NULL };
	int fds[2];
	bool is_large = (data[0] & LARGE) != 0;
	memset(&run, 0, sizeof run);
	buffer_init(&run.trace, OUTPUT_MAX);
	buffer_init(&run.output, OUTPUT_MAX);
	run.message = (struct smtpc_message){ .reverse_path = slice_of_string("alice@" OWN), .recipients = recipients,
		.recipient_count = 2, .body = is_large ? slice_of(large_body, sizeof large_body) : slice_of_string(small_body) };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		abort();
	const struct smtpc_peer peer = { (data[0] & SMTORP) != 0 ? SMTPC_SMTORP : SMTPC_SMTP, tls, OWN, PEER, slice_of("", 0) };
	run.session = smtpc_session_new(loop, fds[0], &peer, &events, NULL);
	serve(fds[1], slice_of(data + 1, size - 1), (data[0] & LINES) != 0, step);
	smtpc_session_free(run.session);
	close(fds[1]);
	if ((data[0] & SMTORP) == 0)
		check_output();
}

static void
finish_run(void)
{
	buffer_finish(&run.trace);
	buffer_finish(&run.output);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 60000)
		return 0;
	if (loop == NULL) {
		random_init();
		tls_library_init();
		loop = loop_new();
		if (tls_context_new_client(&tls, NULL) != 0)
			abort();
		memset(large_body, 'x', sizeof large_body);
		memcpy(large_body, "Subject:", 8);
		for (size_t i = 78; i < sizeof large_body; i += 80)
			memcpy(large_body + i, "\r\n", 2);
	}
	run_session(data, size, size);
	if ((data[0] & LINES) != 0 && size <= BYTEWISE_MAX) {
		struct buffer trace = run.trace, output = run.output;
		run_session(data, size, 1);
		/* Handshakes are random. */
		bool is_plain = memmem(buffer_bytes(&output), buffer_len(&output), "STARTTLS", 8) == NULL && (data[0] & SMTORP) == 0;
		if (is_plain && (buffer_len(&trace) != buffer_len(&run.trace) || buffer_len(&output) != buffer_len(&run.output) ||
		    memcmp(buffer_bytes(&trace), buffer_bytes(&run.trace), buffer_len(&trace)) != 0 ||
		    memcmp(buffer_bytes(&output), buffer_bytes(&run.output), buffer_len(&output)) != 0))
			abort();
		buffer_finish(&trace);
		buffer_finish(&output);
	}
	finish_run();
	return 0;
}
