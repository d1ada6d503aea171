/* SPDX-License-Identifier: ISC
 *
 * Cards (doc/spec/cards.md): who an onion is, for others, as a vCard 4.0 (RFC 6350) that its onion key has signed. A *personal* card names
 * an address, and goes from person to person. The *onion's* card names no mailbox, and all of them have one size: it is for whoever asks.
 *
 * What the parser gives out was signed by the onion that it names. That the OpenPGP key is one is for openpgp/ to say.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address/address.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"
#include "onionkey/onionkey.h"

#define CARD_MAX_BYTES 8192      /* as it is written; each onion's card has exactly so many */
#define CARD_KEY_MAX_BYTES 5120  /* binary */
#define CARD_NAME_MAX 128        /* octets */
#define CARD_HASH_LEN 52         /* SHA-256 in base32, as fingerprints of TLS keys (doc/spec/address.md, section 4) */
#define CARD_FIRST_LINE "BEGIN:VCARD"

enum card_kind { CARD_PERSONAL, CARD_ONION };

struct card {
	enum card_kind kind;
	char address[ADDRESS_MAX + 1];     /* of a personal card, without a fingerprint; "" on the onion's */
	char onion[ADDRESS_ONION_LEN + 1]; /* with ".onion" */
	char name[CARD_NAME_MAX + 1];      /* UTF-8, one line; "": none but the address */
	char tls[CARD_HASH_LEN + 1];       /* fingerprint of the TLS key; "": it is not told */
	char recovery[CARD_HASH_LEN + 1];  /* SHA-256 of the public key that may move the identity; "": there is none */
	int64_t day_s;                     /* when it was written: the day's beginning */
	uint64_t sequence;                 /* of two cards of one kind the greater one is newer */
	struct slice key;                  /* the OpenPGP key, transferable and binary; empty: there is none */
};

/* Writes a card but for its end into an empty buffer of CARD_MAX_BYTES. digest: what the onion key is to sign, for CONTEXT_CARD (proof/context.h).
 * The same card gives the same bytes. ERROR_TOO_LARGE: of the key; ERROR_INVALID: what cannot stand in a card. */
int card_compose(const struct card *card, struct buffer *out, unsigned char digest[HASH_SHA256_BYTES], struct error *err);
/* Adds the signature and the end. */
int card_end(struct buffer *out, const unsigned char signature[ONIONKEY_SIGNATURE_BYTES], struct error *err);

/* Reads a card and checks its signature. The key's bytes are in *key, an empty buffer of CARD_KEY_MAX_BYTES at least. ERROR_DENIED: the onion that it
 * names has not signed it; ERROR_INVALID, ERROR_TOO_LARGE. *out is zeros then. Lines may end in LF alone. */
int card_parse(struct slice text, struct card *out, struct buffer *key, struct error *err);

/* The first card that stands in a text between whole lines: a message, something pasted. It was not looked into. */
bool card_find(struct slice text, struct slice *card);
