/* SPDX-License-Identifier: ISC */
#pragma once

#include "cli/cli.h"

int cmd_status_main(struct cli *cli); /* `smtorp status` */
