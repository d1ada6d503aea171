/* SPDX-License-Identifier: ISC */
#include "contacts/moves.h"
#include "contacts/test_contacts.h"

#define ZEROS "000000000000000000000000000000000000000"

/* The fingerprint of the key that has this letter; good until the fourth call after it. */
static const char *
print(char letter)
{
	static char rows[4][OPENPGP_FINGERPRINT_LEN + 1];
	static unsigned next;
	char *out = rows[next++ % 4];
	snprintf(out, sizeof rows[0], "%c%s", letter, ZEROS);
	return out;
}

static struct contacts_offer
offer_of(struct slice address, char letter, enum contacts_key_how how, int64_t signed_s, int64_t now_s)
{
	static char bytes[8];
	snprintf(bytes, sizeof bytes, "key %c", letter);
	return (struct contacts_offer){ .address = address, .fingerprint = print(letter), .key = slice_of_string(bytes), .how = how,
		.signed_s = signed_s, .now_s = now_s };
}

static enum contacts_learned
learn(struct book *b, struct slice address, char letter, enum contacts_key_how how, int64_t time_s)
{
	enum contacts_learned learned;
	struct contacts_offer offer = offer_of(address, letter, how, time_s, time_s);
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	return learned;
}

static enum contacts_learned
introduce(struct book *b, struct slice by, struct slice address, char letter, int64_t time_s)
{
	enum contacts_learned learned;
	struct contacts_offer offer = offer_of(address, letter, CONTACTS_KEY_INTRODUCED, 0, time_s);
	assert_int_equal(contacts_introduce(b->contacts, &offer, by, &learned, &err), 0);
	return learned;
}

/* As a notice of the onion does, which is the only way. */
static void
revoke_key(struct book *b, struct slice address, char letter, int64_t time_s)
{
	struct notice n = { .kind = NOTICE_REVOKE_KEY, .sequence = (uint64_t)time_s };
	strcpy(n.onion, contact_of(b, address).onion);
	strcpy(n.fingerprint, print(letter));
	assert_true(contacts_moves_take(b->contacts, &n, time_s, &err) >= 0);
}

/* The letter of the key that counts, with its bytes; ' ': there is none. */
static char
counts(struct book *b, struct slice address)
{
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1], expected[8];
	struct buffer key;
	buffer_init(&key, CONTACTS_KEY_MAX_BYTES);
	int found = contacts_key_for(b->contacts, address, &key, fingerprint, &err);
	assert_true(found >= 0);
	if (found == 1) {
		snprintf(expected, sizeof expected, "key %c", fingerprint[0]);
		assert_int_equal(buffer_len(&key), strlen(expected));
		assert_memory_equal(buffer_bytes(&key), expected, strlen(expected));
		assert_string_equal(contact_of(b, address).fingerprint, fingerprint);
	}
	buffer_finish(&key);
	return found == 1 ? fingerprint[0] : ' ';
}

struct history {
	char text[256]; /* letters and states: "A3 B1" */
	size_t bytes;
	struct contacts_key last;
};

static bool
write_key(void *context, const struct contacts_key *key)
{
	struct history *h = context;
	char *end = h->text + strlen(h->text);
	snprintf(end, sizeof h->text - (size_t)(end - h->text), "%s%c%d", end == h->text ? "" : " ", key->fingerprint[0], (int)key->state);
	h->bytes += key->key.len;
	h->last = *key;
	return true;
}

static struct history
history_of(struct book *b, struct slice address)
{
	struct history h = { 0 };
	assert_int_equal(contacts_look_keys(b->contacts, contact_of(b, address).id, write_key, &h, &err), 0);
	return h;
}

static void
assert_history(struct book *b, struct slice address, const char *expected)
{
	struct history h = history_of(b, address);
	assert_string_equal(h.text, expected);
}

/* The owner is told of this one, and it is nothing new then; ' ': of nothing. */
static char
told(struct book *b)
{
	struct contacts_key key;
	int found = contacts_next_untold(b->contacts, &key, &err);
	assert_true(found >= 0);
	if (found == 0)
		return ' ';
	bool is_first;
	assert_int_equal(contacts_tell(b->contacts, key.id, &is_first, &err), 0);
	assert_true(is_first);
	assert_int_equal(contacts_tell(b->contacts, key.id, &is_first, &err), 0);
	assert_false(is_first);
	return key.fingerprint[0];
}

