/* SPDX-License-Identifier: ISC
 *
 * Strangers' mail for the owner. What nobody has to look at goes straight into the journal; content judges everything else, and opens what is
 * encrypted, before it is kept: so there is nothing to be done for it later, and the sender hears at once what is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/mail_intake_internal.h"
#include "daemon/mail_keys.h"
#include "mime/verdict.h"

static const struct answer unchecked = { 451, "4.3.0", "the message could not be looked at; try again later" };

/* Appends it. body: as it came, which makes it known when it comes again. */
static void
keep_as(struct pending *p, const struct mail_verdict *verdict, uint8_t flags, const char *reverse_path, struct slice recipients,
    const struct body *body, const struct body *for_mailbox)
{
	struct error err = { 0 };
	char line[RECORD_VERDICT_MAX];
	mail_verdict_write(verdict, line);
	struct record r = { .type = RECORD_RECEIVED, .flags = flags, .arrival_ms = clock_wall_ms(), .verdict = slice_of_string(line),
		.reverse_path = slice_of_string(reverse_path), .recipients = recipients,
		.file_digest = p->has_digest && for_mailbox == &p->body ? p->digest : NULL };
	int result = record_hash(r.reverse_path, r.recipients, body, r.hash, &err);
	if (result == 0)
		result = mailstore_receive(p->intake->mailstore, &r, for_mailbox, &err);
	intake_after_append(p, result, &err);
}

static void
keep(struct pending *p, const struct mail_verdict *verdict, uint8_t flags, const char *reverse_path, struct slice recipients, const struct body *body)
{
	keep_as(p, verdict, flags, reverse_path, recipients, body, body);
}

static struct mail_keys
keys_of(const struct mail_intake *in)
{
	return (struct mail_keys){ in->contacts, mailstore_database(in->mailstore) };
}

/* Whether content speaks of the same octets as before: smtp@ID, which is less trusted, may still write to a file. */
static bool
is_judged(const struct pending *p, struct slice digest)
{
	return p->has_digest && digest.len == sizeof p->digest && memcmp(digest.data, p->digest, sizeof p->digest) == 0;
}

/* ---- opening */

static void
on_opened(void *context, const struct ipc_message *answer, struct body *body)
{
	struct pending *p = context;
	struct mail_verdict *v = &p->verdict;
	const struct ipc_opened *opened = answer == NULL ? NULL : &answer->opened;
	if (p->intake->is_stopped || opened == NULL || opened->code != 250) {
		intake_finish(p, p->intake->is_stopped ? &intake_stopping : &unchecked);
		return;
	}
	if (opened->digest.len > 0 && !is_judged(p, opened->digest)) {
		intake_finish(p, &unchecked);
		return;
	}
	v->is_opened = true;
	v->encryption = opened->encryption;
	v->signature = opened->signature;
	snprintf(v->fingerprint, sizeof v->fingerprint, "%s", opened->fingerprint);
	snprintf(v->trouble, sizeof v->trouble, "%s", opened->text);
	if (v->proof == ONIONSIG_PROVED && opened->findings.len > 0)
		p->intake->events->on_findings(p->intake->context, v->sender, opened->findings);
	keep_as(p, v, p->flags, p->reverse_path, intake_bytes(&p->recipients), &p->body, body_len(body) > 0 ? body : &p->body);
}

static void
open_it(struct pending *p)
{
	struct mail_intake *in = p->intake;
	const struct mail_keys book = keys_of(in);
	struct error err = { 0 };
	struct buffer keys;
	struct body shared = BODY_EMPTY;
	buffer_init(&keys, IPC_KEYS_MAX);
	if ((p->verdict.sender[0] != '\0' && mail_keys_of_sender(&book, p->verdict.sender, &keys, &err) != 0) ||
	    body_share(&p->body, &shared, &err) != 0)
		intake_finish_error(p, &err);
	else
		mail_content_open(in->content, in->config.onion, p->verdict.sender, intake_bytes(&keys), &shared, on_opened, p);
	buffer_finish(&keys);
}

/* ---- checking */

