/* SPDX-License-Identifier: ISC */
#include "tor/dialer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/secret.h"
#include "tor/control_reply.h"
#include "tor/destination.h"
#include "tor/dial.h"

#define SECRET_BYTES 32
#define ISOLATION_BYTES 32

enum state { STATE_QUEUED, STATE_UNDER_WAY, STATE_REFUSED };

struct dialing {
	struct dialing *next;
	struct caller *caller;
	uint64_t session_id;
	enum state state;
	char host[DESTINATION_HOST_BYTES];
	uint16_t port;
	int64_t queued_ms, started_ms, deadline_ms;
	bool tried_again, is_slow, wants_socks, asked_flight;
	uint32_t attempt;               /* how often it was begun */
	unsigned renewed;               /* how often it was made anew on circuits of its own */
	int64_t renew_ms;               /* when it is to be; 0: not */
	struct dial *dial;              /* STATE_UNDER_WAY */
	enum ipc_dial_reason reason;    /* STATE_REFUSED: by us, before tor was asked */
	char *text;
};

/* An identity with its dials, in the order of their asking. Forgotten when it has none. */
struct caller {
	struct caller *next;
	struct dialer *dialer;
	char identity[IPC_NAME_MAX + 1];
	struct dialing *first, **last;
	unsigned count, under_way;
};

struct dialer {
	struct loop *loop;
	struct dialer_limits limits;
	const struct dialer_events *events;
	void *context;
	struct timer *work_timer;        /* starts what can be started; ends what has waited too long */
	struct caller *first, **last;    /* whoever got a turn goes to the end */
	unsigned under_way, refused;
	bool ready, streams_told;
	int64_t not_ready_since_ms;
	unsigned char *secret; /* SECRET_BYTES, locked */
};

static void on_work(void *context);

struct dialer *
dialer_new(struct loop *loop, struct dialer_limits limits, const struct dialer_events *events, void *context)
{
	struct dialer *d = calloc(1, sizeof *d);
	assert(d != NULL);
	*d = (struct dialer){ .loop = loop, .limits = limits, .events = events, .context = context };
	d->last = &d->first;
	d->not_ready_since_ms = clock_monotonic_ms();
	d->work_timer = timer_new(loop, on_work, d);
	d->secret = secret_new(SECRET_BYTES);
	random_bytes(d->secret, SECRET_BYTES);
	return d;
}

static struct caller *
find_caller(struct dialer *d, const char *identity)
{
	for (struct caller *c = d->first; c != NULL; c = c->next)
		if (strcmp(c->identity, identity) == 0)
			return c;
	return NULL;
}

static void
append_caller(struct dialer *d, struct caller *c)
{
	c->next = NULL;
	*d->last = c;
	d->last = &c->next;
}

static void
unlink_caller(struct dialer *d, struct caller *c)
{
	struct caller **at = &d->first;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (d->last == &c->next)
		d->last = at;
}

static struct caller *
find_or_add_caller(struct dialer *d, const char *identity)
{
	struct caller *c = find_caller(d, identity);
	if (c != NULL)
		return c;
	c = calloc(1, sizeof *c);
	assert(c != NULL);
	c->dialer = d;
	snprintf(c->identity, sizeof c->identity, "%s", identity);
	c->last = &c->first;
	append_caller(d, c);
	return c;
}

static struct dialing *
find(struct caller *c, uint64_t session_id)
{
	for (struct dialing *x = c->first; x != NULL; x = x->next)
		if (x->session_id == session_id)
			return x;
	return NULL;
}

static void
leave_under_way(struct dialing *x)
{
	if (x->state != STATE_UNDER_WAY)
		return;
	dial_free(x->dial);
	x->dial = NULL;
	x->wants_socks = false;
	x->caller->under_way--;
	x->caller->dialer->under_way--;
	x->state = STATE_QUEUED;
}

