/* SPDX-License-Identifier: ISC */
#include "smtpc/session_internal.h"

/* How many minutes we wait: RFC 5321 section 4.5.3.2, shorter where only tor could take long, since a circuit that has
 * died says nothing. */
#define HANDSHAKE_MINUTES 2
#define GREETING_MINUTES 3
#define HELLO_MINUTES 3
#define MAIL_MINUTES 1 /* costs a server nothing; where it stays out, a session that was kept warm has died unnoticed */
#define COMMAND_MINUTES 5
#define BODY_PIECE_MINUTES 3
#define BODY_END_MINUTES 10
/* However busy it looks, a transaction has an end: a peer that takes a byte now and then would keep its place for ever. */
#define TRANSACTION_MINUTES 20
#define SLOWEST_BYTES_A_MINUTE (512 * 1024)

static int64_t minute_ms = 60000;

static int64_t
minutes_for(enum delivery_step step)
{
	switch (step) {
	case DELIVERY_RSET:
	case DELIVERY_MAIL:
		return MAIL_MINUTES;
	case DELIVERY_BODY:
		return BODY_END_MINUTES;
	default:
		return COMMAND_MINUTES;
	}
}

void
session_wait_on(struct smtpc_session *s)
{
	int64_t ms = 0;
	switch (s->state) {
	case WAITS_FOR_GREETING:
		ms = GREETING_MINUTES * minute_ms;
		break;
	case WAITS_FOR_EHLO:
	case WAITS_FOR_HELO:
	case WAITS_FOR_STARTTLS:
		ms = HELLO_MINUTES * minute_ms;
		break;
	case WAITS_FOR_TLS:
	case WAITS_FOR_PROOF:
	case EARLY_TLS:
		ms = HANDSHAKE_MINUTES * minute_ms;
		break;
	case EARLY:
		break; /* nothing was asked of the peer */
	case READY:
		if (s->delivery == NULL)
			break; /* how long an idle session is kept is the owner's business */
		if (delivery_sends_body(s->delivery))
			ms = BODY_PIECE_MINUTES * minute_ms;
		else
			ms = minutes_for(delivery_awaits(s->delivery)) * minute_ms;
		break;
	case QUITTING:
		ms = SESSION_QUIT_MS;
		break;
	case ENDED:
		break;
	}
	if (ms == 0 || !s->is_connected)
		timer_stop(s->timeout);
	else
		timer_start(s->timeout, ms);
}

int64_t
session_transaction_ms(size_t body_bytes)
{
	return (TRANSACTION_MINUTES + (int64_t)(body_bytes / SLOWEST_BYTES_A_MINUTE)) * minute_ms;
}

void
smtpc_session_set_minute_ms(int64_t ms)
{
	minute_ms = ms;
}
