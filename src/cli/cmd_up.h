/* SPDX-License-Identifier: ISC */
#pragma once

#include "cli/cli.h"

int cmd_up_main(struct cli *cli);   /* `smtorp up` */
int cmd_up_down(struct cli *cli);   /* `smtorp down` */

extern const struct cli_option cmd_up_options[];
