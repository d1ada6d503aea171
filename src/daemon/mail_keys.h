/* SPDX-License-Identifier: ISC
 *
 * What the address book learns from mail that comes and goes, and the OpenPGP keys that it has for it. The transactions are made here.
 */
#pragma once

#include "contacts/contacts.h"
#include "ipc/messages.h"
#include "store/database.h"

struct mail_keys {
	struct contacts *contacts;
	struct database *db;
};

/* A message came whose sender is proved, perhaps with a key. *since_s: since when they are known; 0: since now. */
int mail_keys_heard(const struct mail_keys *keys, const struct ipc_checked *checked, int64_t now_s, int64_t *since_s, enum contacts_learned *learned,
    struct error *err);

/* The keys that a sender may have signed with, packed: the one that counts, and those that did. */
int mail_keys_of_sender(const struct mail_keys *keys, const char *sender, struct buffer *out, struct error *err);

/* The keys that count of all these recipients, packed. 1: each has one; 0: one has none; -1. An address with a tag (alice+news) is that without. */
int mail_keys_of_recipients(const struct mail_keys *keys, struct slice recipients, struct buffer *out, struct error *err);

/* The onion of a recipient whose key is not known has shown this card. It is learned unless they are nobody in the book, which may be full. */
int mail_keys_of_card(const struct mail_keys *keys, struct slice recipient, const struct ipc_card_facts *facts, int64_t now_s, struct error *err);

/* alice+news@... is alice@... Returns false when there is no tag. */
bool mail_keys_without_tag(struct slice address, char out[ADDRESS_MAX + 1]);

/* The owner has written to them. */
int mail_keys_written(const struct mail_keys *keys, struct slice recipients, int64_t now_s, struct error *err);
