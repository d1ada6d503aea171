/* SPDX-License-Identifier: ISC
 *
 * Cards between a mail role's messages and the owner's JSON.
 */
#pragma once

#include "base/buffer.h"
#include "ipc/messages.h"

/* A checked card as JSON; the card itself and its key are in base64. */
int control_card_put(struct buffer *out, const char *identity, const struct ipc_card_facts *facts, struct error *err);
