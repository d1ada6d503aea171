/* SPDX-License-Identifier: ISC
 *
 * Every set of notices is taken in every order, with each of them twice, and has one end.
 */
#include "contacts/moves.h"
#include "contacts/test_contacts.h"
#include "notice/test_notice.h"

#define STEPS_MAX 6

/* What may happen to the book. */
struct step {
	enum { END, NOTICE, RECOVERY, CHOOSE } what;
	enum notice_kind kind;
	unsigned char to, recovery; /* numbers of keys (notice/test_notice.h); of a key that is revoked: its digit */
	uint64_t sequence;
};

#define MOVE(to, recovery, sequence) { NOTICE, NOTICE_MOVE, to, recovery, sequence }
#define REVOKE(sequence) { NOTICE, NOTICE_REVOKE_ONION, 0, 0, sequence }
#define REVOKE_KEY(digit, sequence) { NOTICE, NOTICE_REVOKE_KEY, digit, 0, sequence }
#define CARD(number) { .what = RECOVERY, .recovery = (number) }

static const char *
mover(void)
{
	static char address[ADDRESS_MAX + 1];
	test_notice_address(1, address);
	return address;
}

static const char *
mover_onion(void)
{
	return strchr(mover(), '@') + 1;
}

static void
hash_of(unsigned char number, char out[NOTICE_HASH_LEN + 1])
{
	struct onionkey key;
	test_notice_key(number, &key);
	notice_recovery_hash(key.public_key, out);
}

static void
go(struct book *b, const struct step *step)
{
	char text[ADDRESS_MAX + 1];
	if (step->what == NOTICE) {
		struct notice n = test_notice(step->kind, step->to, step->recovery, step->sequence);
		assert_true(contacts_moves_take(b->contacts, &n, NOW, &err) >= 0);
	} else if (step->what == RECOVERY) {
		hash_of(step->recovery, text);
		assert_int_equal(contacts_moves_learn_recovery(b->contacts, mover_onion(), text, &err), 0);
	} else if (step->what == CHOOSE) {
		test_notice_address(step->to, text);
		contacts_moves_choose(b->contacts, mover_onion(), slice_of_string(text), &err);
	}
}

/* All that the tables say, and what is in force. */
static void
dump(struct book *b, char *out, size_t room)
{
	static const char *const sql = "SELECT kind || ' ' || about || ' ' || recovery || ' ' || sequence || ' ' || chosen FROM contact_notices"
	    " UNION ALL SELECT onion || ' ' || hash FROM contact_recovery UNION ALL SELECT fingerprint || ' ' || state FROM contact_keys"
	    " ORDER BY 1";
	struct statement *s;
	struct contacts_move move;
	assert_int_equal(contacts_moves_look(b->contacts, mover_onion(), &move, &err), 0);
	size_t len = (size_t)snprintf(out, room, "%d %s %s %d\n", move.fate, move.to, move.other, move.is_chosen);
	assert_int_equal(statement_new(b->db, sql, &s, &err), 0);
	while (statement_step(s, &err) == 1) {
		struct slice row = statement_bytes(s, 0);
		len += (size_t)snprintf(out + len, room - len, "%.*s\n", (int)row.len, (const char *)row.data);
		assert_true(len < room);
	}
	statement_free(s);
}

static void
forget_all(struct book *b)
{
	assert_int_equal(database_run(b->db, "DELETE FROM contact_notices; DELETE FROM contact_recovery; DELETE FROM contacts", &err), 0);
	know(b, slice_of_string(mover()));
}

/* One order: its steps, then every second of them once more, from behind. */
static void
run(struct book *b, const struct step *steps, const unsigned *order, size_t count, char *out, size_t room)
{
	forget_all(b);
	for (size_t i = 0; i < count; i++)
		go(b, &steps[order[i]]);
	for (size_t i = count; i-- > 0;)
		if (steps[order[i]].what != CHOOSE)
			go(b, &steps[order[i]]);
	dump(b, out, room);
}

static bool
next_order(unsigned *order, size_t count)
{
	size_t i = count - 1, k = count - 1;
	while (i > 0 && order[i - 1] >= order[i])
		i--;
	if (i == 0)
		return false;
	while (order[k] <= order[i - 1])
		k--;
	unsigned swapped = order[i - 1];
	order[i - 1] = order[k];
	order[k] = swapped;
	for (k = count - 1; i < k; i++, k--) {
		swapped = order[i];
		order[i] = order[k];
		order[k] = swapped;
	}
	return true;
}

