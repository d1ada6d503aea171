/* SPDX-License-Identifier: ISC */
#include "daemon/mail_findings.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/mail_moves.h"
#include "ipc/pack.h"

/* A card that content looks at. */
struct looking {
	struct mail_findings *findings;
	struct looking *next, **at;
	char sender[IPC_MAILBOX_MAX + 1];
};

struct mail_findings {
	struct mail_findings_config config;
	struct looking *first;
	size_t waiting;
};

static void
free_looking(struct looking *l)
{
	l->findings->waiting--;
	*l->at = l->next;
	if (l->next != NULL)
		l->next->at = l->at;
	free(l);
}

/* ---- cards */

static int
keep_card(struct contacts *contacts, const struct ipc_card_facts *f, struct error *err)
{
	return contacts_keep_card(contacts, slice_of_string(f->address), f->sequence, f->fingerprint, f->card, err);
}

static int
introduce(struct contacts *contacts, const struct ipc_card_facts *f, const char *by, struct error *err)
{
	const struct contacts_offer offer = { .address = slice_of_string(f->address), .fingerprint = f->fingerprint, .key = f->key,
		.how = CONTACTS_KEY_INTRODUCED, .now_s = clock_wall_s() };
	enum contacts_learned learned;
	if (contacts_introduce(contacts, &offer, slice_of_string(by), &learned, err) != 0)
		return -1;
	return learned == CONTACTS_LEARNED_FIRST || learned == CONTACTS_LEARNED_SAME ? keep_card(contacts, f, err) : 0;
}

/* Whom the owner does not know waits for the owner. */
static int
propose(struct contacts *contacts, const struct ipc_card_facts *f, const char *by, struct error *err)
{
	struct contacts_proposal p = { .sequence = f->sequence, .since_s = clock_wall_s(), .key = f->key, .card = f->card };
	snprintf(p.address, sizeof p.address, "%s", f->address);
	snprintf(p.by, sizeof p.by, "%s", by);
	snprintf(p.fingerprint, sizeof p.fingerprint, "%s", f->fingerprint);
	snprintf(p.name, sizeof p.name, "%s", strcmp(f->name, f->address) == 0 ? "" : f->name);
	return contacts_propose(contacts, &p, err);
}

/* The sender's own card is for passing on: what they say of their key is in each message of theirs, and a card may be an old one. */
static int
take(const struct mail_findings_config *config, const struct ipc_card_facts *f, const char *sender, struct error *err)
{
	struct contacts *contacts = config->book.contacts;
	struct contact by, about;
	int found = contacts_find(contacts, slice_of_string(sender), &by, err);
	if (f->kind != CARD_PERSONAL || strcmp(f->onion, config->onion) == 0 || found != 1 || by.is_stranger)
		return found < 0 ? -1 : 0;
	found = contacts_find(contacts, slice_of_string(f->address), &about, err);
	if (found < 0)
		return -1;
	if (f->recovery[0] != '\0' && contacts_moves_learn_recovery(contacts, f->onion, f->recovery, err) != 0)
		return -1;
	if (strcmp(f->onion, by.onion) == 0)
		return found == 1 ? keep_card(contacts, f, err) : 0;
	return found == 1 && !about.is_stranger ? introduce(contacts, f, sender, err) : propose(contacts, f, sender, err);
}

static void
on_checked(void *context, const struct ipc_card_facts *facts, const struct error *why)
{
	struct looking *l = context;
	const struct mail_findings_config *config = &l->findings->config;
	struct database *db = config->book.db;
	struct error err = { 0 };
	if (facts == NULL)
		error_set(&err, why->code, "%s", why->text);
	else if (database_begin(db, &err) == 0 && (take(config, facts, l->sender, &err) != 0 || database_commit(db, &err) != 0))
		database_rollback(db); /* nothing, when the commit has done it */
	free_looking(l);
	if (err.code == ERROR_NONE)
		config->on_news(config->context);
	else
		log_info("a card that came with a message is not taken: %s", err.text);
}

static void
take_card(struct mail_findings *f, const char *sender, struct slice card)
{
	struct error err = { 0 };
	struct contact by;
	if (contacts_find(f->config.book.contacts, slice_of_string(sender), &by, &err) != 1 || by.is_stranger)
		return; /* strangers introduce nobody: they are not worth the work */
	if (f->waiting >= MAIL_FINDINGS_MAX) {
		log_info("too many cards came with messages; one is dropped");
		return;
	}
	struct looking *l = calloc(1, sizeof *l);
	assert(l != NULL);
	*l = (struct looking){ .findings = f, .next = f->first, .at = &f->first };
	snprintf(l->sender, sizeof l->sender, "%s", sender);
	if (l->next != NULL)
		l->next->at = &l->next;
	f->first = l;
	f->waiting++;
	mail_card_check(f->config.cards, card, on_checked, l);
}

/* ---- notices: they prove themselves, whoever brings them */

static void
take_notice(const struct mail_findings_config *config, struct slice notice)
{
	struct error err = { 0 };
	char onion[ADDRESS_ONION_LEN + 1];
	if (mail_moves_take_notice(&config->book, notice, onion, &err) == 0 && onion[0] != '\0')
		config->on_notice(config->context, onion);
}

/* ---- all */

void
mail_findings_take(struct mail_findings *f, const char *sender, struct slice list)
{
	struct slice kind, bytes;
	while (pack_next(&list, &kind) && pack_next(&list, &bytes))
		if (kind.len == 1 && kind.data[0] == '0' + FINDING_CARD)
			take_card(f, sender, bytes);
		else if (kind.len == 1 && kind.data[0] == '0' + FINDING_NOTICE)
			take_notice(&f->config, bytes);
}

struct mail_findings *
mail_findings_new(const struct mail_findings_config *config)
{
	struct mail_findings *f = calloc(1, sizeof *f);
	assert(f != NULL);
	f->config = *config;
	return f;
}

void
mail_findings_free(struct mail_findings *f)
{
	if (f == NULL)
		return;
	for (struct looking *l = f->first, *next; l != NULL; l = next) {
		next = l->next;
		free(l);
	}
	free(f);
}
