/* SPDX-License-Identifier: ISC
 *
 * The address book between the owner's JSON and the messages to a mail role.
 */
#pragma once

#include <jansson.h>

#include "base/buffer.h"
#include "ipc/messages.h"

/* A request of the owner's. */
struct control_contacts_order {
	struct ipc_message message; /* CONTACT_REQUEST; its request_id is the caller's to set */
	unsigned char key[IPC_PUBLIC_KEY_MAX];
};

/* params: {address, after?, limit?, detail?: "people" | "history" | "key", called?: what the owner calls them, how?: "typed" | "scanned" |
 * "in-person", fingerprint?, key?: base64, to?: an address, note?}. -1: they are not what they must be, and err says it to the owner. */
int control_contacts_order(enum ipc_contact_verb verb, json_t *params, struct control_contacts_order *out, struct error *err);

/* A row as JSON: an object with its "kind", "contact", "key" or "introduction", of which the last two belong to the contact before;
 * or "proposal". */
int control_contacts_put(struct buffer *out, const char *identity, const struct ipc_contact_row *row, struct error *err);
