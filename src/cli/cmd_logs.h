/* SPDX-License-Identifier: ISC
 *
 * `smtorp logs`: reads the files of the log; the node need not run.
 */
#pragma once

#include "cli/cli.h"

int cmd_logs_main(struct cli *cli);

extern const struct cli_option cmd_logs_options[];
/* Who writes lines, for --role: NULL-terminated. */
extern const char *const cmd_logs_roles[];
