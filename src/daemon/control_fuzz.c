/* SPDX-License-Identifier: ISC
 *
 * What programs say on control.sock, and what the parent answers: the role itself, with a parent that answers everything with
 * rows of the input's own words. Every line gets one line of JSON at the most, printable, wherever it is
 * cut.
 */
int role_control_main(void);
#define main role_control_main
#include "daemon/role_control.c"
#undef main
#include "loop/test_round.h"

#define BYTEWISE_MAX 512
#define QUESTIONS_MAX 64
#define TRACE_MAX (64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct ipc_message questions[QUESTIONS_MAX];
static size_t question_count;
static char words[IPC_TEXT_MAX + 1];

/* ---- instead of role.c: nobody but us is the parent */

struct loop *
role_loop(void)
{
	return loop;
}

void
role_init(enum role own, const struct role_events *events, void *context)
{
	(void)own;
	(void)events;
	(void)context;
}

int
role_run(void)
{
	return 0;
}

void
role_quit(int exit_status)
{
	(void)exit_status;
}

void
role_tell_parent(const struct ipc_message *m)
{
	if (question_count == QUESTIONS_MAX || !ipc_is_allowed(m->type, ROLE_CONTROL, ROLE_PARENT, m->fd >= 0))
		abort(); /* more than may be pending, or what it may not say */
	questions[question_count++] = *m;
}

static void
answer_questions(void)
{
	for (size_t i = 0; i < question_count; i++) {
		uint64_t id = questions[i].type == IPC_TYPE_UNLOCK ? questions[i].unlock.request_id : questions[i].control_request.request_id;
		struct ipc_message row = { .type = IPC_TYPE_STATUS_TOR, .fd = -1, .status_tor = { .request_id = id } };
		memcpy(row.status_tor.phase, words, sizeof row.status_tor.phase - 1);
		if (questions[i].type == IPC_TYPE_CONTROL_REQUEST && questions[i].control_request.verb == CONTROL_STATUS)
			on_parent(NULL, &row);
		struct ipc_message end = { .type = IPC_TYPE_CONTROL_END, .fd = -1, .control_end = { .request_id = id } };
		end.control_end.error = i % 2 == 0 ? 0 : ERROR_DENIED;
		memcpy(end.control_end.text, words, sizeof end.control_end.text - 1);
		on_parent(NULL, &end);
	}
	question_count = 0;
}

/* ---- */

static void
let_react(int fd, struct buffer *said)
{
	static unsigned char text[65536];
	ssize_t n;
	for (int i = 0; i < 2; i++) {
		test_run_rounds(loop, 1);
		answer_questions();
	}
	while ((n = recv(fd, text, sizeof text, MSG_DONTWAIT)) > 0)
		if (buffer_append(said, text, (size_t)n, NULL) != 0)
			abort();
}

/* Lines of JSON; returns how many. */
static size_t
check_answers(const struct buffer *said)
{
	size_t lines = 0;
	const unsigned char *at = buffer_bytes(said), *end = at + buffer_len(said);
	for (const unsigned char *newline; at < end; at = newline + 1, lines++) {
		newline = memchr(at, '\n', (size_t)(end - at));
		if (newline == NULL)
			abort();
		for (const unsigned char *p = at; p < newline; p++)
			if (*p < ' ' || *p == 0x7f)
				abort();
		json_t *answer = json_loadb((const char *)at, (size_t)(newline - at), 0, NULL);
		if (answer == NULL || (json_object_get(answer, "result") == NULL) == (json_object_get(answer, "error") == NULL))
			abort();
		json_decref(answer);
	}
	return lines;
}

static size_t
count_lines(const uint8_t *data, size_t size)
{
	size_t count = 0;
	for (size_t i = 0; i < size; i++)
		count += data[i] == '\n';
	return count;
}

static void
run_session(const uint8_t *data, size_t size, size_t step, struct buffer *said)
{
	int fds[2];
	control.next_id = 1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
		abort();
	on_accept(NULL, fds[1]);
	for (size_t at = 0; at < size; at += step) {
		if (send(fds[0], data + at, size - at < step ? size - at : step, MSG_NOSIGNAL) < 0)
			break;
		let_react(fds[0], said);
	}
	shutdown(fds[0], SHUT_WR);
	for (int i = 0; i < 1000 && control.connection_count > 0; i++)
		let_react(fds[0], said);
	let_react(fds[0], said);
	close(fds[0]);
	if (control.connection_count > 0 || control.requests != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct control_queue_events queue_events = { on_queue_row, on_queue_done };
	struct buffer whole, bytewise;
	if (size > 60000)
		return 0;
	if (loop == NULL) {
		loop = loop_new();
		json_object_seed(1);
		control_queue_init(loop, &queue_events, NULL);
	}
	memset(words, 0, sizeof words);
	memcpy(words, data, size < sizeof words - 1 ? size : sizeof words - 1);
	for (size_t i = 0; i < sizeof words - 1 && i < size; i++)
		words[i] = words[i] == '\0' ? ' ' : words[i];
	buffer_init(&whole, TRACE_MAX);
	buffer_init(&bytewise, TRACE_MAX);
	run_session(data, size, size + 1, &whole);
	if (check_answers(&whole) > count_lines(data, size) + 1)
		abort();
	if (size <= BYTEWISE_MAX) {
		run_session(data, size, 1, &bytewise);
		check_answers(&bytewise);
	}
	buffer_finish(&whole);
	buffer_finish(&bytewise);
	return 0;
}
