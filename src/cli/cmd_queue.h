/* SPDX-License-Identifier: ISC
 *
 * `smtorp queue ...`: what waits to be delivered. Asks the running node.
 */
#pragma once

#include "cli/cli.h"

int cmd_queue_list(struct cli *cli);
int cmd_queue_show(struct cli *cli);
int cmd_queue_retry(struct cli *cli);
int cmd_queue_cancel(struct cli *cli);

extern const struct cli_option cmd_queue_list_options[], cmd_queue_retry_options[];
