/* SPDX-License-Identifier: ISC
 *
 * The packets of OpenPGP data (RFC 4880 section 4), one after another, without looking into what is encrypted or compressed: so that
 * what strangers send is known to be small and of known kinds before a library takes it apart.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

enum openpgp_tag {
	OPENPGP_SESSION_KEY = 1,      /* encrypted to a public key */
	OPENPGP_SIGNATURE = 2,
	OPENPGP_PASSWORD_KEY = 3,     /* session key encrypted to a passphrase */
	OPENPGP_ONE_PASS = 4,
	OPENPGP_SECRET_KEY = 5,
	OPENPGP_PUBLIC_KEY = 6,
	OPENPGP_SECRET_SUBKEY = 7,
	OPENPGP_COMPRESSED = 8,
	OPENPGP_ENCRYPTED = 9,        /* without integrity protection */
	OPENPGP_LITERAL = 11,
	OPENPGP_USER_ID = 13,
	OPENPGP_PUBLIC_SUBKEY = 14,
	OPENPGP_USER_ATTRIBUTE = 17,
	OPENPGP_PROTECTED = 18,       /* encrypted, with integrity protection */
};

struct openpgp_packet {
	unsigned tag;
	struct slice body; /* the first part of it, when the length is not known beforehand */
	size_t bytes;      /* of the body as a whole */
};

/* Takes the next packet off the list. 1; 0 at the end; -1 for what is none, or breaks off: ERROR_INVALID. Partial body lengths are
 * followed, the old format's indeterminate length goes to the end. */
int openpgp_packet_scan(struct slice *data, struct openpgp_packet *out, struct error *err);

/* A transferable public or secret key (RFC 4880 section 11.1, 11.2) that is worth showing to the library: one primary key, in version
 * 4, with numbers of at most 4096 bits, and not too much of anything. ERROR_INVALID, ERROR_TOO_LARGE with a text for the owner. */
#define OPENPGP_KEY_MAX_BYTES (64 * 1024)
#define OPENPGP_KEY_MAX_PACKETS 200
#define OPENPGP_KEY_MAX_SUBKEYS 20
int openpgp_key_scan(struct slice key, struct error *err);

/* Five packets, and no more than 10 KiB: what Autocrypt 1.1 section 2.1.1 wants of keydata. The same errors. */
#define OPENPGP_AUTOCRYPT_MAX_BYTES (10 * 1024)
int openpgp_autocrypt_scan(struct slice key, struct error *err);

/* An encrypted message as it is at the outside: session keys and one protected packet. ERROR_INVALID; ERROR_DENIED: it is encrypted without
 * integrity protection, or in a way that is newer than what is known here. */
#define OPENPGP_MESSAGE_MAX_RECIPIENTS 200
int openpgp_message_scan(struct slice message, struct error *err);
