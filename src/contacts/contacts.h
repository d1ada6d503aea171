/* SPDX-License-Identifier: ISC
 *
 * The address book of an identity (doc/spec/contacts.md): whom it knows, since when and how, their OpenPGP keys and what became of each,
 * and who introduced them. TLS keys are the queue's (queue/pins.h).
 *
 * Nothing here verifies anything: a caller hands over only what is proved by an onion's signature, or what the owner said. Keys are bytes that
 * nobody here looks into; their fingerprints come from whom has looked (openpgp/). Addresses are taken as address_parse() takes them, and mean one
 * contact however they are written: the fingerprint of a TLS key is left out, ASCII letters count without case.
 *
 * Times are seconds of the wall clock. Every change is made in the caller's transaction, which is there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "address/address.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "openpgp/openpgp.h"
#include "store/database.h"

#define CONTACTS_MAX 10000                /* whom the owner knows */
#define CONTACTS_STRANGERS_MAX 1000       /* who only wrote; the ones not heard of for longest are forgotten */
#define CONTACTS_STRANGERS_OF_ONION_MAX 8 /* so that one of them does not push out the others */
#define CONTACTS_NAME_MAX 128             /* octets */
#define CONTACTS_KEY_MAX_BYTES OPENPGP_AUTOCRYPT_MAX_BYTES
#define CONTACTS_KEYS_HELD_MAX 4          /* of a contact; the oldest is forgotten */
#define CONTACTS_KEYS_FORMER_MAX 12       /* the same */
#define CONTACTS_KEYS_FORMER_OF_STRANGER_MAX 2
#define CONTACTS_KEYS_BARRED_MAX 16       /* of a contact, revoked or refused: not forgotten; then only the owner brings a new key */
#define CONTACTS_KEYS_OF_INTRODUCER_MAX 4 /* that one onion may name for one contact */
#define CONTACTS_INTRODUCERS_AGREE 2      /* so many verify a key */
#define CONTACTS_CARD_MAX_BYTES 8192
#define CONTACTS_PROPOSALS_MAX 500        /* people who were introduced, and wait for the owner */
#define CONTACTS_PROPOSALS_OF_ONION_MAX 20

struct contacts;

/* How they came to be known first. The values are in the database. */
enum contacts_how { CONTACTS_TYPED = 1, CONTACTS_SCANNED, CONTACTS_INTRODUCED, CONTACTS_WROTE_FIRST };

enum contacts_trust {
	CONTACTS_STRANGER,           /* wrote, and the owner has not said or written anything */
	CONTACTS_KNOWN,
	CONTACTS_INTRODUCED_KEY,     /* a contact that is no stranger vouches for the key that counts */
	CONTACTS_VERIFIED_KEY,       /* it was compared in person, or CONTACTS_INTRODUCERS_AGREE vouch for it */
};

/* What the owner wants for mail to a contact. The values are in the database. */
enum contacts_encryption {
	CONTACTS_ENCRYPTION_DEFAULT, /* what the identity wants */
	CONTACTS_ENCRYPTION_PREFERRED,
	CONTACTS_ENCRYPTION_REQUIRED,
	CONTACTS_ENCRYPTION_NEVER,
};

struct contact {
	uint64_t id;
	char address[ADDRESS_MAX + 1];     /* lower case, without a fingerprint */
	char onion[ADDRESS_ONION_LEN + 1];
	char name[CONTACTS_NAME_MAX + 1];  /* what the owner calls them; "": nothing */
	enum contacts_how how;
	bool is_stranger;                  /* the owner has not added them, or written to them */
	enum contacts_trust trust;
	int64_t since_s;
	int64_t heard_s;                   /* when they wrote, within an hour; 0: never */
	int64_t verified_s;                /* since when a key of theirs was verified, whatever came after; 0: never was */
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1]; /* of the key that counts; "": there is none */
	unsigned vouching;                 /* how many introduce that key */
	unsigned held;                     /* keys about which the owner is to decide */
	unsigned refused;                  /* by the owner */
	enum contacts_encryption encryption;
};

