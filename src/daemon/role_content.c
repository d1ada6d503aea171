/* SPDX-License-Identifier: ISC
 *
 * The role content@ID: everything that parses message content. Started when mail@ID has something for it, ends with that
 * channel or when it was idle for a while. It keeps nothing between two requests but the identity's OpenPGP keys, and after its
 * start opens nothing; mail@ID asks again when it dies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "daemon/content_card.h"
#include "daemon/content_check.h"
#include "daemon/content_leave.h"
#include "daemon/content_open.h"
#include "daemon/content_own.h"
#include "daemon/role.h"
#include "ipc/body.h"
#include "ipc/pack.h"
#include "identity/openpgpkey.h"
#include "mime/dsn.h"
#include "mime/library.h"
#include "mime/note.h"
#include "mime/prepare.h"
#include "onionkey/onionkey.h"

#define IDLE_MS 60000
#define MEMORY_MAX_BYTES (512 * 1024 * 1024)
#define MESSAGE_MAX_BYTES (1024 * 1024 * 1024) /* mail@ID takes no more than the owner allows; this is a belt beside it */

static struct {
	struct channel *mail;
	struct timer *idle;
	int into; /* where the message of request into_id is to be, or -1 */
	uint64_t into_id;
	struct content_own own;
	char address[ADDRESS_MAX + 1]; /* the identity's */
} self = { .into = -1 };

/* The reply that the sender gets for an error. */
static void
set_reply(uint16_t *code, char enhanced[17], char text[IPC_TEXT_MAX + 1], const struct error *err)
{
	static const struct {
		enum error_code code;
		unsigned reply;
		const char *enhanced;
	} table[] = {
		{ ERROR_DENIED, 550, "5.7.1" },
		{ ERROR_TOO_LARGE, 552, "5.3.4" },
	};
	*code = error_is_temporary(err) ? 451 : 550;
	strcpy(enhanced, error_is_temporary(err) ? "4.3.0" : "5.6.0");
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (err->code == table[i].code) {
			*code = (uint16_t)table[i].reply;
			strcpy(enhanced, table[i].enhanced);
		}
	_Static_assert(ERROR_TEXT_MAX <= IPC_TEXT_MAX, "any error text fits into a result");
	size_t len = strlen(err->text);
	for (size_t i = 0; i < len; i++) /* an SMTP reply is one line of ASCII, whatever stood in the message */
		text[i] = err->text[i] >= ' ' && err->text[i] < 0x7f ? err->text[i] : '?';
	text[len] = '\0';
}

static void
send_answer(const struct ipc_message *m)
{
	struct error err = { 0 };
	if (channel_send(self.mail, m, &err) != 0) {
		log_warn("cannot answer mail: %s", err.text);
		role_quit(1); /* it asks the next one of us */
	}
}

/* Sends the body, or what went wrong when failed->code says so. leave: with the fields for it; or NULL. Finishes the body. */
static void
answer_body(uint64_t request_id, const struct error *failed, struct body *body, uint8_t flags, const struct content_leave *leave)
{
	struct ipc_message m = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	struct error err = *failed;
	m.content_result.request_id = request_id;
	if (err.code == ERROR_NONE && body_attach(body, &m, &m.content_result.body, &err) == 0) {
		m.content_result.code = 250;
		strcpy(m.content_result.enhanced, "2.0.0");
		m.content_result.flags = flags;
		m.content_result.is_sealed = leave != NULL && leave->is_sealed;
		if (leave != NULL && leave->signing.to[0] != '\0') {
			m.content_result.field = slice_of(buffer_bytes(&leave->signing.field), buffer_len(&leave->signing.field));
			m.content_result.digest = slice_of(leave->signing.digest, sizeof leave->signing.digest);
		}
	} else {
		m.fd = -1;
		m.content_result.body = slice_of("", 0);
		set_reply(&m.content_result.code, m.content_result.enhanced, m.content_result.text, &err);
	}
	send_answer(&m);
	body_finish(body);
}

/* The same with the buffer's content. Empties the buffer. */
static void
answer(uint64_t request_id, const struct error *failed, struct buffer *content, uint8_t flags)
{
	struct body body = BODY_EMPTY;
	if (failed->code == ERROR_NONE)
		body_from_buffer(content, &body);
	buffer_finish(content);
	answer_body(request_id, failed, &body, flags, NULL);
}

static uint8_t
flags_of(bool has_8bit, bool needs_smtputf8)
{
	return (uint8_t)((has_8bit ? BODY_8BIT : 0) | (needs_smtputf8 ? BODY_SMTPUTF8 : 0));
}

static void
on_prepare_into(struct ipc_message *m)
{
	file_close(&self.into);
	self.into = m->fd;
	self.into_id = m->prepare_into.request_id;
	m->fd = -1;
}

