/* SPDX-License-Identifier: ISC */
#pragma once

#include "base/buffer.h"
#include "daemon/mail_intake.h"

/* Sorts a submission's recipients (packed) by the onion that they are at, "" for the own mailbox, and appends a record_add_destination() for each. An
 * address that is named twice is there once. ERROR_INVALID: no address, or none of ours; ERROR_TOO_LARGE, ERROR_NO_MEMORY. */
int mail_destinations_group(const struct mail_intake_config *own, struct slice recipients, struct buffer *out, struct error *err);
