/* SPDX-License-Identifier: ISC
 *
 * What the address book makes of notices (doc/spec/notices.md, section 4): where an onion has moved, and whether it or a key of it is revoked.
 *
 * What was said is kept as a set that only grows, and what is in force follows from the set alone: notices may come late, twice and in any order. As
 * everywhere in the book, the caller has verified them, and has begun a transaction.
 */
#pragma once

#include "contacts/contacts.h"
#include "notice/notice.h"

#define CONTACTS_NOTICES_MAX 20000      /* of all onions */
#define CONTACTS_MOVES_OF_ONION_MAX 8   /* so many are frozen, whatever they say */
#define CONTACTS_REVOKED_OF_ONION_MAX 16

enum contacts_fate {
	CONTACTS_STAYS,
	CONTACTS_MOVE_HELD,     /* the recovery key has not signed, or is not known: until the owner chooses */
	CONTACTS_MOVED,
	CONTACTS_MOVES_FROZEN,  /* two that contradict one another: the same */
	CONTACTS_ONION_REVOKED, /* for good */
};

struct contacts_move {
	enum contacts_fate fate;
	char to[ADDRESS_MAX + 1];    /* of moves: the address that is in force, or in question; "" */
	char other[ADDRESS_MAX + 1]; /* frozen: another one; "" */
	bool is_chosen;              /* by the owner */
	uint64_t sequence;           /* of the notice that says so */
	int64_t since_s;             /* when it came */
};

/* Takes a notice for what it says. 1: it says what nobody had said; 0: that was known, or nobody of the onion is in the book; -1, also ERROR_BUSY: too
 * many are kept. */
int contacts_moves_take(struct contacts *contacts, const struct notice *notice, int64_t now_s, struct error *err);

/* A card of the onion names this recovery key (NOTICE_HASH_LEN). Nothing when nobody of the onion is in the book. ERROR_INVALID. */
int contacts_moves_learn_recovery(struct contacts *contacts, const char *onion, const char *hash, struct error *err);

/* What is in force of an onion (with ".onion"). */
int contacts_moves_look(struct contacts *contacts, const char *onion, struct contacts_move *out, struct error *err);

/* The owner says that an onion has moved there, as one of its notices says. ERROR_NOT_FOUND: none does; ERROR_DENIED: it is revoked. */
int contacts_moves_choose(struct contacts *contacts, const char *onion, struct slice to, struct error *err);

/* An onion of which something is in force that the owner has not been told of. 1: it is in onion; 0: there is none; -1. */
int contacts_moves_next_untold(struct contacts *contacts, char onion[ADDRESS_ONION_LEN + 1], struct error *err);
/* The owner is told, unless that was done before: then *is_first is false. */
int contacts_moves_tell(struct contacts *contacts, const char *onion, bool *is_first, struct error *err);
