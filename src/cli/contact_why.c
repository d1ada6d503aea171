/* SPDX-License-Identifier: ISC */
#include "cli/contact_why.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "address/address.h"
#include "cli/contact_book.h"
#include "cli/view.h"
#include "cli/wrap.h"

#define SENTENCES_MAX 4096
#define NAME_MAX 512

struct why {
	FILE *out;
	size_t width;
	json_t *contact, *people;
	const char *who;      /* what the owner calls them */
	const char *address;
	char word[ADDRESS_WORD_MAX + 1]; /* the address in a command */
	char text[SENTENCES_MAX]; /* of the paragraph */
};

/* ---- words */

void
contact_why_day(long long when_s, char out[11])
{
	time_t t = (time_t)when_s;
	struct tm tm;
	if (localtime_r(&t, &tm) == NULL || strftime(out, 11, "%Y-%m-%d", &tm) == 0)
		out[0] = '\0';
}

__attribute__((format(printf, 2, 3)))
static void
say(struct why *w, const char *format, ...)
{
	size_t len = strlen(w->text);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(w->text + len, sizeof w->text - len, format, arguments);
	va_end(arguments);
}

static void
end_paragraph(struct why *w, size_t column)
{
	if (w->text[0] != '\0') {
		fprintf(w->out, "%*s", (int)column, "");
		wrap_print(w->out, w->text, column, w->width);
	}
	w->text[0] = '\0';
}

/* "Carol (carol@....onion)", for whoever is in the book. */
static const char *
name_of(const struct why *w, const char *address, char out[NAME_MAX])
{
	json_t *contact;
	size_t i;
	const char *name = "";
	json_array_foreach(w->people, i, contact)
		if (strcmp(view_text(contact, "address"), address) == 0)
			name = view_text(contact, "name");
	if (name[0] != '\0')
		snprintf(out, NAME_MAX, "%s (%s)", name, address);
	else
		snprintf(out, NAME_MAX, "%s", address);
	return out;
}

/* How a key came, after "It came on a day". */
static void
say_way(struct why *w, json_t *key)
{
	const char *how = view_text(key, "how"), *by = view_text(key, "by");
	char name[NAME_MAX];
	if (strcmp(how, "signed") == 0)
		say(w, "with a message that their onion has signed");
	else if (strcmp(how, "card") == 0)
		say(w, "on a card that their onion has signed");
	else if (strcmp(how, "introduced") == 0)
		say(w, "from %s, who introduced them", by[0] != '\0' ? name_of(w, by, name) : "somebody who is in your book no more");
	else if (strcmp(how, "in-person") == 0)
		say(w, "from you, who had it from them in person, or by an invitation");
	else
		say(w, "from you");
}

static json_t *
find_key(json_t *contact, const char *state)
{
	size_t i;
	json_t *key;
	json_array_foreach(json_object_get(contact, "keys"), i, key)
		if (strcmp(view_text(key, "state"), state) == 0)
			return key;
	return NULL;
}

/* ---- paragraphs */

static void
say_acquaintance(struct why *w)
{
	char day[11], name[NAME_MAX];
	const char *how = view_text(w->contact, "how");
	json_t *first = json_array_get(json_object_get(w->contact, "introductions"), 0);
	contact_why_day(view_number(w->contact, "since"), day);
	say(w, "%s ", w->who);
	if (json_is_true(json_object_get(w->contact, "stranger")))
		say(w, "wrote to you first, on %s. You have not added them, and not written to them: for you they are a stranger.", day);
	else if (strcmp(how, "wrote-first") == 0)
		say(w, "wrote to you first, on %s, and you have added them or answered since.", day);
	else if (strcmp(how, "scanned") == 0)
		say(w, "is in your address book since %s: you took in their card.", day);
	else if (strcmp(how, "introduced") == 0)
		say(w, "is in your address book since %s: introduced by %s, and you accepted.", day,
		    first != NULL ? name_of(w, view_text(first, "by"), name) : "somebody who is in it no more");
	else
		say(w, "is in your address book since %s: you added the address, or wrote to it.", day);
	if (strcmp(w->who, w->address) != 0)
		say(w, " The address is %s.", w->address);
	say(w, " It is the name of an onion, and that is a key: mail counts as theirs only with its signature.");
	end_paragraph(w, 0);
}

/* What their onion has said of itself. */
static void
say_move(struct why *w)
{
	json_t *move = json_object_get(w->contact, "move");
	const char *state = view_text(move, "state"), *to = view_text(move, "to");
	char word[ADDRESS_WORD_MAX + 1];
	if (strcmp(state, "revoked") == 0)
		say(w, "REVOKED. Their onion has said that it is not to be trusted any more, signed by its own key. Nothing that you write to it is sent. Ask "
		    "them in another way than by mail where they are now.");
	else if (strcmp(state, "moved") == 0)
		say(w, "MOVED. What you write to the old address goes to %s: the old onion says so, and the new one, and their recovery key, or you.", to);
	else if (strcmp(state, "held") == 0)
		say(w, "HELD. Their onion says that it moved to %s, but no recovery key that you know does. Ask them in another way than by mail, "
		    "then: smtorp contact follow %s %s", to, w->word, address_as_word(to, word));
	else if (strcmp(state, "frozen") == 0)
		say(w, "FROZEN. Their onion says that it moved to %s, and that it moved to %s. Neither counts. Ask them in another way than by mail, then: smtorp "
		    "contact follow %s, and the address that is right.", to, view_text(move, "other"), w->word);
	if (w->text[0] != '\0') {
		end_paragraph(w, 0);
		fputc('\n', w->out);
	}
}

