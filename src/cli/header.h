/* SPDX-License-Identifier: ISC
 *
 * As much of a message's header (RFC 5322) as smtorp-sendmail needs: where it ends and whom it names. Lines may end
 * with LF or CRLF.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

struct header_end {
	size_t start;          /* octets to drop before the first field: an mbox "From " line */
	size_t end;            /* octets to the first one of the body, the blank line included */
	bool is_blank_missing; /* the body follows without a blank line: one is to be put before it */
};

/* Finds the end of the header in the first octets of a message. is_whole: there is nothing after text. false: the
 * header goes on behind text. */
bool header_find_end(struct slice text, bool is_whole, struct header_end *out);

typedef int header_callback(void *context, struct slice address, struct error *err);

/* Calls back for each address of each field of that name (without case), in order, without display names, comments and
 * groups' names. ERROR_INVALID for what is no list of addresses; what the callback returns other than 0 ends it. The
 * address is good during the callback. */
int header_addresses(struct slice header, const char *field, header_callback *callback, void *context, struct error *err);

/* The same for text that is a list of addresses. */
int header_list(struct slice list, header_callback *callback, void *context, struct error *err);
