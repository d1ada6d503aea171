/* SPDX-License-Identifier: ISC
 *
 * smtorp identity recovery: by which key those who know an identity follow it elsewhere (doc/spec/notices.md).
 */
#pragma once

#include "cli/cli.h"

int cmd_move_recovery(struct cli *cli);
