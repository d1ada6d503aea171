/* SPDX-License-Identifier: ISC */
#include "daemon/mail_keys.h"

#include <string.h>

#include "contacts/moves.h"
#include "ipc/pack.h"

/* Commits, or takes everything back. */
static int
end(const struct mail_keys *k, int result, struct error *err)
{
	if (result == 0)
		return database_commit(k->db, err);
	database_rollback(k->db);
	return -1;
}

static int
learn(const struct mail_keys *k, const struct ipc_checked *c, int64_t now_s, enum contacts_learned *learned, struct error *err)
{
	const struct contacts_offer offer = { slice_of_string(c->sender), c->fingerprint, c->key, CONTACTS_KEY_SIGNED, (int64_t)c->signed_s, now_s };
	*learned = CONTACTS_LEARNED_SAME;
	return c->key.len == 0 || strlen(c->fingerprint) != OPENPGP_FINGERPRINT_LEN ? 0 : contacts_learn(k->contacts, &offer, learned, err);
}

int
mail_keys_heard(const struct mail_keys *k, const struct ipc_checked *c, int64_t now_s, int64_t *since_s, enum contacts_learned *learned,
    struct error *err)
{
	*since_s = 0;
	*learned = CONTACTS_LEARNED_SAME;
	if (database_begin(k->db, err) != 0)
		return -1;
	int got = contacts_heard(k->contacts, slice_of_string(c->sender), now_s, since_s, err);
	if (got == 1)
		*since_s = 0;
	return end(k, got < 0 ? -1 : learn(k, c, now_s, learned, err), err);
}

struct gathering {
	enum contacts_key_state state;
	struct buffer *out;
};

static bool
gather(void *context, const struct contacts_key *key)
{
	const struct gathering *g = context;
	return key->state != g->state || pack_string(g->out, key->key, NULL) == 0; /* until the list is full */
}

int
mail_keys_of_sender(const struct mail_keys *k, const char *sender, struct buffer *out, struct error *err)
{
	static const enum contacts_key_state states[] = { CONTACTS_KEY_COUNTS, CONTACTS_KEY_FORMER };
	struct contact contact;
	int got = contacts_find(k->contacts, slice_of_string(sender), &contact, err);
	for (size_t i = 0; got == 1 && i < sizeof states / sizeof states[0]; i++) {
		struct gathering g = { states[i], out };
		if (contacts_look_keys(k->contacts, contact.id, gather, &g, err) != 0)
			return -1;
	}
	return got < 0 ? -1 : 0;
}

bool
mail_keys_without_tag(struct slice address, char out[ADDRESS_MAX + 1])
{
	const unsigned char *at = memchr(address.data, '@', address.len), *plus = memchr(address.data, '+', address.len);
	if (at == NULL || plus == NULL || plus > at || plus == address.data || address.len > ADDRESS_MAX)
		return false;
	size_t local = (size_t)(plus - address.data), domain = address.len - (size_t)(at - address.data);
	memcpy(out, address.data, local);
	memcpy(out + local, at, domain);
	out[local + domain] = '\0';
	return true;
}

static int
key_of(const struct mail_keys *k, struct slice recipient, struct buffer *key, struct error *err)
{
	char plain[ADDRESS_MAX + 1], fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
	int got = contacts_key_for(k->contacts, recipient, key, fingerprint, err);
	if (got == 0 && mail_keys_without_tag(recipient, plain))
		got = contacts_key_for(k->contacts, slice_of_string(plain), key, fingerprint, err);
	return got;
}

int
mail_keys_of_recipients(const struct mail_keys *k, struct slice recipients, struct buffer *out, struct error *err)
{
	struct slice recipient;
	int got = 1;
	while (got == 1 && pack_next(&recipients, &recipient)) {
		struct buffer key;
		buffer_init(&key, CONTACTS_KEY_MAX_BYTES);
		got = key_of(k, recipient, &key, err);
		if (got == 1 && pack_string(out, slice_of(buffer_bytes(&key), buffer_len(&key)), err) != 0)
			got = -1;
		buffer_finish(&key);
	}
	return got;
}

int
mail_keys_of_card(const struct mail_keys *k, struct slice recipient, const struct ipc_card_facts *facts, int64_t now_s, struct error *err)
{
	char plain[ADDRESS_MAX + 1];
	struct slice address = mail_keys_without_tag(recipient, plain) ? slice_of_string(plain) : recipient;
	const struct contacts_offer offer = { address, facts->fingerprint, facts->key, CONTACTS_KEY_CARD, now_s, now_s };
	enum contacts_learned learned;
	struct error why = { 0 };
	if (database_begin(k->db, err) != 0)
		return -1;
	int result = contacts_written(k->contacts, address, now_s, &why);
	if (result == 0)
		result = contacts_learn(k->contacts, &offer, &learned, &why);
	if (result == 0 && facts->recovery[0] != '\0')
		result = contacts_moves_learn_recovery(k->contacts, facts->onion, facts->recovery, &why);
	if (result != 0 && why.code == ERROR_NOT_FOUND)
		result = 0;
	if (result != 0)
		error_set(err, why.code, "%s", why.text);
	return end(k, result, err);
}

int
mail_keys_written(const struct mail_keys *k, struct slice recipients, int64_t now_s, struct error *err)
{
	struct slice recipient;
	int result = 0;
	if (database_begin(k->db, err) != 0)
		return -1;
	while (result == 0 && pack_next(&recipients, &recipient))
		result = contacts_written(k->contacts, recipient, now_s, err);
	return end(k, result, err);
}
