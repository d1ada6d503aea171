/* SPDX-License-Identifier: ISC
 *
 * Invitations (doc/spec/cards.md, section 6), both sides of them: mail@ID keeps the secrets of those that the owner has handed out, each until it was used
 * once or a week has passed; and greets whoever invited the owner.
 */
#pragma once

#include "contacts/contacts.h"
#include "daemon/mail_card.h"
#include "daemon/mail_intake.h"

#define MAIL_INVITE_MOST 100 /* that are open; then the oldest one is not any more */
#define MAIL_INVITE_S (7 * 24 * 3600)

struct mail_invite;

struct mail_invite_config {
	char onion[IPC_ONION_MAX + 1];
	char local_part[64 + 1];
	struct mail_card *cards; /* borrowed, as all that follows */
	struct mail_intake *intake;
	struct contacts *contacts;
	struct database *database;
	bool (*send)(void *context, const struct ipc_message *m); /* to the control role */
	void *context;
};

int mail_invite_new(const struct mail_invite_config *config, struct mail_invite **out, struct error *err);
void mail_invite_free(struct mail_invite *invite); /* takes NULL; what it asks must be gone already */

/* Carries out a CARD_REQUEST with CARD_VERB_INVITE or CARD_VERB_ADD_INVITED. */
void mail_invite_answer(struct mail_invite *invite, const struct ipc_card_request *request);

/* What a message of this proved sender has brought, as OPENED has it: somebody who proves to have an open invitation is verified by it. */
void mail_invite_take(struct mail_invite *invite, const char *sender, struct slice findings);
