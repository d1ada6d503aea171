/* SPDX-License-Identifier: ISC
 *
 * What the onion key signs besides messages (doc/spec/proof.md, section 5): a context string, which ends in a NUL, and what is meant by it. A
 * message's signature is over exactly 32 octets, a digest; every text here is longer, so that none is ever taken for another.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"
#include "onionkey/onionkey.h"

#define CONTEXT_DIGEST_BYTES 32
#define CONTEXT_EXPORTER_BYTES 32
#define CONTEXT_TEXT_MAX 160

/* The numbers travel between processes: add at the end. */
enum context {
	CONTEXT_MESSAGE = 0,      /* no context: the digest itself (onionsig.h) */
	CONTEXT_CARD = 1,         /* who an onion is, for others */
	CONTEXT_NOTICE = 2,       /* moving and revoking */
	CONTEXT_INTRODUCTION = 3, /* of one contact to another */
	CONTEXT_INVITATION = 4,
	CONTEXT_COUNT,
};

/* The text to sign for a digest. Returns its length; 0: there is no such context. */
size_t context_text(unsigned context, const unsigned char digest[CONTEXT_DIGEST_BYTES], unsigned char out[CONTEXT_TEXT_MAX]);

/* The text by which a client proves its onion to a server within one TLS session: both public keys and the session's exporter value. */
size_t context_session_text(const unsigned char client[ONIONKEY_PUBLIC_BYTES], const unsigned char server[ONIONKEY_PUBLIC_BYTES],
    const unsigned char exporter[CONTEXT_EXPORTER_BYTES], unsigned char out[CONTEXT_TEXT_MAX]);
