/* SPDX-License-Identifier: ISC
 *
 * Whole messages encrypted and signed with OpenPGP (RFC 3156) with their header inside (RFC 9788): doc/spec/openpgp.md says what is
 * written, and what of a message that came in may be called encrypted or signed, and by whom.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "mime/prepare.h"
#include "openpgp/openpgp.h"

/* ---- out */

enum pgpmime_kind {
	PGPMIME_PLAIN,
	PGPMIME_SIGNED,    /* by the mail program: multipart/signed */
	PGPMIME_ENCRYPTED, /* by the mail program: multipart/encrypted, S/MIME, or a text that begins with OpenPGP's armour */
};

/* What the mail program has made of a message already; of the body the beginning is enough. ERROR_INVALID, ERROR_TOO_LARGE. */
int pgpmime_look(struct slice beginning, enum pgpmime_kind *kind, struct error *err);

#define PGPMIME_LETTERS 26
struct pgpmime_seal {
	struct openpgp *pgp;       /* signs */
	const struct slice *keys;  /* of all who are to read it: an own key only if it is among them */
	size_t count;
	int64_t now_s;
	char boundary_letters[PGPMIME_LETTERS + 1]; /* random_name() */
};

/* Seals a prepared message (mime/prepare.h) of any size, which is read once, but for its header, and written in pieces; what the callbacks
 * say of errors is passed on. The body written is ASCII in lines of at most 76; *has_8bit_header: its header is not. ERROR_NOT_FOUND: one of the keys cannot be encrypted to;
 * ERROR_INVALID, ERROR_TOO_LARGE: a key or the header is malformed or too large. After an error what was written is to be thrown away. */
int pgpmime_seal(const struct pgpmime_seal *how, const struct prepare_stream *io, bool *has_8bit_header, struct error *err);

/* The same in memory. */
int pgpmime_seal_message(const struct pgpmime_seal *how, struct slice message, struct buffer *out, bool *has_8bit_header,
    struct error *err);

/* ---- in */

#define PGPMIME_OPEN_MAX_BYTES (32 * 1024 * 1024) /* of a message, and of what is inside: it is opened in memory */

enum pgpmime_encryption {
	PGPMIME_CLEAR,         /* not encrypted, or only a part of it, which is left as it is */
	PGPMIME_OPENED,        /* all of it, with integrity */
	PGPMIME_OTHER_KEYS,    /* to keys that are not the owner's */
	PGPMIME_CHANGED,       /* without integrity protection, or it was broken: nothing of it may be shown */
	PGPMIME_UNREADABLE,    /* malformed, or larger than may be */
};

enum pgpmime_signature {
	PGPMIME_UNSIGNED,
	PGPMIME_SIGNED_GOOD,    /* by one of the keys given, over all that is shown but the header outside */
	PGPMIME_SIGNED_UNKNOWN, /* by a key that was not given: worth nothing */
	PGPMIME_SIGNED_WRONG,   /* the signature, or the key, is not valid */
	PGPMIME_SIGNED_OTHER,   /* it is good, but From inside names somebody else than From outside */
};

struct pgpmime_facts {
	enum pgpmime_encryption encryption;
	enum pgpmime_signature signature;
	char fingerprint[OPENPGP_FINGERPRINT_LEN + 1]; /* of the primary key; "" unless PGPMIME_SIGNED_GOOD */
	int64_t signed_s;
	bool is_layered;              /* what was opened is encrypted once more: it stays so */
	char why[ERROR_TEXT_MAX];     /* of CHANGED, UNREADABLE and OTHER_KEYS, for the owner */
};

struct pgpmime_open {
	struct openpgp *pgp;
	const struct slice *keys; /* that the sender is known to have: the owner's own count only if they are among them */
	size_t count;
	const char *from;         /* the one address in From; NULL: there is none, and nothing counts as signed */
	bool restores;            /* it is the owner's own, sealed by pgpmime_seal(): it is to be as it was before */
};

/* Judges a message as it came in, and opens it. Appends to an empty buffer what the mailbox is to have: the header of outside with what it
 * hid (Subject and such, never From), the content of inside, CRLF everywhere; nothing unless PGPMIME_OPENED: then it is to be kept as it
 * came. -1 only for ERROR_NO_MEMORY. library_init() first. */
int pgpmime_open(const struct pgpmime_open *how, struct slice message, struct pgpmime_facts *facts, struct buffer *out,
    struct error *err);
