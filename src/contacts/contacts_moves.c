/* SPDX-License-Identifier: ISC */
#include "contacts/moves.h"

#include <string.h>

#include "contacts/contacts_internal.h"

_Static_assert(NOTICE_MOVE == 1 && NOTICE_REVOKE_ONION == 2 && NOTICE_REVOKE_KEY == 3, "of the statements");
_Static_assert(NOTICE_FINGERPRINT_LEN == OPENPGP_FINGERPRINT_LEN, "both are of OpenPGP keys");

/* ---- what is in force */

/* What the notices of an onion say together. */
struct said {
	bool is_revoked, has_chosen, has_recovered, has_two;
	unsigned moves;
	struct contacts_move revoked, chosen, recovered, first; /* each as it would be in force */
};

static void
add_move(struct said *said, const struct contacts_move *move, bool is_recovered)
{
	if (said->moves++ == 0)
		said->first = *move;
	else if (strcmp(said->first.to, move->to) != 0 && !said->has_two) {
		said->has_two = true;
		memcpy(said->first.other, move->to, sizeof move->to);
	}
	if (move->is_chosen && !said->has_chosen) {
		said->has_chosen = true;
		said->chosen = *move;
	}
	if (is_recovered && !said->has_recovered) {
		said->has_recovered = true;
		said->recovered = *move;
	}
}

static void
add_row(struct said *said, const struct statement *s, const char *hash)
{
	struct contacts_move move = { .is_chosen = statement_int(s, 5) != 0, .sequence = (uint64_t)statement_int(s, 3),
		.since_s = statement_int(s, 4) };
	int64_t kind = statement_int(s, 0);
	if (kind == NOTICE_REVOKE_ONION && !said->is_revoked) {
		said->is_revoked = true;
		said->revoked = move;
	}
	if (kind != NOTICE_MOVE)
		return;
	slice_to_string(statement_bytes(s, 1), move.to, sizeof move.to);
	add_move(said, &move, hash[0] != '\0' && slice_is(statement_bytes(s, 2), hash));
}

/* By the table of the specification, which has no place for an order of time. */
static void
judge(const struct said *said, struct contacts_move *out)
{
	enum contacts_fate fate = CONTACTS_STAYS;
	*out = (struct contacts_move){ 0 };
	if (said->is_revoked) {
		*out = said->revoked;
		fate = CONTACTS_ONION_REVOKED;
	} else if (said->has_chosen) {
		*out = said->chosen;
		fate = CONTACTS_MOVED;
	} else if (said->has_two || said->moves >= CONTACTS_MOVES_OF_ONION_MAX) {
		*out = said->first;
		fate = CONTACTS_MOVES_FROZEN;
	} else if (said->has_recovered) {
		*out = said->recovered;
		fate = CONTACTS_MOVED;
	} else if (said->moves > 0) {
		*out = said->first;
		fate = CONTACTS_MOVE_HELD;
	}
	out->fate = fate;
}

/* The hash that counts; "": there is none, or more than one. */
static int
recovery_of(struct contacts *c, const char *onion, char out[NOTICE_HASH_LEN + 1], struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_RECOVERY];
	statement_bind_string(s, 1, onion);
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	out[0] = '\0';
	if (row == 1 && statement_int(s, 0) == 1)
		slice_to_string(statement_bytes(s, 1), out, NOTICE_HASH_LEN + 1);
	statement_reset(s);
	return 0;
}

int
contacts_moves_look(struct contacts *c, const char *onion, struct contacts_move *out, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_NOTICES];
	struct said said = { 0 };
	char hash[NOTICE_HASH_LEN + 1];
	int row;
	if (recovery_of(c, onion, hash, err) != 0)
		return -1;
	statement_bind_string(s, 1, onion);
	while ((row = statement_step(s, err)) == 1)
		add_row(&said, s, hash);
	if (row < 0)
		return -1;
	statement_reset(s);
	judge(&said, out);
	return 0;
}

int
contacts_moves_revoked(struct contacts *c, const char *onion, const char *fingerprint, bool *is_full, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_REVOKED];
	statement_bind_string(s, 1, onion);
	statement_bind_string(s, 2, fingerprint);
	int row = statement_step(s, err);
	if (row < 0)
		return -1;
	bool is_revoked = row == 1 && statement_int(s, 0) > 0;
	*is_full = row == 1 && statement_int(s, 1) >= CONTACTS_REVOKED_OF_ONION_MAX;
	statement_reset(s);
	return is_revoked;
}

