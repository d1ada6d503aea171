/* SPDX-License-Identifier: ISC
 *
 * `smtorp openpgp ...`: the OpenPGP keys of an identity, in its folder.
 */
#pragma once

#include "base/buffer.h"
#include "cli/cli.h"
#include "onionkey/onionkey.h"
#include "openpgp/openpgp.h"

int cmd_openpgp_show(struct cli *cli);
int cmd_openpgp_export(struct cli *cli);
int cmd_openpgp_import(struct cli *cli);
int cmd_openpgp_rotate(struct cli *cli);

/* Puts a new key in the place of the present one, which is to be revoked: its fingerprint, and its revocation certificate, armoured. onion: the identity's
 * key, since it is open. Returns an exit status, after its text. */
int cmd_openpgp_retire(struct cli *cli, char fingerprint[OPENPGP_FINGERPRINT_LEN + 1], struct buffer *certificate, struct onionkey *onion);

extern const struct cli_option cmd_openpgp_options[], cmd_openpgp_export_options[], cmd_openpgp_rotate_options[];
