/* SPDX-License-Identifier: ISC
 *
 * The proof of who we are, on port 465 after a full handshake (doc/spec/proof.md, section 6). It costs no round trip: the owner signs
 * on this machine, and AUTH goes in front of the first message. What was proved is in the server's later tickets, so the one that it gave before
 * is not worth keeping: who goes on with that would stay a stranger for as long as he has tickets.
 */
#include <stdio.h>
#include <string.h>

#include "smtpc/session_internal.h"

bool
session_proof_ask(struct smtpc_session *s)
{
	unsigned char exporter[TLS_EXPORTER_BYTES];
	if (s->events->on_prove == NULL || s->wants_quit || stream_is_resumed(s->stream) ||
	    stream_exporter(s->stream, SMTPC_PROOF_LABEL, exporter, NULL) != 0)
		return false;
	buffer_init(&s->held, TLS_SESSION_MAX_BYTES);
	s->tickets = TICKETS_HELD;
	s->state = WAITS_FOR_PROOF;
	s->has_asked_owner = true;
	s->events->on_prove(s->context, exporter);
	explicit_bzero(exporter, sizeof exporter);
	return true;
}

void
session_proof_skip(struct smtpc_session *s)
{
	if (s->events->on_prove != NULL && !stream_is_resumed(s->stream))
		s->tickets = TICKETS_DROPPED;
}

void
smtpc_session_prove(struct smtpc_session *s, const char *proof)
{
	if (s->state != WAITS_FOR_PROOF || !s->has_asked_owner)
		return;
	s->has_asked_owner = false;
	if (proof != NULL && strlen(proof) <= SMTPC_PROOF_MAX)
		snprintf(s->proof, sizeof s->proof, "%s", proof);
	else
		s->tickets = TICKETS_DROPPED;
	timer_start(s->soon, 0);
}

void
session_proof_wipe(struct smtpc_session *s)
{
	if (s->held.data != NULL)
		explicit_bzero(s->held.data, s->held.capacity);
	buffer_finish(&s->held);
}

void
session_proof_answered(struct smtpc_session *s)
{
	s->auth_due = false;
	s->tickets = TICKETS_TOLD;
	if (buffer_len(&s->held) > 0 && s->events->on_ticket != NULL)
		s->events->on_ticket(s->context, slice_of(buffer_bytes(&s->held), buffer_len(&s->held)));
	session_proof_wipe(s);
}

void
session_proof_on_ticket(struct smtpc_session *s, struct slice ticket)
{
	if (s->tickets == TICKETS_TOLD) {
		s->events->on_ticket(s->context, ticket);
	} else if (s->tickets == TICKETS_HELD) {
		session_proof_wipe(s);
		buffer_append(&s->held, ticket.data, ticket.len, NULL); /* without memory, without it */
	}
}
