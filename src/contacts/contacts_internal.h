/* SPDX-License-Identifier: ISC
 *
 * What the files of the address book share.
 */
#pragma once

#include "contacts/contacts.h"

enum {
	CONTACTS_SQL_FIND, CONTACTS_SQL_FIND_AT, CONTACTS_SQL_LOOK, CONTACTS_SQL_ADD, CONTACTS_SQL_KNOW, CONTACTS_SQL_RENAME, CONTACTS_SQL_DELETE, CONTACTS_SQL_HEARD,
	CONTACTS_SQL_VERIFIED, CONTACTS_SQL_COUNT, CONTACTS_SQL_FORGET, CONTACTS_SQL_FORGET_OF_ONION,

	CONTACTS_SQL_ENCRYPTION_SET, CONTACTS_SQL_ENCRYPTION_UNSET, CONTACTS_SQL_ENCRYPTION_MOVED,

	CONTACTS_SQL_CARRIERS, CONTACTS_SQL_CARRIER_ADD, CONTACTS_SQL_CARRIERS_FORGET,

	CONTACTS_SQL_KEY_FIND, CONTACTS_SQL_KEY_ADD, CONTACTS_SQL_KEY_SET, CONTACTS_SQL_KEY_STATE, CONTACTS_SQL_KEY_FORGET, CONTACTS_SQL_KEY_FACTS,
	CONTACTS_SQL_KEY_UNSEAT, CONTACTS_SQL_KEY_COMPARED, CONTACTS_SQL_INTRODUCE, CONTACTS_SQL_INTRODUCED, CONTACTS_SQL_UNSAY,

	CONTACTS_SQL_KEY_COUNTS, CONTACTS_SQL_KEYS, CONTACTS_SQL_INTRODUCTIONS, CONTACTS_SQL_UNTOLD, CONTACTS_SQL_TELL,

	CONTACTS_SQL_CARD_KEEP, CONTACTS_SQL_CARD, CONTACTS_SQL_PROPOSE, CONTACTS_SQL_PROPOSED, CONTACTS_SQL_PROPOSALS, CONTACTS_SQL_PROPOSAL_OF,
	CONTACTS_SQL_PROPOSAL_DONE, CONTACTS_SQL_UNPROPOSE, CONTACTS_SQL_PROPOSAL_UNTOLD, CONTACTS_SQL_PROPOSAL_TELL,

	CONTACTS_SQL_ONION_KNOWN, CONTACTS_SQL_NOTICES, CONTACTS_SQL_NOTICES_ALL, CONTACTS_SQL_NOTICES_FORGET, CONTACTS_SQL_NOTICES_FORGET_STRANGERS, CONTACTS_SQL_NOTICE_ADD,
	CONTACTS_SQL_NOTICE_AGAIN, CONTACTS_SQL_NOTICE_CHOOSE, CONTACTS_SQL_NOTICES_TELL, CONTACTS_SQL_NOTICE_UNTOLD, CONTACTS_SQL_REVOKE_EVERYWHERE,
	CONTACTS_SQL_REVOKED, CONTACTS_SQL_RECOVERY, CONTACTS_SQL_RECOVERY_ADD, CONTACTS_SQL_RECOVERY_FORGET,

	CONTACTS_STATEMENTS
};

struct contacts {
	struct database *db;
	struct statement *statements[CONTACTS_STATEMENTS];
};

/* The columns of contacts_read_key(). */
#define CONTACTS_KEY_COLUMNS \
	"id, contact, fingerprint, how, state, introducer, since_s, signed_s, changed_s, compared_s"
void contacts_read_key(const struct statement *s, struct contacts_key *out); /* all but the key's bytes */

/* The columns of a proposal. */
#define CONTACTS_PROPOSAL_COLUMNS "id, address, introducer, name, fingerprint, key, sequence, card, since_s"

/* The address that the book has for this one. ERROR_INVALID. */
int contacts_address(struct slice text, struct address *out, char address[ADDRESS_MAX + 1], struct error *err);

/* As contacts_find(), and 0 is ERROR_NOT_FOUND. 0 or -1. */
int contacts_find_or_say(struct contacts *contacts, struct slice address, struct contact *out, struct error *err);

/* Who says that they know somebody at this onion. ERROR_DENIED: they cannot introduce them. */
int contacts_find_introducer(struct contacts *contacts, const char *onion, struct slice by, struct contact *out, struct error *err);

/* What a database says of encryption. */
enum contacts_encryption contacts_read_encryption(int64_t value);

/* Whether a notice of the onion has revoked this key: 1, 0, -1. *is_full: so many that only the owner brings new ones. */
int contacts_moves_revoked(struct contacts *contacts, const char *onion, const char *fingerprint, bool *is_full, struct error *err);

/* Runs a statement that marks something as told, once. */
int contacts_mark(struct contacts *contacts, int which, uint64_t id, bool *is_first, struct error *err);

/* The first row of a statement that has its parameters, a number; 0 when there is none. */
int contacts_ask_int(struct statement *s, int64_t *out, struct error *err);
