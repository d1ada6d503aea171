/* SPDX-License-Identifier: ISC
 *
 * For the test of the role mail: its executable; parent, smtp@ID, submission, tor and content@ID are played by the test.
 */
#pragma once

#include "daemon/test_role.h"

#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/test_folder.h"

#define OWN "efv6n5rgp4snez6qh7qc3wphma44lemwpqacfmo5xxw6o4tjgygz45yd.onion"
#define BOB "5ta3lbzh6pyswmmuranj5s454czizz5sa4rq3dutb7q3zz26evwb64qd.onion"
#define FIELD "Onion-Signature: "
/* What stands in front of a message that leaves: the field that content began, and a signature of NULs. */
#define SIGNED FIELD "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n AAAAAAAAAAAAAAAAAAAAAA==\r\n"
#define UNPROVED "SMTorP-Verdict: unproved;\n came=unknown\n" /* in the mailbox */
#define LARGE_BYTES (3 * 1024 * 1024)
#define TEST_DATE_STEP_S 86400

static const char *program;
static uint32_t retry_s = 1, keep_delivered_s;
static uint8_t encryption = ENCRYPTION_NONE;

struct mail_process {
	struct test_role role;
	int smtp, submission, tor, content, control, sign; /* our ends */
};

/* ---- messages */

static inline void
pack_one(struct buffer *list, const char *recipient)
{
	buffer_init(list, IPC_RECIPIENTS_MAX);
	assert_int_equal(pack_string(list, slice_of_string(recipient), NULL), 0);
}

/* ---- the process and its peers */

static inline void
close_peers(struct mail_process *p)
{
	file_close(&p->smtp);
	file_close(&p->submission);
	file_close(&p->tor);
	file_close(&p->content);
	file_close(&p->control);
	file_close(&p->sign);
}

/* What the parent tells it, when it begins and when something has changed. */
static inline void
configure(struct mail_process *p, bool stands_by)
{
	struct ipc_message m = { .type = IPC_TYPE_MAIL_CONFIG, .fd = -1, .mail_config.stands_by = stands_by };
	strcpy(m.mail_config.onion, OWN);
	strcpy(m.mail_config.local_part, "alice");
	m.mail_config.message_max_bytes = 4 * 1024 * 1024;
	m.mail_config.retry_first_s = retry_s;
	m.mail_config.retry_most_s = retry_s;
	m.mail_config.expire_s = 3600;
	m.mail_config.date_step_s = TEST_DATE_STEP_S;
	m.mail_config.keep_delivered_s = keep_delivered_s;
	m.mail_config.refuse_unproved = 1;
	m.mail_config.encryption = encryption;
	m.mail_config.opens = 1;
	test_role_send(p->role.parent, &m);
}

static inline void
launch(struct mail_process *p)
{
	*p = (struct mail_process){ .content = -1 };
	test_role_start(&p->role, program, NULL);
	configure(p, false);
	assert_int_equal(test_role_next(&p->role, p->role.parent, IPC_TYPE_STORE_STATE).store_state.state, STORE_WORKS);
	p->smtp = test_role_give_peer(&p->role, ROLE_SMTP, "");
	p->submission = test_role_give_peer(&p->role, ROLE_SUBMISSION, "");
	p->tor = test_role_give_peer(&p->role, ROLE_TOR, "");
	p->control = test_role_give_peer(&p->role, ROLE_CONTROL, "");
	p->sign = test_role_give_peer(&p->role, ROLE_SIGN, "");
}

static inline void
kill_process(struct mail_process *p)
{
	test_role_kill(&p->role);
	close_peers(p);
}

static inline int
start(void **state)
{
	if (mkdir("mail", 0700) != 0 || chdir("mail") != 0)
		return -1;
	struct mail_process *p = calloc(1, sizeof *p);
	launch(p);
	*state = p;
	return 0;
}

static inline int
finish(void **state)
{
	struct mail_process *p = *state;
	kill_process(p);
	free(p);
	return chdir("..") != 0 ? -1 : file_remove_tree(AT_FDCWD, "mail", NULL);
}

/* From a client that has proved to be an onion; "": it has not. */
static inline void
intake_proved(int socket_fd, uint64_t id, const char *reverse_path, const char *proved, const char *recipient, struct slice bytes)
{
	struct ipc_message m = { .type = IPC_TYPE_INTAKE, .fd = -1 };
	struct buffer recipients;
	struct body body;
	pack_one(&recipients, recipient);
	m.intake.transaction_id = id;
	strcpy(m.intake.reverse_path, reverse_path);
	strcpy(m.intake.proved, proved);
	m.intake.recipients = slice_of(buffer_bytes(&recipients), buffer_len(&recipients));
	assert_int_equal(body_from_bytes(bytes, &body, NULL), 0);
	assert_int_equal(body_attach(&body, &m, &m.intake.body, NULL), 0);
	test_role_send(socket_fd, &m);
	body_finish(&body);
	buffer_finish(&recipients);
}

