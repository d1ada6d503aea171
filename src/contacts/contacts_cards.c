/* SPDX-License-Identifier: ISC */
#include "contacts/contacts_internal.h"

#include <string.h>

#include "base/utf8.h"

/* ---- cards */

static int
check_card(struct slice card, struct error *err)
{
	if (card.len == 0)
		return error_set(err, ERROR_INVALID, "the card is empty");
	return card.len <= CONTACTS_CARD_MAX_BYTES ? 0 : error_set(err, ERROR_TOO_LARGE, "the card has %zu octets; at most %d are kept", card.len,
	    CONTACTS_CARD_MAX_BYTES);
}

int
contacts_keep_card(struct contacts *c, struct slice address, uint64_t sequence, const char *fingerprint, struct slice card, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_CARD_KEEP];
	struct contact contact;
	if (check_card(card, err) != 0 || contacts_find_or_say(c, address, &contact, err) != 0)
		return -1;
	statement_bind_int(s, 1, (int64_t)contact.id);
	statement_bind_int(s, 2, sequence < INT64_MAX ? (int64_t)sequence : INT64_MAX);
	statement_bind_string(s, 3, fingerprint);
	statement_bind_blob(s, 4, card);
	return statement_run(s, err);
}

int
contacts_card_age(struct contacts *c, struct slice address, uint64_t sequence, const char *fingerprint, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_CARD];
	struct contact contact;
	int age = CONTACTS_CARD_NEWEST, found = contacts_find(c, address, &contact, err);
	if (found <= 0)
		return found < 0 ? -1 : age;
	statement_bind_int(s, 1, (int64_t)contact.id);
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	if (row == 1 && (uint64_t)statement_int(s, 2) > sequence)
		age = slice_is(statement_bytes(s, 0), fingerprint) ? CONTACTS_CARD_OLD : CONTACTS_CARD_OUTDATED;
	statement_reset(s);
	return age;
}

int
contacts_card_of(struct contacts *c, struct slice address, struct buffer *out, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_CARD];
	struct contact contact;
	int found = contacts_find(c, address, &contact, err);
	if (found <= 0)
		return found;
	statement_bind_int(s, 1, (int64_t)contact.id);
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	if (row == 1) {
		struct slice card = statement_bytes(s, 1);
		row = !slice_is(statement_bytes(s, 0), contact.fingerprint) ? 0 : buffer_append(out, card.data, card.len, err) != 0 ? -1 : 1;
	}
	statement_reset(s);
	return row;
}

/* ---- proposals */

static void
read_proposal(const struct statement *s, struct contacts_proposal *out)
{
	out->id = (uint64_t)statement_int(s, 0);
	slice_to_string(statement_bytes(s, 1), out->address, sizeof out->address);
	slice_to_string(statement_bytes(s, 2), out->by, sizeof out->by);
	slice_to_string(statement_bytes(s, 3), out->name, sizeof out->name);
	slice_to_string(statement_bytes(s, 4), out->fingerprint, sizeof out->fingerprint);
	out->key = statement_bytes(s, 5);
	out->sequence = (uint64_t)statement_int(s, 6);
	out->card = statement_bytes(s, 7);
	out->since_s = statement_int(s, 8);
}

static int
check_room(struct contacts *c, const char *onion, const char *address, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_PROPOSED];
	statement_bind_string(s, 1, onion);
	statement_bind_string(s, 2, address);
	if (statement_step(s, err) != 1)
		return -1;
	int64_t of_onion = statement_int(s, 0), all = statement_int(s, 1);
	statement_reset(s);
	return of_onion < CONTACTS_PROPOSALS_OF_ONION_MAX && all < CONTACTS_PROPOSALS_MAX ? 0 :
	    error_set(err, ERROR_BUSY, "too many people were introduced, and wait to be accepted");
}

static int
check_proposal(const struct contacts_proposal *p, struct error *err)
{
	if (strlen(p->fingerprint) != OPENPGP_FINGERPRINT_LEN || p->key.len == 0 || !utf8_is_line(slice_of_string(p->name)))
		return error_set(err, ERROR_INVALID, "the card has no OpenPGP key, or no proper name");
	if (p->key.len > CONTACTS_KEY_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP key has %zu octets; at most %d are kept", p->key.len, CONTACTS_KEY_MAX_BYTES);
	return check_card(p->card, err);
}

int
contacts_propose(struct contacts *c, const struct contacts_proposal *p, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_PROPOSE];
	struct contact introducer;
	struct address parts;
	char address[ADDRESS_MAX + 1];
	if (check_proposal(p, err) != 0 || contacts_address(slice_of_string(p->address), &parts, address, err) != 0 ||
	    contacts_find_introducer(c, parts.onion, slice_of_string(p->by), &introducer, err) != 0 ||
	    check_room(c, introducer.onion, address, err) != 0)
		return -1;
	statement_bind_string(s, 1, address);
	statement_bind_string(s, 2, introducer.onion);
	statement_bind_string(s, 3, introducer.address);
	statement_bind_string(s, 4, p->name);
	statement_bind_string(s, 5, p->fingerprint);
	statement_bind_blob(s, 6, p->key);
	statement_bind_int(s, 7, p->sequence < INT64_MAX ? (int64_t)p->sequence : INT64_MAX);
	statement_bind_blob(s, 8, p->card);
	statement_bind_int(s, 9, p->since_s);
	return statement_run(s, err);
}

