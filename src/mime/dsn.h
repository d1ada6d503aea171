/* SPDX-License-Identifier: ISC
 *
 * A delivery status notification (RFC 3464) in a multipart/report (RFC 6522): tells a sender of this node, in plain words
 * and for programs, which recipients a message did not reach, or has not reached yet. It names the identity's onion and no
 * host, path or program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define DSN_LETTERS 26
#define DSN_MAX_BYTES (16 * 1024 * 1024)
#define DSN_ORIGINAL_HEADER_MAX_BYTES 32768 /* of the original's header, whole fields */

struct dsn_failure {
	struct slice recipient; /* mailbox */
	unsigned code;          /* the last SMTP reply; 0: there was none, and the text is ours */
	struct slice enhanced;  /* "5.1.1", or empty */
	struct slice text;      /* the words of the reply, or ours: any bytes */
};

struct dsn_request {
	const char *onion;     /* of the identity, with ".onion" */
	const char *recipient; /* the sender of the original, who is told */
	int64_t now_s, arrival_s;
	int64_t will_end_s;    /* when it will be given up; 0: it was */
	const struct dsn_failure *failures;
	size_t failure_count;
	struct slice original; /* the message, as it was to leave */
	char id_letters[DSN_LETTERS + 1], boundary_letters[DSN_LETTERS + 1]; /* random_name() */
};

/* Appends the message, CRLF everywhere, to out. ERROR_INVALID when recipient holds control characters or invalid
 * UTF-8, ERROR_TOO_LARGE over out's maximum, ERROR_NO_MEMORY. Of the original only the header is used, up to the first
 * malformed field. The flags as in struct prepare_facts. library_init() first. */
int dsn_compose(const struct dsn_request *request, struct buffer *out, bool *needs_smtputf8, bool *has_8bit,
    struct error *err);
