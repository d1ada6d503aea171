/* SPDX-License-Identifier: ISC
 *
 * A whole conversation with a tor that says what it likes: events, answers, the state of services and of dials. An octet
 * 0xff ends what comes in one piece, and we then say what we want to before the next. How a line
 * was cut changes nothing. (How many lines come together may: what answers a command that was not sent yet is no answer.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "loop/test_round.h"
#include "tor/control.h"
#include "tor/dialer.h"
#include "tor/holders.h"
#include "tor/hsdesc.h"
#include "tor/services.h"
#include "tor/status.h"

#define ONION "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkenl5sid.onion"
#define BYTEWISE_MAX 512
#define TRACE_MAX (1 << 20)
#define KEY "ED25519-V3:" /* nothing that begins like this is in an answer that we hand on */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct onionkey key;

static struct {
	struct control *control;
	struct services *services;
	struct dialer *dialer;
	struct holders holders;
	struct status status;
	unsigned ends;
	struct buffer trace;
} run;

static void
check_text(const char *text, size_t max)
{
	if (strlen(text) > max)
		abort();
}

static void
note_status(void)
{
	check_text(run.status.version, STATUS_VERSION_MAX);
	check_text(run.status.phase, STATUS_PHASE_MAX);
	check_text(run.status.hint, STATUS_HINT_MAX);
	if (run.status.bootstrap_percent > 100)
		abort();
	buffer_printf(&run.trace, NULL, "status %u %s %s\n", run.status.bootstrap_percent, run.status.phase, run.status.hint);
}

/* What a directory may be asked for is what was sent to it. */
static void
note_holders(struct slice words)
{
	struct hsdesc_event event;
	if (!hsdesc_parse(words, &event))
		return;
	holders_take(&run.holders, &event, 1000);
	bool is_sure = holders_is_sure(&run.holders, event.directory, event.descriptor);
	if (run.holders.count > HOLDERS_MAX || (is_sure && event.action == HSDESC_UPLOAD))
		abort();
}

static void
on_event(void *context, const struct control_reply *event)
{
	struct slice words = control_reply_text(event, 0);
	(void)context;
	if (run.ends > 0)
		abort();
	if (status_take(&run.status, words))
		note_status();
	services_take_event(run.services, words, 1000);
	note_holders(words);
	dialer_take_event(run.dialer, words);
}

static void
on_end(void *context, const struct error *err)
{
	(void)context;
	if (run.ends++ > 0)
		abort();
	buffer_printf(&run.trace, NULL, "end %d\n", (int)err->code);
}

static void
on_info(void *context, const struct control_reply *answer)
{
	(void)context;
	for (unsigned i = 0; answer->code == 250 && i < answer->line_count; i++) {
		struct slice text = control_reply_text(answer, i);
		if (text.len > 8 && memcmp(text.data, "version=", 8) == 0)
			status_set_version(&run.status, slice_of(text.data + 8, text.len - 8), NULL);
		if (text.len > 23 && memcmp(text.data, "status/bootstrap-phase=", 23) == 0)
			status_take(&run.status, slice_of(text.data + 23, text.len - 23));
	}
	note_status();
}

static void
on_service(void *context, const char *identity, enum ipc_publication state, unsigned uploaded, const char *detail)
{
	(void)context;
	if (strcmp(identity, "alice") != 0 || uploaded > 64 || strstr(detail, KEY) != NULL)
		abort();
	check_text(detail, 128);
	buffer_printf(&run.trace, NULL, "service %d %u %s\n", (int)state, uploaded, detail);
}

static void
on_failed(void *context, const char *identity, uint64_t session_id, enum ipc_dial_reason reason, const char *text)
{
	(void)context;
	(void)identity;
	(void)text;
	buffer_printf(&run.trace, NULL, "failed %d %d\n", (int)session_id, (int)reason);
}

static void
on_connected(void *context, const struct dialer_connection *connection)
{
	(void)context;
	(void)connection;
	abort(); /* nobody has made a connection */
}

static void
on_slow(void *context, struct slice onion)
{
	(void)context;
	(void)onion;
}

static void
on_socks_wanted(void *context)
{
	(void)context;
}

static void
on_flight_wanted(void *context, const char *identity, uint64_t session_id, uint32_t attempt)
{
	(void)context;
	(void)attempt;
	(void)identity;
	(void)session_id;
}

static void
let_react(int fd)
{
	static unsigned char text[65536];
	for (int i = 0; i < 2; i++) {
		test_run_rounds(loop, 1);
		while (recv(fd, text, sizeof text, MSG_DONTWAIT) > 0)
			continue;
	}
}

static void
converse(int fd, struct slice script, bool by_lines, size_t step)
{
	let_react(fd);
	while (script.len > 0 && run.ends == 0) {
		const unsigned char *end = memchr(script.data, by_lines ? '\n' : 0xff, script.len);
		size_t len = end == NULL ? script.len : (size_t)(end - script.data) + by_lines;
		for (size_t at = 0; at < len; at += step) {
			if (send(fd, script.data + at, len - at < step ? len - at : step, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				break;
			let_react(fd);
		}
		len += end != NULL && !by_lines;
		script = slice_of(script.data + len, script.len - len);
	}
	shutdown(fd, SHUT_WR);
	for (int i = 0; i < 10 && run.ends == 0; i++)
		let_react(fd);
	if (run.ends != 1)
		abort();
}

static void
run_conversation(const uint8_t *data, size_t size, bool by_lines, size_t step)
{
	static const struct control_events events = { on_event, on_end };
	static const struct dialer_events dialer_events = { on_connected, on_failed, on_slow, on_socks_wanted, on_flight_wanted };
	int fds[2];
	memset(&run, 0, sizeof run);
	buffer_init(&run.trace, TRACE_MAX);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		abort();
	run.control = control_new(loop, fds[0], CONTROL_TIMEOUT_MS, &events, NULL);
	run.services = services_new(run.control, on_service, NULL);
	run.dialer = dialer_new(loop, DIALER_LIMITS, &dialer_events, NULL);
	dialer_set_ready(run.dialer, true);
	if (control_send(run.control, slice_of_string("SETEVENTS STATUS_CLIENT STATUS_GENERAL HS_DESC STREAM"), NULL, NULL, NULL) != 0 ||
	    control_send(run.control, slice_of_string("GETINFO version status/bootstrap-phase"), on_info, NULL, NULL) != 0 ||
	    services_add(run.services, "alice", &key, &(struct services_paths){ "/run/25", "/run/465" }, NULL, NULL) != 0 ||
	    dialer_dial(run.dialer, "alice", 1, ONION, 465, NULL) != 0)
		abort();
	converse(fds[1], slice_of(data, size), by_lines, step);
	services_remove(run.services, "alice");
	dialer_free(run.dialer);
	services_free(run.services);
	control_free(run.control);
	close(fds[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 60000)
		return 0;
	if (loop == NULL) {
		static const unsigned char seed[32] = { 7 };
		random_init();
		loop = loop_new();
		onionkey_from_seed(seed, &key);
	}
	run_conversation(data, size, false, size);
	if (size <= BYTEWISE_MAX) {
		buffer_finish(&run.trace);
		run_conversation(data, size, true, size);
		struct buffer whole = run.trace;
		run_conversation(data, size, true, 1);
		if (buffer_len(&whole) != buffer_len(&run.trace) ||
		    memcmp(buffer_bytes(&whole), buffer_bytes(&run.trace), buffer_len(&whole)) != 0)
			abort();
		buffer_finish(&whole);
	}
	buffer_finish(&run.trace);
	return 0;
}
