/* SPDX-License-Identifier: ISC */
#include "daemon/mail_news.h"

#include <stdio.h>
#include <string.h>

#include "contacts/moves.h"

#define KEY "key"
#define INTRODUCTION "introduction"
#define MOVE "m" /* with a digit and an onion */

/* "Bob (bob@....onion)". */
static void
say_who(const struct contact *contact, struct buffer *text)
{
	if (contact->name[0] != '\0')
		buffer_printf(text, NULL, "%s (%s)", contact->name, contact->address);
	else
		buffer_printf(text, NULL, "%s", contact->address);
}

static void
say_key(const struct contact *contact, const struct contacts_key *key, struct mail_news *out, struct buffer *text)
{
	const char *onion = contact->onion;
	char word[ADDRESS_WORD_MAX + 1];
	address_as_word(contact->address, word);
	bool is_held = key->state == CONTACTS_KEY_HELD, is_revoked = key->state == CONTACTS_KEY_REVOKED;
	snprintf(out->subject, sizeof out->subject, is_held ? "A key is held: somebody at %.12s... shows another one" :
	    is_revoked ? "A key was revoked: somebody at %.12s..." : "Another OpenPGP key of somebody at %.12s...", onion);
	say_who(contact, text);
	buffer_printf(text, NULL, is_held ? "\r\n\r\nshows another OpenPGP key than the one that you know:\r\n\r\n  %s\r\n\r\n" :
	    is_revoked ? "\r\n\r\nhas revoked the OpenPGP key\r\n\r\n  %s\r\n\r\n" : "\r\n\r\nhas another OpenPGP key now:\r\n\r\n  %s\r\n\r\n",
	    key->fingerprint);
	if (key->by[0] != '\0')
		buffer_printf(text, NULL, "It was introduced by\r\n\r\n  %s\r\n\r\n", key->by);
	if (is_held)
		buffer_printf(text, NULL, "It is held: what you write to them is not encrypted to it. Perhaps they have a new machine. But perhaps\r\n"
		    "somebody has stolen the key of their onion. Ask them in another way than by mail: by telephone, or face to face.\r\n\r\n"
		    "If it is theirs:\r\n\r\n  smtorp contact accept %s %s\r\n\r\n"
		    "If not:\r\n\r\n  smtorp contact refuse %s %s\r\n", word, key->fingerprint, word, key->fingerprint);
	else if (is_revoked)
		buffer_append_string(text, "What you write to them is not encrypted to it any more. Another key came along with this, or comes with their next mail.\r\n", NULL);
	else
		buffer_append_string(text, "It came with their onion's signature, and counts: people set their nodes up anew. No key of theirs was verified\r\n"
		    "so far; once one is, any other is held until you decide.\r\n", NULL);
	buffer_printf(text, NULL, "\r\nWhat is known of their keys:\r\n\r\n  smtorp contact why %s\r\n", word);
}

static void
say_introduction(const struct contacts_proposal *p, const struct contact *by, struct mail_news *out, struct buffer *text)
{
	const char *at = strchr(p->address, '@');
	char word[ADDRESS_WORD_MAX + 1];
	address_as_word(p->address, word);
	snprintf(out->subject, sizeof out->subject, "Somebody at %.12s... is introduced to you", at != NULL ? at + 1 : "");
	say_who(by, text);
	buffer_append_string(text, "\r\n\r\nintroduces to you\r\n\r\n  ", NULL);
	if (p->name[0] != '\0' && strcmp(p->name, p->address) != 0)
		buffer_printf(text, NULL, "%s (that is what they call themselves)\r\n  ", p->name);
	buffer_printf(text, NULL, "%s\r\n\r\nwith the OpenPGP key\r\n\r\n  %s\r\n\r\n", p->address, p->fingerprint);
	buffer_printf(text, NULL, "The card with it is signed by the key of their onion. They are not in your address book. If you want them there:\r\n\r\n"
	    "  smtorp contact accept %s\r\n\r\nIf not:\r\n\r\n  smtorp contact refuse %s\r\n", word, word);
}

