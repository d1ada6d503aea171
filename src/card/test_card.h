/* SPDX-License-Identifier: ISC
 *
 * For tests of cards: the key of doc/spec/vectors, and what it signs.
 */
#pragma once

#include <assert.h>

#include "card/card.h"
#include "proof/context.h"

static inline void
test_card_key(struct onionkey *out)
{
	unsigned char seed[32];
	memset(seed, 1, sizeof seed);
	onionkey_from_seed(seed, out);
}

/* Writes a card of that key as a whole. */
static inline int
test_card_write(const struct card *card, struct buffer *out, struct error *err)
{
	unsigned char digest[HASH_SHA256_BYTES], text[CONTEXT_TEXT_MAX], signature[ONIONKEY_SIGNATURE_BYTES];
	struct onionkey key;
	if (card_compose(card, out, digest, err) != 0)
		return -1;
	test_card_key(&key);
	onionkey_sign(&key, slice_of(text, context_text(CONTEXT_CARD, digest, text)), signature);
	return card_end(out, signature, err);
}
