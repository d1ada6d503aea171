/* SPDX-License-Identifier: ISC */
#include "store/schema.h"

const char *const schema_versions[SCHEMA_VERSIONS] = {
	/* consumed: sequence of the first journal record whose effects are not here. queue_ms: the queue clock when
	 * it was last written down, wall_ms the wall clock at that moment (0: never). */
	"CREATE TABLE state ("
	"  id INTEGER PRIMARY KEY CHECK (id = 1), consumed INTEGER NOT NULL,"
	"  queue_ms INTEGER NOT NULL, wall_ms INTEGER NOT NULL) STRICT;"
	"INSERT INTO state VALUES (1, 1, 0, 0);"

	/* Files in staging/ that are to be in Maildir/new under this name: of versions that did not name them so at once. Nothing is
	 * added any more. */
	"CREATE TABLE staged (sequence INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;"

	/* Hashes of what was received in the last 14 days (by the queue clock, see below). */
	"CREATE TABLE seen (hash BLOB PRIMARY KEY, wall_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX seen_by_time ON seen (wall_s);"

	/* One message to one destination. body names a file in queue/, shared by the items of one message.
	 * due_ms (queue clock) is NULL when nothing is left to deliver and only a bounce is owed.
	 * peer_failures: the peer's count when the item came, so that tries need not be counted in each item. */
	"CREATE TABLE items ("
	"  id INTEGER PRIMARY KEY, onion TEXT NOT NULL, body INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	"  reverse_path TEXT NOT NULL, flags INTEGER NOT NULL, arrival_s INTEGER NOT NULL, arrival_ms INTEGER NOT NULL,"
	"  due_ms INTEGER, tries INTEGER NOT NULL, peer_failures INTEGER NOT NULL) STRICT;"
	"CREATE INDEX items_by_destination ON items (onion, due_ms);"
	"CREATE INDEX items_by_age ON items (onion, arrival_ms);"
	"CREATE INDEX items_by_body ON items (body);"

	/* state 0: waiting, with the last temporary answer; 1: failed, and the sender is to be told. */
	"CREATE TABLE recipients ("
	"  item INTEGER NOT NULL, position INTEGER NOT NULL, mailbox TEXT NOT NULL, state INTEGER NOT NULL,"
	"  code INTEGER NOT NULL, enhanced TEXT NOT NULL, reply TEXT NOT NULL,"
	"  PRIMARY KEY (item, position)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX recipients_failed ON recipients (item) WHERE state = 1;"

	/* due_ms: when to dial, NULL when there is nothing for it. failures: tries that ever failed as a whole;
	 * tries: those since it was last reached, the last one at tried_ms. port: 465 or 25 when that is known to
	 * work, else 0. */
	"CREATE TABLE peers ("
	"  onion TEXT PRIMARY KEY, due_ms INTEGER, not_before_ms INTEGER NOT NULL, tried_ms INTEGER NOT NULL,"
	"  tries INTEGER NOT NULL, failures INTEGER NOT NULL, port INTEGER NOT NULL,"
	"  port_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX peers_by_due ON peers (due_ms) WHERE due_ms IS NOT NULL;"

	/* Bodies to be unlinked. */
	"CREATE TABLE trash (body INTEGER PRIMARY KEY) STRICT;",

	/* Why the last try failed as a whole (enum ipc_wait_reason), and what was said then. */
	"ALTER TABLE peers ADD COLUMN reason INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE peers ADD COLUMN reply TEXT NOT NULL DEFAULT '';",

	/* The senders of items with a smaller id were told that these are late, or need not be. */
	"ALTER TABLE state ADD COLUMN told INTEGER NOT NULL DEFAULT 0;",

	/* What became of recipients (enum queue_outcome) of messages that had to wait or have several, until their sender
	 * was shown it. waited: the recipient's mail could not go at once. */
	"CREATE TABLE outcomes ("
	"  body INTEGER NOT NULL, item INTEGER NOT NULL, position INTEGER NOT NULL, mailbox TEXT NOT NULL,"
	"  outcome INTEGER NOT NULL, waited INTEGER NOT NULL, wall_s INTEGER NOT NULL,"
	"  PRIMARY KEY (body, item, position)) STRICT, WITHOUT ROWID;",

	/* The TLS keys of other onions, by their fingerprint. trust: enum ipc_pin_trust. changed_s (wall clock): since
	 * when the onion shows another one, `shown` ("": none at all); 0: it does not. told: its owner knows of that. */
	"CREATE TABLE pins ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, onion TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL,"
	"  trust INTEGER NOT NULL, label_letters INTEGER NOT NULL, since_s INTEGER NOT NULL,"
	"  changed_s INTEGER NOT NULL DEFAULT 0, shown TEXT NOT NULL DEFAULT '', told INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX pins_untold ON pins (id) WHERE changed_s != 0 AND told = 0;"

	/* Those that the owner has accepted others for: addresses that still name them mean the new one. */
	"CREATE TABLE pins_before ("
	"  onion TEXT NOT NULL, fingerprint TEXT NOT NULL, PRIMARY KEY (onion, fingerprint)) STRICT, WITHOUT ROWID;",

	/* Message ids by their keyed hash: those that were received (inner_id is empty), and those that our own have outside. */
	"CREATE TABLE ids (hash BLOB PRIMARY KEY, inner_id TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE ids_key (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL) STRICT;",

	/* Since when they were seen by the queue clock, which no wrong wall clock makes forget them. */
	"ALTER TABLE seen RENAME COLUMN wall_s TO queue_s;"
	"UPDATE seen SET queue_s = (SELECT queue_ms / 1000 FROM state);",

	/* Whom the owner knows (stranger = 0), and who only wrote; how: enum contacts_how. verified_s: since when a key of theirs
	 * was verified, whatever became of it; 0: never was. */
	"CREATE TABLE contacts ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL UNIQUE, onion TEXT NOT NULL, name TEXT NOT NULL,"
	"  how INTEGER NOT NULL, stranger INTEGER NOT NULL, since_s INTEGER NOT NULL, heard_s INTEGER NOT NULL,"
	"  verified_s INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX contacts_strangers ON contacts (heard_s, id) WHERE stranger = 1;"
	"CREATE INDEX contacts_strangers_of_onion ON contacts (onion, heard_s, id) WHERE stranger = 1;"

	/* Their OpenPGP keys, with what became of them; how and state: enum contacts_key_how, contacts_key_state (1: it counts). introducer:
	 * an address. told: the owner knows of the last change. */
	"CREATE TABLE contact_keys ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE,"
	"  fingerprint TEXT NOT NULL, key BLOB NOT NULL, how INTEGER NOT NULL, state INTEGER NOT NULL, introducer TEXT NOT NULL,"
	"  since_s INTEGER NOT NULL, signed_s INTEGER NOT NULL, changed_s INTEGER NOT NULL,"
	"  compared_s INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 1, UNIQUE (contact, fingerprint)) STRICT;"
	"CREATE UNIQUE INDEX contact_keys_that_count ON contact_keys (contact) WHERE state = 1;"
	"CREATE INDEX contact_keys_untold ON contact_keys (id) WHERE told = 0;"

	/* Who said that this is the key of a contact: an address and its onion. */
	"CREATE TABLE contact_introductions ("
	"  contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE, fingerprint TEXT NOT NULL, onion TEXT NOT NULL,"
	"  introducer TEXT NOT NULL, since_s INTEGER NOT NULL, PRIMARY KEY (contact, fingerprint, onion)) STRICT, WITHOUT ROWID;"

	/* Who takes mail for them while they are away, the first one first. */
	"CREATE TABLE contact_carriers ("
	"  contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE, position INTEGER NOT NULL, address TEXT NOT NULL,"
	"  PRIMARY KEY (contact, position)) STRICT, WITHOUT ROWID;",

	/* The identity's own cards, by enum card_kind, as they were given out last. */
	"CREATE TABLE own_cards ("
	"  kind INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, day_s INTEGER NOT NULL, card BLOB NOT NULL) STRICT;",

	/* The newest personal card of a contact, which names this key. */
	"CREATE TABLE contact_cards ("
	"  contact INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE, sequence INTEGER NOT NULL, fingerprint TEXT NOT NULL,"
	"  card BLOB NOT NULL) STRICT;"

	/* Who was introduced, and is not known: until the owner accepts or refuses. onion: the introducer's. told: as in contact_keys. */
	"CREATE TABLE contact_proposals ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL, onion TEXT NOT NULL, introducer TEXT NOT NULL, name TEXT NOT NULL,"
	"  fingerprint TEXT NOT NULL, key BLOB NOT NULL, sequence INTEGER NOT NULL, card BLOB NOT NULL, since_s INTEGER NOT NULL,"
	"  told INTEGER NOT NULL DEFAULT 0, UNIQUE (address, onion)) STRICT;"
	"CREATE INDEX contact_proposals_of_onion ON contact_proposals (onion);"
	"CREATE INDEX contact_proposals_untold ON contact_proposals (id) WHERE told = 0;",

	/* What onions have said of themselves (notice/notice.h), and the owner has chosen of it. kind: enum notice_kind; about: the new address of a move,
	 * the fingerprint of a revoked key; recovery: the hash of the recovery key that has signed, too. told: as in contact_keys. */
	"CREATE TABLE contact_notices ("
	"  onion TEXT NOT NULL, kind INTEGER NOT NULL, about TEXT NOT NULL, recovery TEXT NOT NULL, sequence INTEGER NOT NULL,"
	"  since_s INTEGER NOT NULL, chosen INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 0,"
	"  PRIMARY KEY (onion, kind, about, recovery)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX contact_notices_untold ON contact_notices (onion) WHERE told = 0 AND kind != 3;"
	"CREATE INDEX contacts_of_onion ON contacts (onion);"

	/* The hashes of recovery keys that cards of an onion have named: two contradict one another. */
	"CREATE TABLE contact_recovery (onion TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (onion, hash)) STRICT, WITHOUT ROWID;",

	/* When a peer last had no card to show (queue clock; 0: never): it is not asked for one again soon. */
	"ALTER TABLE peers ADD COLUMN cardless_ms INTEGER NOT NULL DEFAULT 0;",

	/* Invitations that nobody has used yet. fingerprint: of the identity's OpenPGP key then. */
	"CREATE TABLE invitations (secret BLOB PRIMARY KEY, until_s INTEGER NOT NULL, fingerprint TEXT NOT NULL) STRICT, WITHOUT ROWID;",

	/* What the owner has said of encrypting to a contact: enum contacts_encryption. No row: what holds for the identity. */
	"CREATE TABLE contact_encryption ("
	"  contact INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE, wanted INTEGER NOT NULL) STRICT;",
};
