/* SPDX-License-Identifier: ISC */
#include "cli/doctor_envelope.h"

#include <stdio.h>

#include "base/clock.h"

#define TRIES 2
#define SERVICE_CLOSING 421

void
envelope_init(struct envelope *e, struct doctor *d, uint16_t port)
{
	*e = (struct envelope){ .d = d, .port = port };
}

static void
drop(struct envelope *e)
{
	talk_free(e->talk);
	e->talk = NULL;
	e->has_mail = false;
}

void
envelope_finish(struct envelope *e)
{
	struct reply reply;
	if (e->talk != NULL && talk_ask(e->talk, &reply, NULL, "RSET") == 0)
		talk_ask(e->talk, &reply, NULL, "QUIT");
	drop(e);
}

/* Sees to it that a transaction from `from` is open. 1: it is; 0: MAIL was refused; -1: the conversation broke. */
static int
begin(struct envelope *e, const char *from, struct reply *reply, struct error *err)
{
	if (e->talk == NULL && doctor_begin(e->d, e->port, &e->talk, NULL, err) != 0)
		return -1;
	if (e->has_mail && strcmp(e->from, from) == 0)
		return 1;
	if (e->has_mail && talk_ask(e->talk, reply, err, "RSET") != 0)
		return -1;
	e->has_mail = false;
	if (talk_ask(e->talk, reply, err, "MAIL FROM:<%s>", from) != 0)
		return -1;
	e->has_mail = reply->code == 250;
	snprintf(e->from, sizeof e->from, "%s", from);
	return e->has_mail;
}

/* 0: answered. */
static int
ask_once(struct envelope *e, const char *from, const char *to, struct reply *reply, int64_t *took_ms, struct error *err)
{
	int begun = begin(e, from, reply, err);
	if (begun <= 0)
		return begun;
	int64_t start_ms = clock_monotonic_ms();
	if (talk_ask(e->talk, reply, err, "RCPT TO:<%s>", to) != 0)
		return -1;
	if (took_ms != NULL)
		*took_ms = clock_monotonic_ms() - start_ms;
	return 0;
}

int
envelope_ask(struct envelope *e, const char *from, const char *to, struct reply *reply, int64_t *took_ms, struct error *err)
{
	for (unsigned tries = 0; tries < TRIES; tries++) {
		if (ask_once(e, from, to, reply, took_ms, err) == 0) {
			if (reply->code != SERVICE_CLOSING)
				return 0;
			error_set(err, ERROR_BUSY, "it hangs up: %u %.200s", reply->code, reply->text);
		}
		drop(e);
	}
	return -1;
}
