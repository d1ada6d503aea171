/* SPDX-License-Identifier: ISC */
#include "daemon/mail_contacts.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "contacts/moves.h"

_Static_assert(OPENPGP_FINGERPRINT_LEN == IPC_OPENPGP_FINGERPRINT_LEN && CONTACTS_NAME_MAX == IPC_CONTACT_NAME_MAX, "of the rows");
_Static_assert(CONTACTS_KEY_MAX_BYTES == IPC_PUBLIC_KEY_MAX && ADDRESS_MAX <= IPC_MAILBOX_MAX, "of the rows");

/* An order under way. */
struct order {
	const struct mail_queue *queue;
	struct contacts *contacts;
	const struct ipc_contact_request *request;
	int64_t now_s;
	/* looking */
	const struct contact *contact; /* whose keys and introductions are looked at */
	uint64_t people, people_most, bytes;
	uint64_t last; /* the last row's contact */
	unsigned introductions;
	bool has_more, is_broken;
	struct error why; /* a contact of a list could not be shown */
};

static struct slice
address_of(const struct order *o)
{
	return slice_of_string(o->request->address);
}

/* ---- rows */

static bool
send_row(struct order *o, enum ipc_contact_kind kind, const char *address, struct ipc_message *m)
{
	m->type = IPC_TYPE_CONTACT_ROW;
	m->fd = -1;
	m->contact_row.request_id = o->request->request_id;
	m->contact_row.kind = (uint8_t)kind;
	snprintf(m->contact_row.address, sizeof m->contact_row.address, "%s", address);
	o->bytes += sizeof(struct ipc_contact_row) + m->contact_row.key.len;
	o->is_broken = o->is_broken || !o->queue->send(o->queue->context, m);
	return !o->is_broken;
}

static bool
send_contact(struct order *o)
{
	const struct contact *c = o->contact;
	struct contacts_move move;
	struct error err;
	struct ipc_message m = { .contact_row = { .how = (uint8_t)c->how, .state = (uint8_t)c->trust, .is_stranger = c->is_stranger,
		.since_s = (uint64_t)c->since_s, .changed_s = (uint64_t)c->heard_s, .checked_s = (uint64_t)c->verified_s, .count = c->vouching,
		.held = c->held, .encryption = (uint8_t)c->encryption } };
	memcpy(m.contact_row.name, c->name, sizeof c->name);
	memcpy(m.contact_row.fingerprint, c->fingerprint, sizeof c->fingerprint);
	if (contacts_moves_look(o->contacts, c->onion, &move, &err) == 0) {
		m.contact_row.fate = (uint8_t)move.fate;
		snprintf(m.contact_row.moved, sizeof m.contact_row.moved, "%s", move.to);
		snprintf(m.contact_row.moved_other, sizeof m.contact_row.moved_other, "%s", move.other);
	}
	return send_row(o, CONTACT_ROW_CONTACT, c->address, &m);
}

static bool
take_key(void *context, const struct contacts_key *key)
{
	struct order *o = context;
	struct ipc_message m = { .contact_row = { .how = (uint8_t)key->how, .state = (uint8_t)key->state, .since_s = (uint64_t)key->since_s,
		.signed_s = (uint64_t)key->signed_s, .changed_s = (uint64_t)key->changed_s, .checked_s = (uint64_t)key->compared_s } };
	memcpy(m.contact_row.fingerprint, key->fingerprint, sizeof key->fingerprint);
	snprintf(m.contact_row.by, sizeof m.contact_row.by, "%s", key->by);
	if (o->request->detail == CONTACT_KEY_THAT_COUNTS && key->state == CONTACTS_KEY_COUNTS && key->key.len <= IPC_PUBLIC_KEY_MAX)
		m.contact_row.key = key->key;
	return send_row(o, CONTACT_ROW_KEY, o->contact->address, &m);
}