/* ---- telling */

static int
set_told(struct contacts *c, const char *onion, bool is_told, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_NOTICES_TELL];
	statement_bind_string(s, 1, onion);
	statement_bind_int(s, 2, is_told);
	return statement_run(s, err);
}

/* What is in force is another than before: the owner has not been told of that. A notice that changes nothing is told with the next that does. */
static int
note_change(struct contacts *c, const char *onion, const struct contacts_move *before, struct error *err)
{
	struct contacts_move after;
	if (contacts_moves_look(c, onion, &after, err) != 0)
		return -1;
	bool is_same = before->fate == after.fate && strcmp(before->to, after.to) == 0 && strcmp(before->other, after.other) == 0;
	return is_same ? 0 : set_told(c, onion, false, err);
}

int
contacts_moves_next_untold(struct contacts *c, char onion[ADDRESS_ONION_LEN + 1], struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_NOTICE_UNTOLD];
	int row = statement_step(s, err);
	if (row == 1)
		slice_to_string(statement_bytes(s, 0), onion, ADDRESS_ONION_LEN + 1);
	if (row >= 0)
		statement_reset(s);
	return row;
}

int
contacts_moves_tell(struct contacts *c, const char *onion, bool *is_first, struct error *err)
{
	int result = set_told(c, onion, true, err);
	*is_first = result == 0 && database_changes(c->db) > 0;
	return result;
}

/* ---- taking */

/* 2: the owner knows somebody of the onion; 1: strangers only are in the book; 0: nobody; -1. */
static int
is_known(struct contacts *c, const char *onion, struct error *err)
{
	int64_t known;
	statement_bind_string(c->statements[CONTACTS_SQL_ONION_KNOWN], 1, onion);
	return contacts_ask_int(c->statements[CONTACTS_SQL_ONION_KNOWN], &known, err) != 0 ? -1 : (int)known;
}

/* What strangers have said, who cost nothing, keeps out nobody whom the owner knows. */
static int
make_room(struct contacts *c, bool is_strangers, struct error *err)
{
	static const int forgetting[] = { CONTACTS_SQL_NOTICES_FORGET, CONTACTS_SQL_NOTICES_FORGET_STRANGERS };
	int64_t count;
	if (contacts_ask_int(c->statements[CONTACTS_SQL_NOTICES_ALL], &count, err) != 0)
		return -1;
	for (int i = 0; count >= CONTACTS_NOTICES_MAX && i < (is_strangers ? 1 : 2); i++)
		if (statement_run(c->statements[forgetting[i]], err) != 0 ||
		    contacts_ask_int(c->statements[CONTACTS_SQL_NOTICES_ALL], &count, err) != 0)
			return -1;
	return count < CONTACTS_NOTICES_MAX ? 0 : error_set(err, ERROR_BUSY, "the address book keeps no more than %d notices", CONTACTS_NOTICES_MAX);
}

static const char *
about(const struct notice *n)
{
	return n->kind == NOTICE_MOVE ? n->to : n->kind == NOTICE_REVOKE_KEY ? n->fingerprint : "";
}

/* Binds what both ways of keeping a notice take. */
static struct statement *
bind(struct contacts *c, int which, const struct notice *n, const char *recovery)
{
	struct statement *s = c->statements[which];
	statement_bind_string(s, 1, n->onion);
	statement_bind_int(s, 2, n->kind);
	statement_bind_string(s, 3, about(n));
	statement_bind_string(s, 4, recovery);
	statement_bind_int(s, 5, (int64_t)n->sequence);
	return s;
}

