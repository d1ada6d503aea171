/* SPDX-License-Identifier: ISC */
#include "contacts/contacts_internal.h"

#include <assert.h>
#include <string.h>

#define DAY_S (24 * 3600)
#define SIGNED_STEP_S 3600 /* it is not written down for every message */

/* What is known of a contact's keys before one is offered. */
struct known {
	struct contact contact;
	bool is_there;        /* the offered one is among them: */
	struct contacts_key key;
	bool is_same_bytes;
	int64_t signed_s;     /* of those that count or did, the latest; -1: there are none */
	int64_t barred;
	bool is_revoked;      /* a notice of its onion says so */
};

/* ---- rows */

/* 1: the contact has a key with this fingerprint; 0; -1. is_same, if not NULL: its bytes are these. */
static int
find_key(struct contacts *c, uint64_t contact, const char *fingerprint, struct slice bytes, struct contacts_key *out, bool *is_same,
    struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_KEY_FIND];
	statement_bind_int(s, 1, (int64_t)contact);
	statement_bind_string(s, 2, fingerprint);
	int row = statement_step(s, err);
	if (row > 0) {
		struct slice key = statement_bytes(s, 10);
		contacts_read_key(s, out);
		if (is_same != NULL)
			*is_same = key.len == bytes.len && (key.len == 0 || memcmp(key.data, bytes.data, key.len) == 0);
	}
	if (row >= 0)
		statement_reset(s);
	return row;
}

static int
load(struct contacts *c, const struct contacts_offer *offer, struct known *out, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_KEY_FACTS];
	bool is_full;
	int found = find_key(c, out->contact.id, offer->fingerprint, offer->key, &out->key, &out->is_same_bytes, err);
	if (found < 0)
		return -1;
	out->is_there = found == 1;
	int revoked = contacts_moves_revoked(c, out->contact.onion, offer->fingerprint, &is_full, err);
	if (revoked < 0)
		return -1;
	out->is_revoked = revoked == 1;
	statement_bind_int(s, 1, (int64_t)out->contact.id);
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	out->signed_s = row == 1 ? statement_int(s, 0) : -1;
	out->barred = is_full ? CONTACTS_KEYS_BARRED_MAX : row == 1 ? statement_int(s, 1) : 0;
	statement_reset(s);
	return 0;
}

static int
set_time(struct contacts *c, int which, uint64_t id, int64_t time_s, struct error *err)
{
	struct statement *s = c->statements[which];
	statement_bind_int(s, 1, (int64_t)id);
	statement_bind_int(s, 2, time_s);
	return statement_run(s, err);
}

/* A key gets a state: whatever counted before gives up its place, and of its new fellows the oldest may be forgotten. */
static int
unseat(struct contacts *c, uint64_t contact, int64_t now_s, struct error *err)
{
	return set_time(c, CONTACTS_SQL_KEY_UNSEAT, contact, now_s, err);
}

static int
forget(struct contacts *c, uint64_t contact, enum contacts_key_state state, uint64_t but, int64_t most, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_KEY_FORGET];
	statement_bind_int(s, 1, (int64_t)contact);
	statement_bind_int(s, 2, state);
	statement_bind_int(s, 3, (int64_t)but);
	statement_bind_int(s, 4, most);
	return statement_run(s, err);
}

static int
forget_former(struct contacts *c, const struct contact *contact, struct error *err)
{
	return forget(c, contact->id, CONTACTS_KEY_FORMER, 0,
	    contact->is_stranger ? CONTACTS_KEYS_FORMER_OF_STRANGER_MAX : CONTACTS_KEYS_FORMER_MAX, err);
}

/* Sets what a key is and when its owner said so. */
static int
set_bytes(struct contacts *c, uint64_t id, struct slice bytes, int64_t signed_s, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_KEY_SET];
	statement_bind_int(s, 1, (int64_t)id);
	statement_bind_blob(s, 2, bytes);
	statement_bind_int(s, 3, signed_s);
	return statement_run(s, err);
}