/* Frees a dial, and its caller with the last one. */
static void
release(struct dialing *x)
{
	struct caller *c = x->caller;
	struct dialing **at = &c->first;
	leave_under_way(x);
	if (x->state == STATE_REFUSED)
		c->dialer->refused--;
	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	if (c->last == &x->next)
		c->last = at;
#ifndef __clang_analyzer__ /* it does not see that no list leads there any more */
	free(x->text);
	free(x);
	if (--c->count == 0) {
		unlink_caller(c->dialer, c);
		free(c);
	}
#endif
}

/* Frees x before the callback, which may do anything. */
static void
fail(struct dialing *x, enum ipc_dial_reason reason, const char *text)
{
	struct dialer *d = x->caller->dialer;
	char identity[IPC_NAME_MAX + 1], copy[IPC_TEXT_MAX + 1];
	uint64_t session_id = x->session_id;
	strcpy(identity, x->caller->identity);
	snprintf(copy, sizeof copy, "%s", text);
	release(x);
	timer_start(d->work_timer, 0);
	d->events->on_failed(d->context, identity, session_id, reason, copy);
}

static enum ipc_dial_reason
reason_of(enum socks_result result)
{
	switch (result) {
	case SOCKS_NO_DESCRIPTOR:
		return DIAL_REASON_NO_DESCRIPTOR;
	case SOCKS_INTRODUCTION_FAILED:
		return DIAL_REASON_OFFLINE;
	case SOCKS_RENDEZVOUS_FAILED:
	case SOCKS_INTRODUCTION_TIMED_OUT:
		return DIAL_REASON_RENDEZVOUS;
	case SOCKS_AUTHORIZATION_MISSING:
	case SOCKS_AUTHORIZATION_WRONG:
		return DIAL_REASON_AUTHORIZATION;
	case SOCKS_BAD_ADDRESS:
		return DIAL_REASON_BAD_ADDRESS;
	case SOCKS_REFUSED:
		return DIAL_REASON_PORT_REFUSED;
	case SOCKS_TIMED_OUT:
		return DIAL_REASON_TIMEOUT;
	default:
		return DIAL_REASON_OTHER;
	}
}

static void start(struct dialing *x);

static void
ask_for_flight(struct dialing *x)
{
	struct dialer *d = x->caller->dialer;
	if (x->port != DESTINATION_PORT_TLS || x->asked_flight)
		return;
	x->asked_flight = true;
	d->events->on_flight_wanted(d->context, x->caller->identity, x->session_id, x->attempt);
}

static void
on_wanted(void *context)
{
	struct dialing *x = context;
	struct dialer *d = x->caller->dialer;
	x->wants_socks = true;
	if (!d->streams_told)
		ask_for_flight(x);
	d->events->on_socks_wanted(d->context); /* last: x may be over when it returns */
}

static void
on_connected(void *context, int fd, size_t flight_sent_bytes)
{
	struct dialing *x = context;
	struct dialer *d = x->caller->dialer;
	char identity[IPC_NAME_MAX + 1];
	const struct dialer_connection connection = { identity, x->session_id, x->attempt, fd, flight_sent_bytes };
	strcpy(identity, x->caller->identity);
	release(x);
	timer_start(d->work_timer, 0);
	d->events->on_connected(d->context, &connection);
}

static void
on_refused(void *context, enum socks_result result)
{
	struct dialing *x = context;
	if (result == SOCKS_NO_DESCRIPTOR && !x->tried_again) {
		x->tried_again = true;
		leave_under_way(x);
		start(x);
		return;
	}
	fail(x, reason_of(result), socks_result_text(result));
}

static void
on_broken(void *context, const struct error *err)
{
	enum ipc_dial_reason reason = err->code == ERROR_TIMEOUT ? DIAL_REASON_TIMEOUT :
	    err->code == ERROR_UNREACHABLE ? DIAL_REASON_TOR_DOWN : DIAL_REASON_OTHER;
	fail(context, reason, err->text);
}

/* The same for the same identity and destination, and telling nothing about either. A dial that is renewed is isolated
 * from its first try too, or tor would let it wait at the same circuit. */
