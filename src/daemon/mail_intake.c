/* SPDX-License-Identifier: ISC */
#include "daemon/mail_intake.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address/address.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/mail_destinations.h"
#include "ipc/pack.h"
#include "mime/verdict.h"
#include "proof/context.h"
#include "proof/onionsig.h"

/* One message between INTAKE and INTAKE_DONE. */
struct pending {
	struct mail_intake *intake;
	struct pending *next, **at;
	enum role source;
	unsigned generation;
	uint64_t transaction_id;
	uint64_t below; /* it is durable when all sequences below this one are */
	/* while content looks at the body */
	uint64_t bytes;
	uint8_t flags;
	char reverse_path[IPC_MAILBOX_MAX + 1];
	struct body body;
	struct buffer recipients;   /* of a stranger's, packed */
	/* submissions */
	struct buffer destinations; /* record_add_destination() */
	struct ids_leaving ids;
	struct copy *copies, **last_copy; /* those that are ready, each for one destination */
	struct slice left;                /* of destinations, without that at hand */
	char onion[IPC_ONION_MAX + 1];    /* of the one at hand */
	struct slice at_hand;
};

/* What one destination gets. */
struct copy {
	struct copy *next;
	struct slice destination; /* in the pending's list */
	uint8_t flags;
	struct buffer field; /* the Onion-Signature, to stand before the body */
	struct body body;
};

struct mail_intake {
	struct mail_intake_config config;
	struct mailstore *mailstore;
	struct mail_content *content;
	struct mail_sign *sign;
	const struct mail_intake_events *events;
	void *context;
	struct pending *preparing; /* content has it */
	struct pending *appended, **last; /* to be answered when durable; the oldest first */
	uint64_t preparing_bytes;
	bool is_stopped;
};

struct answer {
	uint16_t code;
	const char *enhanced, *text;
};

static const struct answer accepted = { 250, "2.0.0", "accepted" };
static const struct answer busy = { 451, "4.3.1", "too much is waiting here; try again later" };
static const struct answer stopping = { 451, "4.3.2", "going down; try again later" };
static const struct answer no_space = { 452, "4.3.1", "no space for mail; try again later" };
static const struct answer failed = { 451, "4.3.0", "cannot store mail now; try again later" };
static const struct answer unchecked = { 451, "4.3.0", "the message could not be looked at; try again later" };
static const struct answer unsigned_ = { 451, "4.3.0", "the message could not be signed; try again later" };
static const struct answer unprepared = { 451, "4.3.0", "the message could not be prepared; try again later" };

/* ---- answering */

static void
link_to(struct pending **list, struct pending *p)
{
	p->next = *list;
	p->at = list;
	if (p->next != NULL)
		p->next->at = &p->next;
	*list = p;
}

static void
unlink_from(struct pending *p)
{
	if (p->at == NULL)
		return;
	*p->at = p->next;
	if (p->next != NULL)
		p->next->at = p->at;
	p->at = NULL;
}

static void
free_pending(struct pending *p)
{
	while (p->copies != NULL) {
		struct copy *copy = p->copies;
		p->copies = copy->next;
		buffer_finish(&copy->field);
		body_finish(&copy->body);
		free(copy);
	}
	buffer_finish(&p->recipients);
	body_finish(&p->body);
	buffer_finish(&p->destinations);
	ids_leaving_finish(&p->ids);
	free(p);
}

static void
finish(struct pending *p, const struct answer *a)
{
	struct ipc_message m = { .type = IPC_TYPE_INTAKE_DONE, .fd = -1 };
	m.intake_done.transaction_id = p->transaction_id;
	m.intake_done.code = a->code;
	snprintf(m.intake_done.enhanced, sizeof m.intake_done.enhanced, "%s", a->enhanced);
	snprintf(m.intake_done.text, sizeof m.intake_done.text, "%s", a->text);
	p->intake->events->reply(p->intake->context, p->source, p->generation, &m);
	unlink_from(p);
	p->intake->preparing_bytes -= p->bytes;
	free_pending(p);
}

static void
finish_error(struct pending *p, const struct error *err)
{
	switch (err->code) {
	case ERROR_NO_SPACE:
		p->intake->events->on_no_space(p->intake->context, err);
		finish(p, &no_space);
		return;
	case ERROR_INVALID:
	case ERROR_TOO_LARGE: {
		struct answer a = { 554, "5.6.0", err->text };
		finish(p, &a);
		return;
	}
	default:
		log_error("%s", err->text);
		finish(p, &failed);
	}
}