static int
set_state(struct contacts *c, uint64_t id, enum contacts_key_state state, int64_t now_s, bool is_told, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_KEY_STATE];
	statement_bind_int(s, 1, (int64_t)id);
	statement_bind_int(s, 2, state);
	statement_bind_int(s, 3, now_s);
	statement_bind_int(s, 4, is_told);
	return statement_run(s, err);
}

/* Once a key of theirs was verified the owner decides about all others, also when an introducer is deleted later. */
static int
note_verified(struct contacts *c, const struct contact *contact, int64_t now_s, struct error *err)
{
	struct contact after;
	if (contact->verified_s != 0)
		return 0;
	if (contacts_find_or_say(c, slice_of_string(contact->address), &after, err) != 0)
		return -1;
	return after.trust != CONTACTS_VERIFIED_KEY ? 0 : set_time(c, CONTACTS_SQL_VERIFIED, contact->id, now_s, err);
}

/* ---- offers */

static int
check_offer(const struct contacts_offer *offer, struct error *err)
{
	if (strlen(offer->fingerprint) != OPENPGP_FINGERPRINT_LEN ||
	    strspn(offer->fingerprint, "0123456789ABCDEF") != OPENPGP_FINGERPRINT_LEN)
		return error_set(err, ERROR_INVALID, "the fingerprint of an OpenPGP key has %d digits 0 to 9 and A to F", OPENPGP_FINGERPRINT_LEN);
	if (offer->key.len == 0)
		return error_set(err, ERROR_INVALID, "the OpenPGP key is empty");
	if (offer->key.len > CONTACTS_KEY_MAX_BYTES)
		return error_set(err, ERROR_TOO_LARGE, "the OpenPGP key has %zu octets; at most %d are kept", offer->key.len, CONTACTS_KEY_MAX_BYTES);
	return 0;
}

static bool
is_owners(const struct contacts_offer *offer)
{
	return offer->how == CONTACTS_KEY_OWNER || offer->how == CONTACTS_KEY_IN_PERSON;
}

/* Nobody's clock reaches beyond ours, or one wrong date would keep out all keys to come. What is no mail's date but the moment at which we
 * heard of it is cut to the day, as a mail's may be: a key that comes with mail from later on must not look older. */
static int64_t
signed_at(const struct contacts_offer *offer)
{
	int64_t signed_s = is_owners(offer) || offer->signed_s > offer->now_s ? offer->now_s : offer->signed_s;
	if (offer->how != CONTACTS_KEY_SIGNED)
		signed_s -= signed_s % DAY_S;
	return signed_s < 0 ? 0 : signed_s;
}

static enum contacts_learned
judge(const struct contacts_offer *offer, const struct known *k)
{
	if (k->is_revoked || (k->is_there && k->key.state == CONTACTS_KEY_REVOKED))
		return CONTACTS_LEARNED_BARRED;
	if (k->is_there && k->key.state == CONTACTS_KEY_COUNTS)
		return CONTACTS_LEARNED_SAME;
	if (is_owners(offer))
		return k->signed_s < 0 ? CONTACTS_LEARNED_FIRST : CONTACTS_LEARNED_CHANGED;
	if (k->is_there ? k->key.state == CONTACTS_KEY_REFUSED : k->barred >= CONTACTS_KEYS_BARRED_MAX)
		return CONTACTS_LEARNED_BARRED;
	if (offer->how == CONTACTS_KEY_INTRODUCED && k->signed_s >= 0)
		return CONTACTS_LEARNED_HELD;
	if (offer->how != CONTACTS_KEY_INTRODUCED && signed_at(offer) < k->signed_s)
		return CONTACTS_LEARNED_OLD;
	if (k->contact.verified_s != 0)
		return CONTACTS_LEARNED_HELD;
	return k->signed_s < 0 ? CONTACTS_LEARNED_FIRST : CONTACTS_LEARNED_CHANGED;
}