static bool
take_introduction(void *context, const struct contacts_introduction *introduction)
{
	struct order *o = context;
	struct ipc_message m = { .contact_row.since_s = (uint64_t)introduction->since_s };
	memcpy(m.contact_row.fingerprint, introduction->fingerprint, sizeof introduction->fingerprint);
	snprintf(m.contact_row.by, sizeof m.contact_row.by, "%s", introduction->by);
	return o->introductions++ < MAIL_CONTACTS_INTRODUCTIONS_SHOWN && send_row(o, CONTACT_ROW_INTRODUCTION, o->contact->address, &m);
}

static bool
take_carrier(void *context, const char *address)
{
	struct order *o = context;
	struct ipc_message m = { 0 };
	snprintf(m.contact_row.by, sizeof m.contact_row.by, "%s", address);
	return send_row(o, CONTACT_ROW_CARRIER, o->contact->address, &m);
}

static int
show_all_of(struct order *o, const struct contact *contact, struct error *err)
{
	int result = 0;
	o->contact = contact;
	o->introductions = 0;
	if (send_contact(o) && o->request->detail != CONTACT_PEOPLE) {
		result = contacts_look_keys(o->contacts, contact->id, take_key, o, err);
		if (result == 0)
			result = contacts_look_introductions(o->contacts, contact->id, take_introduction, o, err);
		if (result == 0)
			result = contacts_look_carriers(o->contacts, contact->id, take_carrier, o, err);
	}
	o->contact = NULL;
	return result;
}

static bool
take_contact(void *context, const struct contact *contact)
{
	struct order *o = context;
	if (o->people == o->people_most || o->bytes >= MAIL_CONTACTS_PAGE_BYTES) {
		o->has_more = true;
		return false;
	}
	o->people++;
	o->last = contact->id;
	return show_all_of(o, contact, &o->why) == 0 && !o->is_broken;
}

static int
list(struct order *o, struct ipc_queue_end *end, struct error *err)
{
	o->people_most = MAIL_CONTACTS_PAGE_ROWS;
	if (o->request->limit > 0 && o->request->limit < o->people_most)
		o->people_most = o->request->limit;
	if (contacts_look(o->contacts, o->request->after, take_contact, o, err) != 0)
		return -1;
	if (o->why.code != ERROR_NONE)
		return error_set(err, o->why.code, "%s", o->why.text);
	end->count = o->people;
	end->next = o->has_more ? o->last : 0;
	return 0;
}

static int
show(struct order *o, struct ipc_queue_end *end, struct error *err)
{
	struct contact contact;
	int found = contacts_find(o->contacts, address_of(o), &contact, err);
	if (found == 0)
		return error_set(err, ERROR_NOT_FOUND, "nobody with this address is in the address book; `smtorp contact list` shows who is");
	end->count = 1;
	return found < 0 ? -1 : show_all_of(o, &contact, err);
}

static bool
take_proposal(void *context, const struct contacts_proposal *proposal)
{
	struct order *o = context;
	struct ipc_message m = { .contact_row.since_s = (uint64_t)proposal->since_s };
	memcpy(m.contact_row.name, proposal->name, sizeof proposal->name);
	memcpy(m.contact_row.fingerprint, proposal->fingerprint, sizeof proposal->fingerprint);
	snprintf(m.contact_row.by, sizeof m.contact_row.by, "%s", proposal->by);
	o->people++;
	return send_row(o, CONTACT_ROW_PROPOSAL, proposal->address, &m);
}

static int
list_proposals(struct order *o, struct ipc_queue_end *end, struct error *err)
{
	if (contacts_look_proposals(o->contacts, 0, take_proposal, o, err) != 0)
		return -1;
	end->count = o->people;
	return 0;
}

/* ---- changes */

static int
accept_or_refuse(struct order *o, struct error *err)
{
	const struct ipc_contact_request *r = o->request;
	struct slice address = address_of(o);
	if (r->fingerprint[0] == '\0')
		return r->verb == CONTACT_VERB_REFUSE ? contacts_refuse_proposals(o->contacts, address, err) :
		                                        contacts_accept_proposals(o->contacts, address, o->now_s, err);
	return r->verb == CONTACT_VERB_REFUSE ? contacts_refuse(o->contacts, address, r->fingerprint, o->now_s, err) :
	                                        contacts_accept(o->contacts, address, r->fingerprint, false, o->now_s, err);
}

