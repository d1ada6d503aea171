/* SPDX-License-Identifier: ISC
 *
 * What a message whose sender is proved has brought for the node, as parts of types of their own: cards (text/vcard) and notices
 * (application/smtorp-notice). They are found anywhere in the message, and handed on as they are.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "ipc/body.h"

#define CONTENT_FINDINGS_MAX 4
#define CONTENT_FINDING_MAX_BYTES 15000 /* four of them fit */

/* Whether it is worth while to open the message: cheap, and wrong at times. */
bool content_findings_are_likely(const struct body *message);

/* Appends those of a message, packed: a digit (enum ipc_finding) and the octets, decoded, each. */
int content_findings(struct slice message, struct buffer *out, struct error *err);