/* The file for the result of this request, or -1. */
static int
take_into(uint64_t request_id)
{
	int into = self.into_id == request_id ? self.into : -1;
	if (into >= 0)
		self.into = -1;
	return into;
}

static void
answer_leave(uint64_t request_id, const struct error *failed, struct content_leave *leave)
{
	answer_body(request_id, failed, &leave->result, leave->flags, leave);
	content_leave_finish(leave);
}

static void
on_prepare(struct ipc_message *m)
{
	const struct ipc_prepare *asked = &m->prepare;
	struct error err = { 0 };
	struct content_leave leave;
	struct body from = BODY_EMPTY;
	struct prepare_request request = { .local_part = asked->local_part, .onion = asked->onion, .now_s = (int64_t)asked->now_s,
		.date_step_s = asked->date_step_s, .ids = asked->ids };
	random_bytes(request.seed, sizeof request.seed);
	strcpy(request.id_letters, asked->id_letters);
	int result = body_take_any(m, asked->body, MESSAGE_MAX_BYTES, &from, &err);
	bool is_begun = content_leave_init(&leave, &from, take_into(asked->request_id), &self.own, asked->local_part, asked->onion, asked->to,
	    result == 0 ? &err : NULL) == 0;
	if (result == 0 && is_begun)
		content_leave_prepare(&leave, &request, &err);
	answer_leave(asked->request_id, &err, &leave);
}

static void
on_seal(struct ipc_message *m)
{
	const struct ipc_seal *asked = &m->seal;
	struct error err = { 0 };
	struct content_leave leave;
	struct body from = BODY_EMPTY;
	char address[ADDRESS_MAX + 1];
	snprintf(address, sizeof address, "%s@%s", asked->local_part, asked->onion);
	int result = body_take_any(m, asked->body, MESSAGE_MAX_BYTES, &from, &err);
	bool is_begun = content_leave_init(&leave, &from, take_into(asked->request_id), &self.own, asked->local_part, asked->onion, asked->to,
	    result == 0 ? &err : NULL) == 0;
	if (result == 0 && is_begun)
		content_leave_seal(&leave, &self.own, address, asked->how, asked->keys, (int64_t)asked->now_s, &err);
	answer_leave(asked->request_id, &err, &leave);
	if (self.own.pgp == NULL && asked->how != SEAL_PLAIN)
		role_quit(0); /* the next one of us may be given the keys */
}

/* Says what was found, or what went wrong. */
static void
on_check(struct ipc_message *m)
{
	struct error err = { 0 };
	struct body message = BODY_EMPTY;
	struct content_checked checked = { 0 };
	struct ipc_message answer = { .type = IPC_TYPE_CHECKED, .fd = -1 };
	struct ipc_checked *result = &answer.checked;
	char enhanced[17];
	_Static_assert(sizeof result->sender > ADDRESS_MAX, "any address fits into a result");
	result->request_id = m->check.request_id;
	if (body_take_any(m, m->check.body, MESSAGE_MAX_BYTES, &message, &err) == 0 &&
	    content_check(&message, m->check.onion, &checked, &err) == 0) {
		set_reply(&result->code, enhanced, result->text, &checked.why); /* for its text */
		result->code = 250;
		result->verdict = (uint8_t)checked.verdict;
		result->has_more = checked.has_more;
		if (checked.sender.onion[0] != '\0')
			address_format(&checked.sender, result->sender);
		result->key = slice_of(buffer_bytes(&checked.key), buffer_len(&checked.key));
		memcpy(result->fingerprint, checked.fingerprint, sizeof result->fingerprint);
		result->signed_s = (uint64_t)checked.signed_s;
		result->digest = slice_of(checked.digest, checked.is_of_file ? sizeof checked.digest : 0);
	} else {
		set_reply(&result->code, enhanced, result->text, &err);
	}
	send_answer(&answer);
	content_checked_finish(&checked);
	body_finish(&message);
}

static void
on_open(struct ipc_message *m)
{
	struct error err = { 0 };
	struct body message = BODY_EMPTY;
	struct content_opened opened = { .body = BODY_EMPTY };
	struct ipc_message answer = { .type = IPC_TYPE_OPENED, .fd = -1 };
	struct ipc_opened *result = &answer.opened;
	char enhanced[17];
	result->request_id = m->open.request_id;
	if (body_take_any(m, m->open.body, MESSAGE_MAX_BYTES, &message, &err) == 0 &&
	    content_open(&self.own, &message, m->open.sender, m->open.keys, &opened, &err) == 0 &&
	    (body_len(&opened.body) == 0 || body_attach(&opened.body, &answer, &result->body, &err) == 0)) {
		err.code = ERROR_NONE;
		snprintf(err.text, sizeof err.text, "%s", opened.facts.why);
		set_reply(&result->code, enhanced, result->text, &err);
		result->code = 250;
		result->encryption = (uint8_t)opened.facts.encryption;
		result->signature = (uint8_t)opened.facts.signature;
		memcpy(result->fingerprint, opened.facts.fingerprint, sizeof result->fingerprint);
		result->findings = slice_of(buffer_bytes(&opened.findings), buffer_len(&opened.findings));
		result->digest = slice_of(opened.digest, opened.is_of_file ? sizeof opened.digest : 0);
	} else {
		answer.fd = -1;
		set_reply(&result->code, enhanced, result->text, &err);
	}
	send_answer(&answer);
	content_opened_finish(&opened);
	body_finish(&message);
}

