/* SPDX-License-Identifier: ISC
 *
 * `smtorp openpgp ...`: the OpenPGP keys of an identity, in its folder.
 */
#pragma once

#include "cli/cli.h"

int cmd_openpgp_show(struct cli *cli);
int cmd_openpgp_export(struct cli *cli);
int cmd_openpgp_import(struct cli *cli);
int cmd_openpgp_rotate(struct cli *cli);

extern const struct cli_option cmd_openpgp_options[], cmd_openpgp_export_options[], cmd_openpgp_rotate_options[];
