/* SPDX-License-Identifier: ISC
 *
 * The first message to somebody whose key is not known: the peer is asked for its card, the owner makes the message ready for them, and then it goes, in the same
 * session: one round trip more, once. What the peer answered is kept while the session lasts, for all that waits.
 */
#include "queue/dispatch_internal.h"

#define READYING_MS (5 * 60 * 1000) /* roles that hang */

static void
hand_to_owner(struct outbound *s)
{
	s->state = OUTBOUND_READYING;
	timer_start(s->timer, READYING_MS);
	s->dispatch->events->on_waits(s->dispatch->context, s->onion, &s->item, slice_of(buffer_bytes(&s->card), buffer_len(&s->card)), s->card_is_later);
}

void
outbound_make_ready(struct outbound *s, struct queue_item *item)
{
	struct ipc_message m = { .type = IPC_TYPE_FETCH_CARD, .fd = -1, .fetch_card.session_id = s->id };
	s->item = *item;
	*item = (struct queue_item){ 0 };
	if (s->port != PEERS_PORT_SMTORP || s->has_asked) {
		hand_to_owner(s);
		return;
	}
	s->state = OUTBOUND_FETCHING;
	timer_start(s->timer, READYING_MS);
	s->dispatch->events->send_smtp(s->dispatch->context, &m); /* if it is gone, so is the session soon */
}

void
outbound_on_card(struct outbound *s, const struct ipc_card_fetched *c)
{
	if (s->state != OUTBOUND_FETCHING)
		return;
	buffer_init(&s->card, IPC_CARD_MAX);
	s->card_is_later = c->is_later != 0 || buffer_append(&s->card, c->card.data, c->card.len, NULL) != 0;
	s->has_asked = true;
	hand_to_owner(s);
}

void
outbound_forget_card(struct outbound *s)
{
	buffer_finish(&s->card);
	s->has_asked = s->card_is_later = false;
}

void
outbound_on_readied(struct outbound *s, enum dispatch_readied readied, const char *text)
{
	const bool is_later = readied == DISPATCH_NOT_NOW;
	const struct pack_result result = { is_later ? 451 : 550, slice_of_string(is_later ? "4.7.10" : "5.7.10"), slice_of_string(text) };
	if (is_later && text[0] == '\0')
		outbound_defer(s);
	else if (readied != DISPATCH_READY)
		outbound_refuse_item(s, &s->item, &result);
	queue_item_finish(&s->item);
	outbound_go_on(s);
}