/* The packed list, borrowed from it. *out is the caller's to free. */
static int
unpack_failures(struct slice list, struct dsn_failure **out, size_t *count, struct error *err)
{
	struct slice rest = list, recipient;
	struct pack_result result;
	size_t n = 0;
	while (pack_next_failure(&rest, &recipient, &result))
		n++;
	if (rest.len != 0 || n == 0)
		return error_set(err, ERROR_PROTOCOL, "mail sent a malformed list of failures");
	struct dsn_failure *failures = calloc(n, sizeof *failures);
	if (failures == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < n && pack_next_failure(&list, &recipient, &result); i++)
		failures[i] = (struct dsn_failure){ recipient, result.code, result.enhanced, result.text };
	*out = failures;
	*count = n;
	return 0;
}

static void
on_compose_dsn(struct ipc_message *m)
{
	struct error err = { 0 };
	struct body original = BODY_EMPTY;
	struct buffer out;
	struct dsn_failure *failures = NULL;
	bool needs_smtputf8 = false, has_8bit = false;
	struct dsn_request request = { .onion = m->compose_dsn.onion, .recipient = m->compose_dsn.recipient,
		.now_s = (int64_t)m->compose_dsn.now_s, .arrival_s = (int64_t)m->compose_dsn.arrival_s,
		.will_end_s = (int64_t)m->compose_dsn.will_end_s };
	random_name(request.id_letters, sizeof request.id_letters);
	random_name(request.boundary_letters, sizeof request.boundary_letters);
	buffer_init(&out, DSN_MAX_BYTES);
	if (unpack_failures(m->compose_dsn.failures, &failures, &request.failure_count, &err) == 0 &&
	    body_take(m, m->compose_dsn.body, MESSAGE_MAX_BYTES, &original, &err) == 0) {
		request.failures = failures;
		content_reveal(&self.own, &original, self.address);
		request.original = original.bytes;
		dsn_compose(&request, &out, &needs_smtputf8, &has_8bit, &err);
	}
	answer(m->compose_dsn.request_id, &err, &out, flags_of(has_8bit, needs_smtputf8));
	body_finish(&original);
	free(failures);
}

static void
on_compose_note(struct ipc_message *m)
{
	struct error err = { 0 };
	struct body message = BODY_EMPTY;
	struct buffer out;
	struct note_request request = { .is_cut = m->compose_note.is_cut != 0,
		.mark = slice_of_string(m->compose_note.mark), .text = m->compose_note.text };
	random_name(request.boundary_letters, sizeof request.boundary_letters);
	buffer_init(&out, MESSAGE_MAX_BYTES + NOTE_ADDED_MAX_BYTES);
	if (body_take(m, m->compose_note.body, MESSAGE_MAX_BYTES, &message, &err) == 0) {
		content_reveal(&self.own, &message, self.address);
		request.message = message.bytes;
		note_compose(&request, &out, &err);
	}
	answer(m->compose_note.request_id, &err, &out, BODY_8BIT);
	body_finish(&message);
}

/* The digest goes along with the text. */
static void
on_compose_card(const struct ipc_message *m)
{
	struct error err = { 0 };
	struct buffer out;
	unsigned char digest[HASH_SHA256_BYTES];
	struct ipc_message answer_message = { .type = IPC_TYPE_CONTENT_RESULT, .fd = -1 };
	struct ipc_content_result *result = &answer_message.content_result;
	result->request_id = m->compose_card.request_id;
	buffer_init(&out, IPC_CARD_MAX);
	if (content_card_compose(&m->compose_card, self.own.pgp, &out, digest, &err) == 0) {
		result->code = 250;
		result->body = slice_of(buffer_bytes(&out), buffer_len(&out));
		result->digest = slice_of(digest, sizeof digest);
	} else {
		set_reply(&result->code, result->enhanced, result->text, &err);
	}
	send_answer(&answer_message);
	buffer_finish(&out);
}

static void
on_check_card(const struct ipc_message *m)
{
	struct error err = { 0 };
	struct buffer out;
	buffer_init(&out, CONTENT_CARD_FACTS_MAX);
	content_card_check(m->check_card.text, &out, &err);
	answer(m->check_card.request_id, &err, &out, 0);
}