static int
insert(struct contacts *c, const struct contacts_offer *offer, uint64_t contact, enum contacts_key_state state, const char *by,
    bool is_told, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_KEY_ADD];
	statement_bind_int(s, 1, (int64_t)contact);
	statement_bind_string(s, 2, offer->fingerprint);
	statement_bind_blob(s, 3, offer->key);
	statement_bind_int(s, 4, offer->how);
	statement_bind_int(s, 5, state);
	statement_bind_string(s, 6, by);
	statement_bind_int(s, 7, offer->now_s);
	statement_bind_int(s, 8, offer->how == CONTACTS_KEY_INTRODUCED ? 0 : signed_at(offer)); /* its owner has said nothing yet */
	statement_bind_int(s, 9, is_told);
	return statement_run(s, err);
}

/* The newest bytes, which may have new subkeys or another date of expiry. */
static int
refresh(struct contacts *c, const struct contacts_offer *offer, const struct known *k, struct error *err)
{
	int64_t signed_s = signed_at(offer);
	if (offer->how == CONTACTS_KEY_INTRODUCED || signed_s < k->key.signed_s ||
	    (k->is_same_bytes && signed_s - k->key.signed_s < SIGNED_STEP_S))
		return 0;
	return set_bytes(c, k->key.id, offer->key, signed_s, err);
}

/* The key gets its state and becomes k->key. One that is held already stays as the owner was shown it. */
static int
place(struct contacts *c, const struct contacts_offer *offer, struct known *k, enum contacts_learned learned, const char *by,
    struct error *err)
{
	bool is_held = learned == CONTACTS_LEARNED_HELD;
	enum contacts_key_state state = is_held ? CONTACTS_KEY_HELD : CONTACTS_KEY_COUNTS;
	bool is_told = learned == CONTACTS_LEARNED_FIRST || is_owners(offer) || k->contact.is_stranger; /* who could have much to be told of */
	if (k->is_there && k->key.state == state)
		return 0;
	if (!is_held && unseat(c, k->contact.id, offer->now_s, err) != 0)
		return -1;
	if (k->is_there) {
		if (refresh(c, offer, k, err) != 0 || set_state(c, k->key.id, state, offer->now_s, is_told, err) != 0)
			return -1;
	} else if (insert(c, offer, k->contact.id, state, by, is_told, err) != 0 ||
	    find_key(c, k->contact.id, offer->fingerprint, offer->key, &k->key, NULL, err) != 1) {
		return -1;
	}
	return is_held ? forget(c, k->contact.id, state, k->key.id, CONTACTS_KEYS_HELD_MAX - 1, err) :
	                 forget_former(c, &k->contact, err);
}

static int
take(struct contacts *c, const struct contacts_offer *offer, struct known *k, const char *by, enum contacts_learned *out,
    struct error *err)
{
	*out = judge(offer, k);
	if (*out == CONTACTS_LEARNED_OLD || *out == CONTACTS_LEARNED_BARRED)
		return 0;
	if ((*out == CONTACTS_LEARNED_SAME ? refresh(c, offer, k, err) : place(c, offer, k, *out, by, err)) != 0)
		return -1;
	if (offer->how == CONTACTS_KEY_IN_PERSON && set_time(c, CONTACTS_SQL_KEY_COMPARED, k->key.id, offer->now_s, err) != 0)
		return -1;
	return note_verified(c, &k->contact, offer->now_s, err);
}

int
contacts_learn(struct contacts *c, const struct contacts_offer *offer, enum contacts_learned *out, struct error *err)
{
	struct known known = { 0 };
	int64_t since_s;
	assert(offer->how != CONTACTS_KEY_INTRODUCED);
	if (check_offer(offer, err) != 0)
		return -1;
	if (offer->how == CONTACTS_KEY_SIGNED && contacts_heard(c, offer->address, offer->now_s, &since_s, err) < 0)
		return -1;
	if (contacts_find_or_say(c, offer->address, &known.contact, err) != 0 || load(c, offer, &known, err) != 0)
		return -1;
	return take(c, offer, &known, "", out, err);
}

/* ---- introductions */