static void
after_append(struct pending *p, int result, const struct error *err)
{
	struct mail_intake *in = p->intake;
	if (result == 0) {
		unlink_from(p);
		p->below = mailstore_appended_below(in->mailstore);
		p->next = NULL;
		*in->last = p;
		in->last = &p->next;
		in->events->on_appended(in->context);
		return;
	}
	finish_error(p, err);
	if (mailstore_is_broken(in->mailstore))
		mail_intake_commit(in); /* refuses the others */
}

/* The beginning of a message: its header, most likely. *copy: an empty buffer of THREADS_SCAN_BYTES for that of a file, to which a role that is trusted
 * less can still write. */
static int
read_beginning(const struct body *body, struct buffer *copy, struct slice *beginning, struct error *err)
{
	size_t len = body_len(body) < THREADS_SCAN_BYTES ? (size_t)body_len(body) : THREADS_SCAN_BYTES;
	*beginning = slice_of(body->bytes.data, len);
	if (body->file_bytes == 0)
		return 0;
	unsigned char *room = buffer_reserve(copy, len, err);
	if (room == NULL || body_read(body, 0, room, len, err) != 0)
		return -1;
	*beginning = slice_of(room, len);
	return 0;
}

/* ---- strangers' mail */

#define UNPROVED VERDICT_FIELD ": unproved\r\n"

static bool
is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] < 0x20 || s.data[i] == 0x7f)
			return false;
	return true;
}

static int
check_envelope(const struct ipc_intake *m, struct error *err)
{
	struct slice list = m->recipients, recipient;
	size_t count = 0;
	if (!is_plain(slice_of_string(m->reverse_path)))
		return error_set(err, ERROR_INVALID, "a control character in the sender's address");
	while (pack_next(&list, &recipient)) {
		if (recipient.len == 0 || recipient.len > IPC_MAILBOX_MAX || !is_plain(recipient))
			return error_set(err, ERROR_INVALID, "a malformed recipient");
		count++;
	}
	if (list.len != 0 || count == 0)
		return error_set(err, ERROR_INVALID, "a malformed list of recipients");
	return 0;
}

/* verdict: the line of the mailbox copy. */
static void
receive(struct pending *p, const char *verdict, uint8_t flags, const char *reverse_path, struct slice recipients, const struct body *body)
{
	struct error err = { 0 };
	struct record r = { .type = RECORD_RECEIVED, .flags = flags, .arrival_ms = clock_wall_ms(),
		.verdict = slice_of_string(verdict), .reverse_path = slice_of_string(reverse_path), .recipients = recipients };
	int result = record_hash(r.reverse_path, r.recipients, body, r.hash, &err);
	if (result == 0)
		result = mailstore_receive(p->intake->mailstore, &r, body, &err);
	after_append(p, result, &err);
}

/* What content has found of a message's sender. */
static void
on_checked(void *context, const struct ipc_content_result *result, struct body *body)
{
	struct pending *p = context;
	struct mail_intake *in = p->intake;
	char verdict[RECORD_VERDICT_MAX], text[IPC_TEXT_MAX];
	(void)body;
	if (in->is_stopped || result == NULL || result->code != 250) {
		finish(p, in->is_stopped ? &stopping : &unchecked);
		return;
	}
	bool is_false = result->verdict == ONIONSIG_MISSING || result->verdict == ONIONSIG_WRONG;
	const char *why = result->verdict == ONIONSIG_MISSING ? "there is no Onion-Signature" : result->text;
	if (is_false && in->config.refuse_unproved) {
		snprintf(text, sizeof text, "the sender is not proved to be who From says: %.300s", why);
		const struct answer refused = { 550, "5.7.1", text };
		finish(p, &refused);
		return;
	}
	if (result->verdict == ONIONSIG_PROVED)
		snprintf(verdict, sizeof verdict, VERDICT_FIELD ": proved;\r\n sender=%s\r\n", result->sender);
	else if (is_false)
		snprintf(verdict, sizeof verdict, VERDICT_FIELD ": false;\r\n reason=%.400s\r\n", why);
	else
		snprintf(verdict, sizeof verdict, UNPROVED);
	receive(p, verdict, p->flags, p->reverse_path, slice_of(buffer_bytes(&p->recipients), buffer_len(&p->recipients)), &p->body);
}