static void
make_isolation(const struct dialing *x, char out[ENCODE_HEX_LEN(ISOLATION_BYTES) + 1])
{
	const struct caller *c = x->caller;
	unsigned char digest[ISOLATION_BYTES];
	struct hash hash;
	hash_init(&hash, sizeof digest, c->dialer->secret, SECRET_BYTES);
	hash_update(&hash, c->identity, strlen(c->identity) + 1);
	hash_update(&hash, x->host, strlen(x->host) + 1);
	hash_update(&hash, &x->renewed, sizeof x->renewed);
	hash_final(&hash, digest, sizeof digest);
	encode_hex(out, digest, sizeof digest);
}

static void
start(struct dialing *x)
{
	static const struct dial_events events = { on_wanted, on_connected, on_refused, on_broken };
	struct dialer *d = x->caller->dialer;
	char isolation[ENCODE_HEX_LEN(ISOLATION_BYTES) + 1];
	make_isolation(x, isolation);
	x->state = STATE_UNDER_WAY;
	x->attempt++;
	x->asked_flight = false;
	x->caller->under_way++;
	d->under_way++;
	x->dial = dial_new(d->loop, slice_of_string(isolation), slice_of_string(x->host), x->port, x->deadline_ms, &events, x);
	explicit_bzero(isolation, sizeof isolation);
}

/* Connections to the SOCKS port are all the same until they are used: whoever waits gets the next. */
void
dialer_take_socks(struct dialer *d, int fd, int errnum)
{
	for (struct caller *c = d->first; c != NULL; c = c->next)
		for (struct dialing *x = c->first; x != NULL; x = x->next)
			if (x->wants_socks) {
				x->wants_socks = false;
				dial_take(x->dial, fd, errnum);
				return;
			}
	file_close(&fd);
}

static struct dialing *
first_in_state(struct caller *c, enum state state)
{
	for (struct dialing *x = c->first; x != NULL; x = x->next)
		if (x->state == state)
			return x;
	return NULL;
}

/* Starts one dial of the first identity that may have one more, which then goes to the end of the row. */
static bool
start_one(struct dialer *d)
{
	if (!d->ready || d->under_way >= d->limits.under_way_max)
		return false;
	for (struct caller *c = d->first; c != NULL; c = c->next) {
		struct dialing *x = c->under_way < d->limits.identity_max ? first_in_state(c, STATE_QUEUED) : NULL;
		if (x == NULL)
			continue;
		unlink_caller(d, c);
		append_caller(d, c);
		x->started_ms = clock_monotonic_ms();
		x->deadline_ms = x->started_ms + d->limits.deadline_ms;
		start(x);
		return true;
	}
	return false;
}

/* Tells about one that was refused before tor was asked. */
static bool
fail_one_refused(struct dialer *d)
{
	if (d->refused == 0)
		return false;
	for (struct caller *c = d->first; c != NULL; c = c->next) {
		struct dialing *x = first_in_state(c, STATE_REFUSED);
		if (x != NULL) {
			fail(x, x->reason, x->text);
			return true;
		}
	}
	return false;
}

/* Gives up one that has waited for tor too long; with *next_ms, when the next one will have. */
static bool
fail_one_waiting(struct dialer *d, int64_t now_ms, int64_t *next_ms)
{
	if (d->ready)
		return false;
	for (struct caller *c = d->first; c != NULL; c = c->next) {
		struct dialing *x = first_in_state(c, STATE_QUEUED);
		if (x == NULL)
			continue;
		int64_t since_ms = x->queued_ms > d->not_ready_since_ms ? x->queued_ms : d->not_ready_since_ms;
		int64_t left_ms = since_ms + d->limits.tor_wait_ms - now_ms;
		if (left_ms <= 0) {
			fail(x, DIAL_REASON_TOR_DOWN, "tor has not reached its network yet; `smtorp status` tells how far it is");
			return true;
		}
		if (left_ms < *next_ms)
			*next_ms = left_ms;
	}
	return false;
}