static void
a_key_under_a_valid_signature_counts(void **state)
{
	struct book *b = *state;
	assert_int_equal(counts(b, BOB), ' ');
	assert_int_equal(learn(b, BOB, 'A', CONTACTS_KEY_SIGNED, NOW), CONTACTS_LEARNED_FIRST);
	reopen_book(b);
	assert_int_equal(counts(b, BOB), 'A');
	struct contact bob = contact_of(b, BOB);
	assert_true(bob.is_stranger);
	assert_int_equal(bob.how, CONTACTS_WROTE_FIRST);
	assert_int_equal(bob.trust, CONTACTS_STRANGER);
	struct contacts_key key = history_of(b, BOB).last;
	assert_int_equal(key.how, CONTACTS_KEY_SIGNED);
	assert_int_equal(key.since_s, NOW);
	assert_string_equal(key.by, "");
	assert_int_equal(learn(b, BOB, 'A', CONTACTS_KEY_SIGNED, NOW + DAY), CONTACTS_LEARNED_SAME);
	assert_int_equal(history_of(b, BOB).last.signed_s, NOW + DAY);
	assert_int_equal(told(b), ' ');
}

static void
a_new_key_is_accepted_and_shown(void **state)
{
	struct book *b = *state;
	know(b, BOB);
	assert_int_equal(learn(b, BOB, 'A', CONTACTS_KEY_CARD, NOW), CONTACTS_LEARNED_FIRST);
	assert_int_equal(learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + 1), CONTACTS_LEARNED_CHANGED);
	assert_int_equal(counts(b, BOB), 'B');
	assert_history(b, BOB, "A3 B1");
	assert_int_equal(told(b), 'B');
	assert_int_equal(told(b), ' ');
	assert_int_equal(learn(b, BOB, 'A', CONTACTS_KEY_SIGNED, NOW + 2), CONTACTS_LEARNED_CHANGED); /* and back: that is news as well */
	assert_history(b, BOB, "A1 B3");
	assert_int_equal(told(b), 'A');
}

static void
an_old_message_brings_no_old_key_back(void **state)
{
	struct book *b = *state;
	enum contacts_learned learned;
	learn(b, BOB, 'A', CONTACTS_KEY_SIGNED, NOW);
	learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + DAY);
	struct contacts_offer again = offer_of(BOB, 'A', CONTACTS_KEY_SIGNED, NOW + DAY - 1, NOW + 20 * DAY);
	assert_int_equal(contacts_learn(b->contacts, &again, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_OLD);
	assert_int_equal(counts(b, BOB), 'B');
	again.signed_s = -1; /* a date from before 1970 */
	assert_int_equal(contacts_learn(b->contacts, &again, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_OLD);
	/* a date in the future keeps nothing out for longer than now */
	struct contacts_offer future = offer_of(BOB, 'C', CONTACTS_KEY_SIGNED, NOW + 9000 * (int64_t)DAY, NOW + 21 * DAY);
	assert_int_equal(contacts_learn(b->contacts, &future, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_CHANGED);
	assert_int_equal(learn(b, BOB, 'D', CONTACTS_KEY_SIGNED, NOW + 21 * DAY + 1), CONTACTS_LEARNED_CHANGED);
}

static void
the_newest_bytes_of_a_key_are_kept(void **state)
{
	struct book *b = *state;
	enum contacts_learned learned;
	learn(b, BOB, 'A', CONTACTS_KEY_SIGNED, NOW);
	struct contacts_offer offer = offer_of(BOB, 'A', CONTACTS_KEY_SIGNED, NOW - 1, NOW + 2);
	offer.key = slice_of_string("older");
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_SAME);
	assert_int_equal(counts(b, BOB), 'A'); /* and the bytes of before */
	offer.key = slice_of_string("with a new subkey");
	offer.signed_s = NOW + 1;
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	assert_int_equal(history_of(b, BOB).bytes, offer.key.len);
}

static void
after_a_comparison_the_owner_decides(void **state)
{
	struct book *b = *state;
	know(b, BOB);
	learn(b, BOB, 'A', CONTACTS_KEY_SIGNED, NOW);
	assert_int_equal(contact_of(b, BOB).trust, CONTACTS_KNOWN);
	assert_int_equal(learn(b, BOB, 'A', CONTACTS_KEY_IN_PERSON, NOW + 1), CONTACTS_LEARNED_SAME);
	struct contact bob = contact_of(b, BOB);
	assert_int_equal(bob.trust, CONTACTS_VERIFIED_KEY);
	assert_int_equal(bob.verified_s, NOW + 1);
	assert_int_equal(history_of(b, BOB).last.how, CONTACTS_KEY_SIGNED); /* how it came does not change */
	assert_int_equal(history_of(b, BOB).last.compared_s, NOW + 1);
	reopen_book(b);
	assert_int_equal(learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + DAY), CONTACTS_LEARNED_HELD);
	assert_int_equal(learn(b, BOB, 'B', CONTACTS_KEY_CARD, NOW + DAY + 1), CONTACTS_LEARNED_HELD);
	assert_int_equal(counts(b, BOB), 'A');
	assert_int_equal(contact_of(b, BOB).held, 1);
	assert_int_equal(told(b), 'B');
	assert_int_equal(learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + DAY + 2), CONTACTS_LEARNED_HELD);
	assert_int_equal(told(b), ' '); /* once is enough */
	assert_int_equal(contacts_accept(b->contacts, BOB, print('B'), false, NOW + 2 * DAY, &err), 0);
	assert_int_equal(counts(b, BOB), 'B');
	assert_history(b, BOB, "A3 B1");
	assert_int_equal(contact_of(b, BOB).trust, CONTACTS_KNOWN); /* this one was not compared, */
	assert_int_equal(learn(b, BOB, 'C', CONTACTS_KEY_SIGNED, NOW + 3 * DAY), CONTACTS_LEARNED_HELD); /* but the owner still decides */
	assert_int_equal(learn(b, BOB, 'A', CONTACTS_KEY_SIGNED, NOW + 3 * DAY), CONTACTS_LEARNED_HELD);
	assert_int_equal(contacts_accept(b->contacts, BOB, print('C'), true, NOW + 4 * DAY, &err), 0);
	assert_int_equal(contact_of(b, BOB).trust, CONTACTS_VERIFIED_KEY);
}

