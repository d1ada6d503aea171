/* SPDX-License-Identifier: ISC
 *
 * Whose addresses stand in a From or Sender field (RFC 5322 3.4, read by GMime).
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

#define MAILBOXES_VALUE_MAX_BYTES 16384

/* 0 when the unfolded value (valid UTF-8, no NUL) holds at least one mailbox and each is LOCAL-PART@onion or
 * LOCAL-PART+anything@onion, whatever the case of ASCII letters; display names are free. What two readers could read
 * differently (a group, a route, a second "@" outside quotes, brackets left open) is ERROR_INVALID, a foreign mailbox
 * ERROR_DENIED, a longer value ERROR_TOO_LARGE. The texts begin with "From:" and tell what to change.
 * library_init() first. */
int mailboxes_are_own(struct slice value, const char *local_part, const char *onion, struct error *err);

/* The address of the one mailbox that the unfolded value of a From field names, and a NUL. ERROR_INVALID for none, for several, and for
 * what two readers could read differently; ERROR_TOO_LARGE for a value or an address over its maximum. */
#define MAILBOXES_ADDRESS_MAX 320
int mailboxes_only(struct slice value, char address[MAILBOXES_ADDRESS_MAX + 1], struct error *err);