/* Those who name this key. Returns how many. */
static size_t
say_introducers(struct why *w, const char *fingerprint)
{
	json_t *introduction;
	size_t i, count = 0;
	char name[NAME_MAX], day[11];
	json_array_foreach(json_object_get(w->contact, "introductions"), i, introduction) {
		if (strcmp(view_text(introduction, "fingerprint"), fingerprint) != 0)
			continue;
		contact_why_day(view_number(introduction, "since"), day);
		say(w, "%s says since %s that it is theirs. ", name_of(w, view_text(introduction, "by"), name), day);
		count++;
	}
	return count;
}

static void
say_how_sure(struct why *w, json_t *key, size_t introducers)
{
	char day[11];
	long long compared = view_number(key, "compared");
	contact_why_day(compared, day);
	if (compared != 0)
		say(w, "You compared it with them on %s, or an invitation did: it is verified.", day);
	else if (introducers >= 2)
		say(w, "Introducers of different onions agree: it counts as verified.");
	else if (introducers == 1)
		say(w, "One introducer may be deceived: a second one makes it verified, or you, when you compare it with them "
		    "(smtorp contact verify %s).", w->word);
	else
		say(w, "Nobody has verified it. Whoever stole the key of their onion could have put another one in its place. Compare it with "
		    "them, face to face or by telephone: smtorp contact verify %s", w->word);
}

static void
say_key(struct why *w)
{
	char day[11], group[CONTACT_BOOK_FINGERPRINT_TEXT];
	json_t *key = find_key(w->contact, "counts");
	if (key == NULL) {
		say(w, find_key(w->contact, "revoked") != NULL ? "Their OpenPGP key is revoked, and there is no other: what you write to them is not "
		    "encrypted to a key of theirs until one comes." : "No OpenPGP key of theirs is known. One comes with their first signed mail.");
		if (view_number(w->contact, "verified") != 0 || find_key(w->contact, "held") != NULL || find_key(w->contact, "refused") != NULL)
			say(w, " Nothing is sent to them in clear until you have decided about their keys, unless you want that: smtorp contact edit --encrypt prefer.");
		end_paragraph(w, 0);
		return;
	}
	contact_why_day(view_number(key, "since"), day);
	fprintf(w->out, "What you write to them is encrypted to the key\n  %s\n",
	    contact_book_group(view_text(key, "fingerprint"), group));
	say(w, "It came on %s ", day);
	say_way(w, key);
	if (view_number(key, "signed") != 0) {
		contact_why_day(view_number(key, "signed"), day);
		say(w, ", and was last seen under their signature of %s", day);
	}
	say(w, ". ");
	say_how_sure(w, key, say_introducers(w, view_text(key, "fingerprint")));
	if (view_number(w->contact, "verified") != 0) {
		contact_why_day(view_number(w->contact, "verified"), day);
		say(w, " A key of theirs was verified on %s, so no other one takes its place without you.", day);
	}
	end_paragraph(w, 0);
}

static void
say_other(struct why *w, json_t *key)
{
	char from[11], until[11], group[CONTACT_BOOK_FINGERPRINT_TEXT];
	const char *state = view_text(key, "state"), *fingerprint = view_text(key, "fingerprint");
	contact_why_day(view_number(key, "since"), from);
	contact_why_day(view_number(key, "changed"), until);
	fprintf(w->out, "  %s\n", contact_book_group(fingerprint, group));
	if (strcmp(state, "held") == 0) {
		say(w, "HELD. It came on %s ", from);
		say_way(w, key);
		say(w, ". ");
		say_introducers(w, fingerprint);
		say(w, "Nothing is encrypted to it. Ask them in another way than by mail, then: smtorp contact accept %s %s, or refuse in its place.",
		    w->word, fingerprint);
	} else if (strcmp(state, "former") == 0) {
		say(w, "It came on %s ", from);
		say_way(w, key);
		say(w, ", and counted until %s, when another took its place. ", until);
		say_introducers(w, fingerprint);
	} else if (strcmp(state, "refused") == 0)
		say(w, "You refused it on %s: it never counts, unless you accept it.", until);
	else
		say(w, "It was revoked on %s: it never counts again.", until);
	end_paragraph(w, 4);
}

void
contact_why_say(FILE *out, json_t *contact, json_t *people, size_t width)
{
	struct why w = { .out = out, .width = width, .contact = contact, .people = people, .who = contact_book_called(contact),
		.address = view_text(contact, "address") };
	json_t *key;
	size_t i;
	bool has_others = false;
	address_as_word(w.address, w.word);
	say_acquaintance(&w);
	fputc('\n', out);
	say_move(&w);
	say_key(&w);
	json_array_foreach(json_object_get(contact, "keys"), i, key) {
		if (strcmp(view_text(key, "state"), "counts") == 0)
			continue;
		if (!has_others)
			fprintf(out, "\nOther keys of theirs, in the order in which they came:\n");
		has_others = true;
		say_other(&w, key);
	}
}
