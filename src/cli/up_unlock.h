/* SPDX-License-Identifier: ISC
 *
 * `smtorp up` asks for the passphrases of locked identities before it starts the node, and gives it their keys when it
 * answers: while somebody looks for a passphrase, nothing waits.
 */
#pragma once

#include "base/error.h"
#include "config/paths.h"

struct up_unlock;

/* Asks on the terminal. NULL without one, when nothing is locked, and when nothing was to be unlocked. */
struct up_unlock *up_unlock_ask(const struct paths *paths);

/* Gives the node what was asked for, and forgets it; each failure is told to say(). */
void up_unlock_tell(struct up_unlock *keys, const struct paths *paths, void (*say)(void *context, const char *text),
    void *context);
void up_unlock_free(struct up_unlock *keys); /* takes NULL */
