/* SPDX-License-Identifier: ISC
 *
 * The onion's card, on port 465 (doc/spec/cards.md): CARD goes out behind EHLO and the proof, if they have not gone before, and its reply comes back
 * behind theirs. What is in it is for others to read; here it is lines of a reply, which are bounded.
 */
#include "smtpc/session_internal.h"

int
smtpc_session_fetch_card(struct smtpc_session *s, struct error *err)
{
	if (s->state == QUITTING || s->state == ENDED || s->wants_quit)
		return error_set(err, ERROR_CLOSED, "the session is closed");
	if (s->state != READY || s->delivery != NULL || s->card_due)
		return error_set(err, ERROR_BUSY, "the session is not ready for a question");
	if (s->peer.mode != SMTPC_SMTORP)
		return error_set(err, ERROR_UNSUPPORTED, "only smtorp/1 has cards");
	session_open(s);
	s->card_due = true;
	s->card_is_bad = false;
	buffer_init(&s->card, SMTPC_CARD_MAX_BYTES);
	stream_write(s->stream, "CARD\r\n", 6, NULL); /* a failure is a closed connection */
	session_wait_on(s);
	return 0;
}

void
session_card_take_line(struct smtpc_session *s)
{
	struct slice line = reply_line(&s->reply);
	if (buffer_append(&s->card, line.data, line.len, NULL) != 0 || buffer_append(&s->card, "\r\n", 2, NULL) != 0)
		s->card_is_bad = true; /* it is larger than any card */
}

void
session_card_answered(struct smtpc_session *s, const struct reply *reply)
{
	struct buffer card = s->card;
	bool is_one = reply->code == 250 && !s->card_is_bad;
	bool is_later = reply->code / 100 == 4 || reply->code == 503; /* 503: this session has had its one */
	s->card_due = false;
	buffer_init(&s->card, SMTPC_CARD_MAX_BYTES);
	if (s->events->on_card != NULL)
		s->events->on_card(s->context, is_one ? slice_of(buffer_bytes(&card), buffer_len(&card)) : slice_of("", 0), is_later);
	buffer_finish(&card);
}