static inline void
intake(int socket_fd, uint64_t id, const char *reverse_path, const char *recipient, struct slice bytes)
{
	intake_proved(socket_fd, id, reverse_path, "", recipient, bytes);
}

static inline void
expect_done(struct mail_process *p, int socket_fd, uint64_t id, unsigned code)
{
	struct ipc_message m = test_role_next(&p->role, socket_fd, IPC_TYPE_INTAKE_DONE);
	if (m.intake_done.code != code)
		fail_msg("%u %s %s", m.intake_done.code, m.intake_done.enhanced, m.intake_done.text);
	assert_true(m.intake_done.transaction_id == id);
}

static inline void
receive_text(struct mail_process *p, uint64_t id, const char *text)
{
	intake(p->smtp, id, "bob@" BOB, "alice@" OWN, slice_of_string(text));
}

/* Answers NEED_CONTENT, unless content is there. */
static inline void
give_content(struct mail_process *p)
{
	if (p->content >= 0)
		return;
	test_role_next(&p->role, p->role.parent, IPC_TYPE_NEED_CONTENT);
	p->content = test_role_give_peer(&p->role, ROLE_CONTENT, "");
}

/* The next message to content that is of this type; copies for the folder Waiting, which mail has composed when it likes,
 * are composed in between. */
static inline struct ipc_message
next_to_content(struct mail_process *p, enum ipc_type type)
{
	for (;;) {
		struct ipc_message m = test_role_any(&p->role, p->content), result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
		if (m.type == type && type != IPC_TYPE_COMPOSE_NOTE)
			return m;
		assert_int_equal(m.type, IPC_TYPE_COMPOSE_NOTE);
		file_close(&m.fd);
		result.content_result.request_id = m.compose_note.request_id;
		result.content_result.code = 250;
		result.content_result.body = slice_of_string("Subject: copy\r\n\r\n");
		test_role_send(p->content, &result);
		if (type == IPC_TYPE_COMPOSE_NOTE)
			return m;
	}
}

/* sign: answers with a signature, which nobody verifies here. */
static inline void
sign(struct mail_process *p)
{
	static const unsigned char signature[IPC_SIGNATURE_BYTES];
	struct ipc_message m = test_role_next(&p->role, p->sign, IPC_TYPE_SIGN);
	const struct ipc_message answer = { .type = IPC_TYPE_SIGNED, .fd = -1, .signed_ = { .request_id = m.sign.request_id,
		.signature = slice_of(signature, sizeof signature) } };
	assert_int_equal(m.sign.context, 0);
	assert_int_equal(m.sign.digest.len, IPC_DIGEST_BYTES);
	test_role_send(p->sign, &answer);
}

/* What content says of the signature. */
static inline void
begin_field(const struct ipc_message *prepare, struct ipc_message *result)
{
	static const unsigned char digest[IPC_DIGEST_BYTES];
	if (prepare->prepare.to[0] == '\0')
		return;
	result->content_result.field = slice_of_string(FIELD);
	result->content_result.digest = slice_of(digest, sizeof digest);
}

/* content: answers PREPARE with the same bytes and a mark in front; what goes to others is signed. */
static inline void
prepare(struct mail_process *p)
{
	struct body body;
	struct buffer marked;
	struct ipc_message m = next_to_content(p, IPC_TYPE_PREPARE);
	assert_string_equal(m.prepare.onion, OWN);
	assert_string_equal(m.prepare.local_part, "alice");
	assert_int_equal(strlen(m.prepare.id_letters), 26);
	struct ipc_message result = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	result.content_result.request_id = m.prepare.request_id;
	result.content_result.code = 250;
	result.content_result.flags = BODY_8BIT;
	bool is_to_be_signed = m.prepare.to[0] != '\0';
	begin_field(&m, &result);
	assert_int_equal(body_take(&m, m.prepare.body, 8 * 1024 * 1024, &body, NULL), 0);
	buffer_init(&marked, 8 * 1024 * 1024);
	assert_int_equal(buffer_append_string(&marked, "Prepared: yes\r\n", NULL), 0);
	assert_int_equal(buffer_append(&marked, body.bytes.data, body.bytes.len, NULL), 0);
	body_finish(&body);
	assert_int_equal(body_from_bytes(slice_of(buffer_bytes(&marked), buffer_len(&marked)), &body, NULL), 0);
	assert_int_equal(body_attach(&body, &result, &result.content_result.body, NULL), 0);
	test_role_send(p->content, &result);
	body_finish(&body);
	buffer_finish(&marked);
	if (is_to_be_signed)
		sign(p);
}

