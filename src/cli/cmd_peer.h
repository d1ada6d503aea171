/* SPDX-License-Identifier: ISC */
#pragma once

#include "cli/cli.h"

extern const struct cli_option cmd_peer_list_options[];

int cmd_peer_list(struct cli *cli);
int cmd_peer_show(struct cli *cli);
int cmd_peer_accept(struct cli *cli);
int cmd_peer_forget(struct cli *cli);
