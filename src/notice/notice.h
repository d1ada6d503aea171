/* SPDX-License-Identifier: ISC
 *
 * Notices (doc/spec/notices.md): what an onion says of itself to those who know it, signed by its key: that whoever was there is now
 * elsewhere, that it is not to be trusted any more, or that an OpenPGP key of it is not.
 *
 * A move is also signed by the onion that it leads to, and it may be by the recovery key, which is kept away from the machine: that one tells its
 * owner from whoever has taken the machine. A notice proves itself, whoever brings it.
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

#define NOTICE_MAX_BYTES 2048
#define NOTICE_HASH_LEN 52        /* of a recovery key, as cards have it */
#define NOTICE_FINGERPRINT_LEN 40 /* of an OpenPGP key: upper case hex */
#define NOTICE_SEQUENCE_MAX 999999999999999999
#define NOTICE_MEDIA_TYPE "application/smtorp-notice"

/* The values are in databases. */
enum notice_kind { NOTICE_MOVE = 1, NOTICE_REVOKE_ONION, NOTICE_REVOKE_KEY };

struct notice {
	enum notice_kind kind;
	char onion[ADDRESS_ONION_LEN + 1]; /* whose it is; with ".onion" */
	uint64_t sequence;                 /* grows with each notice of the onion, from 1 on */
	int64_t day_s;                     /* when it was written: the day's beginning */
	char to[ADDRESS_MAX + 1];          /* of a move: the new address, without a fingerprint, of another onion; else "" */
	char fingerprint[NOTICE_FINGERPRINT_LEN + 1]; /* of a key that is revoked; else "" */
	bool has_recovery;
	unsigned char recovery[ONIONKEY_PUBLIC_BYTES]; /* the recovery key, public */
	unsigned char signature[ONIONKEY_SIGNATURE_BYTES];
	unsigned char to_signature[ONIONKEY_SIGNATURE_BYTES];       /* of a move: by the new onion */
	unsigned char recovery_signature[ONIONKEY_SIGNATURE_BYTES]; /* if has_recovery */
};

/* Signs it: sets the onion, the recovery key and the signatures. to: the new onion's key, for a move; else NULL. recovery: or NULL. ERROR_INVALID for
 * what no notice can say. */
int notice_sign(struct notice *notice, const struct onionkey *onion, const struct onionkey *to, const struct onionkey *recovery,
    struct error *err);

/* Appends its text, which it has only in one way. ERROR_INVALID. */
int notice_write(const struct notice *notice, struct buffer *out, struct error *err);

/* Whether all that have to have signed it. ERROR_DENIED, ERROR_INVALID. */
int notice_verify(const struct notice *notice, struct error *err);

/* Reads a text, and verifies it: *out is zeros otherwise. Lines may end in LF alone. ERROR_DENIED, ERROR_INVALID, ERROR_UNSUPPORTED, ERROR_TOO_LARGE. */
int notice_parse(struct slice text, struct notice *out, struct error *err);

/* What cards commit to: SHA-256 of the public recovery key, in base32. */
void notice_recovery_hash(const unsigned char recovery[ONIONKEY_PUBLIC_BYTES], char out[NOTICE_HASH_LEN + 1]);
