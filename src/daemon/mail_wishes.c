/* SPDX-License-Identifier: ISC */
#include "daemon/mail_wishes.h"

#include <stdio.h>
#include <string.h>

#include "daemon/mail_keys.h"
#include "daemon/mail_moves.h"
#include "ipc/pack.h"

/* Whether somebody lives at the address now. */
struct living {
	struct contacts *contacts;
	struct slice address;
	enum contacts_encryption found;
	int result;
	struct error *err;
};

/* Of two things that are said, the stricter. */
static enum contacts_encryption
stricter(enum contacts_encryption a, enum contacts_encryption b)
{
	static const int strictness[] = { [CONTACTS_ENCRYPTION_DEFAULT] = 0, [CONTACTS_ENCRYPTION_NEVER] = 1, [CONTACTS_ENCRYPTION_PREFERRED] = 2,
		[CONTACTS_ENCRYPTION_REQUIRED] = 3 };
	return strictness[a] >= strictness[b] ? a : b;
}

static bool
is_same_mailbox(struct slice a, struct slice b)
{
	struct address one, other;
	return address_parse(a, &one, NULL) == 0 && address_parse(b, &other, NULL) == 0 && strcmp(one.onion, other.onion) == 0 &&
	    address_is_mailbox(slice_of_string(one.local_part), other.local_part);
}

static bool
take_moved(void *context, const char *address, enum contacts_encryption wanted)
{
	struct living *l = context;
	struct buffer before, after;
	struct slice list, now;
	struct error why = { 0 };
	buffer_init(&before, 2 * IPC_MAILBOX_MAX);
	buffer_init(&after, 2 * IPC_MAILBOX_MAX);
	l->result = pack_string(&before, slice_of_string(address), l->err);
	if (l->result == 0 && mail_moves_route(l->contacts, slice_of(buffer_bytes(&before), buffer_len(&before)), &after, &why) != 0 &&
	    why.code != ERROR_DENIED) /* to what is revoked nothing goes */
		l->result = error_set(l->err, why.code, "%s", why.text);
	list = slice_of(buffer_bytes(&after), buffer_len(&after));
	if (l->result == 0 && why.code == ERROR_NONE && pack_next(&list, &now) && is_same_mailbox(l->address, now))
		l->found = stricter(l->found, wanted);
	buffer_finish(&after);
	buffer_finish(&before);
	return l->result == 0;
}

static int
of_contact(struct contacts *c, struct slice address, enum contacts_encryption *out, struct error *err)
{
	struct contact contact;
	int found = contacts_find(c, address, &contact, err);
	*out = found == 1 ? contact.encryption : CONTACTS_ENCRYPTION_DEFAULT;
	return found < 0 ? -1 : 0;
}

/* What is said of a recipient; CONTACTS_ENCRYPTION_DEFAULT: nothing. */
static int
of_recipient(struct contacts *c, struct slice recipient, enum contacts_encryption *out, struct error *err)
{
	char plain[ADDRESS_MAX + 1];
	if (of_contact(c, recipient, out, err) != 0)
		return -1;
	if (*out == CONTACTS_ENCRYPTION_DEFAULT && mail_keys_without_tag(recipient, plain) && of_contact(c, slice_of_string(plain), out, err) != 0)
		return -1;
	if (*out != CONTACTS_ENCRYPTION_DEFAULT)
		return 0;
	struct living l = { c, recipient, CONTACTS_ENCRYPTION_DEFAULT, 0, err };
	if (contacts_look_moved_encryption(c, take_moved, &l, err) != 0 || l.result != 0)
		return -1;
	*out = l.found;
	return 0;
}

/* Whether the owner decides about their keys, and none counts now: it is revoked, say, and the next one is held. Whoever has stolen the key of their onion
 * could bring that about, and waits for what leaves in clear. */
static int
is_undecided(struct contacts *c, struct slice recipient, bool *out, struct error *err)
{
	char plain[ADDRESS_MAX + 1];
	struct slice addresses[] = { recipient, mail_keys_without_tag(recipient, plain) ? slice_of_string(plain) : recipient };
	*out = false;
	for (size_t i = 0; i < 2 && !*out; i++) {
		struct contact contact;
		int found = contacts_find(c, addresses[i], &contact, err);
		if (found < 0)
			return -1;
		if (found == 1 && contact.fingerprint[0] != '\0')
			return 0;
		*out = found == 1 && (contact.verified_s != 0 || contact.held > 0 || contact.refused > 0);
	}
	return 0;
}

/* What holds of a recipient of whom nothing is said. */
static int
of_others(struct contacts *c, struct slice recipient, enum contacts_encryption of_identity, enum contacts_encryption *out, struct error *err)
{
	bool undecided = false;
	if (of_identity == CONTACTS_ENCRYPTION_PREFERRED && is_undecided(c, recipient, &undecided, err) != 0)
		return -1;
	*out = undecided ? CONTACTS_ENCRYPTION_REQUIRED : of_identity;
	return 0;
}

int
mail_wishes_find(struct contacts *c, struct slice recipients, enum ipc_encryption of_identity, struct mail_wish *out, struct error *err)
{
	static const enum contacts_encryption words[] = { [ENCRYPTION_PREFERRED] = CONTACTS_ENCRYPTION_PREFERRED,
		[ENCRYPTION_REQUIRED] = CONTACTS_ENCRYPTION_REQUIRED, [ENCRYPTION_NONE] = CONTACTS_ENCRYPTION_NEVER };
	enum contacts_encryption all = CONTACTS_ENCRYPTION_DEFAULT, said;
	bool is_of_identity = false;
	struct slice recipient;
	*out = (struct mail_wish){ of_identity, "" };
	while (pack_next(&recipients, &recipient)) {
		if (of_recipient(c, recipient, &said, err) != 0)
			return -1;
		bool is_said = said != CONTACTS_ENCRYPTION_DEFAULT;
		is_of_identity = is_of_identity || (!is_said && of_identity == ENCRYPTION_REQUIRED);
		if (!is_said && of_others(c, recipient, words[of_identity], &said, err) != 0)
			return -1;
		if (said == CONTACTS_ENCRYPTION_REQUIRED && out->by[0] == '\0')
			slice_to_string(recipient, out->by, sizeof out->by);
		all = stricter(all, said);
	}
	if (is_of_identity)
		out->by[0] = '\0';
	out->how = all == CONTACTS_ENCRYPTION_DEFAULT ? of_identity : all == CONTACTS_ENCRYPTION_REQUIRED ? ENCRYPTION_REQUIRED :
	    all == CONTACTS_ENCRYPTION_PREFERRED ? ENCRYPTION_PREFERRED : ENCRYPTION_NONE;
	return 0;
}

void
mail_wishes_say(const struct mail_wish *wish, const char *what, char out[MAIL_WISH_TEXT_SIZE])
{
	if (wish->by[0] == '\0')
		snprintf(out, MAIL_WISH_TEXT_SIZE, "%s, and this identity sends nothing unencrypted: ask for a card, or see `smtorp contact`", what);
	else
		snprintf(out, MAIL_WISH_TEXT_SIZE, "%s, and nothing unencrypted is to go to %s: ask for a card, or see `smtorp contact edit --encrypt`", what,
		    wish->by);
}
