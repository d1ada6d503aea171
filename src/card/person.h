/* SPDX-License-Identifier: ISC
 *
 * People as address books exchange them: vCards (RFC 6350) that nobody has signed, with an address, a name and an OpenPGP key. Nothing in them is proved:
 * they are for books of one owner.
 */
#pragma once

#include "address/address.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "card/card.h"

#define CARD_PERSON_MAX_BYTES (256 * 1024) /* pictures are among what others write */
#define CARD_PERSON_KEY_MAX_BYTES (64 * 1024)

#define CARD_PERSON_ENCRYPT "X-SMTORP-ENCRYPT" /* what the book's owner wants for mail to them */
#define CARD_PERSON_CARRIER "X-SMTORP-CARRIER" /* an address; once for each who takes mail for them while they are away, the first one first */
#define CARD_PERSON_CARRIERS_MAX 8             /* what is more is left out */

struct card_person {
	char address[ADDRESS_MAX + 1]; /* the first that is an onion's */
	char name[CARD_NAME_MAX + 1];  /* cut off; "": none */
	char encrypt[16];              /* what CARD_PERSON_ENCRYPT says, if that is a short word; "": nothing */
	char carriers[CARD_PERSON_CARRIERS_MAX][ADDRESS_MAX + 1];
	size_t carrier_count;
	bool is_signed;                /* it says that it is a card of an onion: card_parse() has the word then */
};

/* Appends a vCard. key: binary; empty: there is none. is_signed is not looked at. ERROR_TOO_LARGE. */
int card_person_write(const struct card_person *person, struct slice key, struct buffer *out, struct error *err);

/* Reads one, as card_find() finds them. key: appended to an empty buffer of CARD_PERSON_KEY_MAX_BYTES, binary or armoured as it stands there, and nobody has
 * looked into it. ERROR_NOT_FOUND: it has no address of an onion; ERROR_INVALID, ERROR_TOO_LARGE. */
int card_person_parse(struct slice card, struct card_person *out, struct buffer *key, struct error *err);
