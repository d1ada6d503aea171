/* SPDX-License-Identifier: ISC
 *
 * The owner's mail for others: for each destination content makes it fit to leave and encrypts it if there are keys, and the onion key signs it.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/mail_destinations.h"
#include "daemon/mail_intake_internal.h"
#include "daemon/mail_keys.h"
#include "daemon/mail_moves.h"
#include "daemon/mail_wishes.h"
#include "proof/context.h"
#include "proof/onionsig.h"

/* What is larger is not encrypted: encrypted, it would be larger than what is opened at the other end. */
#define SEALED_MAX_BYTES (PGPMIME_OPEN_MAX_BYTES / 4 * 3 - 1024 * 1024)

static const struct answer unsigned_ = { 451, "4.3.0", "the message could not be signed; try again later" };
static const struct answer unprepared = { 451, "4.3.0", "the message could not be prepared; try again later" };

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

/* The address book hears of it. Should that fail, the message goes all the same. */
static void
tell_book(const struct pending *p)
{
	const struct mail_keys book = { p->intake->contacts, mailstore_database(p->intake->mailstore) };
	struct slice left = intake_bytes(&p->destinations), onion, recipients;
	struct error err = { 0 };
	while (record_next_destination(&left, &onion, &recipients))
		if (onion.len > 0 && !slice_is(onion, p->intake->config.onion) && mail_keys_written(&book, recipients, clock_wall_s(), &err) != 0)
			log_warn("the address book was not told of a message: %s", err.text);
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
	if (result == 0)
		tell_book(p);
	intake_after_append(p, result, &err);
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
		intake_finish(p, p->intake->is_stopped ? &intake_stopping : &unsigned_);
	else if (onionsig_end(&copy->field, signature, &err) != 0)
		intake_finish_error(p, &err);
	else
		prepare_next(p);
}

/* Whether content has answered with a body. If not, its sender has the answer. */
static bool
is_made(struct pending *p, const struct ipc_message *answer, const struct body *body, bool is_to_be_signed)
{
	const struct ipc_content_result *result = answer == NULL ? NULL : &answer->content_result;
	if (p->intake->is_stopped) {
		intake_finish(p, &intake_stopping);
		return false;
	}
	if (result == NULL || (result->code == 250 && (body_len(body) == 0 || is_to_be_signed != (result->digest.len == IPC_DIGEST_BYTES)))) {
		intake_finish(p, &unprepared);
		return false;
	}
	if (result->code != 250) {
		struct answer a = { result->code >= 400 && result->code < 600 ? result->code : 451, result->enhanced, result->text };
		intake_finish(p, &a);
		return false;
	}
	return true;
}

/* What one destination gets is there, but for the signature. */
static void
take_copy(struct pending *p, const struct ipc_content_result *result, uint8_t flags, struct body *body)
{
	struct error err = { 0 };
	struct copy *copy = calloc(1, sizeof *copy);
	assert(copy != NULL);
	*copy = (struct copy){ .destination = p->at_hand, .flags = flags, .body = *body };
	*body = BODY_EMPTY;
	buffer_init(&copy->field, 2 * IPC_FIELD_MAX);
	*p->last_copy = copy;
	p->last_copy = &copy->next;
	if (buffer_append(&copy->field, result->field.data, result->field.len, &err) != 0)
		intake_finish_error(p, &err);
	else if (result->digest.len > 0)
		mail_sign_ask(p->intake->sign, CONTEXT_MESSAGE, result->digest.data, on_signed, p);
	else
		prepare_next(p);
}

static void seal(struct pending *p, struct body *body, unsigned how);

static void
on_sealed(void *context, const struct ipc_message *answer, struct body *body)
{
	struct pending *p = context;
	if (!is_made(p, answer, body, !p->is_waiting))
		return;
	const struct ipc_content_result *result = &answer->content_result;
	if (!p->is_waiting)
		take_copy(p, result, result->is_sealed ? result->flags : p->prepared_flags, body);
	else if (result->is_sealed)
		take_copy(p, result, BODY_WAITS, body);
	else
		seal(p, body, SEAL_PLAIN); /* the mail program has done it: it need not wait */
}

static void
seal(struct pending *p, struct body *body, unsigned how)
{
	const struct mail_intake *in = p->intake;
	p->is_waiting = p->is_waiting && how != SEAL_PLAIN;
	const struct mail_content_seal request = { in->config.local_part, in->config.onion, p->is_waiting ? "" : p->onion, how,
		intake_bytes(&p->keys), in->config.date_step_s };
	mail_content_seal(in->content, &request, body, on_sealed, p);
}

static void
on_prepared(void *context, const struct ipc_message *answer, struct body *body)
{
	struct pending *p = context;
	bool is_to_be_sealed = p->how != SEAL_PLAIN;
	if (!is_made(p, answer, body, p->onion[0] != '\0' && !is_to_be_sealed))
		return;
	p->prepared_flags = answer->content_result.flags;
	if (is_to_be_sealed)
		seal(p, body, p->how);
	else
		take_copy(p, &answer->content_result, p->prepared_flags, body);
}

static void
refuse_as_too_large(struct pending *p, const struct mail_wish *wish)
{
	char text[MAIL_WISH_TEXT_SIZE];
	const struct answer a = { 552, "5.3.4", text };
	mail_wishes_say(wish, "it is too large to be encrypted", text);
	intake_finish(p, &a);
}

