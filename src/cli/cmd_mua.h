/* SPDX-License-Identifier: ISC */
#pragma once

#include "cli/cli.h"

int cmd_mua_main(struct cli *cli); /* `smtorp mua` */

extern const struct cli_option cmd_mua_options[];
extern const char *const cmd_mua_clients[]; /* the values of --client; NULL at the end */