static void
what_is_held_is_not_exchanged(void **state)
{
	struct book *b = *state;
	enum contacts_learned learned;
	know(b, BOB);
	learn(b, BOB, 'A', CONTACTS_KEY_IN_PERSON, NOW);
	learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + 1);
	struct contacts_offer offer = offer_of(BOB, 'B', CONTACTS_KEY_SIGNED, NOW + 2, NOW + 2);
	offer.key = slice_of_string("something else");
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	assert_int_equal(contacts_accept(b->contacts, BOB, print('B'), false, NOW + 3, &err), 0);
	assert_int_equal(counts(b, BOB), 'B'); /* the bytes that were shown */
}

static void
what_is_refused_is_not_asked_again(void **state)
{
	struct book *b = *state;
	know(b, BOB);
	learn(b, BOB, 'A', CONTACTS_KEY_IN_PERSON, NOW);
	learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + 1);
	assert_int_equal(contacts_refuse(b->contacts, BOB, print('B'), NOW + 2, &err), 0);
	assert_int_equal(told(b), ' ');
	assert_int_equal(learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + 3), CONTACTS_LEARNED_BARRED);
	assert_history(b, BOB, "A1 B4");
	assert_int_equal(contact_of(b, BOB).held, 0);
	assert_int_equal(learn(b, BOB, 'B', CONTACTS_KEY_IN_PERSON, NOW + 4), CONTACTS_LEARNED_CHANGED); /* the owner meets them */
	assert_int_equal(counts(b, BOB), 'B');
	assert_int_equal(contacts_refuse(b->contacts, BOB, print('C'), NOW + 5, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	assert_int_equal(contacts_accept(b->contacts, CAROL, print('A'), false, NOW, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void
a_revoked_key_never_comes_back(void **state)
{
	struct book *b = *state;
	know(b, BOB);
	learn(b, BOB, 'A', CONTACTS_KEY_SIGNED, NOW);
	learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + 1);
	told(b);
	revoke_key(b, BOB, 'B', NOW + 2);
	assert_int_equal(told(b), 'B');
	assert_int_equal(counts(b, BOB), ' '); /* nor does the one of before count again */
	revoke_key(b, BOB, 'B', NOW + 3);
	assert_int_equal(told(b), ' ');
	assert_int_equal(learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + 3), CONTACTS_LEARNED_BARRED);
	assert_int_equal(learn(b, BOB, 'B', CONTACTS_KEY_IN_PERSON, NOW + 3), CONTACTS_LEARNED_BARRED);
	assert_int_equal(contacts_accept(b->contacts, BOB, print('B'), true, NOW + 3, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	assert_int_equal(contacts_refuse(b->contacts, BOB, print('B'), NOW + 3, &err), -1);
	assert_int_equal(introduce(b, (know(b, CAROL), CAROL), BOB, 'B', NOW + 3), CONTACTS_LEARNED_BARRED);
	assert_int_equal(learn(b, BOB, 'C', CONTACTS_KEY_SIGNED, NOW + 1), CONTACTS_LEARNED_CHANGED); /* signed when that one came */
	assert_int_equal(told(b), 'C');
	assert_history(b, BOB, "A3 B5 C1");
	assert_int_equal(history_of(b, BOB).bytes, 2 * strlen("key A"));
}

static void
introductions_that_agree_verify_a_key(void **state)
{
	struct book *b = *state;
	know(b, BOB), know(b, ALICE), know(b, CAROL), know(b, DAVE);
	assert_int_equal(introduce(b, ALICE, BOB, 'A', NOW), CONTACTS_LEARNED_FIRST);
	assert_int_equal(counts(b, BOB), 'A');
	assert_true(slice_is(ALICE, history_of(b, BOB).last.by));
	assert_int_equal(contact_of(b, BOB).trust, CONTACTS_INTRODUCED_KEY);
	assert_int_equal(introduce(b, ALICE, BOB, 'A', NOW + 1), CONTACTS_LEARNED_SAME); /* twice is not two */
	assert_int_equal(contact_of(b, BOB).vouching, 1);
	assert_int_equal(introduce(b, CAROL, BOB, 'A', NOW + 2), CONTACTS_LEARNED_SAME);
	struct contact bob = contact_of(b, BOB);
	assert_int_equal(bob.vouching, 2);
	assert_int_equal(bob.trust, CONTACTS_VERIFIED_KEY);
	assert_int_equal(bob.verified_s, NOW + 2);
	assert_int_equal(learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + 3), CONTACTS_LEARNED_HELD);
	assert_int_equal(introduce(b, DAVE, BOB, 'C', NOW + 4), CONTACTS_LEARNED_HELD);
	assert_history(b, BOB, "A1 B2 C2");
	assert_int_equal(told(b), 'B');
	assert_int_equal(told(b), 'C');
	/* a friend who is one no more takes the trust along, but not the owner's right to decide */
	assert_int_equal(contacts_delete(b->contacts, CAROL, &err), 0);
	assert_int_equal(contact_of(b, BOB).trust, CONTACTS_INTRODUCED_KEY);
	assert_int_equal(learn(b, BOB, 'D', CONTACTS_KEY_SIGNED, NOW + 5), CONTACTS_LEARNED_HELD);
}

static void
an_introduction_that_conflicts_is_shown_only(void **state)
{
	struct book *b = *state;
	know(b, BOB), know(b, CAROL);
	learn(b, BOB, 'A', CONTACTS_KEY_SIGNED, NOW);
	assert_int_equal(introduce(b, CAROL, BOB, 'B', NOW + 1), CONTACTS_LEARNED_HELD);
	assert_int_equal(counts(b, BOB), 'A');
	assert_int_equal(told(b), 'B');
	assert_int_equal(contact_of(b, BOB).vouching, 0);
	assert_int_equal(learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + 2), CONTACTS_LEARNED_CHANGED); /* says the onion itself */
	assert_int_equal(contact_of(b, BOB).vouching, 1);
	/* after a revocation an introduction alone does not help */
	revoke_key(b, BOB, 'B', NOW + 3);
	assert_int_equal(introduce(b, CAROL, BOB, 'C', NOW + 4), CONTACTS_LEARNED_HELD);
	assert_int_equal(counts(b, BOB), ' ');
}

static void
only_contacts_introduce_and_only_others(void **state)
{
	struct book *b = *state;
	enum contacts_learned learned;
	int64_t since_s;
	struct contacts_offer offer = offer_of(BOB, 'A', CONTACTS_KEY_INTRODUCED, 0, NOW);
	know(b, CAROL);
	assert_int_equal(contacts_introduce(b->contacts, &offer, CAROL, &learned, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND); /* the owner accepts them first */
	know(b, BOB);
	assert_int_equal(contacts_introduce(b->contacts, &offer, DAVE, &learned, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	contacts_heard(b->contacts, DAVE, NOW, &since_s, &err);
	assert_int_equal(contacts_introduce(b->contacts, &offer, DAVE, &learned, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	know(b, at("other", 2));
	assert_int_equal(contacts_introduce(b->contacts, &offer, at("other", 2), &learned, &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
	assert_int_equal(counts(b, BOB), ' ');
	/* two addresses of one onion are one introducer */
	know(b, at("carla", 3));
	introduce(b, CAROL, BOB, 'A', NOW);
	introduce(b, at("carla", 3), BOB, 'A', NOW);
	assert_int_equal(contact_of(b, BOB).vouching, 1);
}

static bool
write_introduction(void *context, const struct contacts_introduction *introduction)
{
	char *out = context;
	snprintf(out + strlen(out), 64, "%.3s:%c:%d ", introduction->by, introduction->fingerprint[0], (int)(introduction->since_s - NOW));
	return true;
}

static void
who_introduced_whom_and_when_is_kept(void **state)
{
	struct book *b = *state;
	enum contacts_learned learned;
	char text[256] = "";
	know(b, BOB), know(b, ALICE), know(b, CAROL);
	introduce(b, CAROL, BOB, 'A', NOW + 1);
	introduce(b, ALICE, BOB, 'B', NOW + 2);
	introduce(b, CAROL, BOB, 'C', NOW + 3);
	introduce(b, CAROL, BOB, 'A', NOW + 4);
	reopen_book(b);
	assert_int_equal(contacts_look_introductions(b->contacts, contact_of(b, BOB).id, write_introduction, text, &err), 0);
	assert_string_equal(text, "car:A:1 ali:B:2 car:C:3 ");
	introduce(b, CAROL, BOB, 'D', NOW + 5);
	introduce(b, CAROL, BOB, 'E', NOW + 6);
	struct contacts_offer offer = offer_of(BOB, 'F', CONTACTS_KEY_INTRODUCED, 0, NOW + 7);
	assert_int_equal(contacts_introduce(b->contacts, &offer, CAROL, &learned, &err), -1);
	assert_int_equal(err.code, ERROR_BUSY);
	introduce(b, CAROL, BOB, 'E', NOW + 8);
}

/* A mail's date may be cut to the day: what came with one that was written after the card was fetched is not older than it. */
static void
a_key_from_a_card_gives_way_on_the_same_day(void **state)
{
	struct book *b = *state;
	enum contacts_learned learned;
	struct contacts_offer next = offer_of(BOB, '1', CONTACTS_KEY_SIGNED, NOW - NOW % (24 * 3600), NOW + 30);
	know(b, BOB);
	assert_int_equal(learn(b, BOB, '0', CONTACTS_KEY_CARD, NOW), CONTACTS_LEARNED_FIRST);
	revoke_key(b, BOB, '0', NOW + 20);
	assert_int_equal(contacts_learn(b->contacts, &next, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_CHANGED);
	next = offer_of(BOB, '2', CONTACTS_KEY_SIGNED, NOW - NOW % (24 * 3600) - 1, NOW + 40);
	assert_int_equal(contacts_learn(b->contacts, &next, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_OLD);
}

static void
keys_of_a_contact_are_bounded(void **state)
{
	static const char letters[] = "0123456789ABCDEF";
	struct book *b = *state;
	know(b, BOB), know(b, CAROL);
	for (int i = 0; i < 16; i++) {
		learn(b, BOB, letters[i], CONTACTS_KEY_SIGNED, NOW + i);
		learn(b, DAVE, letters[i], CONTACTS_KEY_SIGNED, NOW + i);
	}
	assert_history(b, BOB, "33 43 53 63 73 83 93 A3 B3 C3 D3 E3 F1"); /* CONTACTS_KEYS_FORMER_MAX, */
	assert_history(b, DAVE, "D3 E3 F1");                              /* and those of a stranger */
	learn(b, CAROL, '0', CONTACTS_KEY_IN_PERSON, NOW);
	for (int i = 1; i < 8; i++)
		learn(b, CAROL, letters[i], CONTACTS_KEY_SIGNED, NOW - (i == 7) * 48 * 3600); /* older than what counts */
	assert_history(b, CAROL, "01 32 42 52 62");
}

static void
barred_keys_are_not_pushed_out(void **state)
{
	static const char letters[] = "0123456789ABCDEF";
	struct book *b = *state;
	enum contacts_learned learned;
	know(b, BOB);
	for (int i = 0; i < CONTACTS_KEYS_BARRED_MAX; i++) {
		learn(b, BOB, letters[i], CONTACTS_KEY_SIGNED, NOW + i);
		revoke_key(b, BOB, letters[i], NOW + i);
	}
	struct contacts_offer offer = offer_of(BOB, '0', CONTACTS_KEY_SIGNED, NOW + 99, NOW + 99);
	offer.fingerprint = "0000000000000000000000000000000000000001";
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_BARRED);
	assert_int_equal(learn(b, BOB, '0', CONTACTS_KEY_SIGNED, NOW + 99), CONTACTS_LEARNED_BARRED);
	offer.how = CONTACTS_KEY_OWNER;
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_CHANGED);
}

static void
offers_that_are_none_change_nothing(void **state)
{
	static const char *const wrong[] = { "", "A", "a" ZEROS, "A" ZEROS "0", "G" ZEROS };
	static char large[CONTACTS_KEY_MAX_BYTES + 1];
	struct book *b = *state;
	enum contacts_learned learned;
	struct contacts_offer offer = offer_of(BOB, 'A', CONTACTS_KEY_SIGNED, NOW, NOW);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		offer.fingerprint = wrong[i];
		assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), -1);
		assert_int_equal(err.code, ERROR_INVALID);
	}
	offer = offer_of(BOB, 'A', CONTACTS_KEY_SIGNED, NOW, NOW);
	offer.key.len = 0;
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), -1);
	offer.key = slice_of(large, sizeof large);
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), -1);
	assert_int_equal(err.code, ERROR_TOO_LARGE);
	offer = offer_of(BOB, 'A', CONTACTS_KEY_CARD, NOW, NOW); /* of somebody whom nobody knows */
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	offer = offer_of(slice_of_string("bob@example.com"), 'A', CONTACTS_KEY_SIGNED, NOW, NOW);
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), -1);
	assert_int_equal(count(b), 0);
}

