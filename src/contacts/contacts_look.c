/* SPDX-License-Identifier: ISC */
#include "contacts/contacts_internal.h"

void
contacts_read_key(const struct statement *s, struct contacts_key *out)
{
	int64_t how = statement_int(s, 3), state = statement_int(s, 4);
	out->id = (uint64_t)statement_int(s, 0);
	out->contact = (uint64_t)statement_int(s, 1);
	slice_to_string(statement_bytes(s, 2), out->fingerprint, sizeof out->fingerprint);
	/* What a later version may have written is no proof, and does not count. */
	out->how = how >= CONTACTS_KEY_SIGNED && how <= CONTACTS_KEY_IN_PERSON ? (enum contacts_key_how)how : CONTACTS_KEY_SIGNED;
	out->state = state >= CONTACTS_KEY_COUNTS && state <= CONTACTS_KEY_REVOKED ? (enum contacts_key_state)state : CONTACTS_KEY_REFUSED;
	slice_to_string(statement_bytes(s, 5), out->by, sizeof out->by);
	out->since_s = statement_int(s, 6);
	out->signed_s = statement_int(s, 7);
	out->changed_s = statement_int(s, 8);
	out->compared_s = statement_int(s, 9);
	out->key = slice_of("", 0);
}

int
contacts_key_for(struct contacts *c, struct slice address, struct buffer *out, char fingerprint[OPENPGP_FINGERPRINT_LEN + 1],
    struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_KEY_COUNTS];
	struct contact contact;
	int found = contacts_find(c, address, &contact, err);
	if (found <= 0)
		return found;
	statement_bind_int(s, 1, (int64_t)contact.id);
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	if (row == 1) {
		struct slice key = statement_bytes(s, 1);
		slice_to_string(statement_bytes(s, 0), fingerprint, OPENPGP_FINGERPRINT_LEN + 1);
		row = buffer_append(out, key.data, key.len, err) != 0 ? -1 : 1;
	}
	statement_reset(s);
	return row;
}

int
contacts_look_keys(struct contacts *c, uint64_t contact, contacts_take_key *take, void *context, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_KEYS];
	struct contacts_key key;
	int row;
	statement_bind_int(s, 1, (int64_t)contact);
	while ((row = statement_step(s, err)) == 1) {
		contacts_read_key(s, &key);
		key.key = statement_bytes(s, 10);
		if (!take(context, &key))
			break;
	}
	if (row >= 0)
		statement_reset(s);
	return row < 0 ? -1 : 0;
}

int
contacts_look_introductions(struct contacts *c, uint64_t contact, contacts_take_introduction *take, void *context,
    struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_INTRODUCTIONS];
	struct contacts_introduction introduction;
	int row;
	statement_bind_int(s, 1, (int64_t)contact);
	while ((row = statement_step(s, err)) == 1) {
		slice_to_string(statement_bytes(s, 0), introduction.by, sizeof introduction.by);
		slice_to_string(statement_bytes(s, 1), introduction.fingerprint, sizeof introduction.fingerprint);
		introduction.since_s = statement_int(s, 2);
		if (!take(context, &introduction))
			break;
	}
	if (row >= 0)
		statement_reset(s);
	return row < 0 ? -1 : 0;
}

int
contacts_next_untold(struct contacts *c, struct contacts_key *out, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_UNTOLD];
	int row = statement_step(s, err);
	if (row == 1)
		contacts_read_key(s, out);
	if (row >= 0)
		statement_reset(s);
	return row;
}

int
contacts_mark(struct contacts *c, int which, uint64_t id, bool *is_first, struct error *err)
{
	statement_bind_int(c->statements[which], 1, (int64_t)id);
	if (statement_run(c->statements[which], err) != 0)
		return -1;
	*is_first = database_changes(c->db) > 0;
	return 0;
}

int
contacts_tell(struct contacts *c, uint64_t key, bool *is_first, struct error *err)
{
	return contacts_mark(c, CONTACTS_SQL_TELL, key, is_first, err);
}

struct one {
	struct contact *out;
	uint64_t id;
	bool is_found;
};

static bool
take_one(void *context, const struct contact *contact)
{
	struct one *one = context;
	one->is_found = contact->id == one->id;
	*one->out = *contact;
	return false;
}

int
contacts_find_id(struct contacts *c, uint64_t id, struct contact *out, struct error *err)
{
	struct one one = { out, id, false };
	return contacts_look(c, id - 1, take_one, &one, err) != 0 ? -1 : one.is_found;
}
