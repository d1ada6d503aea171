/* SPDX-License-Identifier: ISC
 *
 * The keys by which identities of this node find private onions (access.h). tor keeps them in one store for all that use it; here it is
 * kept apart which identity has which: another identity that reached an onion with a key that was not given to it would tell the onion that
 * both live on one node.
 *
 * When the control connection ends tor forgets them, and so is this to be thrown away.
 */
#pragma once

#include <stdbool.h>

#include "tor/access.h"
#include "tor/control.h"

struct clientkeys;

/* control is borrowed. */
struct clientkeys *clientkeys_new(struct control *control);
void clientkeys_free(struct clientkeys *keys); /* takes NULL; leaves tor as it is */

/* From now on the identity has these keys and no others; NULL: none. ERROR_NO_MEMORY, ERROR_BUSY, ERROR_CLOSED. */
int clientkeys_set(struct clientkeys *keys, const char *identity, const struct access_list *access, struct error *err);

/* Whether the identity may dial the onion, with or without ".onion": nobody here has a key for it, or this identity has. */
bool clientkeys_may_dial(const struct clientkeys *keys, const char *identity, const char *onion);