static void
assert_end(struct book *b, const struct step *steps, enum contacts_fate fate, unsigned char to)
{
	unsigned order[STEPS_MAX] = { 0, 1, 2, 3, 4, 5 };
	char first[8192], again[8192], address[ADDRESS_MAX + 1] = "";
	struct contacts_move move;
	size_t count = 0;
	while (count < STEPS_MAX && steps[count].what != END)
		count++;
	run(b, steps, order, count, first, sizeof first);
	assert_int_equal(contacts_moves_look(b->contacts, mover_onion(), &move, &err), 0);
	assert_int_equal(move.fate, fate);
	if (to != 0)
		test_notice_address(to, address);
	assert_true(to == 0 || strcmp(move.to, address) == 0);
	while (count > 0 && next_order(order, count)) {
		run(b, steps, order, count, again, sizeof again);
		assert_string_equal(first, again);
	}
}

static void
the_end_is_the_same_in_every_order(void **state)
{
	struct book *b = *state;
	static const struct {
		struct step steps[STEPS_MAX];
		enum contacts_fate fate;
		unsigned char to; /* where it leads; 0: that is not looked at */
	} table[] = {
		{ { { .what = END } }, CONTACTS_STAYS, 0 },
		{ { CARD(3) }, CONTACTS_STAYS, 0 },
		{ { MOVE(2, 0, 1) }, CONTACTS_MOVE_HELD, 2 },
		{ { MOVE(2, 3, 1) }, CONTACTS_MOVE_HELD, 2 },                           /* nobody knows that recovery key */
		{ { MOVE(2, 3, 1), CARD(3) }, CONTACTS_MOVED, 2 },
		{ { MOVE(2, 0, 1), CARD(3) }, CONTACTS_MOVE_HELD, 2 },
		{ { MOVE(2, 4, 1), CARD(3) }, CONTACTS_MOVE_HELD, 2 },                  /* a recovery key of a thief's own */
		{ { MOVE(2, 4, 1), CARD(3), CARD(4) }, CONTACTS_MOVE_HELD, 2 },         /* and a card that names it */
		{ { MOVE(2, 3, 1), CARD(3), CARD(4), CARD(5) }, CONTACTS_MOVE_HELD, 2 },
		{ { MOVE(2, 0, 1), MOVE(2, 3, 2), CARD(3) }, CONTACTS_MOVED, 2 },       /* the key came later */
		{ { MOVE(2, 3, 1), MOVE(2, 4, 2), MOVE(2, 0, 9), CARD(3) }, CONTACTS_MOVED, 2 },
		{ { MOVE(2, 0, 1), MOVE(5, 0, 2) }, CONTACTS_MOVES_FROZEN, 0 },
		{ { MOVE(2, 3, 1), MOVE(5, 0, 2), CARD(3) }, CONTACTS_MOVES_FROZEN, 0 },
		{ { MOVE(2, 3, 1), MOVE(5, 3, 2), CARD(3) }, CONTACTS_MOVES_FROZEN, 0 },
		{ { MOVE(2, 3, 1), MOVE(5, 3, 2), MOVE(6, 0, 3), CARD(3), CARD(3) }, CONTACTS_MOVES_FROZEN, 0 },
		{ { REVOKE(1) }, CONTACTS_ONION_REVOKED, 0 },
		{ { REVOKE(1), MOVE(2, 3, 2), CARD(3) }, CONTACTS_ONION_REVOKED, 0 },   /* also a later one */
		{ { REVOKE(9), MOVE(2, 3, 1), MOVE(5, 0, 1), CARD(3) }, CONTACTS_ONION_REVOKED, 0 },
		{ { REVOKE(1), REVOKE(7), REVOKE_KEY(7, 3) }, CONTACTS_ONION_REVOKED, 0 },
		{ { REVOKE_KEY(7, 1), REVOKE_KEY(8, 2), MOVE(2, 3, 3), CARD(3) }, CONTACTS_MOVED, 2 },
		{ { MOVE(2, 3, 1), REVOKE(2), REVOKE_KEY(7, 3), MOVE(5, 0, 4), CARD(3), CARD(4) }, CONTACTS_ONION_REVOKED, 0 },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		assert_end(b, table[i].steps, table[i].fate, table[i].to);
}

static void
assert_fate(struct book *b, enum contacts_fate fate, unsigned char to)
{
	struct contacts_move move;
	char address[ADDRESS_MAX + 1] = "";
	if (to != 0)
		test_notice_address(to, address);
	assert_int_equal(contacts_moves_look(b->contacts, mover_onion(), &move, &err), 0);
	assert_int_equal(move.fate, fate);
	if (fate != CONTACTS_ONION_REVOKED)
		assert_string_equal(move.to, address);
}

static void
the_owner_chooses_what_is_held_or_frozen(void **state)
{
	struct book *b = *state;
	static const struct step held = MOVE(2, 0, 1), other = MOVE(5, 3, 2), later = MOVE(6, 3, 3), card = CARD(3), revoke = REVOKE(4);
	char address[ADDRESS_MAX + 1];
	know(b, slice_of_string(mover()));
	test_notice_address(2, address);
	assert_int_equal(contacts_moves_choose(b->contacts, mover_onion(), slice_of_string(address), &err), -1);
	assert_int_equal(err.code, ERROR_NOT_FOUND);
	go(b, &held);
	go(b, &other);
	go(b, &card);
	assert_int_equal(contacts_moves_choose(b->contacts, mover_onion(), slice_of_string(address), &err), 0);
	assert_fate(b, CONTACTS_MOVED, 2);
	go(b, &later); /* whatever they say now, the owner has said what is right */
	assert_fate(b, CONTACTS_MOVED, 2);
	test_notice_address(6, address);
	assert_int_equal(contacts_moves_choose(b->contacts, mover_onion(), slice_of_string(address), &err), 0);
	assert_fate(b, CONTACTS_MOVED, 6);
	go(b, &revoke);
	assert_fate(b, CONTACTS_ONION_REVOKED, 0);
	assert_int_equal(contacts_moves_choose(b->contacts, mover_onion(), slice_of_string(address), &err), -1);
	assert_int_equal(err.code, ERROR_DENIED);
}

static bool
is_told(struct book *b)
{
	char onion[ADDRESS_ONION_LEN + 1] = "";
	bool is_first = true;
	int found = contacts_moves_next_untold(b->contacts, onion, &err);
	assert_true(found >= 0 && (found == 0 || strcmp(onion, mover_onion()) == 0));
	if (found == 1)
		assert_int_equal(contacts_moves_tell(b->contacts, onion, &is_first, &err), 0);
	assert_true(is_first);
	return found == 1;
}

static void
each_change_is_told_once(void **state)
{
	struct book *b = *state;
	static const struct step held = MOVE(2, 0, 1), signed_too = MOVE(2, 3, 1), card = CARD(3), other = MOVE(5, 0, 2), third = MOVE(6, 0, 3),
	    revoke = REVOKE(3), after = MOVE(7, 3, 9);
	know(b, slice_of_string(mover()));
	assert_false(is_told(b));
	go(b, &held);
	assert_true(is_told(b));
	assert_false(is_told(b));
	go(b, &held);
	assert_false(is_told(b));
	go(b, &signed_too); /* by a key that is not known: it is held as before */
	assert_false(is_told(b));
	go(b, &card);
	assert_true(is_told(b));
	go(b, &other);
	assert_true(is_told(b));
	go(b, &third); /* frozen already, and shown with the same two */
	go(b, &revoke);
	assert_true(is_told(b));
	go(b, &after);
	assert_false(is_told(b));
}

static void
a_revoked_key_never_counts_also_when_it_comes_later(void **state)
{
	struct book *b = *state;
	static const struct step revoke = REVOKE_KEY(7, 1), revoke_other = REVOKE_KEY(8, 2);
	char seven[OPENPGP_FINGERPRINT_LEN + 1], eight[OPENPGP_FINGERPRINT_LEN + 1];
	enum contacts_learned learned;
	struct contacts_offer offer = { .address = slice_of_string(mover()), .fingerprint = seven, .key = slice_of_string("key"),
		.how = CONTACTS_KEY_SIGNED, .signed_s = NOW, .now_s = NOW };
	memset(seven, '7', sizeof seven);
	memset(eight, '8', sizeof eight);
	seven[OPENPGP_FINGERPRINT_LEN] = eight[OPENPGP_FINGERPRINT_LEN] = '\0';
	know(b, slice_of_string(mover()));
	go(b, &revoke);
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_BARRED);
	offer.how = CONTACTS_KEY_IN_PERSON; /* not even the owner brings it back */
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_BARRED);
	offer.how = CONTACTS_KEY_SIGNED;
	offer.fingerprint = eight;
	assert_int_equal(contacts_learn(b->contacts, &offer, &learned, &err), 0);
	assert_int_equal(learned, CONTACTS_LEARNED_FIRST);
	go(b, &revoke_other);
	assert_string_equal(contact_of(b, slice_of_string(mover())).fingerprint, "");
	struct contacts_key key;
	assert_int_equal(contacts_next_untold(b->contacts, &key, &err), 1);
	assert_string_equal(key.fingerprint, eight);
	assert_int_equal(key.state, CONTACTS_KEY_REVOKED);
}

