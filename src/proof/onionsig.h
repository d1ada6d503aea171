/* SPDX-License-Identifier: ISC
 *
 * The field Onion-Signature (doc/spec/proof.md): who wrote a message, proved by the key that the sender's onion name is. A DKIM
 * signature (dkim.h) that covers all that a reader is shown, and names the onion for which the message is meant.
 *
 * Making one takes two steps, because the process that reads messages does not hold the key: onionsig_begin() gives the digest,
 * whoever has the key signs it (onionkey_sign()), onionsig_end() completes the field.
 */
#pragma once

#include "address/address.h"
#include "base/buffer.h"
#include "base/error.h"
#include "proof/dkim.h"

#define ONIONSIG_FIELD "Onion-Signature"
#define ONIONSIG_MAX_BYTES 8192   /* of a field that onionsig_begin() writes */
#define ONIONSIG_TRIED_MAX 4      /* such fields in a message; with more none is looked at */

/* Appends the field, but for its signature, to an empty buffer of ONIONSIG_MAX_BYTES. section: the header as it will leave, with one
 * From. from, to: onion names with ".onion", lower case. ERROR_INVALID, ERROR_TOO_LARGE: too many fields to be covered. */
int onionsig_begin(struct slice section, const unsigned char body_digest[HASH_SHA256_BYTES], const char *from, const char *to,
    struct buffer *field, unsigned char digest[HASH_SHA256_BYTES], struct error *err);
int onionsig_end(struct buffer *field, const unsigned char signature[DKIM_SIGNATURE_BYTES], struct error *err);

enum onionsig_verdict {
	ONIONSIG_UNCLAIMED, /* From names no onion: there is nothing to prove */
	ONIONSIG_MISSING,   /* it does, and there is no signature */
	ONIONSIG_WRONG,     /* there are signatures and none proves it; *why says what is wrong with the last one tried */
	ONIONSIG_PROVED,    /* sender is who it says */
};

/* Judges a message that came in for the onion `to`. sender: the address in From, unless ONIONSIG_UNCLAIMED or its onion is no valid one.
 * -1 when the header cannot be read at all: ERROR_INVALID, ERROR_TOO_LARGE, ERROR_NO_MEMORY. mime's library_init() first. */
int onionsig_check(struct slice section, const unsigned char body_digest[HASH_SHA256_BYTES], const char *to,
    enum onionsig_verdict *verdict, struct address *sender, struct error *why, struct error *err);
