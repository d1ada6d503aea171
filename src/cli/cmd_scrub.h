/* SPDX-License-Identifier: ISC */
#pragma once

#include "cli/cli.h"

int cmd_scrub_main(struct cli *cli); /* `smtorp scrub` */

extern const struct cli_option cmd_scrub_options[];