/* Keeps what is needed until content has answered. */
static void
hold(struct pending *p, const struct ipc_intake *m, struct body *body)
{
	p->body = *body;
	*body = BODY_EMPTY;
	p->flags = m->flags;
	p->bytes = body_len(&p->body);
	p->intake->preparing_bytes += p->bytes;
	memcpy(p->reverse_path, m->reverse_path, sizeof p->reverse_path);
	link_to(&p->intake->preparing, p);
}

/* Whether content has too much to look at. Strangers fill half of the room at most, so that there is always some for the owner. */
static bool
is_busy(const struct mail_intake *in, const struct body *body, bool is_strangers)
{
	unsigned share = is_strangers ? 2 : 1;
	return mail_content_waiting(in->content) >= MAIL_INTAKE_PREPARED_MAX / share || (in->preparing_bytes > 0 &&
	    in->preparing_bytes + body_len(body) > in->config.message_max_bytes * MAIL_INTAKE_PREPARED_LARGE / share);
}

/* What stands behind the beginning of a header is not read when the copy for the mailbox is made: there must be no field of ours. */
static int
scan_long_header(const struct body *body, bool *is_asked_for, struct error *err)
{
	static unsigned char step[THREADS_SCAN_BYTES];
	struct verdict_scan scan = { 0 };
	for (uint64_t at = 0; at < body_len(body) && !scan.has_ended; at += sizeof step) {
		size_t len = body_len(body) - at < sizeof step ? (size_t)(body_len(body) - at) : sizeof step;
		if (body_read(body, at, step, len, err) != 0)
			return -1;
		verdict_scan_update(&scan, step, len);
	}
	*is_asked_for = scan.is_asked_for;
	return scan.has_verdict ? error_set(err, ERROR_INVALID, "a header of more than %d bytes with a field " VERDICT_FIELD, THREADS_SCAN_BYTES) : 0;
}

static void
take_received(struct pending *p, const struct ipc_intake *m, struct body *body)
{
	struct mail_intake *in = p->intake;
	struct buffer copy;
	struct slice beginning;
	struct body shared;
	struct error err = { 0 };
	buffer_init(&copy, THREADS_SCAN_BYTES);
	int result = read_beginning(body, &copy, &beginning, &err);
	bool is_asked_for = result == 0 && verdict_is_asked_for(beginning), ends = result == 0 && verdict_header_ends(beginning);
	buffer_finish(&copy);
	if (result == 0 && !ends && body_len(body) > THREADS_SCAN_BYTES)
		result = scan_long_header(body, &is_asked_for, &err);
	if (result != 0) {
		finish_error(p, &err);
		return;
	}
	if (!is_asked_for) {
		receive(p, UNPROVED, m->flags, m->reverse_path, m->recipients, body);
		return;
	}
	if (is_busy(in, body, true)) {
		finish(p, &busy);
		return;
	}
	hold(p, m, body);
	buffer_init(&p->recipients, IPC_RECIPIENTS_MAX);
	if (buffer_append(&p->recipients, m->recipients.data, m->recipients.len, &err) != 0 || body_share(&p->body, &shared, &err) != 0) {
		finish_error(p, &err);
		return;
	}
	mail_content_check(in->content, in->config.onion, &shared, on_checked, p);
}

/* ---- the owner's mail */

static int
check_sender(const struct mail_intake *in, const char *reverse_path, struct error *err)
{
	struct address a;
	if (reverse_path[0] == '\0')
		return 0;
	if (address_parse(slice_of_string(reverse_path), &a, err) != 0)
		return -1;
	if (strcmp(a.onion, in->config.onion) == 0 &&
	    address_is_mailbox(slice_of_string(a.local_part), in->config.local_part))
		return 0;
	return error_set(err, ERROR_DENIED, "that is not your address: send as %s@%.12s...onion", in->config.local_part,
	    in->config.onion);
}

/* All destinations are ready: their records follow one another, so that a message is taken as a whole. */
static void
submit(struct pending *p)
{
	struct error err = { 0 };
	int result = 0;
	for (const struct copy *copy = p->copies; result == 0 && copy != NULL; copy = copy->next) {
		const struct record r = { .type = RECORD_SUBMITTED, .flags = copy->flags | (p->flags & BODY_SMTPUTF8),
			.arrival_ms = clock_wall_ms(), .reverse_path = slice_of_string(p->reverse_path),
			.ids = slice_of(buffer_bytes(&p->ids.kept), buffer_len(&p->ids.kept)), .destinations = copy->destination,
			.front = slice_of(buffer_bytes(&copy->field), buffer_len(&copy->field)) };
		result = mailstore_submit(p->intake->mailstore, &r, &copy->body, &err);
	}
	after_append(p, result, &err);
}

