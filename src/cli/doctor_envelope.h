/* SPDX-License-Identifier: ISC
 *
 * Many recipients, asked one after the other with no message behind them: a server that hangs up on the asker is asked again.
 */
#pragma once

#include "cli/doctor.h"

struct envelope {
	struct doctor *d;
	uint16_t port;
	struct talk *talk;       /* NULL: none yet */
	char from[512];          /* the transaction's reverse-path, with MAIL accepted */
	bool has_mail;
};

void envelope_init(struct envelope *e, struct doctor *d, uint16_t port);
void envelope_finish(struct envelope *e); /* RSET and QUIT: nothing was sent */

/* Asks for one recipient, in a transaction from `from`. Both are what stands between the <>. The reply is RCPT's, or
 * MAIL's when it was refused. took_ms may be NULL: how long the reply to RCPT took. */
int envelope_ask(struct envelope *e, const char *from, const char *to, struct reply *reply, int64_t *took_ms, struct error *err);