static void
only_onions_in_the_book_can_say_something(void **state)
{
	struct book *b = *state;
	char hash[NOTICE_HASH_LEN + 1];
	struct notice n = test_notice(NOTICE_MOVE, 2, 3, 1);
	know(b, ALICE); /* of another onion */
	assert_int_equal(contacts_moves_take(b->contacts, &n, NOW, &err), 0);
	hash_of(3, hash);
	assert_int_equal(contacts_moves_learn_recovery(b->contacts, mover_onion(), hash, &err), 0);
	know(b, slice_of_string(mover()));
	assert_fate(b, CONTACTS_STAYS, 0);
	assert_int_equal(contacts_moves_take(b->contacts, &n, NOW, &err), 1);
	assert_int_equal(contacts_moves_take(b->contacts, &n, NOW, &err), 0);
	assert_fate(b, CONTACTS_MOVE_HELD, 2);
	assert_int_equal(contacts_moves_learn_recovery(b->contacts, mover_onion(), "short", &err), -1);
	reopen_book(b);
	assert_fate(b, CONTACTS_MOVE_HELD, 2);
}

static void
whoever_says_too_much_is_not_believed(void **state)
{
	struct book *b = *state;
	static const struct step good = MOVE(2, 3, 1), card = CARD(3);
	know(b, slice_of_string(mover()));
	go(b, &card);
	for (unsigned char i = 10; i < 10 + CONTACTS_MOVES_OF_ONION_MAX; i++) {
		const struct step junk = MOVE(2, i, 1);
		go(b, &junk);
	}
	go(b, &good);
	assert_fate(b, CONTACTS_MOVES_FROZEN, 2);
}

