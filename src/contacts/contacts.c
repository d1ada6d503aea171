/* SPDX-License-Identifier: ISC */
#include "contacts/contacts_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define HEARD_STEP_S 3600 /* it is not written down for every message */

/* Each onion is there once for a key, with one of its addresses. */
#define VOUCHING "(SELECT COUNT(*) FROM contact_introductions i WHERE i.contact = c.id AND i.fingerprint = k.fingerprint)"
#define SELECT_CONTACT \
	"SELECT c.id, c.address, c.onion, c.name, c.how, c.stranger, c.since_s, c.heard_s, c.verified_s, IFNULL(k.fingerprint, '')," \
	" IFNULL(k.compared_s, 0), " VOUCHING ", (SELECT COUNT(*) FROM contact_keys h WHERE h.contact = c.id AND h.state = 2)," \
	" IFNULL((SELECT e.wanted FROM contact_encryption e WHERE e.contact = c.id), 0)," \
	" (SELECT COUNT(*) FROM contact_keys r WHERE r.contact = c.id AND r.state = 4)" \
	" FROM contacts c LEFT JOIN contact_keys k ON k.contact = c.id AND k.state = 1 "

/* Of so many at the most, one more can come: the others go, those of whom nothing was heard for longest; not those of whom the owner has said something. */
#define FORGET(where) \
	"DELETE FROM contacts WHERE id IN (SELECT id FROM contacts WHERE stranger = 1 AND id NOT IN (SELECT contact FROM contact_encryption)" \
	" AND id NOT IN (SELECT contact FROM contact_carriers) " where \
	" ORDER BY heard_s DESC, id DESC LIMIT -1 OFFSET ?1)"

