/* SPDX-License-Identifier: ISC
 *
 * Passphrases: of exported files, and of identities.
 */
#pragma once

#include <stdbool.h>

#include "cli/ask.h"
#include "cli/cli.h"

#define PASSPHRASE_LEAST 8 /* bytes of a new one */

/* With --passphrase-stdin the next line of standard input; with --passphrase-file the first one of that file, "-" being
 * standard input; else asked for on the terminal. Returns an exit status, after its text. */
int passphrase_ask(const struct cli *cli, const char *question, char out[ASK_LINE_MAX]);

/* Whether nobody is asked. */
bool passphrase_is_scripted(const struct cli *cli);

/* A new one, for `what`: on the terminal asked for twice. */
int passphrase_ask_new(const struct cli *cli, const char *what, char out[ASK_LINE_MAX]);
