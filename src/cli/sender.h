/* SPDX-License-Identifier: ISC
 *
 * Which identity a message is from when -f does not say.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/paths.h"
#include "identity/identity.h"

#define SENDER_MAX 1000

/* Whether the address is a mailbox of an identity whose keys are locked with a passphrase; then its name, too. */
bool sender_has_passphrase(const struct paths *paths, const char *sender, char name[IDENTITY_NAME_MAX + 1]);

/* Takes From of the header when it is a mailbox of an identity; else the only identity's address. ERROR_NOT_FOUND with
 * a text that says what to do. */
int sender_choose(const struct paths *paths, struct slice header, char out[SENDER_MAX + 1], struct error *err);
