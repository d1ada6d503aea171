/* SPDX-License-Identifier: ISC
 *
 * content@ID looks who wrote a message that came in, in memory or in a file (proof/onionsig.h), which OpenPGP key its sender has sent along, and whether there is
 * more in it for the node.
 */
#pragma once

#include "ipc/body.h"
#include "openpgp/openpgp.h"
#include "proof/onionsig.h"

struct content_checked {
	enum onionsig_verdict verdict;
	struct address sender; /* as onionsig_check() */
	struct error why;      /* what is wrong */
	bool has_more;         /* it is to be opened (content_open.h) */
	/* only ONIONSIG_PROVED: the key in Autocrypt, binary; empty: there is none that counts */
	struct buffer key;
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1];
	int64_t signed_s; /* Date; 0: there is none */
	bool is_of_file;  /* somebody else might still write to it: */
	unsigned char digest[HASH_SHA256_BYTES]; /* of what was read */
};

/* Judges a message that came in for the onion `to`. What cannot be read at all proves nothing: ONIONSIG_WRONG. -1: ERROR_IO, ERROR_NO_MEMORY. *out is to be
 * finished in any case. */
int content_check(const struct body *message, const char *to, struct content_checked *out, struct error *err);
void content_checked_finish(struct content_checked *checked);
