/* SPDX-License-Identifier: ISC
 *
 * content@ID reads a message that is about to leave, in pieces, and makes the Onion-Signature for it, but for the signature itself
 * (proof/onionsig.h).
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "proof/onionsig.h"

struct content_sign {
	const char *from, *to; /* onion names, borrowed; to "": nothing is done */
	struct slice autocrypt; /* a whole field, borrowed: added unless the header has one */
	struct buffer header;  /* as far as it has come, with its empty line when has_header */
	struct dkim_body body;
	bool has_header, has_8bit, has_8bit_header;
	/* after content_sign_end() */
	struct buffer field; /* the fields that are to stand before the message; the last one lacks its signature */
	unsigned char digest[HASH_SHA256_BYTES];
};

void content_sign_init(struct content_sign *signing, const char *from, const char *to, struct slice autocrypt);
void content_sign_finish(struct content_sign *signing);
/* The next piece. ERROR_TOO_LARGE: of the header. */
int content_sign_update(struct content_sign *signing, const void *bytes, size_t len, struct error *err);
/* That was all. Errors as onionsig_begin(). */
int content_sign_end(struct content_sign *signing, struct error *err);
