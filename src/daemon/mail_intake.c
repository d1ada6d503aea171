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
#include "ipc/pack.h"

/* One message between INTAKE and INTAKE_DONE. */
struct pending {
	struct mail_intake *intake;
	struct pending *next, **at;
	enum role source;
	unsigned generation;
	uint64_t transaction_id;
	uint64_t below; /* it is durable when all sequences below this one are */
	/* submissions, while content has the body */
	uint64_t bytes;
	uint8_t flags;
	char reverse_path[IPC_MAILBOX_MAX + 1];
	struct buffer destinations; /* record_add_destination() */
	struct ids_leaving ids;
};

struct mail_intake {
	struct mail_intake_config config;
	struct mailstore *mailstore;
	struct mail_content *content;
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

/* ---- strangers' mail */

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

static void
take_received(struct pending *p, const struct ipc_intake *m, struct body *body)
{
	struct error err = { 0 };
	struct record r = { .type = RECORD_RECEIVED, .flags = m->flags, .arrival_ms = clock_wall_ms(),
		.reverse_path = slice_of_string(m->reverse_path), .recipients = m->recipients };
	int result = record_hash(r.reverse_path, r.recipients, body, r.hash, &err);
	if (result == 0)
		result = mailstore_receive(p->intake->mailstore, &r, body, &err);
	after_append(p, result, &err);
}

/* ---- the owner's mail */

/* The onion to which a submitted recipient goes: "" for the own mailbox. *mailbox: its address in the normal form. */
static int
destination_of(const struct mail_intake *in, struct slice recipient, char onion[IPC_ONION_MAX + 1],
    char mailbox[ADDRESS_MAX + 1], struct error *err)
{
	struct address a;
	if (address_parse(recipient, &a, err) != 0)
		return -1;
	address_format(&a, mailbox);
	snprintf(onion, IPC_ONION_MAX + 1, "%s", a.onion);
	if (strcmp(a.onion, in->config.onion) != 0)
		return 0;
	onion[0] = '\0';
	struct slice local = slice_of_string(a.local_part);
	if (address_is_mailbox(local, in->config.local_part) || slice_is_nocase(local, "postmaster"))
		return 0;
	return error_set(err, ERROR_INVALID, "there is no such mailbox at your own address");
}

struct destination {
	char onion[IPC_ONION_MAX + 1];
	struct buffer recipients;
};

/* Whether two addresses of one onion are the same mailbox, and the label of one begins that of the other (or is not there). */
static bool
are_the_same(struct slice a, struct slice b, const char *onion)
{
	struct slice label_a = address_label_of(a, onion), label_b = address_label_of(b, onion);
	size_t shorter = label_a.len < label_b.len ? label_a.len : label_b.len;
	size_t front_a = a.len - label_a.len - (label_a.len > 0), front_b = b.len - label_b.len - (label_b.len > 0);
	return front_a == front_b && memcmp(a.data, b.data, front_a - strlen(onion)) == 0 &&
	    (shorter == 0 || memcmp(label_a.data, label_b.data, shorter) == 0);
}

/* Adds a mailbox to a list. One that is named twice, with a fingerprint and without, stands there once, by the form that
 * asks for more. */
static int
add_once(struct buffer *recipients, struct slice mailbox, const char *onion, struct error *err)
{
	struct slice list = slice_of(buffer_bytes(recipients), buffer_len(recipients)), each;
	if (onion[0] == '\0') /* the own mailbox, however it is called */
		return pack_string(recipients, mailbox, err);
	struct buffer kept;
	char longest[ADDRESS_MAX + 1];
	int result = 0;
	buffer_init(&kept, IPC_RECIPIENTS_MAX);
	while (result == 0 && pack_next(&list, &each))
		if (!are_the_same(each, mailbox, onion)) {
			result = pack_string(&kept, each, err);
		} else if (each.len > mailbox.len) {
			memcpy(longest, each.data, each.len);
			mailbox = slice_of(longest, each.len);
		}
	if (result == 0)
		result = pack_string(&kept, mailbox, err);
	buffer_finish(recipients);
	*recipients = kept;
	return result;
}

static int
add_recipient(struct destination **list, size_t *count, const char *onion, struct slice recipient, struct error *err)
{
	size_t i = 0;
	while (i < *count && strcmp((*list)[i].onion, onion) != 0)
		i++;
	if (i == *count) {
		struct destination *grown = reallocarray(*list, *count + 1, sizeof **list);
		if (grown == NULL)
			return error_set(err, ERROR_NO_MEMORY, "out of memory");
		*list = grown;
		snprintf(grown[i].onion, sizeof grown[i].onion, "%s", onion);
		buffer_init(&grown[i].recipients, IPC_RECIPIENTS_MAX);
		(*count)++;
	}
	return add_once(&(*list)[i].recipients, recipient, onion, err);
}

static int
group_by_destination(const struct mail_intake *in, struct slice recipients, struct buffer *out, struct error *err)
{
	struct destination *list = NULL;
	struct slice recipient;
	char onion[IPC_ONION_MAX + 1], mailbox[ADDRESS_MAX + 1];
	size_t count = 0;
	int result = 0;
	while (result == 0 && pack_next(&recipients, &recipient)) {
		result = destination_of(in, recipient, onion, mailbox, err);
		if (result == 0)
			result = add_recipient(&list, &count, onion, slice_of_string(mailbox), err);
	}
	for (size_t i = 0; i < count; i++) {
		struct buffer *b = &list[i].recipients;
		if (result == 0)
			result = record_add_destination(out, slice_of_string(list[i].onion), slice_of(buffer_bytes(b), buffer_len(b)), err);
		buffer_finish(b);
	}
	free(list);
	return result;
}

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

static void
on_prepared(void *context, const struct ipc_content_result *result, struct body *body)
{
	struct pending *p = context;
	struct error err = { 0 };
	if (p->intake->is_stopped) {
		finish(p, &stopping);
		return;
	}
	if (result == NULL || (result->code == 250 && body_len(body) == 0)) {
		finish(p, &unprepared);
		return;
	}
	if (result->code != 250) {
		struct answer a = { result->code >= 400 && result->code < 600 ? result->code : 451, result->enhanced, result->text };
		finish(p, &a);
		return;
	}
	struct record r = { .type = RECORD_SUBMITTED, .flags = result->flags | (p->flags & BODY_SMTPUTF8),
		.arrival_ms = clock_wall_ms(), .reverse_path = slice_of_string(p->reverse_path),
		.ids = slice_of(buffer_bytes(&p->ids.kept), buffer_len(&p->ids.kept)),
		.destinations = slice_of(buffer_bytes(&p->destinations), buffer_len(&p->destinations)) };
	after_append(p, mailstore_submit(p->intake->mailstore, &r, body, &err), &err);
}

/* Looks for the message ids, and how they are to leave: content@ID, which reads the message, is told. */
static int
name_ids(struct pending *p, const struct body *body, struct error *err)
{
	struct buffer copy; /* of what a role that is trusted less can write to */
	uint64_t len = body_len(body) < THREADS_SCAN_BYTES ? body_len(body) : THREADS_SCAN_BYTES;
	struct slice beginning = slice_of(body->bytes.data, (size_t)len);
	int result = 0;
	buffer_init(&copy, THREADS_SCAN_BYTES);
	if (body->file_bytes > 0) {
		unsigned char *room = buffer_reserve(&copy, (size_t)len, err);
		beginning.data = room;
		result = room == NULL ? -1 : body_read(body, 0, room, (size_t)len, err);
	}
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
	uint64_t bytes_max = in->config.message_max_bytes * MAIL_INTAKE_PREPARED_LARGE;
	if (mail_content_waiting(in->content) >= MAIL_INTAKE_PREPARED_MAX ||
	    in->preparing_bytes + body_len(body) > bytes_max) {
		finish(p, &busy);
		return;
	}
	if (check_sender(in, m->reverse_path, &err) != 0) {
		finish(p, &refused);
		return;
	}
	buffer_init(&p->destinations, RECORD_HEAD_MAX);
	if (group_by_destination(in, m->recipients, &p->destinations, &err) != 0) {
		refused.enhanced = "5.1.3";
		finish(p, error_is_temporary(&err) ? &failed : &refused);
		return;
	}
	if (name_ids(p, body, &err) != 0) {
		finish_error(p, &err);
		return;
	}
	p->bytes = body_len(body);
	in->preparing_bytes += p->bytes;
	p->flags = m->flags;
	memcpy(p->reverse_path, m->reverse_path, sizeof p->reverse_path);
	link_to(&in->preparing, p);
	static_assert(IDS_LINES_MAX_BYTES <= IPC_IDS_MAX, "PREPARE takes them all");
	const struct mail_content_message message = { in->config.local_part, in->config.onion, p->ids.letters,
		in->config.date_step_s, slice_of(buffer_bytes(&p->ids.map), buffer_len(&p->ids.map)) };
	mail_content_prepare(in->content, &message, body, on_prepared, p);
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
		.transaction_id = m->intake.transaction_id };
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
mail_intake_new(const struct mail_intake_config *config, struct mailstore *mailstore, struct mail_content *content,
    const struct mail_intake_events *events, void *context)
{
	struct mail_intake *in = calloc(1, sizeof *in);
	assert(in != NULL);
	*in = (struct mail_intake){ .config = *config, .mailstore = mailstore, .content = content, .events = events,
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