static const char *const sql[CONTACTS_STATEMENTS] = {
	[CONTACTS_SQL_FIND] = SELECT_CONTACT "WHERE c.address = ?1",
	[CONTACTS_SQL_FIND_AT] = SELECT_CONTACT "WHERE c.onion = ?1 ORDER BY c.stranger, c.id LIMIT 2",
	[CONTACTS_SQL_LOOK] = SELECT_CONTACT "WHERE c.id > ?1 ORDER BY c.id",
	[CONTACTS_SQL_ADD] = "INSERT INTO contacts (address, onion, name, how, stranger, since_s, heard_s) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[CONTACTS_SQL_KNOW] = "UPDATE contacts SET stranger = 0 WHERE id = ?1",
	[CONTACTS_SQL_RENAME] = "UPDATE contacts SET name = ?2 WHERE id = ?1",
	[CONTACTS_SQL_DELETE] = "DELETE FROM contacts WHERE id = ?1",
	[CONTACTS_SQL_HEARD] = "UPDATE contacts SET heard_s = ?2 WHERE id = ?1",
	[CONTACTS_SQL_VERIFIED] = "UPDATE contacts SET verified_s = ?2 WHERE id = ?1 AND verified_s = 0",
	[CONTACTS_SQL_COUNT] = "SELECT COUNT(*) FROM contacts WHERE stranger = 0",
	[CONTACTS_SQL_FORGET] = FORGET(""),
	[CONTACTS_SQL_FORGET_OF_ONION] = FORGET("AND onion = ?2"),

	[CONTACTS_SQL_ENCRYPTION_SET] = "INSERT INTO contact_encryption VALUES (?1, ?2) ON CONFLICT (contact) DO UPDATE SET wanted = ?2",
	[CONTACTS_SQL_ENCRYPTION_UNSET] = "DELETE FROM contact_encryption WHERE contact = ?1",
	[CONTACTS_SQL_ENCRYPTION_MOVED] = "SELECT c.address, e.wanted FROM contact_encryption e JOIN contacts c ON c.id = e.contact"
	                                  " WHERE c.onion IN (SELECT onion FROM contact_notices WHERE kind = 1) ORDER BY c.id",

	[CONTACTS_SQL_CARRIERS] = "SELECT address FROM contact_carriers WHERE contact = ?1 ORDER BY position",
	[CONTACTS_SQL_CARRIER_ADD] = "INSERT INTO contact_carriers VALUES (?1, ?2, ?3)",
	[CONTACTS_SQL_CARRIERS_FORGET] = "DELETE FROM contact_carriers WHERE contact = ?1",

	[CONTACTS_SQL_KEY_FIND] = "SELECT " CONTACTS_KEY_COLUMNS ", key FROM contact_keys WHERE contact = ?1 AND fingerprint = ?2",
	[CONTACTS_SQL_KEY_ADD] = "INSERT INTO contact_keys (contact, fingerprint, key, how, state, introducer, since_s, signed_s, changed_s, told)"
	                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7, ?9)",
	[CONTACTS_SQL_KEY_SET] = "UPDATE contact_keys SET key = ?2, signed_s = ?3 WHERE id = ?1",
	[CONTACTS_SQL_KEY_STATE] = "UPDATE contact_keys SET state = ?2, changed_s = ?3, told = ?4 WHERE id = ?1",
	[CONTACTS_SQL_KEY_FORGET] = "DELETE FROM contact_keys WHERE id IN (SELECT id FROM contact_keys WHERE contact = ?1 AND state = ?2"
	                            " AND id != ?3 ORDER BY changed_s DESC, id DESC LIMIT -1 OFFSET ?4)",
	[CONTACTS_SQL_KEY_FACTS] = "SELECT IFNULL(MAX(signed_s) FILTER (WHERE state IN (1, 3, 5)), -1), COUNT(*) FILTER (WHERE state IN (4, 5))"
	                           " FROM contact_keys WHERE contact = ?1",
	[CONTACTS_SQL_KEY_UNSEAT] = "UPDATE contact_keys SET state = 3, changed_s = ?2 WHERE contact = ?1 AND state = 1",
	[CONTACTS_SQL_KEY_COMPARED] = "UPDATE contact_keys SET compared_s = ?2 WHERE id = ?1",
	[CONTACTS_SQL_INTRODUCE] = "INSERT OR IGNORE INTO contact_introductions VALUES (?1, ?2, ?3, ?4, ?5)",
	[CONTACTS_SQL_UNSAY] = "DELETE FROM contact_introductions WHERE introducer = ?1",
	[CONTACTS_SQL_INTRODUCED] = "SELECT COUNT(*) FROM contact_introductions WHERE contact = ?1 AND onion = ?2 AND fingerprint != ?3",

	[CONTACTS_SQL_KEY_COUNTS] = "SELECT fingerprint, key FROM contact_keys WHERE contact = ?1 AND state = 1",
	[CONTACTS_SQL_KEYS] = "SELECT " CONTACTS_KEY_COLUMNS ", key FROM contact_keys WHERE contact = ?1 ORDER BY id",
	[CONTACTS_SQL_INTRODUCTIONS] = "SELECT introducer, fingerprint, since_s FROM contact_introductions WHERE contact = ?1"
	                               " ORDER BY since_s, introducer",
	[CONTACTS_SQL_UNTOLD] = "SELECT " CONTACTS_KEY_COLUMNS " FROM contact_keys WHERE told = 0 ORDER BY id LIMIT 1",
	[CONTACTS_SQL_TELL] = "UPDATE contact_keys SET told = 1 WHERE id = ?1 AND told = 0",

	[CONTACTS_SQL_CARD_KEEP] = "INSERT INTO contact_cards VALUES (?1, ?2, ?3, ?4) ON CONFLICT (contact) DO UPDATE"
	                           " SET sequence = ?2, fingerprint = ?3, card = ?4 WHERE sequence < ?2",
	[CONTACTS_SQL_CARD] = "SELECT fingerprint, card, sequence FROM contact_cards WHERE contact = ?1",
	[CONTACTS_SQL_PROPOSE] = "INSERT INTO contact_proposals (address, onion, introducer, name, fingerprint, key, sequence, card, since_s)"
	                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (address, onion) DO UPDATE SET introducer = ?3,"
	                         " name = ?4, fingerprint = ?5, key = ?6, sequence = ?7, card = ?8 WHERE sequence < ?7",
	[CONTACTS_SQL_PROPOSED] = "SELECT COUNT(*) FILTER (WHERE onion = ?1 AND address != ?2), COUNT(*) FROM contact_proposals",
	[CONTACTS_SQL_PROPOSALS] = "SELECT " CONTACTS_PROPOSAL_COLUMNS " FROM contact_proposals WHERE id > ?1 ORDER BY id",
	[CONTACTS_SQL_PROPOSAL_OF] = "SELECT " CONTACTS_PROPOSAL_COLUMNS " FROM contact_proposals WHERE address = ?1 ORDER BY id LIMIT 1",
	[CONTACTS_SQL_PROPOSAL_DONE] = "DELETE FROM contact_proposals WHERE id = ?1",
	[CONTACTS_SQL_UNPROPOSE] = "DELETE FROM contact_proposals WHERE introducer = ?1",
	[CONTACTS_SQL_PROPOSAL_UNTOLD] = "SELECT " CONTACTS_PROPOSAL_COLUMNS " FROM contact_proposals WHERE told = 0 ORDER BY id LIMIT 1",
	[CONTACTS_SQL_PROPOSAL_TELL] = "UPDATE contact_proposals SET told = 1 WHERE id = ?1 AND told = 0",

	[CONTACTS_SQL_ONION_KNOWN] = "SELECT IFNULL(MAX(2 - stranger), 0) FROM contacts WHERE onion = ?1",
	[CONTACTS_SQL_NOTICES] = "SELECT kind, about, recovery, sequence, since_s, chosen FROM contact_notices WHERE onion = ?1"
	                         " ORDER BY kind, about, recovery",
	[CONTACTS_SQL_NOTICES_ALL] = "SELECT COUNT(*) FROM contact_notices",
	[CONTACTS_SQL_NOTICES_FORGET] = "DELETE FROM contact_notices WHERE onion NOT IN (SELECT onion FROM contacts)",
	[CONTACTS_SQL_NOTICES_FORGET_STRANGERS] = "DELETE FROM contact_notices WHERE chosen = 0 AND onion NOT IN (SELECT onion FROM contacts"
	                                          " WHERE stranger = 0)",
	[CONTACTS_SQL_NOTICE_ADD] = "INSERT OR IGNORE INTO contact_notices (onion, kind, about, recovery, sequence, since_s) SELECT ?1, ?2, ?3, ?4, ?5, ?6"
	                            " WHERE (SELECT COUNT(*) FROM contact_notices WHERE onion = ?1 AND kind = ?2) < ?7",
	[CONTACTS_SQL_NOTICE_AGAIN] = "UPDATE contact_notices SET sequence = ?5 WHERE onion = ?1 AND kind = ?2 AND about = ?3 AND recovery = ?4"
	                              " AND sequence < ?5",
	[CONTACTS_SQL_NOTICE_CHOOSE] = "UPDATE contact_notices SET chosen = about = ?2 WHERE onion = ?1 AND kind = 1",
	[CONTACTS_SQL_NOTICES_TELL] = "UPDATE contact_notices SET told = ?2 WHERE onion = ?1 AND kind != 3 AND told != ?2",
	[CONTACTS_SQL_NOTICE_UNTOLD] = "SELECT onion FROM contact_notices WHERE told = 0 AND kind != 3 LIMIT 1",
	[CONTACTS_SQL_REVOKE_EVERYWHERE] = "UPDATE contact_keys SET told = state != 1, state = 5, changed_s = ?3, key = x'' WHERE fingerprint = ?2"
	                                   " AND state != 5 AND contact IN (SELECT id FROM contacts WHERE onion = ?1)",
	[CONTACTS_SQL_REVOKED] = "SELECT COUNT(*) FILTER (WHERE about = ?2), COUNT(*) FROM contact_notices WHERE onion = ?1 AND kind = 3",
	[CONTACTS_SQL_RECOVERY] = "SELECT COUNT(*), IFNULL(MAX(hash), '') FROM contact_recovery WHERE onion = ?1",
	[CONTACTS_SQL_RECOVERY_ADD] = "INSERT OR IGNORE INTO contact_recovery VALUES (?1, ?2)",
	[CONTACTS_SQL_RECOVERY_FORGET] = "DELETE FROM contact_recovery WHERE onion = ?1 AND hash NOT IN (SELECT hash FROM contact_recovery"
	                                 " WHERE onion = ?1 ORDER BY hash LIMIT 2)",
};