int contacts_open(struct database *db, struct contacts **out, struct error *err);
void contacts_free(struct contacts *contacts); /* takes NULL */

/* ---- people (contacts.c) */

/* 1: *out is filled; 0: nobody with this address is known; -1, also ERROR_INVALID for what is no address. */
int contacts_find(struct contacts *contacts, struct slice address, struct contact *out, struct error *err);

/* Called for each above an id, in their order; false ends it. It must not change the book. */
typedef bool contacts_take(void *context, const struct contact *contact);
int contacts_look(struct contacts *contacts, uint64_t after, contacts_take *take, void *context, struct error *err);

/* The owner makes the acquaintance: a stranger is none any more, and keeps how and since when they are known. how: not
 * CONTACTS_WROTE_FIRST. ERROR_EXISTS, ERROR_INVALID, ERROR_BUSY when the book is full. */
int contacts_add(struct contacts *contacts, struct slice address, struct slice name, enum contacts_how how, int64_t now_s,
    struct error *err);
int contacts_rename(struct contacts *contacts, struct slice address, struct slice name, struct error *err); /* ERROR_NOT_FOUND */
/* With all that is known of them, and whom they introduced. ERROR_NOT_FOUND. */
int contacts_delete(struct contacts *contacts, struct slice address, struct error *err);

/* A message with this sender, which its onion has proved, has come. *since_s: since when they are known. 1: they are new, and a stranger; 0; -1. */
int contacts_heard(struct contacts *contacts, struct slice address, int64_t now_s, int64_t *since_s, struct error *err);
/* The owner has written to them. When the book is full, whoever is not in it stays out. */
int contacts_written(struct contacts *contacts, struct slice address, int64_t now_s, struct error *err);

/* ---- whether mail to them is encrypted (contacts_encryption.c) */

/* A stranger of whom this is said is not forgotten. ERROR_NOT_FOUND, ERROR_INVALID. */
int contacts_set_encryption(struct contacts *contacts, struct slice address, enum contacts_encryption wanted, struct error *err);

/* Called for each of whom it is said, and whose onion has said that it moved; false ends it. It may look into the book. */
typedef bool contacts_take_encryption(void *context, const char *address, enum contacts_encryption wanted);
int contacts_look_moved_encryption(struct contacts *contacts, contacts_take_encryption *take, void *context, struct error *err);

/* ---- who takes mail for them while they are away (contacts_carriers.c) */

#define CONTACTS_CARRIERS_MAX 8

/* In place of those that were there; list: addresses of onions, each on a line (LF), the first one first; empty: nobody. One that is
 * named twice counts once. A stranger of whom this is said is not forgotten. ERROR_NOT_FOUND, ERROR_INVALID, ERROR_TOO_LARGE. */
int contacts_set_carriers(struct contacts *contacts, struct slice address, struct slice list, struct error *err);

/* Called for each, the first one first; false ends it. */
typedef bool contacts_take_carrier(void *context, const char *address);
int contacts_look_carriers(struct contacts *contacts, uint64_t contact, contacts_take_carrier *take, void *context, struct error *err);

/* ---- keys (contacts_keys.c) */

/* How a key came. The values are in the database. */
enum contacts_key_how {
	CONTACTS_KEY_SIGNED = 1, /* with a message whose onion signature covers it */
	CONTACTS_KEY_CARD,       /* on a card that the onion has signed */
	CONTACTS_KEY_INTRODUCED, /* from another contact */
	CONTACTS_KEY_OWNER,      /* the owner has given it */
	CONTACTS_KEY_IN_PERSON,  /* and has compared it with the person, or scanned it */
};

