/* SPDX-License-Identifier: ISC
 *
 * `smtorp card`: the identity's own card, for others; and cards of others, for the address book (doc/spec/cards.md).
 */
#pragma once

#include "cli/cli.h"

extern const struct cli_option cmd_card_options[];

int cmd_card(struct cli *cli);
int cmd_invite(struct cli *cli); /* with the same options */

/* Takes whom a card is about into the address book of an identity: text is a mailto: link, a card, the name of a file, or "-". Prints what was
 * done, or JSON when json. */
int cmd_card_add(struct cli *cli, const char *identity, const char *text);