/* The states are written as numbers above. */
_Static_assert(CONTACTS_KEY_COUNTS == 1 && CONTACTS_KEY_HELD == 2 && CONTACTS_KEY_FORMER == 3, "of the statements");
_Static_assert(CONTACTS_KEY_REFUSED == 4 && CONTACTS_KEY_REVOKED == 5, "of the statements");

int
contacts_open(struct database *db, struct contacts **out, struct error *err)
{
	struct contacts *c = calloc(1, sizeof *c);
	if (c == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	c->db = db;
	for (size_t i = 0; i < CONTACTS_STATEMENTS; i++)
		if (statement_new(db, sql[i], &c->statements[i], err) != 0) {
			contacts_free(c);
			return -1;
		}
	*out = c;
	return 0;
}

void
contacts_free(struct contacts *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < CONTACTS_STATEMENTS; i++)
		statement_free(c->statements[i]);
	free(c);
}

int
contacts_address(struct slice text, struct address *out, char address[ADDRESS_MAX + 1], struct error *err)
{
	if (address_parse(text, out, err) != 0)
		return -1;
	for (char *p = out->local_part; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	out->fingerprint[0] = '\0';
	address_format(out, address);
	return 0;
}

int
contacts_ask_int(struct statement *s, int64_t *out, struct error *err)
{
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	*out = row == 1 ? statement_int(s, 0) : 0;
	statement_reset(s);
	return 0;
}

/* ---- looking */

static enum contacts_trust
trust_of(const struct contact *contact, bool is_stranger, bool is_compared)
{
	if (is_compared || contact->vouching >= CONTACTS_INTRODUCERS_AGREE)
		return CONTACTS_VERIFIED_KEY;
	if (contact->vouching > 0)
		return CONTACTS_INTRODUCED_KEY;
	return is_stranger ? CONTACTS_STRANGER : CONTACTS_KNOWN;
}

static void
read_contact(const struct statement *s, struct contact *out)
{
	int64_t how = statement_int(s, 4);
	out->id = (uint64_t)statement_int(s, 0);
	slice_to_string(statement_bytes(s, 1), out->address, sizeof out->address);
	slice_to_string(statement_bytes(s, 2), out->onion, sizeof out->onion);
	slice_to_string(statement_bytes(s, 3), out->name, sizeof out->name);
	/* What a later version may have written says no more than that they wrote. */
	out->how = how >= CONTACTS_TYPED && how <= CONTACTS_WROTE_FIRST ? (enum contacts_how)how : CONTACTS_WROTE_FIRST;
	out->since_s = statement_int(s, 6);
	out->heard_s = statement_int(s, 7);
	out->verified_s = statement_int(s, 8);
	slice_to_string(statement_bytes(s, 9), out->fingerprint, sizeof out->fingerprint);
	out->vouching = (unsigned)statement_int(s, 11);
	out->held = (unsigned)statement_int(s, 12);
	out->encryption = contacts_read_encryption(statement_int(s, 13));
	out->refused = (unsigned)statement_int(s, 14);
	out->is_stranger = statement_int(s, 5) != 0;
	out->trust = trust_of(out, out->is_stranger, statement_int(s, 10) != 0);
}

static int
find(struct contacts *c, const char *address, struct contact *out, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_FIND];
	statement_bind_string(s, 1, address);
	int row = statement_step(s, err);
	if (row > 0)
		read_contact(s, out);
	if (row >= 0)
		statement_reset(s);
	return row;
}

