/* SPDX-License-Identifier: ISC */
#include "daemon/mail_moves.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "base/random.h"
#include "ipc/pack.h"

#define HOPS_MAX 8 /* somebody may move more than once */
#define BOUNDARY_LETTERS 26
#define MESSAGE_MAX_BYTES 8192

/* ---- what comes */

int
mail_moves_take_notice(const struct mail_keys *book, struct slice text, char onion[ADDRESS_ONION_LEN + 1], struct error *err)
{
	struct notice notice;
	struct error why = { 0 };
	onion[0] = '\0';
	if (notice_parse(text, &notice, &why) != 0) {
		log_info("a notice that came with a message is not taken: %s", why.text);
		return 0;
	}
	if (database_begin(book->db, err) != 0)
		return -1;
	int taken = contacts_moves_take(book->contacts, &notice, clock_wall_s(), &why);
	if (taken >= 0) {
		strcpy(onion, notice.onion);
		return database_commit(book->db, err);
	}
	database_rollback(book->db);
	if (database_is_lost(&why))
		return error_set(err, why.code, "%s", why.text);
	log_info("a notice that came with a message is not taken: %s", why.text);
	return 0;
}

/* ---- what goes */

/* Follows an address to where it is now. A circle ends with the address itself. */
static int
follow(struct contacts *c, struct address *at, struct error *err)
{
	const struct address first = *at;
	struct contacts_move move;
	for (unsigned hops = 0; hops < HOPS_MAX; hops++) {
		if (contacts_moves_look(c, at->onion, &move, err) != 0)
			return -1;
		if (move.fate == CONTACTS_ONION_REVOKED)
			return error_set(err, ERROR_DENIED, "%s@%.12s... is revoked by its owner: whoever is there may be somebody else. `smtorp contact why` says more",
			    at->local_part, at->onion);
		if (move.fate != CONTACTS_MOVED)
			return 0;
		if (address_parse(slice_of_string(move.to), at, err) != 0)
			return -1;
	}
	*at = first;
	return 0;
}

int
mail_moves_route(struct contacts *c, struct slice recipients, struct buffer *out, struct error *err)
{
	struct slice recipient;
	while (pack_next(&recipients, &recipient)) {
		struct address address;
		char text[ADDRESS_MAX + 1], onion[ADDRESS_ONION_LEN + 1];
		if (address_parse(recipient, &address, NULL) == 0) {
			strcpy(onion, address.onion);
			if (follow(c, &address, err) != 0)
				return -1;
			if (strcmp(onion, address.onion) != 0) {
				address_format(&address, text);
				recipient = slice_of_string(text);
			}
		} /* what is no address is told by those who come next */
		if (pack_string(out, recipient, err) != 0)
			return -1;
	}
	return 0;
}

int
mail_moves_is_closed(struct contacts *c, const char *onion, struct pack_result *why, struct error *err)
{
	struct contacts_move move;
	if (contacts_moves_look(c, onion, &move, err) != 0)
		return -1;
	*why = (struct pack_result){ .enhanced = slice_of_string("5.7.1"), .text = slice_of_string("this address is revoked by its owner: whoever is there "
	    "may be somebody else, so the message was not sent. Ask the person in another way than by mail where they are now.") };
	return move.fate == CONTACTS_ONION_REVOKED;
}

/* ---- the owner's own */

struct telling {
	const struct mail_moves *moves;
	uint64_t request_id, last;
	uint64_t told;
	struct notice notice;
	struct contact contact; /* at hand */
	bool is_found;
};

static const char *
subject_of(const struct notice *n)
{
	return n->kind == NOTICE_MOVE ? "My address has changed" : n->kind == NOTICE_REVOKE_ONION ? "Do not write to this address any more" :
	    "My OpenPGP key is revoked";
}