/* The values are in the database. */
enum contacts_key_state {
	CONTACTS_KEY_COUNTS = 1, /* one at most */
	CONTACTS_KEY_HELD,       /* until the owner decides */
	CONTACTS_KEY_FORMER,     /* another took its place */
	CONTACTS_KEY_REFUSED,    /* by the owner */
	CONTACTS_KEY_REVOKED,    /* for good */
};

struct contacts_key {
	uint64_t id;
	uint64_t contact;
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
	enum contacts_key_how how;
	enum contacts_key_state state;
	char by[ADDRESS_MAX + 1]; /* who introduced it; "": nobody */
	int64_t since_s;          /* when it came */
	int64_t signed_s;         /* the last time that its owner said so, by their mail's date and never after ours; else cut to the day */
	int64_t changed_s;        /* when it got its state */
	int64_t compared_s;       /* when the owner compared it with the person; 0: never */
	struct slice key;         /* borrowed during the call; of a revoked one nothing is kept */
};

/* A key that is offered, and what is proved of it. */
struct contacts_offer {
	struct slice address;
	const char *fingerprint; /* OPENPGP_FINGERPRINT_LEN, upper case */
	struct slice key;        /* at most CONTACTS_KEY_MAX_BYTES */
	enum contacts_key_how how;
	int64_t signed_s;        /* what was signed says so; the owner's: now */
	int64_t now_s;
};

enum contacts_learned {
	CONTACTS_LEARNED_SAME,    /* it counts already */
	CONTACTS_LEARNED_FIRST,   /* it counts, and there was none */
	CONTACTS_LEARNED_CHANGED, /* it counts in place of another: the owner is to be told */
	CONTACTS_LEARNED_HELD,    /* a key of theirs was verified before, so the owner is to be told and decides */
	CONTACTS_LEARNED_OLD,     /* signed before what counts: nothing is changed */
	CONTACTS_LEARNED_BARRED,  /* it was revoked or refused: nothing is changed */
};

/* Takes a key for a contact's. CONTACTS_KEY_SIGNED makes a stranger of whom nobody knows; ERROR_NOT_FOUND for the others. What the owner says
 * counts at once, except for a key that is revoked: then CONTACTS_LEARNED_BARRED. Not for CONTACTS_KEY_INTRODUCED. ERROR_INVALID, ERROR_TOO_LARGE. */
int contacts_learn(struct contacts *contacts, const struct contacts_offer *offer, enum contacts_learned *out, struct error *err);

/* A contact (by), proved to be it, says that this is the key of another one, whom the owner knows or has accepted: it is counted, and
 * counts itself if there is no other; one that conflicts is held. ERROR_NOT_FOUND; ERROR_DENIED for what a stranger says, or
 * an onion of itself; ERROR_BUSY when that onion has named too many. offer->how is not looked at. */
int contacts_introduce(struct contacts *contacts, const struct contacts_offer *offer, struct slice by, enum contacts_learned *out,
    struct error *err);

/* The owner decides: this key counts, or never shall. in_person: they have compared it. ERROR_NOT_FOUND: there is no such key of theirs;
 * ERROR_DENIED: it is revoked. */
int contacts_accept(struct contacts *contacts, struct slice address, const char *fingerprint, bool in_person, int64_t now_s,
    struct error *err);
int contacts_refuse(struct contacts *contacts, struct slice address, const char *fingerprint, int64_t now_s, struct error *err);

/* ---- looking at keys (contacts_look.c) */

/* The key that counts, appended to out. 1; 0: there is none, or the address is unknown; -1. */
int contacts_key_for(struct contacts *contacts, struct slice address, struct buffer *out,
    char fingerprint[OPENPGP_FINGERPRINT_LEN + 1], struct error *err);

/* Called for each key of a contact, in the order in which they came; false ends it. It must not change the book. */
typedef bool contacts_take_key(void *context, const struct contacts_key *key);
int contacts_look_keys(struct contacts *contacts, uint64_t contact, contacts_take_key *take, void *context, struct error *err);