static void
on_mail(void *context, struct ipc_message *m)
{
	(void)context;
	timer_start(self.idle, IDLE_MS);
	if (m->type == IPC_TYPE_PREPARE)
		on_prepare(m);
	else if (m->type == IPC_TYPE_PREPARE_INTO)
		on_prepare_into(m);
	else if (m->type == IPC_TYPE_SEAL)
		on_seal(m);
	else if (m->type == IPC_TYPE_CHECK)
		on_check(m);
	else if (m->type == IPC_TYPE_OPEN)
		on_open(m);
	else if (m->type == IPC_TYPE_COMPOSE_DSN)
		on_compose_dsn(m);
	else if (m->type == IPC_TYPE_COMPOSE_NOTE)
		on_compose_note(m);
	else if (m->type == IPC_TYPE_COMPOSE_CARD)
		on_compose_card(m);
	else if (m->type == IPC_TYPE_CHECK_CARD)
		on_check_card(m);
}

static void
on_mail_end(void *context, const struct error *err)
{
	(void)context;
	if (err->code != ERROR_CLOSED)
		log_warn("%s", err->text);
	role_quit(err->code == ERROR_CLOSED ? 0 : 1);
}

static void
on_idle(void *context)
{
	(void)context;
	if (self.mail != NULL && !channel_is_idle(self.mail))
		timer_start(self.idle, IDLE_MS);
	else
		role_quit(0);
}

static void
on_peer(void *context, enum role peer, const char *identity, int fd)
{
	static const struct channel_events events = { on_mail, on_mail_end };
	(void)context, (void)peer, (void)identity;
	channel_free(self.mail);
	self.mail = channel_new(role_loop(), fd, ROLE_CONTENT, ROLE_MAIL, &events, NULL);
	timer_start(self.idle, IDLE_MS);
}

/* One for an identity that has none yet: the parent keeps it. */
static int
make_key(const struct ipc_openpgp_key *of, struct buffer *file, struct error *err)
{
	struct ipc_message made = { .type = IPC_TYPE_OPENPGP_MADE, .fd = -1 };
	struct identity identity = { 0 };
	snprintf(identity.local_part, sizeof identity.local_part, "%s", of->local_part);
	snprintf(identity.onion, sizeof identity.onion, "%s", of->onion);
	snprintf(identity.created, sizeof identity.created, "%s", of->created);
	if (openpgpkey_make(&identity, file, err) != 0)
		return -1;
	made.openpgp_made.key = slice_of(buffer_bytes(file), buffer_len(file));
	role_tell_parent(&made);
	return 0;
}

static void
on_openpgp_key(const struct ipc_message *m)
{
	struct error err = { 0 };
	struct buffer file;
	buffer_init(&file, IDENTITY_OPENPGP_MAX_BYTES + 1);
	snprintf(self.address, sizeof self.address, "%s@%s", m->openpgp_key.local_part, m->openpgp_key.onion);
	int result = m->fd >= 0 ? file_read_all(m->fd, &file, &err) : make_key(&m->openpgp_key, &file, &err);
	if (result == 0)
		result = content_own_set(&self.own, slice_of(buffer_bytes(&file), buffer_len(&file)), &err);
	if (result != 0)
		log_warn("goes on without OpenPGP keys: %s", err.text);
	openpgpkey_wipe(&file);
}

static void
on_parent(void *context, struct ipc_message *m)
{
	(void)context;
	if (m->type == IPC_TYPE_OPENPGP_KEY)
		on_openpgp_key(m);
}

static void
on_stop(void *context)
{
	(void)context;
	role_quit(0); /* each request is answered before the next is looked at */
}

/* A message is bounded, and what is made of it in memory should be, too; should it not, this role ends, and not the machine. */
static void
bound_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	const struct rlimit limit = { MEMORY_MAX_BYTES, MEMORY_MAX_BYTES };
	setrlimit(RLIMIT_DATA, &limit);
#endif
}

/* librnp says on standard error what it does not like in strangers' bytes, and Debian's cannot be told not to: nobody is to fill the log with that. What this
 * program says itself, and what ends it, goes to the descriptor (base/log.h). */
static void
silence_libraries(void)
{
	FILE *nowhere = fopen("/dev/null", "we");
	if (nowhere != NULL)
		stderr = nowhere;
}

int
main(void)
{
	static const struct role_events events = { .on_parent = on_parent, .on_peer = on_peer, .on_stop = on_stop };
	struct error err = { 0 };
	bound_memory();
	silence_libraries();
	onionkey_library_init();
	library_init();
	if (openpgp_prepare(&err) != 0)
		log_warn("%s", err.text);
	role_init(ROLE_CONTENT, &events, NULL);
	self.idle = timer_new(role_loop(), on_idle, NULL);
	timer_start(self.idle, IDLE_MS);
	return role_run();
}