/* who: NULL when the onion does not tell which contact it is. */
static void
say_moves(const char *onion, const struct contact *who, const struct contacts_move *move, struct mail_news *out, struct buffer *text)
{
	static const char *const subjects[] = { [CONTACTS_STAYS] = "is where it was", [CONTACTS_MOVE_HELD] = "says that it moved: you decide",
		[CONTACTS_MOVED] = "has moved", [CONTACTS_MOVES_FROZEN] = "contradicts itself about where it moved",
		[CONTACTS_ONION_REVOKED] = "is revoked" };
	char old[ADDRESS_WORD_MAX + 1], word[ADDRESS_WORD_MAX + 1];
	snprintf(out->subject, sizeof out->subject, "%.12s... %s", onion, subjects[move->fate]);
	buffer_append_string(text, who != NULL ? "The onion of\r\n\r\n  " : "The onion\r\n\r\n  ", NULL);
	if (who != NULL)
		say_who(who, text);
	else
		buffer_append_string(text, onion, NULL);
	buffer_append_string(text, "\r\n\r\n", NULL);
	if (move->fate == CONTACTS_ONION_REVOKED)
		buffer_append_string(text, "is revoked, by its own key: whoever is there from now on may be somebody else. Nothing that you write to it is sent.\r\n"
		    "Ask the person in another way than by mail where they are now.\r\n", NULL);
	else if (move->fate == CONTACTS_MOVED)
		buffer_printf(text, NULL, "has moved to\r\n\r\n  %s\r\n\r\nThe recovery key says so, which nobody has who only took their machine, or you did. What you\r\n"
		    "write to the old address goes to the new one.\r\n", move->to);
	else if (move->fate == CONTACTS_MOVE_HELD)
		buffer_printf(text, NULL, "says that it moved to\r\n\r\n  %s\r\n\r\nbut not by a recovery key that you know. Perhaps that is lost. But perhaps somebody has taken\r\n"
		    "their machine. What you write goes to the old address. Ask them in another way than by mail: by telephone, or face to face.\r\n", move->to);
	else if (move->fate == CONTACTS_MOVES_FROZEN)
		buffer_printf(text, NULL, "says that it moved to\r\n\r\n  %s\r\n\r\nand that it moved to another address:\r\n\r\n  %s\r\n\r\nPerhaps somebody has taken their machine. Neither counts, and what you "
		    "write goes to the old address.\r\nAsk them in another way than by mail: by telephone, or face to face.\r\n", move->to, move->other);
	if (move->fate == CONTACTS_MOVE_HELD || move->fate == CONTACTS_MOVES_FROZEN)
		buffer_printf(text, NULL, "\r\nIf it is true%s:\r\n\r\n  smtorp contact follow %s %s\r\n", who != NULL ? "" : ", with their old address for WHO",
		    who != NULL ? address_as_word(who->address, old) : "WHO", address_as_word(move->to, word));
}

/* The word has what is told, so that what has changed meanwhile is told once more. */
static void
word_of(const char *onion, const struct contacts_move *move, char out[2 + ADDRESS_ONION_LEN + 1])
{
	snprintf(out, 2 + ADDRESS_ONION_LEN + 1, MOVE "%u%s", (unsigned)move->fate, onion);
}

static int
next_move(struct contacts *contacts, struct mail_news *out, struct buffer *text, struct error *err)
{
	char onion[ADDRESS_ONION_LEN + 1];
	struct contacts_move move;
	struct contact who;
	int found = contacts_moves_next_untold(contacts, onion, err);
	if (found != 1)
		return found;
	int is_one = contacts_find_at(contacts, onion, &who, err);
	if (is_one < 0 || contacts_moves_look(contacts, onion, &move, err) != 0)
		return -1;
	word_of(onion, &move, out->onion);
	out->item = 0;
	out->word = out->onion;
	say_moves(onion, is_one == 1 ? &who : NULL, &move, out, text);
	return 1;
}

int
mail_news_next(struct contacts *contacts, struct mail_news *out, struct buffer *text, struct error *err)
{
	struct contacts_key key;
	struct contacts_proposal proposal;
	struct contact contact = { 0 };
	int found = contacts_next_untold(contacts, &key, err);
	if (found == 1) {
		out->item = key.id;
		out->word = KEY;
		if (contacts_find_id(contacts, key.contact, &contact, err) < 0)
			return -1;
		say_key(&contact, &key, out, text);
		return 1;
	}
	if (found == 0)
		found = contacts_next_untold_proposal(contacts, &proposal, err);
	if (found == 0)
		return next_move(contacts, out, text, err);
	if (found != 1)
		return found;
	out->item = proposal.id;
	out->word = INTRODUCTION;
	if (contacts_find(contacts, slice_of_string(proposal.by), &contact, err) < 0)
		return -1;
	say_introduction(&proposal, &contact, out, text);
	return 1;
}

static int
tell_move(struct contacts *contacts, struct slice word, bool *is_news, struct error *err)
{
	char onion[ADDRESS_ONION_LEN + 1], now[2 + ADDRESS_ONION_LEN + 1];
	struct contacts_move move;
	slice_to_string(slice_of(word.data + 2, word.len - 2), onion, sizeof onion);
	if (contacts_moves_look(contacts, onion, &move, err) != 0)
		return -1;
	word_of(onion, &move, now);
	if (!slice_is(word, now))
		return 0; /* it is told as it is now */
	return contacts_moves_tell(contacts, onion, is_news, err);
}

int
mail_news_tell(void *context, const struct record *record, bool *is_news, struct error *err)
{
	struct contacts *contacts = context;
	*is_news = false;
	if (slice_is(record->positions, KEY))
		return contacts_tell(contacts, record->item, is_news, err);
	if (slice_is(record->positions, INTRODUCTION))
		return contacts_tell_proposal(contacts, record->item, is_news, err);
	if (record->positions.len == 2 + ADDRESS_ONION_LEN && memcmp(record->positions.data, MOVE, 1) == 0)
		return tell_move(contacts, record->positions, is_news, err);
	return 0; /* of a later version */
}
