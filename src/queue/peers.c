/* SPDX-License-Identifier: ISC */
#include "queue/peers.h"

#include <stdlib.h>

#define NEW_MAIL_PAUSE_MS (60 * 1000)
#define PORT_KNOWN_MS ((int64_t)24 * 3600 * 1000)
#define CARDLESS_MS ((int64_t)24 * 3600 * 1000)

enum { WAKE, NEXT, LOOK, FAILED, REACHED, FORGET, SETTLE, HURRY, HURRY_ALL, HURRY_NETWORK, HURRY_PROVED, NOTE_CARDLESS, IS_CARDLESS, STATEMENTS };

static const char *const sql[STATEMENTS] = {
	[WAKE] = "INSERT INTO peers VALUES (?1, ?2, 0, 0, 0, 0, 0, 0, 0, '', 0) ON CONFLICT (onion) DO UPDATE SET"
	         " due_ms = min(ifnull(due_ms, 9223372036854775807), max(?2, min(not_before_ms, tried_ms + ?3)))",
	[NEXT] = "SELECT onion, due_ms, port, port_ms, tries FROM peers WHERE due_ms IS NOT NULL ORDER BY due_ms",
	[LOOK] = "SELECT tries, failures, port, not_before_ms, port_ms FROM peers WHERE onion = ?1",
	[FAILED] = "UPDATE peers SET tries = tries + 1, failures = failures + 1, tried_ms = ?2, not_before_ms = ?3,"
	           " reason = ?4, reply = ?5 WHERE onion = ?1",
	[REACHED] = "UPDATE peers SET tries = 0, not_before_ms = 0, tried_ms = 0, port = ?2, port_ms = ?3 WHERE onion = ?1",
	[FORGET] = "UPDATE peers SET port = 0 WHERE onion = ?1",
	[SETTLE] = "UPDATE peers SET due_ms = (SELECT max(min(items.due_ms), peers.not_before_ms) FROM items"
	           " WHERE items.onion = ?1 AND items.due_ms IS NOT NULL) WHERE onion = ?1",
	[HURRY] = "UPDATE peers SET not_before_ms = 0, due_ms = min(due_ms, ?2) WHERE onion = ?1",
	[HURRY_ALL] = "UPDATE peers SET not_before_ms = 0, due_ms = min(due_ms, ?1)",
	[NOTE_CARDLESS] = "UPDATE peers SET cardless_ms = ?2 WHERE onion = ?1",
	[IS_CARDLESS] = "SELECT 1 FROM peers WHERE onion = ?1 AND cardless_ms > ?2",
	/* What a peer itself has put off stays so: it is due when the first of its items is. */
	[HURRY_NETWORK] = "UPDATE peers SET not_before_ms = 0, due_ms = (SELECT min(items.due_ms) FROM items WHERE items.onion = peers.onion"
	                  " AND items.due_ms IS NOT NULL) WHERE not_before_ms > ?1 AND reason IN (?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	/* ?1: when it is to be; ?10: how long after the last try it is soonest. */
	[HURRY_PROVED] = "UPDATE peers SET not_before_ms = max(?1, tried_ms + ?10), due_ms = (SELECT max(min(items.due_ms), ?1, peers.tried_ms + ?10) FROM items"
	                 " WHERE items.onion = peers.onion AND items.due_ms IS NOT NULL) WHERE onion = ?9 AND not_before_ms > max(?1, tried_ms + ?10)"
	                 " AND reason IN (?2, ?3, ?4, ?5, ?6, ?7, ?8)",
};

struct peers {
	const struct schedule *schedule;
	struct statement *statements[STATEMENTS];
};

int
peers_open(struct database *db, const struct schedule *schedule, struct peers **out, struct error *err)
{
	struct peers *p = calloc(1, sizeof *p);
	if (p == NULL)
		return error_set(err, ERROR_NO_MEMORY, "out of memory");
	p->schedule = schedule;
	for (size_t i = 0; i < STATEMENTS; i++)
		if (statement_new(db, sql[i], &p->statements[i], err) != 0) {
			peers_free(p);
			return -1;
		}
	*out = p;
	return 0;
}

void
peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		statement_free(p->statements[i]);
	free(p);
}

int
peers_wake(struct peers *p, struct slice onion, int64_t now_ms, struct error *err)
{
	struct statement *s = p->statements[WAKE];
	statement_bind_text(s, 1, onion);
	statement_bind_int(s, 2, now_ms);
	statement_bind_int(s, 3, NEW_MAIL_PAUSE_MS);
	return statement_run(s, err);
}

/* false: what stands there is no peer. */
static bool
take_peer(const struct statement *s, int64_t now_ms, struct peer *out)
{
	struct slice onion = statement_bytes(s, 0);
	if (onion.len > IPC_ONION_MAX)
		return false;
	memcpy(out->onion, onion.data, onion.len);
	out->onion[onion.len] = '\0';
	out->due_ms = statement_int(s, 1);
	bool is_smtp = statement_int(s, 2) == PEERS_PORT_SMTP && now_ms - statement_int(s, 3) < PORT_KNOWN_MS;
	out->port = is_smtp ? PEERS_PORT_SMTP : PEERS_PORT_SMTORP;
	out->is_doubtful = statement_int(s, 4) > 0;
	return true;
}