static void
a_revocation_stays_when_a_contact_is_deleted(void **state)
{
	struct book *b = *state;
	static const struct step revoke = REVOKE(1);
	know(b, slice_of_string(mover()));
	go(b, &revoke);
	assert_int_equal(contacts_delete(b->contacts, slice_of_string(mover()), &err), 0);
	know(b, slice_of_string(mover()));
	assert_fate(b, CONTACTS_ONION_REVOKED, 0);
}

/* Their onions cost nothing, and each of them may say much. */
static void
strangers_keep_out_no_notice_of_a_contact(void **state)
{
	struct book *b = *state;
	char sql[500];
	int64_t since_s;
	static const struct step revoke = REVOKE(1);
	struct notice n = test_notice(NOTICE_REVOKE_ONION, 0, 0, 1);
	assert_int_equal(contacts_heard(b->contacts, slice_of_string(mover()), NOW, &since_s, &err), 1);
	assert_int_equal(contacts_heard(b->contacts, ALICE, NOW, &since_s, &err), 1);
	snprintf(sql, sizeof sql, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO contact_notices"
	    " SELECT c.onion, 3, n.i, '', 1, 1, 0, 1 FROM n, contacts c WHERE c.onion != '%s'", CONTACTS_NOTICES_MAX, mover_onion());
	assert_int_equal(database_run(b->db, sql, &err), 0);
	assert_int_equal(contacts_moves_take(b->contacts, &n, NOW, &err), -1); /* a stranger as they are */
	assert_int_equal(err.code, ERROR_BUSY);
	know(b, slice_of_string(mover()));
	go(b, &revoke);
	assert_fate(b, CONTACTS_ONION_REVOKED, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(the_end_is_the_same_in_every_order),
		TEST(the_owner_chooses_what_is_held_or_frozen),
		TEST(each_change_is_told_once),
		TEST(a_revoked_key_never_counts_also_when_it_comes_later),
		TEST(only_onions_in_the_book_can_say_something),
		TEST(whoever_says_too_much_is_not_believed),
		TEST(a_revocation_stays_when_a_contact_is_deleted),
		TEST(strangers_keep_out_no_notice_of_a_contact),
	};
	return cmocka_run_group_tests(tests, test_folder_make, test_folder_remove);
}
