/* SPDX-License-Identifier: ISC
 *
 * A card in a mailto: link (RFC 6068): mailto:ADDRESS?SMTorP-Card=..., in base64url (RFC 4648 section 5) without padding. A mail program that
 * knows nothing of it writes to the address; it is asked to set a header field that it should not know, and does not (section 4 there).
 */
#pragma once

#include "card/card.h"

#define CARD_LINK_PARAMETER "SMTorP-Card="
#define CARD_LINK_MAX_BYTES (16 * 1024)

/* address: as it is to be written to, perhaps with a fingerprint. Appends the link. */
int card_link_write(const char *address, struct slice card, struct buffer *out, struct error *err);

/* The first link in a text, decoded: 1, with what is to be a card in *card, an empty buffer of CARD_MAX_BYTES; 0: there is none. -1: ERROR_INVALID,
 * ERROR_TOO_LARGE for one that is damaged. */
int card_link_scan(struct slice text, struct buffer *card, struct error *err);