int
contacts_find(struct contacts *c, struct slice text, struct contact *out, struct error *err)
{
	struct address parts;
	char address[ADDRESS_MAX + 1];
	return contacts_address(text, &parts, address, err) != 0 ? -1 : find(c, address, out, err);
}

int
contacts_find_at(struct contacts *c, const char *onion, struct contact *out, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_FIND_AT];
	struct contact second = { .is_stranger = true };
	statement_bind_string(s, 1, onion);
	int first_row = statement_step(s, err), row = first_row;
	if (first_row == 1) {
		read_contact(s, out);
		row = statement_step(s, err);
	}
	if (row == 1)
		read_contact(s, &second);
	if (row >= 0)
		statement_reset(s);
	if (row < 0)
		return -1;
	return first_row == 1 && (row == 0 || (!out->is_stranger && second.is_stranger));
}

int
contacts_find_or_say(struct contacts *c, struct slice text, struct contact *out, struct error *err)
{
	int found = contacts_find(c, text, out, err);
	if (found == 0)
		return error_set(err, ERROR_NOT_FOUND, "nobody with this address is in the address book");
	return found < 0 ? -1 : 0;
}

int
contacts_look(struct contacts *c, uint64_t after, contacts_take *take, void *context, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_LOOK];
	struct contact contact;
	int row;
	statement_bind_int(s, 1, (int64_t)after);
	while ((row = statement_step(s, err)) == 1) {
		read_contact(s, &contact);
		if (!take(context, &contact))
			break;
	}
	if (row >= 0)
		statement_reset(s);
	return row < 0 ? -1 : 0;
}