static void prepare_next(struct pending *p);

static void
on_signed(void *context, const unsigned char *signature)
{
	struct pending *p = context;
	struct copy *copy = p->copies;
	struct error err = { 0 };
	while (copy->next != NULL)
		copy = copy->next;
	if (p->intake->is_stopped || signature == NULL)
		finish(p, p->intake->is_stopped ? &stopping : &unsigned_);
	else if (onionsig_end(&copy->field, signature, &err) != 0)
		finish_error(p, &err);
	else
		prepare_next(p);
}

static void
on_prepared(void *context, const struct ipc_content_result *result, struct body *body)
{
	struct pending *p = context;
	struct error err = { 0 };
	if (p->intake->is_stopped) {
		finish(p, &stopping);
		return;
	}
	bool is_to_be_signed = p->onion[0] != '\0';
	if (result == NULL || (result->code == 250 && (body_len(body) == 0 || is_to_be_signed != (result->digest.len == IPC_DIGEST_BYTES)))) {
		finish(p, &unprepared);
		return;
	}
	if (result->code != 250) {
		struct answer a = { result->code >= 400 && result->code < 600 ? result->code : 451, result->enhanced, result->text };
		finish(p, &a);
		return;
	}
	struct copy *copy = calloc(1, sizeof *copy);
	assert(copy != NULL);
	*copy = (struct copy){ .destination = p->at_hand, .flags = result->flags, .body = *body };
	*body = BODY_EMPTY;
	buffer_init(&copy->field, 2 * IPC_FIELD_MAX);
	*p->last_copy = copy;
	p->last_copy = &copy->next;
	if (buffer_append(&copy->field, result->field.data, result->field.len, &err) != 0)
		finish_error(p, &err);
	else if (is_to_be_signed)
		mail_sign_ask(p->intake->sign, CONTEXT_MESSAGE, result->digest.data, on_signed, p);
	else
		prepare_next(p);
}

/* One after another, each destination gets a copy of its own: what is signed for it, and what is encrypted to it, is nobody else's affair. */
static void
prepare_next(struct pending *p)
{
	struct mail_intake *in = p->intake;
	struct slice onion, recipients, before = p->left;
	struct body shared;
	struct error err = { 0 };
	if (!record_next_destination(&p->left, &onion, &recipients)) {
		submit(p);
		return;
	}
	p->at_hand = slice_of(before.data, before.len - p->left.len);
	snprintf(p->onion, sizeof p->onion, "%.*s", (int)onion.len, (const char *)onion.data);
	if (body_share(&p->body, &shared, &err) != 0) {
		finish_error(p, &err);
		return;
	}
	static_assert(IDS_LINES_MAX_BYTES <= IPC_IDS_MAX, "PREPARE takes them all");
	const struct mail_content_message message = { in->config.local_part, in->config.onion, p->onion, p->ids.letters,
		in->config.date_step_s, slice_of(buffer_bytes(&p->ids.map), buffer_len(&p->ids.map)) };
	mail_content_prepare(in->content, &message, &shared, on_prepared, p);
}

/* Looks for the message ids, and how they are to leave: content@ID, which reads the message, is told. */
static int
name_ids(struct pending *p, const struct body *body, struct error *err)
{
	struct buffer copy;
	struct slice beginning;
	buffer_init(&copy, THREADS_SCAN_BYTES);
	int result = read_beginning(body, &copy, &beginning, err);
	if (result == 0)
		result = ids_leave(mailstore_ids(p->intake->mailstore), beginning, p->intake->config.onion, &p->ids, err);
	buffer_finish(&copy);
	return result;
}

static void
take_submitted(struct pending *p, const struct ipc_intake *m, struct body *body)
{
	struct mail_intake *in = p->intake;
	struct error err = { 0 };
	struct answer refused = { 550, "5.7.1", err.text };
	if (is_busy(in, body, false)) {
		finish(p, &busy);
		return;
	}
	if (check_sender(in, m->reverse_path, &err) != 0) {
		finish(p, &refused);
		return;
	}
	buffer_init(&p->destinations, RECORD_HEAD_MAX);
	if (mail_destinations_group(&in->config, m->recipients, &p->destinations, &err) != 0) {
		refused.enhanced = "5.1.3";
		finish(p, error_is_temporary(&err) ? &failed : &refused);
		return;
	}
	if (name_ids(p, body, &err) != 0) {
		finish_error(p, &err);
		return;
	}
	hold(p, m, body);
	p->last_copy = &p->copies;
	p->left = slice_of(buffer_bytes(&p->destinations), buffer_len(&p->destinations));
	prepare_next(p);
}