/* 1: it is new; 0; -1. What the owner has chosen is chosen whoever signs it once more. */
static int
keep(struct contacts *c, const struct notice *n, int64_t now_s, struct error *err)
{
	char recovery[NOTICE_HASH_LEN + 1] = "";
	/* Only of moves does it matter who signed: they are told apart by it. */
	if (n->has_recovery && n->kind == NOTICE_MOVE)
		notice_recovery_hash(n->recovery, recovery);
	struct statement *s = bind(c, CONTACTS_SQL_NOTICE_ADD, n, recovery);
	statement_bind_int(s, 6, now_s);
	statement_bind_int(s, 7, n->kind == NOTICE_MOVE ? CONTACTS_MOVES_OF_ONION_MAX : CONTACTS_REVOKED_OF_ONION_MAX);
	if (statement_run(s, err) != 0)
		return -1;
	if (database_changes(c->db) > 0)
		return 1;
	return statement_run(bind(c, CONTACTS_SQL_NOTICE_AGAIN, n, recovery), err);
}

static int
revoke_everywhere(struct contacts *c, const struct notice *n, int64_t now_s, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_REVOKE_EVERYWHERE];
	statement_bind_string(s, 1, n->onion);
	statement_bind_string(s, 2, n->fingerprint);
	statement_bind_int(s, 3, now_s);
	return statement_run(s, err);
}

int
contacts_moves_take(struct contacts *c, const struct notice *n, int64_t now_s, struct error *err)
{
	struct contacts_move before;
	int result = is_known(c, n->onion, err);
	if (result <= 0)
		return result;
	if (make_room(c, result == 1, err) != 0 || contacts_moves_look(c, n->onion, &before, err) != 0)
		return -1;
	result = keep(c, n, now_s, err);
	if (result < 0 || (n->kind == NOTICE_REVOKE_KEY && revoke_everywhere(c, n, now_s, err) != 0))
		return -1;
	if (result == 1 && set_told(c, n->onion, true, err) != 0) /* unless it changes what is in force: */
		return -1;
	return note_change(c, n->onion, &before, err) != 0 ? -1 : result;
}

int
contacts_moves_learn_recovery(struct contacts *c, const char *onion, const char *hash, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_RECOVERY_ADD];
	struct contacts_move before;
	int known = is_known(c, onion, err);
	if (strlen(hash) != NOTICE_HASH_LEN || strspn(hash, "abcdefghijklmnopqrstuvwxyz234567") != NOTICE_HASH_LEN)
		return error_set(err, ERROR_INVALID, "the recovery key's hash has not %d letters and digits", NOTICE_HASH_LEN);
	if (known <= 0 || contacts_moves_look(c, onion, &before, err) != 0)
		return known == 0 ? 0 : -1;
	statement_bind_string(s, 1, onion);
	statement_bind_string(s, 2, hash);
	if (statement_run(s, err) != 0)
		return -1;
	s = c->statements[CONTACTS_SQL_RECOVERY_FORGET]; /* two contradict one another, and which two must not be a matter of time */
	statement_bind_string(s, 1, onion);
	return statement_run(s, err) != 0 ? -1 : note_change(c, onion, &before, err);
}

/* ---- the owner */

/* Whether one of the onion's moves leads there. */
static int
leads_to(struct contacts *c, const char *onion, const char *to, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_NOTICES];
	bool is_there = false;
	int row;
	statement_bind_string(s, 1, onion);
	while ((row = statement_step(s, err)) == 1)
		is_there |= statement_int(s, 0) == NOTICE_MOVE && slice_is(statement_bytes(s, 1), to);
	if (row < 0)
		return -1;
	statement_reset(s);
	return is_there;
}

int
contacts_moves_choose(struct contacts *c, const char *onion, struct slice text, struct error *err)
{
	struct statement *s = c->statements[CONTACTS_SQL_NOTICE_CHOOSE];
	struct contacts_move now;
	struct address parts;
	char to[ADDRESS_MAX + 1];
	if (address_parse(text, &parts, err) != 0 || contacts_moves_look(c, onion, &now, err) != 0)
		return -1;
	if (now.fate == CONTACTS_ONION_REVOKED)
		return error_set(err, ERROR_DENIED, "this onion is revoked: whoever says where it has moved may be somebody else");
	parts.fingerprint[0] = '\0';
	address_format(&parts, to);
	int found = leads_to(c, onion, to, err);
	if (found == 0)
		return error_set(err, ERROR_NOT_FOUND, "they have not said that they moved there");
	if (found < 0)
		return -1;
	statement_bind_string(s, 1, onion);
	statement_bind_string(s, 2, to);
	return statement_run(s, err);
}
