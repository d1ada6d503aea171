/* SPDX-License-Identifier: ISC
 *
 * `smtorp unlock`, `smtorp lock`, `smtorp identity passphrase`: the secrets of an identity behind a passphrase.
 */
#pragma once

#include "cli/cli.h"

int cmd_lock_unlock(struct cli *cli);
int cmd_lock_lock(struct cli *cli);
int cmd_lock_passphrase(struct cli *cli);

extern const struct cli_option cmd_lock_unlock_options[], cmd_lock_passphrase_options[];
