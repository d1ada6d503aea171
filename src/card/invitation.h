/* SPDX-License-Identifier: ISC
 *
 * Invitations (doc/spec/cards.md, section 6): a personal card and a secret, by which both sides know the other's key for the other's.
 */
#pragma once

#include <stdbool.h>

#include "address/address.h"
#include "base/encode.h"
#include "base/hash.h"
#include "base/slice.h"

#define INVITATION_WORD "SMTorP-Invitation"
#define INVITATION_TYPE "application/smtorp-invitation"
#define INVITATION_SECRET_BYTES 16
#define INVITATION_LETTERS ENCODE_BASE32_LEN(INVITATION_SECRET_BYTES)
#define INVITATION_FINGERPRINT_LEN 40 /* of OpenPGP keys of version 4, upper case hex */
#define INVITATION_PROOF_LEN ENCODE_HEX_LEN(HASH_HMAC_SHA256_BYTES)

/* The secret in letters, and a NUL. */
void invitation_write(const unsigned char secret[INVITATION_SECRET_BYTES], char out[INVITATION_LETTERS + 1]);

/* Looks in a text, behind a card, or in a link, for the word and the letters: "SMTorP-Invitation: ..." or "SMTorP-Invitation=...". */
bool invitation_scan(struct slice text, unsigned char secret[INVITATION_SECRET_BYTES]);

/* What the invited one sends: upper case hex and a NUL. Fingerprints of both keys; address: of the invited one, as address_format() writes it. */
void invitation_prove(const unsigned char secret[INVITATION_SECRET_BYTES], const char *inviting, const char *invited, const char *address,
    char out[INVITATION_PROOF_LEN + 1]);
