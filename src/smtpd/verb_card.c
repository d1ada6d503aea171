/* SPDX-License-Identifier: ISC
 *
 * CARD (doc/spec/transport.md, section 4): the onion's card, for whoever asks on smtorp/1. It is asked of the owner, once a session; all of them get
 * the same octets, so that nothing can be found out here.
 */
#include "smtpd/session.h"

void
verb_card(struct session *s, struct slice argument)
{
	const struct smtpd_events *events = s->server->events;
	if (session_config(s)->kind != SMTPD_SMTORP || stream_alpn(s->stream) == NULL || events->on_card == NULL)
		session_refuse(s, ANSWER_UNKNOWN_COMMAND);
	else if (argument.len > 0)
		session_refuse(s, ANSWER_NO_ARGUMENT);
	else if (!s->has_hello)
		session_refuse(s, ANSWER_SAY_HELLO);
	else if (s->has_had_card)
		session_refuse(s, ANSWER_CARD_AGAIN);
	else {
		s->has_had_card = true;
		session_ask_owner(s);
		const void *depends_on = events->on_card(s->server->context, s->transaction_id);
		if (s->mode == SESSION_WAITING)
			s->depends_on = depends_on;
	}
}

/* Each line of the card is one of the reply. */
bool
verb_card_write(struct buffer *out, struct slice card)
{
	if (card.len < 2 || card.len > SMTPD_CARD_BYTES || memcmp(card.data + card.len - 2, "\r\n", 2) != 0)
		return false;
	while (card.len > 0) {
		const unsigned char *end = memchr(card.data, '\n', card.len);
		size_t len = (size_t)(end - card.data) + 1;
		if (buffer_append_string(out, len == card.len ? "250 " : "250-", NULL) != 0 || buffer_append(out, card.data, len, NULL) != 0)
			return false;
		card = slice_of(card.data + len, card.len - len);
	}
	return true;
}