static void
put_words(const struct notice *n, struct buffer *out)
{
	if (n->kind == NOTICE_MOVE)
		buffer_printf(out, NULL, "From now on I am at\r\n\r\n  %s\r\n\r\n%s", n->to, n->has_recovery ?
		    "The notice with this message is signed by both onions, and by my recovery key.\r\n" :
		    "The notice with this message is signed by both onions, but not by my recovery key: please ask me\r\n"
		    "in another way than by mail whether it is true.\r\n");
	else if (n->kind == NOTICE_REVOKE_ONION)
		buffer_append_string(out, "I revoke this address: whoever uses it after this is not me. Please ask me in another way\r\n"
		    "than by mail where I am now.\r\n", NULL);
	else
		buffer_printf(out, NULL, "I revoke the OpenPGP key\r\n\r\n  %s\r\n\r\nPlease encrypt nothing to it any more.\r\n", n->fingerprint);
}

static int
compose(const struct telling *t, struct buffer *out, struct error *err)
{
	char boundary[BOUNDARY_LETTERS + 1], date[DATE_TEXT_SIZE];
	random_name(boundary, sizeof boundary);
	date_format(clock_wall_s(), date);
	buffer_printf(out, NULL, "Date: %s\r\nFrom: <%s@%s>\r\nTo: <%s>\r\nSubject: %s\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", date,
	    t->moves->local_part, t->moves->onion, t->contact.address, subject_of(&t->notice), boundary, boundary);
	put_words(&t->notice, out);
	buffer_printf(out, NULL, "--%s\r\nContent-Type: " NOTICE_MEDIA_TYPE "\r\nContent-Disposition: attachment; filename=notice.txt\r\n\r\n", boundary);
	if (notice_write(&t->notice, out, err) != 0)
		return -1;
	return buffer_printf(out, err, "\r\n--%s--\r\n", boundary); /* the first end of line is the boundary's own (RFC 2046 5.1.1) */
}

static void
end(struct telling *t, const struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_END, .fd = -1, .queue_end = { .request_id = t->request_id, .error = (uint8_t)err->code,
		.count = t->told } };
	snprintf(m.queue_end.text, sizeof m.queue_end.text, "%s", err->text);
	t->moves->send(t->moves->context, &m);
	free(t);
}

static bool
take_contact(void *context, const struct contact *contact)
{
	struct telling *t = context;
	t->last = contact->id;
	t->contact = *contact;
	t->is_found = !contact->is_stranger && strcmp(contact->onion, t->moves->onion) != 0;
	return !t->is_found;
}

static void tell_next(struct telling *t);

/* Who cannot be told is no reason not to tell the others. */
static void
on_sent(void *context, unsigned code, const char *text)
{
	struct telling *t = context;
	if (code == 250)
		t->told++;
	else
		log_warn("a contact cannot be told of a notice: %s", text);
	tell_next(t);
}

static void
tell_next(struct telling *t)
{
	struct buffer message, recipient;
	struct body body = BODY_EMPTY;
	struct error err = { 0 };
	t->is_found = false;
	if (contacts_look(t->moves->contacts, t->last, take_contact, t, &err) != 0 || !t->is_found) {
		end(t, &err);
		return;
	}
	buffer_init(&message, MESSAGE_MAX_BYTES);
	buffer_init(&recipient, 2 * IPC_MAILBOX_MAX);
	if (compose(t, &message, &err) != 0 || pack_string(&recipient, slice_of_string(t->contact.address), &err) != 0 ||
	    body_from_bytes(slice_of(buffer_bytes(&message), buffer_len(&message)), &body, &err) != 0)
		end(t, &err);
	else
		mail_intake_own(t->moves->intake, slice_of(buffer_bytes(&recipient), buffer_len(&recipient)), &body, on_sent, t);
	buffer_finish(&recipient);
	buffer_finish(&message);
}

void
mail_moves_answer(const struct mail_moves *moves, const struct ipc_contact_request *r)
{
	struct telling *t = calloc(1, sizeof *t);
	struct error err = { 0 };
	assert(t != NULL);
	*t = (struct telling){ .moves = moves, .request_id = r->request_id };
	if (notice_parse(r->note, &t->notice, &err) == 0 && strcmp(t->notice.onion, moves->onion) != 0)
		error_set(&err, ERROR_DENIED, "the notice is of another onion");
	if (err.code != ERROR_NONE)
		end(t, &err);
	else
		tell_next(t);
}
