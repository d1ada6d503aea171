/* SPDX-License-Identifier: ISC
 *
 * content@ID writes the identity's own cards, but for the signature, and reads those of others (card/card.h).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "ipc/messages.h"
#include "openpgp/openpgp.h"

/* Into an empty buffer of CARD_MAX_BYTES. pgp: the identity's keys; ERROR_BUSY without them. */
int content_card_compose(const struct ipc_compose_card *request, struct openpgp *pgp, struct buffer *out,
    unsigned char digest[HASH_SHA256_BYTES], struct error *err);

/* Looks for a card in a text, and appends what it says as CARD_FACTS. ERROR_NOT_FOUND: there is none; otherwise as card_parse(), and ERROR_INVALID for a
 * key that nobody can encrypt to. */
int content_card_check(struct slice text, struct buffer *out, struct error *err);
#define CONTENT_CARD_FACTS_MAX (2 * IPC_CARD_MAX)
