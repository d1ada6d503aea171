/* SPDX-License-Identifier: ISC
 *
 * mail@ID keeps the identity's own cards (card/card.h, doc/spec/cards.md): content@ID writes them, the role sign signs them, and they stay the same,
 * over restarts, too, until something on them is another. It reads nobody's card itself: content@ID does, and what it finds comes here.
 *
 * A card is looked at anew when somebody asks for it first, when content@ID was started since, which may have other keys then, and when the owner
 * asks: whoever changes the keys of a running identity asks for both cards.
 */
#pragma once

#include "card/card.h"
#include "contacts/contacts.h"
#include "daemon/mail_content.h"
#include "daemon/mail_sign.h"
#include "queue/pins.h"
#include "store/database.h"

struct mail_card;

struct mail_card_config {
	char onion[IPC_ONION_MAX + 1];
	char local_part[64 + 1];
	char tls[IPC_FINGERPRINT_LEN + 1], recovery[IPC_FINGERPRINT_LEN + 1];
	struct contacts *contacts; /* borrowed, as all that follows */
	struct database *database;
	struct pins *pins;
	struct mail_content *content;
	struct mail_sign *sign;
	bool (*send)(void *context, const struct ipc_message *m); /* to the control role */
	/* To the role, if its channel is still the one of this generation. */
	void (*reply)(void *context, enum role role, unsigned generation, const struct ipc_message *m);
	void *context;
};

int mail_card_new(const struct mail_card_config *config, struct mail_card **out, struct error *err);
void mail_card_free(struct mail_card *cards); /* takes NULL; answers nobody; content and sign must be gone already */

/* A fresh content role. */
void mail_card_content_began(struct mail_card *cards);

/* The recovery key that the cards name from the next one on, as its hash (identity/recovery.h), or "". */
void mail_card_set_recovery(struct mail_card *cards, const char *recovery);

/* The identity's own card, borrowed for the call; or empty, and *err says why there is none now. Fires once, also from inside. */
typedef void mail_card_done(void *context, struct slice card, const struct error *err);
void mail_card_own(struct mail_card *cards, enum card_kind kind, mail_card_done *done, void *context);

/* What a card in a text says (CARD_FACTS), borrowed for the call; or NULL, and *err says why it is none. Fires once, not from inside. */
typedef void mail_card_checked(void *context, const struct ipc_card_facts *facts, const struct error *err);
void mail_card_check(struct mail_card *cards, struct slice text, mail_card_checked *done, void *context);

/* The TLS key that the card names is the one that mail to its onion is held to from now on, unless that is another already (doc/spec/pins.md, section 3). */
int mail_card_pin(struct pins *pins, const struct ipc_card_facts *facts, enum ipc_pin_trust trust, struct error *err);

/* How a card came to the owner. All but the first verify its key. */
enum mail_card_way {
	MAIL_CARD_SOMEHOW,
	MAIL_CARD_INVITATION,
	MAIL_CARD_IN_PERSON, /* only so it replaces a verified key: whoever has stolen an onion's key can write cards and invitations */
};

/* Who the card is about comes into the book with their key, as the owner says, in a transaction of its own. ERROR_INVALID: it is an onion's, or the identity's
 * own; ERROR_DENIED: the key was revoked, or may not be replaced so, or a newer card names another. */
int mail_card_add_person(struct mail_card *cards, const struct ipc_card_facts *facts, enum mail_card_way way, struct error *err);

/* Carries out a CARD_REQUEST: one CARD_FACTS, or none, and one QUEUE_END. */
void mail_card_answer(struct mail_card *cards, const struct ipc_card_request *request);

/* Carries out a CARD_WANTED of smtp@ID: one CARD_GIVEN. */
void mail_card_give(struct mail_card *cards, uint64_t transaction_id, unsigned generation);
