/* SPDX-License-Identifier: ISC
 *
 * Signatures over a message with the grammar of DKIM (RFC 6376), ed25519-sha256 (RFC 8463), both canonicalisations relaxed
 * (RFC 6376 3.4.2 and 3.4.4) and no body length limit: the part of DKIM that has no choices. Whose key it is, and what
 * has to be signed, is the caller's affair; nothing here asks DNS.
 *
 * A signature is Ed25519 over the SHA-256 digest of the header, in which the body's digest stands (RFC 8463 3).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"
#include "mime/header.h"

#define DKIM_SIGNATURE_BYTES 64
#define DKIM_VALUE_MAX_BYTES 16384 /* of a signature field, folded */
#define DKIM_TAGS_MAX 32
#define DKIM_NAMES_MAX 128         /* in h= */

/* ---- the body */

/* SHA-256 over the relaxed form of a body that comes in pieces. Lines end in CRLF; a CR or LF alone counts as any other byte. */
struct dkim_body {
	struct hash_sha256 hash;
	size_t line_ends;   /* seen and not hashed yet: perhaps the empty lines at the end */
	bool has_blank;     /* white space seen and not hashed yet: perhaps at the end of a line */
	bool has_cr;        /* perhaps of a CRLF */
	bool has_text;      /* something is hashed */
};
void dkim_body_init(struct dkim_body *body);
void dkim_body_update(struct dkim_body *body, const void *bytes, size_t len);
void dkim_body_final(struct dkim_body *body, unsigned char digest[HASH_SHA256_BYTES]);

/* ---- the signature field */

/* A tag's value as it stands, without the white space around it; data NULL: there is none. Borrowed from the field. */
struct dkim_tags {
	struct slice version, algorithm, canonicalization, domain, selector, names, to;
	struct slice signature_place; /* between "b=" and the semicolon or end, white space included */
	unsigned char body_digest[HASH_SHA256_BYTES], signature[DKIM_SIGNATURE_BYTES];
};

/* Reads a signature field's value, still folded. ERROR_INVALID for what is no tag-list, for a tag twice, for one missing that must
 * be there, and for choices other than those above; ERROR_TOO_LARGE. */
int dkim_parse(struct slice value, struct dkim_tags *out, struct error *err);

/* Takes the next name off a list such as tags->names, without white space. 0 at the end, -1: ERROR_INVALID. */
int dkim_next_name(struct slice *names, struct slice *name, struct error *err);

/* The digest that is signed: of the fields that h= names, each time it does from the bottom up, and of the signature field with an empty
 * b=. section: fields as on the wire, the field among them or not. ERROR_INVALID, ERROR_TOO_LARGE. */
int dkim_digest(struct slice section, const struct header_field *signature_field, const struct dkim_tags *tags,
    unsigned char digest[HASH_SHA256_BYTES], struct error *err);
