/* SPDX-License-Identifier: ISC
 *
 * The bytes of a message: type (16 bits), then the fields in the table's order. Strings and byte fields
 * carry a 32-bit length. Everything is little-endian. Decoding checks every maximum, that strings hold no
 * NUL, and that nothing is left over.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "ipc/messages.h"

#define IPC_MESSAGE_MAX (IPC_BODY_INLINE_MAX + 2 * IPC_RECIPIENTS_MAX + 4096)

/* Appends the message that m->type names. ERROR_TOO_LARGE for a field over its maximum. */
int ipc_encode(const struct ipc_message *m, struct buffer *out, struct error *err);

/* Fills *m (fd becomes -1); byte fields borrow from bytes. ERROR_PROTOCOL. */
int ipc_decode(const void *bytes, size_t len, struct ipc_message *m, struct error *err);

/* May `from` send this type to `to`? And does a descriptor belong to it? */
bool ipc_is_allowed(enum ipc_type type, enum role from, enum role to, bool has_fd);

const char *ipc_type_name(enum ipc_type type); /* "DIAL" */
const char *ipc_role_name(enum role role);     /* "smtp" */
