/* SPDX-License-Identifier: ISC */
#include "daemon/mail_findings.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/pack.h"

/* A card that content looks at. */
struct looking {
	struct mail_findings *findings;
	struct looking *next, **at;
	char sender[IPC_MAILBOX_MAX + 1];
};

struct mail_findings {
	struct mail_keys book;
	struct mail_card *cards;
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

/* The sender's own: as good as what they write themselves. */
static int
take_own(struct contacts *contacts, const struct ipc_card_facts *facts, const struct contacts_offer *offer, struct error *err)
{
	enum contacts_learned learned;
	if (facts->key.len > 0 && contacts_learn(contacts, offer, &learned, err) != 0)
		return -1;
	return contacts_keep_card(contacts, offer->address, facts->sequence, facts->fingerprint, facts->card, err);
}

/* The sender introduces somebody. Whom the owner does not know waits for the owner. */
static int
take_introduction(struct contacts *contacts, const struct ipc_card_facts *facts, const struct contacts_offer *offer, const char *sender,
    struct error *err)
{
	struct contact known;
	enum contacts_learned learned;
	struct contacts_proposal proposal = { .sequence = facts->sequence, .since_s = offer->now_s, .key = facts->key, .card = facts->card };
	int found = contacts_find(contacts, offer->address, &known, err);
	if (found < 0)
		return -1;
	if (found == 1 && !known.is_stranger)
		return contacts_introduce(contacts, offer, slice_of_string(sender), &learned, err);
	snprintf(proposal.address, sizeof proposal.address, "%s", facts->address);
	snprintf(proposal.by, sizeof proposal.by, "%s", sender);
	snprintf(proposal.name, sizeof proposal.name, "%s", facts->name);
	snprintf(proposal.fingerprint, sizeof proposal.fingerprint, "%s", facts->fingerprint);
	return contacts_propose(contacts, &proposal, err);
}

static void
on_checked(void *context, const struct ipc_card_facts *facts, const struct error *why)
{
	struct looking *l = context;
	const struct mail_keys *book = &l->findings->book;
	struct error err = { 0 };
	if (facts == NULL || facts->address[0] == '\0') {
		log_info("a card that came with a message is not taken: %s", facts == NULL ? why->text : "it names nobody");
	} else if (database_begin(book->db, &err) != 0) {
		log_warn("%s", err.text);
	} else {
		int64_t now_s = clock_wall_s();
		const struct contacts_offer offer = { slice_of_string(facts->address), facts->fingerprint, facts->key, CONTACTS_KEY_CARD, now_s, now_s };
		int result = strcasecmp(facts->address, l->sender) == 0 ? take_own(book->contacts, facts, &offer, &err) :
		    take_introduction(book->contacts, facts, &offer, l->sender, &err);
		if (result == 0)
			result = database_commit(book->db, &err);
		else
			database_rollback(book->db);
		if (result != 0)
			log_info("a card that came with a message is not taken: %s", err.text);
	}
	free_looking(l);
}

static void
take_card(struct mail_findings *f, const char *sender, struct slice card)
{
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
	mail_card_check(f->cards, card, on_checked, l);
}

/* ---- all */

void
mail_findings_take(struct mail_findings *f, const char *sender, struct slice list)
{
	struct slice kind, bytes;
	while (pack_next(&list, &kind) && pack_next(&list, &bytes))
		if (kind.len == 1 && kind.data[0] == '0' + FINDING_CARD)
			take_card(f, sender, bytes);
}

struct mail_findings *
mail_findings_new(const struct mail_keys *book, struct mail_card *cards)
{
	struct mail_findings *f = calloc(1, sizeof *f);
	assert(f != NULL);
	*f = (struct mail_findings){ .book = *book, .cards = cards };
	return f;
}

void
mail_findings_free(struct mail_findings *f)
{
	if (f == NULL)
		return;
	while (f->first != NULL)
		free_looking(f->first);
	free(f);
}
