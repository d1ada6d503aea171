/* SPDX-License-Identifier: ISC
 *
 * Messages by which the owner introduces contacts to one another (doc/spec/contacts.md, section 4): they go the way of all that the owner sends. For what
 * comes: mail_findings.h.
 */
#pragma once

#include "contacts/contacts.h"
#include "daemon/mail_intake.h"

struct mail_introduce {
	const char *onion, *local_part; /* the owner's; borrowed, as all that follows, until all is answered */
	struct contacts *contacts;
	struct mail_intake *intake;
	bool (*send)(void *context, const struct ipc_message *m); /* to the control role */
	void *context;
};

/* Carries out a CONTACT_REQUEST of INTRODUCE: sends the contact's card to somebody, with words of the owner's; QUEUE_END when that is durable.
 * ERROR_NOT_FOUND: there is no card of theirs that names the key which counts. */
void mail_introduce_answer(const struct mail_introduce *introduce, const struct ipc_contact_request *request);

/* Appends the part of a multipart that carries a card; out has room for twice the card. */
void mail_introduce_put_card(struct buffer *out, const char *boundary, struct slice card);