int
contacts_find_introducer(struct contacts *c, const char *onion, struct slice by, struct contact *out, struct error *err)
{
	int found = contacts_find(c, by, out, err);
	if (found < 0)
		return -1;
	if (found == 0 || out->is_stranger)
		return error_set(err, ERROR_DENIED, "only those whom you know can introduce somebody");
	if (strcmp(out->onion, onion) == 0)
		return error_set(err, ERROR_DENIED, "nobody can introduce themselves");
	return 0;
}

int
contacts_introduce(struct contacts *c, const struct contacts_offer *given, struct slice by, enum contacts_learned *out,
    struct error *err)
{
	struct contacts_offer offer = *given;
	struct known known = { 0 };
	struct contact introducer;
	struct statement *s = c->statements[CONTACTS_SQL_INTRODUCED];
	int64_t others;
	offer.how = CONTACTS_KEY_INTRODUCED;
	if (check_offer(&offer, err) != 0 || contacts_find_or_say(c, offer.address, &known.contact, err) != 0 ||
	    contacts_find_introducer(c, known.contact.onion, by, &introducer, err) != 0 || load(c, &offer, &known, err) != 0)
		return -1;
	statement_bind_int(s, 1, (int64_t)known.contact.id);
	statement_bind_string(s, 2, introducer.onion);
	statement_bind_string(s, 3, offer.fingerprint);
	if (contacts_ask_int(s, &others, err) != 0)
		return -1;
	if (others >= CONTACTS_KEYS_OF_INTRODUCER_MAX)
		return error_set(err, ERROR_BUSY, "they have said so of %d other keys of this contact already: ask them which one is right", (int)others);
	s = c->statements[CONTACTS_SQL_INTRODUCE];
	statement_bind_int(s, 1, (int64_t)known.contact.id);
	statement_bind_string(s, 2, offer.fingerprint);
	statement_bind_string(s, 3, introducer.onion);
	statement_bind_string(s, 4, introducer.address);
	statement_bind_int(s, 5, offer.now_s);
	if (statement_run(s, err) != 0)
		return -1;
	return take(c, &offer, &known, introducer.address, out, err);
}

/* ---- decisions */

static int
find_or_say(struct contacts *c, struct slice address, const char *fingerprint, struct contact *contact, struct contacts_key *key,
    struct error *err)
{
	if (contacts_find_or_say(c, address, contact, err) != 0)
		return -1;
	int found = find_key(c, contact->id, fingerprint, slice_of("", 0), key, NULL, err);
	if (found == 0)
		return error_set(err, ERROR_NOT_FOUND, "no key with this fingerprint is known of them");
	return found < 0 ? -1 : 0;
}

int
contacts_accept(struct contacts *c, struct slice address, const char *fingerprint, bool in_person, int64_t now_s, struct error *err)
{
	struct contact contact;
	struct contacts_key key;
	if (find_or_say(c, address, fingerprint, &contact, &key, err) != 0)
		return -1;
	if (key.state == CONTACTS_KEY_REVOKED)
		return error_set(err, ERROR_DENIED, "this key is revoked: whoever has it may be somebody else. Ask them for another one");
	if (key.state != CONTACTS_KEY_COUNTS && (unseat(c, contact.id, now_s, err) != 0 ||
	    set_state(c, key.id, CONTACTS_KEY_COUNTS, now_s, true, err) != 0 ||
	    forget_former(c, &contact, err) != 0))
		return -1;
	if (in_person && set_time(c, CONTACTS_SQL_KEY_COMPARED, key.id, now_s, err) != 0)
		return -1;
	return note_verified(c, &contact, now_s, err);
}

int
contacts_refuse(struct contacts *c, struct slice address, const char *fingerprint, int64_t now_s, struct error *err)
{
	struct contact contact;
	struct contacts_key key;
	if (find_or_say(c, address, fingerprint, &contact, &key, err) != 0)
		return -1;
	if (key.state == CONTACTS_KEY_REVOKED)
		return error_set(err, ERROR_DENIED, "this key is revoked, which is more than refused");
	return key.state == CONTACTS_KEY_REFUSED ? 0 : set_state(c, key.id, CONTACTS_KEY_REFUSED, now_s, true, err);
}
