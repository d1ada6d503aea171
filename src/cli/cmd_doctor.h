/* SPDX-License-Identifier: ISC */
#pragma once

#include "cli/cli.h"

extern const struct cli_option cmd_doctor_options[];
int cmd_doctor_main(struct cli *cli);