static void
keys_go_with_their_owner(void **state)
{
	struct book *b = *state;
	know(b, BOB), know(b, CAROL);
	learn(b, BOB, 'A', CONTACTS_KEY_SIGNED, NOW);
	learn(b, BOB, 'B', CONTACTS_KEY_SIGNED, NOW + 1);
	introduce(b, CAROL, BOB, 'B', NOW);
	assert_int_equal(contacts_delete(b->contacts, BOB, &err), 0);
	assert_int_equal(told(b), ' ');
	know(b, BOB);
	assert_history(b, BOB, "");
	assert_int_equal(contact_of(b, BOB).vouching, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_key_under_a_valid_signature_counts, begin, end),
		cmocka_unit_test_setup_teardown(a_new_key_is_accepted_and_shown, begin, end),
		cmocka_unit_test_setup_teardown(an_old_message_brings_no_old_key_back, begin, end),
		cmocka_unit_test_setup_teardown(the_newest_bytes_of_a_key_are_kept, begin, end),
		cmocka_unit_test_setup_teardown(after_a_comparison_the_owner_decides, begin, end),
		cmocka_unit_test_setup_teardown(what_is_held_is_not_exchanged, begin, end),
		cmocka_unit_test_setup_teardown(what_is_refused_is_not_asked_again, begin, end),
		cmocka_unit_test_setup_teardown(a_revoked_key_never_comes_back, begin, end),
		cmocka_unit_test_setup_teardown(introductions_that_agree_verify_a_key, begin, end),
		cmocka_unit_test_setup_teardown(an_introduction_that_conflicts_is_shown_only, begin, end),
		cmocka_unit_test_setup_teardown(only_contacts_introduce_and_only_others, begin, end),
		cmocka_unit_test_setup_teardown(who_introduced_whom_and_when_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(a_key_from_a_card_gives_way_on_the_same_day, begin, end),
		cmocka_unit_test_setup_teardown(keys_of_a_contact_are_bounded, begin, end),
		cmocka_unit_test_setup_teardown(barred_keys_are_not_pushed_out, begin, end),
		cmocka_unit_test_setup_teardown(offers_that_are_none_change_nothing, begin, end),
		cmocka_unit_test_setup_teardown(keys_go_with_their_owner, begin, end),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
