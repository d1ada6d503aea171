/* SPDX-License-Identifier: ISC
 *
 * Who finds an identity's onion service, and the keys by which it finds private ones (tor/access.h). Works on the identity's folder,
 * also when no node runs, and tells the node when one does.
 */
#pragma once

#include "cli/cli.h"

extern const struct cli_option cmd_access_options[];

int cmd_access_private(struct cli *cli);
int cmd_access_public(struct cli *cli);
int cmd_access_list(struct cli *cli);
int cmd_access_grant(struct cli *cli);
int cmd_access_withdraw(struct cli *cli);
int cmd_access_key(struct cli *cli);
int cmd_access_drop_key(struct cli *cli);