struct contacts_introduction {
	char by[ADDRESS_MAX + 1];
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
	int64_t since_s;
};
/* The same for the introductions of a contact, in the order of time. */
typedef bool contacts_take_introduction(void *context, const struct contacts_introduction *introduction);
int contacts_look_introductions(struct contacts *contacts, uint64_t contact, contacts_take_introduction *take, void *context,
    struct error *err);

/* A key that was changed, held or revoked, of which the owner has not been told; its bytes are not there. 1: *out is filled; 0: there is none. */
int contacts_next_untold(struct contacts *contacts, struct contacts_key *out, struct error *err);
/* The owner is told, unless that was done before: then *is_first is false. */
int contacts_tell(struct contacts *contacts, uint64_t key, bool *is_first, struct error *err);
/* The only one at this onion whom the owner knows, or else the only one: 1; 0: there is nobody, or several; -1. */
int contacts_find_at(struct contacts *contacts, const char *onion, struct contact *out, struct error *err);
/* The contact with this number: 1, 0, -1. */
int contacts_find_id(struct contacts *contacts, uint64_t id, struct contact *out, struct error *err);

/* ---- cards, and people who are introduced (contacts_cards.c) */

/* The newest personal card of a contact, as its onion has signed it, with the key that it names ("": none). An older one changes nothing. ERROR_NOT_FOUND. */
int contacts_keep_card(struct contacts *contacts, struct slice address, uint64_t sequence, const char *fingerprint, struct slice card, struct error *err);
/* Whether a newer card than one of this sequence is kept of a contact. CONTACTS_CARD_OUTDATED: it names another key than that one. Negative: an error. */
enum contacts_card_age { CONTACTS_CARD_NEWEST, CONTACTS_CARD_OLD, CONTACTS_CARD_OUTDATED };
int contacts_card_age(struct contacts *contacts, struct slice address, uint64_t sequence, const char *fingerprint, struct error *err);
/* 1: appended to out; 0: there is none, or it names another key than the one that counts; -1. */
int contacts_card_of(struct contacts *contacts, struct slice address, struct buffer *out, struct error *err);

/* Somebody whom the owner does not know, introduced by a contact. */
struct contacts_proposal {
	uint64_t id;
	char address[ADDRESS_MAX + 1];
	char by[ADDRESS_MAX + 1];
	char name[CONTACTS_NAME_MAX + 1]; /* that they have given themselves */
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
	uint64_t sequence;                /* of the card */
	int64_t since_s;
	struct slice key, card;           /* borrowed during the call */
};

/* Keeps it until the owner decides; a newer card by the same onion replaces it. ERROR_DENIED: for whom that contact may not introduce; ERROR_BUSY: too many
 * wait; ERROR_INVALID, ERROR_TOO_LARGE: as contacts_learn(). */
int contacts_propose(struct contacts *contacts, const struct contacts_proposal *proposal, struct error *err);

/* Called for each above an id, in their order; false ends it. It must not change the book. */
typedef bool contacts_take_proposal(void *context, const struct contacts_proposal *proposal);
int contacts_look_proposals(struct contacts *contacts, uint64_t after, contacts_take_proposal *take, void *context, struct error *err);

/* The owner accepts whom several may have introduced: they become a contact, and each introduction counts. Or not. ERROR_NOT_FOUND: nobody has. */
int contacts_accept_proposals(struct contacts *contacts, struct slice address, int64_t now_s, struct error *err);
int contacts_refuse_proposals(struct contacts *contacts, struct slice address, struct error *err);

/* As contacts_next_untold() and contacts_tell(); key and card are not there. */
int contacts_next_untold_proposal(struct contacts *contacts, struct contacts_proposal *out, struct error *err);
int contacts_tell_proposal(struct contacts *contacts, uint64_t proposal, bool *is_first, struct error *err);
