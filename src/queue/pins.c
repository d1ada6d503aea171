/* SPDX-License-Identifier: ISC */
#include "queue/pins.h"

#include <stdlib.h>

enum { FIND, ADD, SET, VIOLATED, ACCEPT, KEEP_BEFORE, BEFORE, FORGET, FORGET_BEFORE, LOOK, UNTOLD, TELL, STATEMENTS };

#define COLUMNS "id, onion, fingerprint, trust, label_letters, since_s, changed_s, shown"

static const char *const sql[STATEMENTS] = {
	[FIND] = "SELECT " COLUMNS " FROM pins WHERE onion = ?1",
	[ADD] = "INSERT INTO pins (onion, fingerprint, trust, label_letters, since_s) VALUES (?1, ?2, ?3, ?4, ?5)",
	[SET] = "UPDATE pins SET fingerprint = ?2, trust = ?3, label_letters = ?4, since_s = ?5, changed_s = 0, shown = '',"
	        " told = 0 WHERE onion = ?1",
	[VIOLATED] = "UPDATE pins SET shown = ?2, changed_s = ?3 WHERE onion = ?1",
	[ACCEPT] = "UPDATE pins SET fingerprint = shown, trust = ?2, label_letters = ?3, since_s = ?4, changed_s = 0,"
	           " shown = '', told = 0 WHERE onion = ?1",
	[KEEP_BEFORE] = "INSERT OR IGNORE INTO pins_before SELECT onion, fingerprint FROM pins WHERE onion = ?1",
	[BEFORE] = "SELECT fingerprint FROM pins_before WHERE onion = ?1",
	[FORGET] = "DELETE FROM pins WHERE onion = ?1",
	[FORGET_BEFORE] = "DELETE FROM pins_before WHERE onion = ?1",
	[LOOK] = "SELECT " COLUMNS " FROM pins WHERE id > ?1 ORDER BY id",
	[UNTOLD] = "SELECT " COLUMNS " FROM pins WHERE changed_s != 0 AND told = 0 ORDER BY id LIMIT 1",
	[TELL] = "UPDATE pins SET told = 1 WHERE id = ?1 AND changed_s != 0 AND told = 0",
};

struct pins {
	struct database *db;
	struct statement *statements[STATEMENTS];
};

