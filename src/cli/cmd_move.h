/* SPDX-License-Identifier: ISC
 *
 * smtorp identity recovery, move and revoke: what an identity tells those who know it about itself (doc/spec/notices.md).
 */
#pragma once

#include "cli/cli.h"

extern const struct cli_option cmd_move_options[], cmd_move_revoke_options[];

int cmd_move_recovery(struct cli *cli);
int cmd_move_main(struct cli *cli);
int cmd_move_revoke(struct cli *cli);
