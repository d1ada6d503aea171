/* SPDX-License-Identifier: ISC
 *
 * `smtorp identity ...`: works on the identities' folders, also when no node runs, and tells the node when one does.
 */
#pragma once

#include "cli/cli.h"

int cmd_identity_new(struct cli *cli);
int cmd_identity_list(struct cli *cli);
int cmd_identity_show(struct cli *cli);
int cmd_identity_delete(struct cli *cli);
int cmd_identity_password(struct cli *cli);

extern const struct cli_option cmd_identity_new_options[], cmd_identity_json_options[], cmd_identity_delete_options[],
    cmd_identity_password_options[];