/* ---- coming to know */

static int
add(struct contacts *c, const struct address *parts, const char *address, struct slice name, enum contacts_how how,
    int64_t now_s, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_ADD];
	bool is_stranger = how == CONTACTS_WROTE_FIRST;
	statement_bind_string(s, 1, address);
	statement_bind_string(s, 2, parts->onion);
	statement_bind_text(s, 3, name);
	statement_bind_int(s, 4, how);
	statement_bind_int(s, 5, is_stranger);
	statement_bind_int(s, 6, now_s);
	statement_bind_int(s, 7, is_stranger ? now_s : 0);
	return statement_run(s, err);
}

/* Strangers go so that one more, of this onion, can come. */
static int
make_room(struct contacts *c, const char *onion, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_FORGET_OF_ONION];
	statement_bind_int(s, 1, CONTACTS_STRANGERS_OF_ONION_MAX - 1);
	statement_bind_string(s, 2, onion);
	if (statement_run(s, err) != 0)
		return -1;
	s = c->statements[CONTACTS_SQL_FORGET];
	statement_bind_int(s, 1, CONTACTS_STRANGERS_MAX - 1);
	return statement_run(s, err);
}

/* 1: there is room for one more whom the owner knows; 0; -1. */
static int
has_room(struct contacts *c, struct error *err)
{
	int64_t count;
	if (contacts_ask_int(c->statements[CONTACTS_SQL_COUNT], &count, err) != 0)
		return -1;
	return count < CONTACTS_MAX;
}

static int
run_with_id(struct contacts *c, int which, uint64_t id, struct error *err)
{
	statement_bind_int(c->statements[which], 1, (int64_t)id);
	return statement_run(c->statements[which], err);
}

static int
rename_to(struct contacts *c, uint64_t id, struct slice name, struct error *err)
{
	statement_bind_text(c->statements[CONTACTS_SQL_RENAME], 2, name);
	return run_with_id(c, CONTACTS_SQL_RENAME, id, err);
}