static int
give_key(struct order *o, struct error *err)
{
	const struct ipc_contact_request *r = o->request;
	const struct contacts_offer offer = { .address = address_of(o), .fingerprint = r->fingerprint, .key = r->key,
		.how = r->how == CONTACTS_KEY_IN_PERSON ? CONTACTS_KEY_IN_PERSON : CONTACTS_KEY_OWNER, .signed_s = o->now_s, .now_s = o->now_s };
	enum contacts_learned learned;
	if (contacts_learn(o->contacts, &offer, &learned, err) != 0)
		return -1;
	if (learned == CONTACTS_LEARNED_BARRED)
		return error_set(err, ERROR_DENIED, "this key is revoked: whoever has it may be somebody else. Ask them for another one");
	return 0;
}

static int
follow(struct order *o, struct error *err)
{
	struct contact contact;
	int found = contacts_find(o->contacts, address_of(o), &contact, err);
	if (found == 0)
		return error_set(err, ERROR_NOT_FOUND, "nobody with this address is in the address book");
	return found < 0 ? -1 : contacts_moves_choose(o->contacts, contact.onion, slice_of_string(o->request->to), err);
}

static int
change(struct order *o, struct error *err)
{
	const struct ipc_contact_request *r = o->request;
	struct slice address = address_of(o), name = slice_of_string(r->name);
	switch ((enum ipc_contact_verb)r->verb) {
	case CONTACT_VERB_ADD:
		return contacts_add(o->contacts, address, name, r->how == CONTACTS_SCANNED ? CONTACTS_SCANNED : CONTACTS_TYPED, o->now_s, err);
	case CONTACT_VERB_RENAME:
		return contacts_rename(o->contacts, address, name, err);
	case CONTACT_VERB_ENCRYPT:
		return contacts_set_encryption(o->contacts, address, (enum contacts_encryption)r->how, err);
	case CONTACT_VERB_CARRY:
		return contacts_set_carriers(o->contacts, address, r->note, err);
	case CONTACT_VERB_DELETE:
		return contacts_delete(o->contacts, address, err);
	case CONTACT_VERB_VERIFY:
		return contacts_accept(o->contacts, address, r->fingerprint, true, o->now_s, err);
	case CONTACT_VERB_ACCEPT:
	case CONTACT_VERB_REFUSE:
		return accept_or_refuse(o, err);
	case CONTACT_VERB_GIVE_KEY:
		return give_key(o, err);
	case CONTACT_VERB_FOLLOW:
		return follow(o, err);
	case CONTACT_VERB_LIST:
	case CONTACT_VERB_SHOW:
	case CONTACT_VERB_PROPOSALS:
	case CONTACT_VERB_INTRODUCE:
	case CONTACT_VERB_NOTIFY:
		break;
	}
	return error_set(err, ERROR_UNSUPPORTED, "the address book knows no such order");
}

static int
change_durably(struct order *o, struct ipc_queue_end *end, struct error *err)
{
	struct database *db = mailstore_database(o->queue->mailstore);
	if (database_begin(db, err) != 0)
		return -1;
	end->count = 1;
	if (change(o, err) == 0)
		return database_commit(db, err);
	database_rollback(db);
	return -1;
}

void
mail_contacts_answer(const struct mail_queue *q, struct contacts *contacts, const struct ipc_contact_request *request)
{
	struct error err = { 0 };
	struct ipc_message m = { .type = IPC_TYPE_QUEUE_END, .fd = -1, .queue_end.request_id = request->request_id };
	struct order order = { .queue = q, .contacts = contacts, .request = request, .now_s = clock_wall_s() };
	int result = request->verb == CONTACT_VERB_LIST ? list(&order, &m.queue_end, &err) :
	    request->verb == CONTACT_VERB_PROPOSALS ? list_proposals(&order, &m.queue_end, &err) :
	    request->verb == CONTACT_VERB_SHOW ? show(&order, &m.queue_end, &err) :
	                                         change_durably(&order, &m.queue_end, &err);
	mail_queue_end(q, &m, result, &err);
}
