/* SPDX-License-Identifier: ISC
 *
 * The hidden command that the shells' completion scripts ask: `smtorp complete WORD...` prints what the last word
 * may become, a line each, from the table of commands and the identities there are.
 */
#pragma once

#include "cli/cli.h"

int complete_main(struct cli *cli);
