/* SPDX-License-Identifier: ISC
 *
 * The passphrase of an exported file.
 */
#pragma once

#include <stdbool.h>

#include "cli/ask.h"
#include "cli/cli.h"

#define PASSPHRASE_LEAST 8 /* bytes of a new one */

/* With --passphrase-stdin the first line of standard input; else asked for on the terminal, a new one twice. Returns an
 * exit status, after its text. */
int passphrase_get(const struct cli *cli, bool is_new, char out[ASK_LINE_MAX]);