int
peers_next(struct peers *p, int64_t now_ms, peers_is_out *is_out, void *context, struct peer *out, struct error *err)
{
	struct statement *s = p->statements[NEXT];
	int row;
	do
		row = statement_step(s, err);
	while (row == 1 && (!take_peer(s, now_ms, out) || is_out(context, out)));
	if (row >= 0)
		statement_reset(s);
	return row;
}

/* 1: the row of onion is under the statement, which the caller resets. */
static int
look(struct peers *p, struct slice onion, struct error *err)
{
	statement_bind_text(p->statements[LOOK], 1, onion);
	return statement_step(p->statements[LOOK], err);
}

int
peers_failures(struct peers *p, struct slice onion, uint64_t *failures, struct error *err)
{
	int row = look(p, onion, err);
	if (row < 0)
		return -1;
	*failures = row == 1 ? (uint64_t)statement_int(p->statements[LOOK], 1) : 0;
	statement_reset(p->statements[LOOK]);
	return 0;
}

int
peers_failed(struct peers *p, const char *onion, enum ipc_wait_reason reason, struct slice reply, int64_t now_ms,
    uint64_t random, struct error *err)
{
	struct statement *s = p->statements[FAILED];
	int row = look(p, slice_of_string(onion), err);
	if (row < 0)
		return -1;
	uint64_t tries = row == 1 ? (uint64_t)statement_int(p->statements[LOOK], 0) : 0;
	statement_reset(p->statements[LOOK]);
	statement_bind_string(s, 1, onion);
	statement_bind_int(s, 2, now_ms);
	statement_bind_int(s, 3, now_ms + schedule_delay_ms(p->schedule, tries + 1, random));
	statement_bind_int(s, 4, reason);
	statement_bind_text(s, 5, reply);
	if (statement_run(s, err) != 0)
		return -1;
	return peers_settle(p, slice_of_string(onion), err);
}

int
peers_reached(struct peers *p, const char *onion, uint16_t port, int64_t now_ms, struct error *err)
{
	struct statement *s = p->statements[LOOK];
	int row = look(p, slice_of_string(onion), err);
	if (row < 0)
		return -1;
	bool known = row == 1 && statement_int(s, 0) == 0 && statement_int(s, 2) == port && statement_int(s, 3) == 0 &&
	    (port != PEERS_PORT_SMTP || now_ms - statement_int(s, 4) < PORT_KNOWN_MS);
	statement_reset(s);
	if (known || row == 0)
		return 0;
	s = p->statements[REACHED];
	statement_bind_string(s, 1, onion);
	statement_bind_int(s, 2, port);
	statement_bind_int(s, 3, now_ms);
	return statement_run(s, err);
}

int
peers_forget_port(struct peers *p, const char *onion, struct error *err)
{
	statement_bind_string(p->statements[FORGET], 1, onion);
	return statement_run(p->statements[FORGET], err);
}

int
peers_settle(struct peers *p, struct slice onion, struct error *err)
{
	statement_bind_text(p->statements[SETTLE], 1, onion);
	return statement_run(p->statements[SETTLE], err);
}

int
peers_hurry(struct peers *p, const char *onion, int64_t now_ms, struct error *err)
{
	struct statement *s = p->statements[onion != NULL ? HURRY : HURRY_ALL];
	statement_bind_int(s, onion != NULL ? 2 : 1, now_ms);
	if (onion != NULL)
		statement_bind_string(s, 1, onion);
	return statement_run(s, err);
}

/* Binds when, and what counts as not reached for reasons that may be over. */
static struct statement *
unreached(struct peers *p, int which, int64_t ms)
{
	static const enum ipc_wait_reason reasons[] = { WAIT_REASON_TOR_DOWN, WAIT_REASON_NO_DESCRIPTOR, WAIT_REASON_OFFLINE,
		WAIT_REASON_RENDEZVOUS, WAIT_REASON_TIMEOUT, WAIT_REASON_LOST, WAIT_REASON_OTHER };
	struct statement *s = p->statements[which];
	statement_bind_int(s, 1, ms);
	for (int i = 0; i < 7; i++)
		statement_bind_int(s, 2 + i, reasons[i]);
	return s;
}

int
peers_hurry_network(struct peers *p, int64_t now_ms, struct error *err)
{
	return statement_run(unreached(p, HURRY_NETWORK, now_ms), err);
}

int
peers_hurry_proved(struct peers *p, const char *onion, int64_t at_ms, struct error *err)
{
	struct statement *s = unreached(p, HURRY_PROVED, at_ms);
	statement_bind_string(s, 9, onion);
	statement_bind_int(s, 10, PEERS_PROVED_SPACING_MS);
	return statement_run(s, err);
}

int
peers_note_cardless(struct peers *p, const char *onion, int64_t now_ms, struct error *err)
{
	struct statement *s = p->statements[NOTE_CARDLESS];
	statement_bind_string(s, 1, onion);
	statement_bind_int(s, 2, now_ms > 0 ? now_ms : 1);
	return statement_run(s, err);
}

int
peers_is_cardless(struct peers *p, const char *onion, int64_t now_ms, bool *is_cardless, struct error *err)
{
	struct statement *s = p->statements[IS_CARDLESS];
	statement_bind_string(s, 1, onion);
	statement_bind_int(s, 2, now_ms > CARDLESS_MS ? now_ms - CARDLESS_MS : 0);
	int row = statement_step(s, err);
	if (row >= 0)
		statement_reset(s);
	*is_cardless = row == 1;
	return row < 0 ? -1 : 0;
}