/* Looks for the keys of who is at hand, and says how it is to be sealed: for them; for the own key, to wait for theirs; or not at all. 1; 0: it may not
 * go without, and has its answer; -1. */
static int
find_keys(struct pending *p, struct error *err)
{
	const struct mail_intake *in = p->intake;
	const struct mail_keys book = { in->contacts, mailstore_database(in->mailstore) };
	struct mail_wish wish;
	p->how = SEAL_PLAIN;
	p->is_waiting = false;
	buffer_finish(&p->keys);
	buffer_init(&p->keys, IPC_KEYS_MAX);
	if (p->onion[0] == '\0')
		return 1;
	if (mail_wishes_find(in->contacts, p->at_hand_recipients, in->config.encryption, &wish, err) != 0)
		return -1;
	bool is_required = wish.how == ENCRYPTION_REQUIRED;
	if (wish.how == ENCRYPTION_NONE)
		return 1;
	if (body_len(&p->body) > SEALED_MAX_BYTES) {
		if (is_required)
			refuse_as_too_large(p, &wish);
		return !is_required;
	}
	bool is_own = strcmp(p->onion, in->config.onion) == 0; /* another copy of the identity has its key */
	int got = is_own ? 1 : mail_keys_of_recipients(&book, p->at_hand_recipients, &p->keys, err);
	bool is_cardless = false;
	if (got == 0 && !is_required && peers_is_cardless(queue_peers(mailstore_queue(in->mailstore)), p->onion, mailstore_now_ms(in->mailstore),
	    &is_cardless, err) != 0)
		return -1;
	if (got < 0 || is_cardless)
		return got < 0 ? -1 : 1;
	p->how = is_required ? SEAL_ENCRYPT | SEAL_ALL : SEAL_ENCRYPT;
	p->is_waiting = got == 0;
	if (p->is_waiting)
		buffer_consume(&p->keys, buffer_len(&p->keys));
	return 1;
}

/* One after another, each destination gets a copy of its own: what is signed for it, and what is encrypted to it, is nobody else's affair. */
static void
prepare_next(struct pending *p)
{
	struct mail_intake *in = p->intake;
	struct slice onion, before = p->left;
	struct body shared;
	struct error err = { 0 };
	if (!record_next_destination(&p->left, &onion, &p->at_hand_recipients)) {
		submit(p);
		return;
	}
	p->at_hand = slice_of(before.data, before.len - p->left.len);
	slice_to_string(onion, p->onion, sizeof p->onion);
	int found = find_keys(p, &err);
	if (found < 0 || (found == 1 && body_share(&p->body, &shared, &err) != 0))
		intake_finish_error(p, &err);
	if (err.code != ERROR_NONE || found != 1)
		return;
	static_assert(IDS_LINES_MAX_BYTES <= IPC_IDS_MAX, "PREPARE takes them all");
	const struct mail_content_message message = { in->config.local_part, in->config.onion, p->how == SEAL_PLAIN ? p->onion : "", p->ids.letters,
		in->config.date_step_s, intake_bytes(&p->ids.map) };
	mail_content_prepare(in->content, &message, &shared, on_prepared, p);
}

/* Looks for the message ids, and how they are to leave: content@ID, which reads the message, is told. */
static int
name_ids(struct pending *p, const struct body *body, struct error *err)
{
	struct buffer copy;
	struct slice beginning;
	buffer_init(&copy, THREADS_SCAN_BYTES);
	int result = intake_read_beginning(body, &copy, &beginning, err);
	if (result == 0)
		result = ids_leave(mailstore_ids(p->intake->mailstore), beginning, p->intake->config.onion, &p->ids, err);
	buffer_finish(&copy);
	return result;
}

/* Where it goes: by the addresses, and by what the address book knows of those who have moved. */
static int
route(struct pending *p, struct slice recipients, struct error *err)
{
	struct buffer routed;
	buffer_init(&routed, IPC_RECIPIENTS_MAX);
	int result = mail_moves_route(p->intake->contacts, recipients, &routed, err);
	if (result == 0)
		result = mail_destinations_group(&p->intake->config, intake_bytes(&routed), &p->destinations, err);
	buffer_finish(&routed);
	return result;
}

void
intake_submit(struct pending *p, const struct ipc_intake *m, struct body *body)
{
	struct mail_intake *in = p->intake;
	struct error err = { 0 };
	struct answer refused = { 550, "5.7.1", err.text };
	if (intake_is_busy(in, body, false)) {
		intake_finish(p, &intake_busy);
		return;
	}
	if (check_sender(in, m->reverse_path, &err) != 0) {
		intake_finish(p, &refused);
		return;
	}
	buffer_init(&p->destinations, RECORD_HEAD_MAX);
	if (route(p, m->recipients, &err) != 0) {
		refused.enhanced = err.code == ERROR_DENIED ? "5.7.1" : "5.1.3";
		intake_finish(p, error_is_temporary(&err) ? &intake_failed : &refused);
		return;
	}
	if (name_ids(p, body, &err) != 0) {
		intake_finish_error(p, &err);
		return;
	}
	intake_hold(p, m, body);
	p->last_copy = &p->copies;
	p->left = slice_of(buffer_bytes(&p->destinations), buffer_len(&p->destinations));
	prepare_next(p);
}
