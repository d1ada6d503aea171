/* SPDX-License-Identifier: ISC
 *
 * Whether a message is encrypted when it leaves (doc/spec/openpgp.md, section 6): what the identity wants, and what its owner wants for single contacts.
 */
#pragma once

#include "contacts/contacts.h"
#include "ipc/messages.h"

struct mail_wish {
	enum ipc_encryption how;
	char by[ADDRESS_MAX + 1]; /* the recipient for whom it is required; "": the identity requires it, or nobody does */
};

/* For one message to all these recipients (packed). What is said of a contact comes before what holds for the identity, and the strictest of the recipients
 * has the word: required, preferred, never. Where nothing is said and the identity prefers it, it is required for those of whose keys none counts although one was
 * verified, or is held or refused: then the owner decides. An address with a tag is that without; whoever has moved keeps what was said of the old address, unless
 * something is said of the new one. */
int mail_wishes_find(struct contacts *contacts, struct slice recipients, enum ipc_encryption of_identity, struct mail_wish *out, struct error *err);

/* Why a message is not sent, for its sender. what: its first half. */
#define MAIL_WISH_TEXT_SIZE (IPC_TEXT_MAX + 1)
void mail_wishes_say(const struct mail_wish *wish, const char *what, char out[MAIL_WISH_TEXT_SIZE]);
