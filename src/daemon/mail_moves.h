/* SPDX-License-Identifier: ISC
 *
 * Notices (doc/spec/notices.md) as mail@ID has to do with them: those that come change the address book, and with it where the owner's mail goes; those of
 * the owner go to everybody in the book.
 */
#pragma once

#include "contacts/moves.h"
#include "daemon/mail_intake.h"
#include "daemon/mail_keys.h"

/* Takes a notice that came with a message. It was verified by whoever found it, and is once more. A bad one changes nothing: only a database that fails is an
 * error. onion: whose it is, of which the owner is perhaps to be told; "": it says nothing new. */
int mail_moves_take_notice(const struct mail_keys *book, struct slice text, char onion[ADDRESS_ONION_LEN + 1], struct error *err);

/* dispatch_events.is_closed(): an onion that is revoked. */
int mail_moves_is_closed(struct contacts *contacts, const char *onion, struct pack_result *why, struct error *err);

/* Where the mail to these recipients (packed) goes: appends each, or where its onion has moved. ERROR_DENIED: one is revoked, and err says it to the owner. */
int mail_moves_route(struct contacts *contacts, struct slice recipients, struct buffer *out, struct error *err);

struct mail_moves {
	const char *onion, *local_part; /* the owner's; borrowed, as all that follows, until all is answered */
	struct contacts *contacts;
	struct mail_intake *intake;
	bool (*send)(void *context, const struct ipc_message *m); /* to the control role */
	void *context;
};

/* Carries out a CONTACT_REQUEST of NOTIFY: the notice in its note, which must be the owner's own, goes to everybody whom the owner knows, each in a message
 * of their own. QUEUE_END with their number when all are durable. */
void mail_moves_answer(const struct mail_moves *moves, const struct ipc_contact_request *request);
