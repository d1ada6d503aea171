/* SPDX-License-Identifier: ISC
 *
 * mail@ID makes messages ready that have waited, sealed to the own key, for the keys of their recipients: when the peer is there, with its card or
 * without one, they are sealed for them and signed, or sent as policy says.
 */
#pragma once

#include "contacts/contacts.h"
#include "daemon/mail_card.h"
#include "daemon/mail_content.h"
#include "daemon/mail_sign.h"
#include "queue/dispatch.h"
#include "queue/mailstore.h"

struct mail_ready;

struct mail_ready_config {
	char onion[IPC_ONION_MAX + 1];
	char local_part[64 + 1];
	enum ipc_encryption encryption;
	uint32_t date_step_s;
	struct mailstore *mailstore; /* borrowed, as all that follows */
	struct contacts *contacts;
	struct mail_content *content;
	struct mail_sign *sign;
	struct mail_card *cards;
	/* A record was appended: as mail_intake_events. */
	void (*on_appended)(void *context);
	/* As dispatch_readied(). Never from inside a call. */
	void (*on_readied)(void *context, uint64_t item, enum dispatch_readied readied, const char *text);
	void *context;
};

struct mail_ready *mail_ready_new(struct loop *loop, const struct mail_ready_config *config);
void mail_ready_free(struct mail_ready *ready); /* takes NULL; content, sign and cards must be gone already */

/* As dispatch_events.on_waits(). */
void mail_ready_begin(struct mail_ready *ready, const char *onion, const struct queue_item *item, struct slice card, bool is_later);

/* Records were processed. */
void mail_ready_look(struct mail_ready *ready);