int
pins_open(struct database *db, struct pins **out, struct error *err)
{
	struct pins *p = calloc(1, sizeof *p);
	if (p == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	p->db = db;
	for (size_t i = 0; i < STATEMENTS; i++)
		if (statement_new(db, sql[i], &p->statements[i], err) != 0) {
			pins_free(p);
			return -1;
		}
	*out = p;
	return 0;
}

void
pins_free(struct pins *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		statement_free(p->statements[i]);
	free(p);
}

static struct statement *
with_onion(struct pins *p, int which, const char *onion)
{
	statement_bind_string(p->statements[which], 1, onion);
	return p->statements[which];
}

/* ---- looking */

static void
read_pin(const struct statement *s, struct pin *out)
{
	int64_t trust = statement_int(s, 3);
	out->id = (uint64_t)statement_int(s, 0);
	slice_to_string(statement_bytes(s, 1), out->onion, sizeof out->onion);
	slice_to_string(statement_bytes(s, 2), out->fingerprint, sizeof out->fingerprint);
	/* What a later version may have written holds mail rather than lets it go. */
	out->trust = trust >= PIN_NOTED && trust <= PIN_ACCEPTED ? (enum ipc_pin_trust)trust : PIN_FIRST_USE;
	out->label_letters = (unsigned)statement_int(s, 4);
	out->since_s = statement_int(s, 5);
	out->changed_s = statement_int(s, 6);
	slice_to_string(statement_bytes(s, 7), out->shown, sizeof out->shown);
}

static int
find_one(struct statement *s, struct pin *out, struct error *err)
{
	int row = statement_step(s, err);
	if (row == 1)
		read_pin(s, out);
	if (row >= 0)
		statement_reset(s);
	return row;
}

int
pins_find(struct pins *p, const char *onion, struct pin *out, struct error *err)
{
	return find_one(with_onion(p, FIND, onion), out, err);
}

int
pins_next_untold(struct pins *p, struct pin *out, struct error *err)
{
	return find_one(p->statements[UNTOLD], out, err);
}

int
pins_look(struct pins *p, uint64_t after, pins_take *take, void *context, struct error *err)
{
	struct statement *s = p->statements[LOOK];
	struct pin pin;
	int row;
	statement_bind_int(s, 1, (int64_t)after);
	while ((row = statement_step(s, err)) == 1) {
		read_pin(s, &pin);
		if (!take(context, &pin))
			break;
	}
	if (row >= 0)
		statement_reset(s);
	return row < 0 ? -1 : 0;
}

bool
pin_is_violated(const struct pin *pin, const char *key)
{
	return pin->trust != PIN_NOTED && strcmp(pin->fingerprint, key) != 0;
}

int
pins_label_fits(struct pins *p, const struct pin *pin, struct slice label, const char *key, struct error *err)
{
	bool fits = address_label_fits(label, key);
	int row = 0;
	if (fits || pin == NULL || strcmp(pin->fingerprint, key) != 0)
		return fits;
	struct statement *s = with_onion(p, BEFORE, pin->onion);
	while (!fits && (row = statement_step(s, err)) == 1) {
		char before[PINS_FINGERPRINT_SIZE];
		slice_to_string(statement_bytes(s, 0), before, sizeof before);
		fits = address_label_fits(label, before);
	}
	if (row >= 0)
		statement_reset(s);
	return row < 0 ? -1 : fits;
}

/* ---- using */

static int
set(struct pins *p, int which, const char *onion, const struct pin *pin, struct error *err)
{
	struct statement *s = with_onion(p, which, onion);
	statement_bind_string(s, 2, pin->fingerprint);
	statement_bind_int(s, 3, pin->trust);
	statement_bind_int(s, 4, pin->label_letters);
	statement_bind_int(s, 5, pin->since_s);
	return statement_run(s, err);
}

/* Writes nothing when there is nothing more to trust in it. */
static int
raise_trust(struct pins *p, const char *onion, const struct pin *before, struct pin *pin, struct error *err)
{
	pin->since_s = before->since_s;
	if (pin->trust < before->trust)
		pin->trust = before->trust;
	if (pin->label_letters < before->label_letters)
		pin->label_letters = before->label_letters;
	if (pin->trust == before->trust && pin->label_letters == before->label_letters && before->changed_s == 0)
		return 0;
	return set(p, SET, onion, pin, err);
}

int
pins_use(struct pins *p, const char *onion, const char *key, bool is_smtorp, unsigned label_letters, int64_t now_s,
    struct error *err)
{
	enum ipc_pin_trust trust = label_letters > 0 ? PIN_LABEL : is_smtorp ? PIN_FIRST_USE : PIN_NOTED;
	struct pin before = { 0 }, pin = { .trust = trust, .label_letters = label_letters, .since_s = now_s };
	if (key[0] == '\0')
		return 0;
	int found = pins_find(p, onion, &before, err);
	if (found < 0)
		return -1;
	strcpy(pin.fingerprint, key);
	if (found == 0)
		return set(p, ADD, onion, &pin, err);
	if (strcmp(before.fingerprint, key) != 0)
		return set(p, SET, onion, &pin, err) != 0 ? -1 : 1;
	return raise_trust(p, onion, &before, &pin, err);
}

int
pins_expect(struct pins *p, const char *onion, const char *key, enum ipc_pin_trust trust, int64_t now_s, struct error *err)
{
	struct pin before = { 0 }, pin = { .trust = trust, .label_letters = trust == PIN_LABEL ? IPC_FINGERPRINT_LEN : 0, .since_s = now_s };
	if (strlen(key) != IPC_FINGERPRINT_LEN)
		return 0;
	int found = pins_find(p, onion, &before, err);
	if (found < 0)
		return -1;
	strcpy(pin.fingerprint, key);
	if (found == 0)
		return set(p, ADD, onion, &pin, err);
	if (strcmp(before.fingerprint, key) != 0 && before.trust != PIN_NOTED)
		return 1;
	if (strcmp(before.fingerprint, key) != 0)
		return set(p, SET, onion, &pin, err);
	return before.changed_s != 0 ? 0 : raise_trust(p, onion, &before, &pin, err); /* what was shown since is for the owner to see */
}

int
pins_violated(struct pins *p, const char *onion, const char *shown, int64_t now_s, struct error *err)
{
	struct pin pin = { 0 };
	int found = pins_find(p, onion, &pin, err);
	if (found < 0)
		return -1;
	if (found == 0 || (pin.changed_s != 0 && strcmp(pin.shown, shown) == 0))
		return 0;
	struct statement *s = with_onion(p, VIOLATED, onion);
	statement_bind_string(s, 2, shown);
	statement_bind_int(s, 3, now_s);
	return statement_run(s, err);
}

/* ---- the owner */

static int
find_or_say(struct pins *p, const char *onion, struct pin *out, struct error *err)
{
	int found = pins_find(p, onion, out, err);
	if (found == 0)
		return error_set(err, ERROR_NOT_FOUND, "no key of this onion is known; `smtorp peer list` shows those that are");
	return found < 0 ? -1 : 0;
}

static int
in_transaction(struct pins *p, struct statement *first, struct statement *second, struct error *err)
{
	if (database_begin(p->db, err) != 0)
		return -1;
	if (statement_run(first, err) == 0 && statement_run(second, err) == 0)
		return database_commit(p->db, err);
	database_rollback(p->db);
	return -1;
}

int
pins_accept(struct pins *p, const char *onion, struct slice label, int64_t now_s, struct error *err)
{
	struct pin pin = { 0 };
	if (find_or_say(p, onion, &pin, err) != 0)
		return -1;
	if (pin.changed_s == 0)
		return error_set(err, ERROR_INVALID, "there is nothing to accept: this onion shows the key that it always showed");
	if (pin.shown[0] == '\0')
		return error_set(err, ERROR_INVALID, "there is nothing to accept: this onion showed no key at all. If the person says "
		    "that this is right, `smtorp peer forget`");
	if (label.len > 0 && !address_label_fits(label, pin.shown))
		return error_set(err, ERROR_DENIED, "this is not the key that the onion shows now: it shows %s. Accept nothing but what "
		    "the person has told you", pin.shown);
	struct statement *s = with_onion(p, ACCEPT, onion);
	statement_bind_int(s, 2, PIN_ACCEPTED);
	statement_bind_int(s, 3, (int64_t)label.len);
	statement_bind_int(s, 4, now_s);
	return in_transaction(p, with_onion(p, KEEP_BEFORE, onion), s, err);
}

int
pins_forget(struct pins *p, const char *onion, struct error *err)
{
	struct pin pin = { 0 };
	if (find_or_say(p, onion, &pin, err) != 0)
		return -1;
	return in_transaction(p, with_onion(p, FORGET, onion), with_onion(p, FORGET_BEFORE, onion), err);
}

int
pins_tell(struct pins *p, uint64_t id, bool *is_first, struct error *err)
{
	statement_bind_int(p->statements[TELL], 1, (int64_t)id);
	if (statement_run(p->statements[TELL], err) != 0)
		return -1;
	*is_first = database_changes(p->db) > 0;
	return 0;
}