/* Tells about one that has become slow; with *next_ms, when the next one will be. */
static bool
tell_one_slow(struct dialer *d, int64_t now_ms, int64_t *next_ms)
{
	for (struct caller *c = d->first; c != NULL; c = c->next)
		for (struct dialing *x = c->first; x != NULL; x = x->next) {
			if (x->state != STATE_UNDER_WAY || x->is_slow)
				continue;
			int64_t left_ms = x->started_ms + d->limits.slow_ms - now_ms;
			if (left_ms <= 0) {
				char host[DESTINATION_HOST_BYTES];
				memcpy(host, x->host, sizeof host);
				x->is_slow = true;
				timer_start(d->work_timer, 0);
				d->events->on_slow(d->context, slice_of(host, ONIONKEY_NAME_LEN));
				return true;
			}
			if (left_ms < *next_ms)
				*next_ms = left_ms;
		}
	return false;
}

/* Each identity at a moment of its own. */
static void
plan_renewals(struct dialer *d, struct slice onion)
{
	for (struct caller *c = d->first; c != NULL; c = c->next) {
		int64_t at_ms = clock_monotonic_ms() + (int64_t)random_below((uint64_t)d->limits.renew_spread_ms + 1);
		for (struct dialing *x = c->first; x != NULL; x = x->next)
			if (x->state == STATE_UNDER_WAY && x->is_slow && x->renewed == 0 && x->renew_ms == 0 &&
			    strncasecmp(x->host, (const char *)onion.data, onion.len) == 0)
				x->renew_ms = at_ms;
	}
	timer_start(d->work_timer, 0);
}

/* Makes those once more whose moment has come; with *next_ms, when the next one's does. */
static void
renew(struct dialer *d, int64_t now_ms, int64_t *next_ms)
{
	for (struct caller *c = d->first; c != NULL; c = c->next)
		for (struct dialing *x = c->first; x != NULL; x = x->next) {
			if (x->state != STATE_UNDER_WAY || x->renew_ms == 0)
				continue;
			if (x->renew_ms > now_ms) {
				*next_ms = x->renew_ms - now_ms < *next_ms ? x->renew_ms - now_ms : *next_ms;
				continue;
			}
			leave_under_way(x);
			x->renewed++;
			x->renew_ms = 0;
			x->deadline_ms = now_ms + d->limits.deadline_ms;
			start(x);
		}
}

/* A dial is known by its credentials; two sessions of one identity with one onion have the same, and then a flight is somewhat older than
 * it could be. One callback of ours at a time, since it may change everything: the others of the same come with their own events. */
static void
take_stream_event(struct dialer *d, struct slice words)
{
	char password[ENCODE_HEX_LEN(ISOLATION_BYTES) + 1], isolation[ENCODE_HEX_LEN(ISOLATION_BYTES) + 1];
	struct slice number, action;
	if (!control_reply_next_word(&words, &number) || !control_reply_next_word(&words, &action) ||
	    !slice_is(action, "SENTCONNECT") || !control_reply_keyword(words, "SOCKS_PASSWORD", password, sizeof password))
		return;
	struct dialing *found = NULL;
	for (struct caller *c = d->first; c != NULL && found == NULL; c = c->next)
		for (struct dialing *x = c->first; x != NULL && found == NULL; x = x->next) {
			if (x->state != STATE_UNDER_WAY || x->asked_flight || x->port != DESTINATION_PORT_TLS)
				continue;
			make_isolation(x, isolation);
			if (strcmp(isolation, password) == 0)
				found = x;
		}
	explicit_bzero(password, sizeof password);
	explicit_bzero(isolation, sizeof isolation);
	if (found != NULL)
		ask_for_flight(found);
}