/* ---- from the role */

static bool
is_full(const struct mail_intake *in)
{
	return mailstore_backlog_bytes(in->mailstore) >= MAIL_INTAKE_BACKLOG_BYTES ||
	    mailstore_backlog_records(in->mailstore) >= MAIL_INTAKE_BACKLOG_RECORDS;
}

bool
mail_intake_may_receive(const struct mail_intake *in, uint64_t bytes)
{
	uint64_t kept = in->config.keep_free_bytes, there = kept == 0 ? UINT64_MAX : file_free_bytes(".");
	return there >= kept && there - kept >= bytes;
}

static void
refuse_for_reserve(struct pending *p)
{
	struct mail_intake *in = p->intake;
	finish(p, &no_space);
	in->events->on_reserve(in->context);
}

void
mail_intake_take(struct mail_intake *in, enum role source, unsigned generation, struct ipc_message *m)
{
	struct error err = { 0 };
	struct body body = BODY_EMPTY;
	struct pending *p = calloc(1, sizeof *p);
	assert(p != NULL);
	*p = (struct pending){ .intake = in, .source = source, .generation = generation,
		.transaction_id = m->intake.transaction_id, .body = BODY_EMPTY };
	if (in->is_stopped || is_full(in)) {
		finish(p, in->is_stopped ? &stopping : &busy);
		return;
	}
	if (check_envelope(&m->intake, &err) != 0 ||
	    body_take_any(m, m->intake.body, in->config.message_max_bytes, &body, &err) != 0)
		finish_error(p, &err);
	else if (source == ROLE_SMTP && !mail_intake_may_receive(in, body_len(&body)))
		refuse_for_reserve(p);
	else if (source == ROLE_SMTP)
		take_received(p, &m->intake, &body);
	else
		take_submitted(p, &m->intake, &body);
	body_finish(&body);
}

void
mail_intake_commit(struct mail_intake *in)
{
	struct error err = { 0 };
	int result = mailstore_commit(in->mailstore, &err);
	uint64_t durable_below = mailstore_durable_below(in->mailstore);
	while (in->appended != NULL && (result < 0 || in->appended->below <= durable_below)) {
		struct pending *p = in->appended;
		in->appended = p->next;
		if (in->appended == NULL)
			in->last = &in->appended;
		finish(p, p->below <= durable_below ? &accepted : &failed);
	}
	if (result < 0)
		in->events->on_broken(in->context, &err);
}

void
mail_intake_stop(struct mail_intake *in)
{
	in->is_stopped = true;
	for (struct pending *p = in->preparing; p != NULL; p = p->next) {
		/* content may still answer: then on_prepared() says the same once more to nobody */
		struct ipc_message m = { .type = IPC_TYPE_INTAKE_DONE, .fd = -1 };
		m.intake_done.transaction_id = p->transaction_id;
		m.intake_done.code = stopping.code;
		snprintf(m.intake_done.enhanced, sizeof m.intake_done.enhanced, "%s", stopping.enhanced);
		snprintf(m.intake_done.text, sizeof m.intake_done.text, "%s", stopping.text);
		in->events->reply(in->context, p->source, p->generation, &m);
	}
}

struct mail_intake *
mail_intake_new(const struct mail_intake_config *config, struct mailstore *mailstore, struct mail_content *content, struct mail_sign *sign,
    const struct mail_intake_events *events, void *context)
{
	struct mail_intake *in = calloc(1, sizeof *in);
	assert(in != NULL);
	*in = (struct mail_intake){ .config = *config, .mailstore = mailstore, .content = content, .sign = sign, .events = events,
		.context = context };
	in->last = &in->appended;
	return in;
}

void
mail_intake_free(struct mail_intake *in)
{
	if (in == NULL)
		return;
	struct pending *lists[] = { in->preparing, in->appended };
	for (size_t i = 0; i < 2; i++)
		for (struct pending *p = lists[i], *next; p != NULL; p = next) {
			next = p->next;
			free_pending(p);
		}
	free(in);
}