/* The address book hears of it. Should that fail, the message is not lost for it. */
static void
tell_book(struct pending *p, const struct ipc_checked *checked)
{
	const struct mail_keys book = keys_of(p->intake);
	const char *onion = p->intake->config.onion;
	size_t len = strlen(p->verdict.sender), onion_len = strlen(onion);
	bool is_own = len > onion_len && strcmp(p->verdict.sender + len - onion_len, onion) == 0;
	struct error err = { 0 };
	p->verdict.key = CONTACTS_LEARNED_SAME;
	if (is_own)
		return; /* another copy of the identity has written it */
	if (mail_keys_heard(&book, checked, clock_wall_s(), &p->verdict.since_s, &p->verdict.key, &err) != 0)
		log_warn("the address book was not told of a message: %s", err.text);
}

/* What content has found of a message's sender. */
static void
on_checked(void *context, const struct ipc_message *answer, struct body *body)
{
	struct pending *p = context;
	struct mail_intake *in = p->intake;
	struct mail_verdict *v = &p->verdict;
	const struct ipc_checked *checked = answer == NULL ? NULL : &answer->checked;
	(void)body;
	if (in->is_stopped || checked == NULL || checked->code != 250) {
		intake_finish(p, in->is_stopped ? &intake_stopping : &unchecked);
		return;
	}
	if (p->body.file_bytes > 0 && checked->digest.len == sizeof p->digest) {
		memcpy(p->digest, checked->digest.data, sizeof p->digest);
		p->has_digest = true;
	}
	if (checked->verdict == ONIONSIG_PROVED && p->body.file_bytes > 0 && !p->has_digest) {
		intake_finish(p, &unchecked);
		return;
	}
	v->proof = checked->verdict;
	snprintf(v->why, sizeof v->why, "%s", v->proof == ONIONSIG_MISSING ? "there is no Onion-Signature" : checked->text);
	if (mail_verdict_is_false(v) && in->config.refuse_unproved) {
		char text[IPC_TEXT_MAX];
		snprintf(text, sizeof text, "the sender is not proved to be who From says: %.300s", v->why);
		const struct answer refused = { 550, "5.7.1", text };
		intake_finish(p, &refused);
		return;
	}
	if (v->proof == ONIONSIG_PROVED) {
		snprintf(v->sender, sizeof v->sender, "%s", checked->sender);
		tell_book(p, checked);
	}
	if (checked->has_more && in->config.opens)
		open_it(p);
	else
		keep(p, v, p->flags, p->reverse_path, intake_bytes(&p->recipients), &p->body);
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

void
intake_receive(struct pending *p, const struct ipc_intake *m, struct body *body)
{
	struct mail_intake *in = p->intake;
	struct buffer copy;
	struct slice beginning;
	struct body shared;
	struct error err = { 0 };
	buffer_init(&copy, THREADS_SCAN_BYTES);
	int result = intake_read_beginning(body, &copy, &beginning, &err);
	bool is_asked_for = result == 0 && verdict_is_asked_for(beginning), ends = result == 0 && verdict_header_ends(beginning);
	buffer_finish(&copy);
	if (result == 0 && !ends && body_len(body) > THREADS_SCAN_BYTES)
		result = scan_long_header(body, &is_asked_for, &err);
	if (result != 0) {
		intake_finish_error(p, &err);
		return;
	}
	mail_verdict_note_peer(&p->verdict, m->reverse_path, m->proved);
	if (!is_asked_for) {
		keep(p, &p->verdict, m->flags, m->reverse_path, m->recipients, body);
		return;
	}
	if (intake_is_busy(in, body, true)) {
		intake_finish(p, &intake_busy);
		return;
	}
	intake_hold(p, m, body);
	buffer_init(&p->recipients, IPC_RECIPIENTS_MAX);
	if (buffer_append(&p->recipients, m->recipients.data, m->recipients.len, &err) != 0 || body_share(&p->body, &shared, &err) != 0) {
		intake_finish_error(p, &err);
		return;
	}
	mail_content_check(in->content, in->config.onion, &shared, on_checked, p);
}