void
dialer_take_event(struct dialer *d, struct slice words)
{
	static const char none[] = "REASON=QUERY_NO_HSDIR"; /* every directory was asked */
	struct slice word, action, onion;
	if (!control_reply_next_word(&words, &word))
		return;
	if (slice_is(word, "STREAM")) {
		take_stream_event(d, words);
		return;
	}
	if (!slice_is(word, "HS_DESC") ||
	    !control_reply_next_word(&words, &action) || !control_reply_next_word(&words, &onion) ||
	    onion.len != ONIONKEY_NAME_LEN)
		return;
	bool is_over = slice_is(action, "RECEIVED") ||
	    (slice_is(action, "FAILED") && memmem(words.data, words.len, none, sizeof none - 1) != NULL);
	if (is_over)
		plan_renewals(d, onion);
}

/* One callback of ours at a time, since each may change everything; the timer brings us back. */
static void
on_work(void *context)
{
	struct dialer *d = context;
	int64_t next_ms = INT64_MAX;
	int64_t now_ms = clock_monotonic_ms();
	if (fail_one_refused(d) || fail_one_waiting(d, now_ms, &next_ms))
		return;
	while (start_one(d))
		;
	renew(d, now_ms, &next_ms);
	if (tell_one_slow(d, now_ms, &next_ms))
		return;
	if (next_ms != INT64_MAX)
		timer_start(d->work_timer, next_ms);
}

void
dialer_set_ready(struct dialer *d, bool ready)
{
	if (d->ready == ready)
		return;
	d->ready = ready;
	d->not_ready_since_ms = clock_monotonic_ms();
	timer_start(d->work_timer, 0);
}

int
dialer_dial(struct dialer *d, const char *identity, uint64_t session_id, const char *onion, uint16_t port,
    struct error *too_many)
{
	struct caller *c = find_or_add_caller(d, identity);
	struct error err = { 0 };
	if (c->count >= 2 * d->limits.queue_max)
		return error_set(too_many, ERROR_BUSY, "more than %u dials", 2 * d->limits.queue_max);
	struct dialing *x = calloc(1, sizeof *x);
	assert(x != NULL);
	*x = (struct dialing){ .caller = c, .session_id = session_id, .port = port, .queued_ms = clock_monotonic_ms() };
	if (find(c, session_id) != NULL) {
		x->reason = DIAL_REASON_OTHER;
		error_set(&err, ERROR_INVALID, "this session is being dialled already");
	} else if (c->count >= d->limits.queue_max) {
		x->reason = DIAL_REASON_OTHER;
		error_set(&err, ERROR_BUSY, "too many connections are waiting to be made");
	} else if (destination_check(onion, port, x->host, &err) != 0) {
		x->reason = DIAL_REASON_BAD_ADDRESS;
	}
	if (err.code != ERROR_NONE) {
		x->state = STATE_REFUSED;
		x->text = strdup(err.text);
		assert(x->text != NULL);
		d->refused++;
	}
	*c->last = x;
	c->last = &x->next;
	c->count++;
	timer_start(d->work_timer, 0);
	return 0;
}

void
dialer_set_streams_told(struct dialer *d, bool told)
{
	d->streams_told = told;
}

void
dialer_take_flight(struct dialer *d, const char *identity, uint64_t session_id, uint32_t attempt, struct slice bytes)
{
	struct caller *c = find_caller(d, identity);
	struct dialing *x = c == NULL ? NULL : find(c, session_id);
	if (x != NULL && x->dial != NULL && x->attempt == attempt)
		dial_set_flight(x->dial, bytes);
}

void
dialer_cancel(struct dialer *d, const char *identity, uint64_t session_id)
{
	struct caller *c = find_caller(d, identity);
	struct dialing *x = c == NULL ? NULL : find(c, session_id);
	if (x == NULL)
		return;
	release(x);
	timer_start(d->work_timer, 0);
}

void
dialer_cancel_all(struct dialer *d, const char *identity)
{
	struct caller *c;
	while ((c = find_caller(d, identity)) != NULL)
		release(c->first); /* frees the caller with its last one */
	timer_start(d->work_timer, 0);
}

void
dialer_free(struct dialer *d)
{
	if (d == NULL)
		return;
	while (d->first != NULL)
		release(d->first->first);
	timer_free(d->work_timer);
	secret_free(d->secret);
	free(d);
}
