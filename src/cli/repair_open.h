/* SPDX-License-Identifier: ISC
 *
 * Messages that waited for a key of their recipient lie in the queue encrypted to the identity's own key: what `identity repair` has put of them into the
 * mailbox is opened, so that the owner can read it.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

struct repair_open {
	size_t opened, closed; /* that are encrypted and were not opened: the identity's keys are locked, or are others */
};

/* Looks at the mailbox of store/salvage.h in identity_fd, the identity's folder (borrowed). What cannot be opened stays as it is, and so does what
 * somebody else has encrypted: only what one of the identity's keys has signed for its own address counts as its own. */
int repair_open(int identity_fd, const char *address, struct repair_open *out, struct error *err);
