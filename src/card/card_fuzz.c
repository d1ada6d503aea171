/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "card/test_card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The only key that signed anything in the corpus is that of the vectors: nobody else's card comes out, and of it nothing but what was signed. */
static void
judge(const struct card *card)
{
	struct onionkey key;
	char onion[ADDRESS_ONION_LEN + 1];
	test_card_key(&key);
	onionkey_name(key.public_key, onion);
	strcat(onion, ".onion");
	if (strcmp(card->onion, onion) != 0 || card->sequence != 7 || card->key.len != 64 ||
	    (card->kind == CARD_PERSONAL ? strncmp(card->address, "alice@", 6) != 0 : card->address[0] != '\0'))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct card card, zeros = { 0 };
	struct buffer key;
	struct slice found, text = slice_of(data, size);
	struct error err = { 0 };
	buffer_init(&key, CARD_KEY_MAX_BYTES);
	if (card_parse(text, &card, &key, &err) == 0)
		judge(&card);
	else if (err.text[0] == '\0' || memcmp(&card, &zeros, sizeof card) != 0 || buffer_len(&key) != 0)
		abort();
	buffer_finish(&key);
	if (card_find(text, &found) && (found.data < text.data || found.len > (size_t)(text.data + text.len - found.data)))
		abort();
	return 0;
}
