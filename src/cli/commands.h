/* SPDX-License-Identifier: ISC
 *
 * The table of all commands: a new one is a line in commands.c and an item in smtorp(1).
 */
#pragma once

#include "cli/cli.h"

extern const struct cli_command commands_all[]; /* ends with a name of NULL */
