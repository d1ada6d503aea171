/* SPDX-License-Identifier: ISC */
#include "daemon/content_card.h"

#include <stdio.h>
#include <string.h>

#include "card/card.h"
#include "ipc/codec.h"

_Static_assert(IPC_CARD_MAX == CARD_MAX_BYTES && IPC_CARD_KEY_MAX == CARD_KEY_MAX_BYTES, "a card fits its message");
_Static_assert(IPC_CARD_NAME_MAX == CARD_NAME_MAX && IPC_FINGERPRINT_LEN == CARD_HASH_LEN, "and so do its parts");
_Static_assert(IPC_OPENPGP_FINGERPRINT_LEN == OPENPGP_FINGERPRINT_LEN && IPC_MAILBOX_MAX >= ADDRESS_MAX, "and so do its parts");

int
content_card_compose(const struct ipc_compose_card *request, struct openpgp *pgp, struct buffer *out,
    unsigned char digest[HASH_SHA256_BYTES], struct error *err)
{
	struct card card = { .kind = request->kind == CARD_PERSONAL ? CARD_PERSONAL : CARD_ONION, .day_s = (int64_t)request->day_s,
		.sequence = request->sequence };
	struct buffer key;
	if (pgp == NULL) /* who gets a card without a key takes it that there is none */
		return error_set(err, ERROR_BUSY, "the identity's OpenPGP keys are not there: try again later");
	memcpy(card.onion, request->onion, sizeof card.onion);
	memcpy(card.tls, request->tls, sizeof card.tls);
	memcpy(card.recovery, request->recovery, sizeof card.recovery);
	if (card.kind == CARD_PERSONAL)
		snprintf(card.address, sizeof card.address, "%s@%s", request->local_part, request->onion);
	buffer_init(&key, OPENPGP_KEY_MAX_BYTES);
	int result = openpgp_key_as(pgp, card.kind == CARD_PERSONAL ? NULL : card.onion, &key, err);
	card.key = slice_of(buffer_bytes(&key), buffer_len(&key));
	if (result == 0)
		result = card_compose(&card, out, digest, err);
	buffer_finish(&key);
	return result;
}

/* A key that is none is not somebody's card without one: it is refused with it. */
static int
check_key(struct slice bytes, char fingerprint[OPENPGP_FINGERPRINT_LEN + 1], struct error *err)
{
	struct openpgp_key key;
	fingerprint[0] = '\0';
	if (bytes.len == 0)
		return 0;
	if (openpgp_autocrypt_scan(bytes, err) != 0 || openpgp_look(bytes, &key, err) != 0)
		return -1;
	if (key.has_secret)
		return error_set(err, ERROR_INVALID, "the card holds a secret key: whoever wrote it should make a new one");
	if (!key.can_encrypt)
		return error_set(err, ERROR_INVALID, "the card's OpenPGP key %s", key.is_revoked ? "is revoked" : key.is_expired ? "has expired" :
		    "cannot be encrypted to");
	memcpy(fingerprint, key.fingerprint, OPENPGP_FINGERPRINT_LEN + 1);
	return 0;
}

int
content_card_check(struct slice text, struct buffer *out, struct error *err)
{
	struct ipc_message m = { .type = IPC_TYPE_CARD_FACTS, .fd = -1 };
	struct ipc_card_facts *facts = &m.card_facts;
	struct slice found;
	struct card card;
	struct buffer key;
	if (!card_find(text, &found))
		return error_set(err, ERROR_NOT_FOUND, "there is no card in this text: it would begin with a line %s", CARD_FIRST_LINE);
	buffer_init(&key, CARD_KEY_MAX_BYTES);
	int result = card_parse(found, &card, &key, err);
	if (result == 0)
		result = check_key(card.key, facts->fingerprint, err);
	if (result == 0) {
		facts->kind = (uint8_t)card.kind;
		memcpy(facts->address, card.address, sizeof card.address);
		memcpy(facts->onion, card.onion, sizeof facts->onion);
		memcpy(facts->name, card.name, sizeof facts->name);
		memcpy(facts->tls, card.tls, sizeof facts->tls);
		memcpy(facts->recovery, card.recovery, sizeof facts->recovery);
		facts->day_s = (uint64_t)card.day_s;
		facts->sequence = card.sequence;
		facts->key = card.key;
		facts->card = found;
		result = ipc_encode(&m, out, err);
	}
	buffer_finish(&key);
	return result;
}
