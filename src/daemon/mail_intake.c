/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/mail_intake_internal.h"
#include "ipc/pack.h"

const struct answer intake_busy = { 451, "4.3.1", "too much is waiting here; try again later" };
const struct answer intake_stopping = { 451, "4.3.2", "going down; try again later" };
const struct answer intake_failed = { 451, "4.3.0", "cannot store mail now; try again later" };
static const struct answer accepted = { 250, "2.0.0", "accepted" };
static const struct answer no_space = { 452, "4.3.1", "no space for mail; try again later" };

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
	buffer_finish(&p->keys);
	body_finish(&p->body);
	buffer_finish(&p->destinations);
	ids_leaving_finish(&p->ids);
	free(p);
}

static void
answer(const struct pending *p, const struct answer *a)
{
	struct ipc_message m = { .type = IPC_TYPE_INTAKE_DONE, .fd = -1 };
	if (p->own_done != NULL) {
		p->own_done(p->own_context, a->code, a->text);
		return;
	}
	if (p->source == 0)
		return; /* the node's own, of which nobody wants to know any more */
	m.intake_done.transaction_id = p->transaction_id;
	m.intake_done.code = a->code;
	snprintf(m.intake_done.enhanced, sizeof m.intake_done.enhanced, "%s", a->enhanced);
	snprintf(m.intake_done.text, sizeof m.intake_done.text, "%s", a->text);
	p->intake->events->reply(p->intake->context, p->source, p->generation, &m);
}

void
intake_finish(struct pending *p, const struct answer *a)
{
	answer(p, a);
	unlink_from(p);
	p->intake->preparing_bytes -= p->bytes;
	free_pending(p);
}

void
intake_finish_error(struct pending *p, const struct error *err)
{
	switch (err->code) {
	case ERROR_NO_SPACE:
		p->intake->events->on_no_space(p->intake->context, err);
		intake_finish(p, &no_space);
		return;
	case ERROR_INVALID:
	case ERROR_TOO_LARGE: {
		struct answer a = { 554, "5.6.0", err->text };
		intake_finish(p, &a);
		return;
	}
	default:
		log_error("%s", err->text);
		intake_finish(p, &intake_failed);
	}
}

void
intake_after_append(struct pending *p, int result, const struct error *err)
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
	intake_finish_error(p, err);
	if (mailstore_is_broken(in->mailstore))
		mail_intake_commit(in); /* refuses the others */
}

int
intake_read_beginning(const struct body *body, struct buffer *copy, struct slice *beginning, struct error *err)
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

void
intake_hold(struct pending *p, const struct ipc_intake *m, struct body *body)
{
	p->body = *body;
	*body = BODY_EMPTY;
	p->flags = m->flags;
	p->bytes = body_len(&p->body);
	p->intake->preparing_bytes += p->bytes;
	memcpy(p->reverse_path, m->reverse_path, sizeof p->reverse_path);
	link_to(&p->intake->preparing, p);
}

bool
intake_is_busy(const struct mail_intake *in, const struct body *body, bool is_strangers)
{
	unsigned share = is_strangers ? 2 : 1;
	return mail_content_waiting(in->content) >= MAIL_INTAKE_PREPARED_MAX / share || (in->preparing_bytes > 0 &&
	    in->preparing_bytes + body_len(body) > in->config.message_max_bytes * MAIL_INTAKE_PREPARED_LARGE / share);
}

/* ---- from the role */

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
	intake_finish(p, &no_space);
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
		intake_finish(p, in->is_stopped ? &intake_stopping : &intake_busy);
		return;
	}
	if (check_envelope(&m->intake, &err) != 0 ||
	    body_take_any(m, m->intake.body, in->config.message_max_bytes, &body, &err) != 0)
		intake_finish_error(p, &err);
	else if (source == ROLE_SMTP && !mail_intake_may_receive(in, body_len(&body)))
		refuse_for_reserve(p);
	else if (source == ROLE_SMTP)
		intake_receive(p, &m->intake, &body);
	else
		intake_submit(p, &m->intake, &body);
	body_finish(&body);
}

void
mail_intake_own(struct mail_intake *in, struct slice recipients, struct body *body, mail_intake_own_done *done, void *context)
{
	struct ipc_intake m = { .recipients = recipients };
	struct pending *p = calloc(1, sizeof *p);
	assert(p != NULL);
	*p = (struct pending){ .intake = in, .body = BODY_EMPTY, .own_done = done, .own_context = context };
	snprintf(m.reverse_path, sizeof m.reverse_path, "%s@%s", in->config.local_part, in->config.onion);
	if (in->is_stopped || is_full(in))
		intake_finish(p, in->is_stopped ? &intake_stopping : &intake_busy);
	else
		intake_submit(p, &m, body);
	body_finish(body);
}

void
mail_intake_set_standby(struct mail_intake *in, bool stands_by)
{
	in->config.stands_by = stands_by;
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
		intake_finish(p, p->below <= durable_below ? &accepted : &intake_failed);
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
		answer(p, &intake_stopping);
		p->own_done = NULL;
	}
}

struct mail_intake *
mail_intake_new(const struct mail_intake_config *config, struct mailstore *mailstore, struct mail_content *content, struct mail_sign *sign,
    struct contacts *contacts, const struct mail_intake_events *events, void *context)
{
	struct mail_intake *in = calloc(1, sizeof *in);
	assert(in != NULL);
	*in = (struct mail_intake){ .config = *config, .mailstore = mailstore, .content = content, .sign = sign, .contacts = contacts,
		.events = events,
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
