/* SPDX-License-Identifier: ISC
 *
 * Others' keys for one call. Reading a key costs more than using it (its own signatures are verified), so those used last stay in the
 * ring; that nobody else's counts in a call is seen to by guests_are_with().
 */
#pragma once

#include "openpgp/ring.h"

struct guests {
	struct openpgp *pgp;
	size_t count;
	char fingerprints[RING_KEPT_MAX][OPENPGP_FINGERPRINT_LEN + 1];
};

/* ERROR_INVALID for what is no public key, ERROR_TOO_LARGE for more than RING_KEPT_MAX of them. */
int guests_receive(struct openpgp *pgp, const struct slice *keys, size_t count, struct guests *out, struct error *err);

/* Whether the key is one of those given: the owner's is, too, only when it was. */
bool guests_are_with(const struct guests *guests, const char *fingerprint);