int
contacts_look_proposals(struct contacts *c, uint64_t after, contacts_take_proposal *take, void *context, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_PROPOSALS];
	struct contacts_proposal proposal;
	int row;
	statement_bind_int(s, 1, (int64_t)after);
	while ((row = statement_step(s, err)) == 1) {
		read_proposal(s, &proposal);
		if (!take(context, &proposal))
			break;
	}
	if (row >= 0)
		statement_reset(s);
	return row < 0 ? -1 : 0;
}

static int
done(struct contacts *c, uint64_t id, struct error *err)
{
	statement_bind_int(c->statements[CONTACTS_SQL_PROPOSAL_DONE], 1, (int64_t)id);
	return statement_run(c->statements[CONTACTS_SQL_PROPOSAL_DONE], err);
}

/* One introduction of the contact that there is now. Of an introducer who may not any more nothing counts. */
static int
apply(struct contacts *c, const struct contacts_proposal *p, int64_t now_s, struct error *err)
{
	enum contacts_learned learned;
	struct error why = { 0 };
	struct slice address = slice_of_string(p->address);
	const struct contacts_offer offer = { .address = address, .fingerprint = p->fingerprint, .key = p->key,
		.how = CONTACTS_KEY_INTRODUCED, .now_s = now_s };
	if (contacts_introduce(c, &offer, slice_of_string(p->by), &learned, &why) != 0)
		return why.code == ERROR_DENIED || why.code == ERROR_BUSY ? 0 : error_set(err, why.code, "%s", why.text);
	if (learned != CONTACTS_LEARNED_FIRST && learned != CONTACTS_LEARNED_SAME)
		return 0;
	return contacts_keep_card(c, address, p->sequence, p->fingerprint, p->card, err);
}

/* Takes the proposals about an address away, the first one first. */
static int
settle(struct contacts *c, struct slice text, bool accepts, int64_t now_s, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_PROPOSAL_OF];
	struct contacts_proposal p;
	struct error why = { 0 };
	struct address parts;
	char address[ADDRESS_MAX + 1];
	int row = 0, count = 0, result = 0;
	if (contacts_address(text, &parts, address, err) != 0)
		return -1;
	for (; result == 0; count++) {
		statement_bind_string(s, 1, address);
		row = statement_step(s, err);
		if (row != 1)
			break;
		read_proposal(s, &p);
		if (accepts && count == 0 && contacts_add(c, slice_of_string(address), slice_of_string(p.name), CONTACTS_INTRODUCED, now_s, &why) != 0 &&
		    why.code != ERROR_EXISTS)
			result = error_set(err, why.code, "%s", why.text);
		if (accepts && result == 0)
			result = apply(c, &p, now_s, err);
		statement_reset(s);
		if (result == 0)
			result = done(c, p.id, err);
	}
	if (row == 0 && result == 0)
		statement_reset(s);
	if (row < 0 || result != 0)
		return -1;
	return count > 0 ? 0 : error_set(err, ERROR_NOT_FOUND, "nobody has introduced them");
}

int
contacts_accept_proposals(struct contacts *c, struct slice address, int64_t now_s, struct error *err)
{
	return settle(c, address, true, now_s, err);
}

int
contacts_refuse_proposals(struct contacts *c, struct slice address, struct error *err)
{
	return settle(c, address, false, 0, err);
}

int
contacts_next_untold_proposal(struct contacts *c, struct contacts_proposal *out, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_PROPOSAL_UNTOLD];
	int row = statement_step(s, err);
	if (row == 1) {
		read_proposal(s, out);
		out->key = out->card = slice_of("", 0);
	}
	if (row >= 0)
		statement_reset(s);
	return row;
}

int
contacts_tell_proposal(struct contacts *c, uint64_t proposal, bool *is_first, struct error *err)
{
	return contacts_mark(c, CONTACTS_SQL_PROPOSAL_TELL, proposal, is_first, err);
}