static inline void
submit(struct mail_process *p, uint64_t id, const char *recipient, struct slice bytes)
{
	intake(p->submission, id, "alice@" OWN, recipient, bytes);
	give_content(p);
	prepare(p);
	expect_done(p, p->submission, id, 250);
}

/* SESSION_START and DIAL for bob; returns the session's id. */
static inline uint64_t
expect_dial(struct mail_process *p, unsigned port)
{
	struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_START);
	uint64_t id = m.session_start.session_id;
	assert_string_equal(m.session_start.onion, BOB);
	assert_int_equal(m.session_start.mode, port == 465 ? SESSION_SMTORP : SESSION_SMTP);
	m = test_role_next(&p->role, p->tor, IPC_TYPE_DIAL);
	assert_true(m.dial.session_id == id);
	assert_string_equal(m.dial.onion, BOB);
	assert_int_equal(m.dial.port, port);
	return id;
}

static inline void
fail_dial(struct mail_process *p, uint64_t id, enum ipc_dial_reason reason)
{
	struct ipc_message m = { .type = IPC_TYPE_DIAL_FAILED, .fd = -1 };
	m.dial_failed.session_id = id;
	m.dial_failed.reason = (uint8_t)reason;
	test_role_send(p->tor, &m);
	m = test_role_next(&p->role, p->smtp, IPC_TYPE_SESSION_QUIT);
	assert_true(m.session_quit.session_id == id);
}

static inline void
be_ready(struct mail_process *p, uint64_t id)
{
	struct ipc_message m = { .type = IPC_TYPE_SESSION_READY, .fd = -1 };
	m.session_ready.session_id = id;
	m.session_ready.tls = 1;
	test_role_send(p->smtp, &m);
}

static inline void
end_session(struct mail_process *p, uint64_t id, enum ipc_end_reason reason)
{
	struct ipc_message m = { .type = IPC_TYPE_SESSION_END, .fd = -1 };
	m.session_end.session_id = id;
	m.session_end.reason = (uint8_t)reason;
	test_role_send(p->smtp, &m);
}

static inline struct ipc_message
expect_deliver(struct mail_process *p, uint64_t session_id)
{
	struct ipc_message m = test_role_next(&p->role, p->smtp, IPC_TYPE_DELIVER);
	assert_true(m.deliver.session_id == session_id);
	assert_string_equal(m.deliver.reverse_path, "alice@" OWN);
	assert_int_equal(m.deliver.flags, BODY_8BIT);
	return m;
}

static inline void
answer_delivery(struct mail_process *p, uint64_t session_id, uint64_t delivery_id, unsigned code)
{
	struct ipc_message m = { .type = IPC_TYPE_DELIVERED, .fd = -1 };
	struct pack_result r = { code, slice_of_string(""), slice_of_string("said the server") };
	struct buffer results;
	buffer_init(&results, 1000);
	assert_int_equal(pack_result(&results, &r, NULL), 0);
	m.delivered.session_id = session_id;
	m.delivered.delivery_id = delivery_id;
	m.delivered.results = slice_of(buffer_bytes(&results), buffer_len(&results));
	test_role_send(p->smtp, &m);
	buffer_finish(&results);
}

/* ---- the folder */

/* Waits until a folder holds so many files; p, if not NULL, has its copies composed meanwhile. */
static inline void
await_files_of(struct mail_process *p, const char *name, const char *text, size_t count)
{
	const int64_t deadline_ms = clock_monotonic_ms() + TEST_ROLE_DEADLINE_S * 1000;
	char events[4096];
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	assert_true(watch >= 0 && inotify_add_watch(watch, name, IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE) >= 0);
	while (test_folder_count(name, text) != count) {
		int64_t left_ms = deadline_ms - clock_monotonic_ms();
		if (left_ms <= 0)
			fail_msg("%zu files in %s instead of %zu", test_folder_count(name, text), name, count);
		struct pollfd poll_fds[] = { { watch, POLLIN, 0 },
			{ p == NULL ? -1 : p->content >= 0 ? p->content : p->role.parent, POLLIN, 0 } };
		poll(poll_fds, 2, (int)left_ms);
		if (poll_fds[1].revents != 0 && p->content >= 0) {
			next_to_content(p, IPC_TYPE_COMPOSE_NOTE);
		} else if (poll_fds[1].revents != 0) {
			give_content(p);
		}
		while (read(watch, events, sizeof events) > 0)
			;
	}
	close(watch);
}

static inline void
await_files(const char *name, const char *text, size_t count)
{
	await_files_of(NULL, name, text, count);
}

static inline void
stop(struct mail_process *p)
{
	struct ipc_message m = { .type = IPC_TYPE_STOP, .fd = -1 };
	test_role_send(p->role.parent, &m);
	assert_int_equal(test_role_wait(&p->role), 0);
	close_peers(p);
}