static int
check_name(struct slice name, struct error *err)
{
	if (name.len > CONTACTS_NAME_MAX)
		return error_set(err, ERROR_INVALID, "the name has %zu octets; at most %d are kept", name.len, CONTACTS_NAME_MAX);
	if (!utf8_is_line(name))
		return error_set(err, ERROR_INVALID, "the name is no plain line of UTF-8 text: it has a character that is not shown");
	return 0;
}

int
contacts_add(struct contacts *c, struct slice text, struct slice name, enum contacts_how how, int64_t now_s, struct error *err)
{
	struct address parts;
	struct contact before;
	char address[ADDRESS_MAX + 1];
	if (contacts_address(text, &parts, address, err) != 0 || check_name(name, err) != 0)
		return -1;
	int found = find(c, address, &before, err);
	if (found == 1 && !before.is_stranger)
		return error_set(err, ERROR_EXISTS, "this address is in the address book already");
	int room = found < 0 ? -1 : has_room(c, err);
	if (room == 0)
		return error_set(err, ERROR_BUSY, "the address book is full: it takes %d people; delete some", CONTACTS_MAX);
	if (room < 0)
		return -1;
	if (found == 0)
		return add(c, &parts, address, name, how, now_s, err);
	return run_with_id(c, CONTACTS_SQL_KNOW, before.id, err) != 0 ? -1 : rename_to(c, before.id, name, err);
}

int
contacts_rename(struct contacts *c, struct slice address, struct slice name, struct error *err)
{
	struct contact contact;
	if (check_name(name, err) != 0 || contacts_find_or_say(c, address, &contact, err) != 0)
		return -1;
	return rename_to(c, contact.id, name, err);
}

int
contacts_delete(struct contacts *c, struct slice address, struct error *err)
{
	struct contact contact;
	if (contacts_find_or_say(c, address, &contact, err) != 0)
		return -1;
	statement_bind_string(c->statements[CONTACTS_SQL_UNSAY], 1, contact.address);
	statement_bind_string(c->statements[CONTACTS_SQL_UNPROPOSE], 1, contact.address);
	if (statement_run(c->statements[CONTACTS_SQL_UNSAY], err) != 0 || statement_run(c->statements[CONTACTS_SQL_UNPROPOSE], err) != 0)
		return -1;
	return run_with_id(c, CONTACTS_SQL_DELETE, contact.id, err);
}

int
contacts_heard(struct contacts *c, struct slice text, int64_t now_s, int64_t *since_s, struct error *err)
{
	struct address parts;
	struct contact contact;
	char address[ADDRESS_MAX + 1];
	if (contacts_address(text, &parts, address, err) != 0)
		return -1;
	int found = find(c, address, &contact, err);
	if (found < 0)
		return -1;
	*since_s = found == 1 ? contact.since_s : now_s;
	if (found == 0) {
		if (make_room(c, parts.onion, err) != 0)
			return -1;
		return add(c, &parts, address, slice_of("", 0), CONTACTS_WROTE_FIRST, now_s, err) != 0 ? -1 : 1;
	}
	if (now_s >= contact.heard_s && now_s - contact.heard_s < HEARD_STEP_S)
		return 0;
	statement_bind_int(c->statements[CONTACTS_SQL_HEARD], 2, now_s);
	return run_with_id(c, CONTACTS_SQL_HEARD, contact.id, err);
}

int
contacts_written(struct contacts *c, struct slice text, int64_t now_s, struct error *err)
{
	struct address parts;
	struct contact contact;
	char address[ADDRESS_MAX + 1];
	if (contacts_address(text, &parts, address, err) != 0)
		return -1;
	int found = find(c, address, &contact, err);
	if (found < 0 || (found == 1 && !contact.is_stranger))
		return found < 0 ? -1 : 0;
	int room = has_room(c, err);
	if (room <= 0)
		return room;
	return found == 1 ? run_with_id(c, CONTACTS_SQL_KNOW, contact.id, err) :
	                    add(c, &parts, address, slice_of("", 0), CONTACTS_TYPED, now_s, err);
}
