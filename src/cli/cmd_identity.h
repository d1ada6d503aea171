/* SPDX-License-Identifier: ISC
 *
 * `smtorp identity ...`: works on the identities' folders, also when no node runs, and tells the node when one does.
 */
#pragma once

#include <stdbool.h>

#include "cli/cli.h"
#include "identity/identity.h"
#include "identity/recovery.h"

int cmd_identity_new(struct cli *cli);
int cmd_identity_import_key(struct cli *cli);
int cmd_identity_list(struct cli *cli);
int cmd_identity_show(struct cli *cli);
int cmd_identity_delete(struct cli *cli);
int cmd_identity_repair(struct cli *cli);
int cmd_identity_takeover(struct cli *cli);
int cmd_identity_password(struct cli *cli);
int cmd_identity_export(struct cli *cli);
int cmd_identity_import(struct cli *cli);
int cmd_identity_sheet(struct cli *cli);
int cmd_identity_import_sheet(struct cli *cli);

extern const struct cli_option cmd_identity_new_options[], cmd_identity_json_options[], cmd_identity_delete_options[],
    cmd_identity_repair_options[], cmd_identity_password_options[], cmd_identity_import_key_options[], cmd_identity_export_options[],
    cmd_identity_import_options[], cmd_identity_sheet_options[], cmd_identity_import_sheet_options[];

/* What they share. */

/* A folder that is not there yet holds no identities: ERROR_NOT_FOUND with a text that says how to make one. */
int cmd_identity_open_all(const struct cli *cli, int *out_fd, struct error *err);

/* Loads the identity that the first argument names, or the only one if the command may go without; returns an exit status, after its text. */
int cmd_identity_load(const struct cli *cli, struct identity *out);

/* Keeps a node from starting until *out_fd is closed. ERROR_BUSY when one runs. */
int cmd_identity_lock_node(const struct cli *cli, int *out_fd, struct error *err);

/* From here on nobody but us touches the identity: the running node has let it go (*was_loaded: it had it), or none can start
 * until *lock_fd, born -1, is closed. */
int cmd_identity_begin_alone(const struct cli *cli, const char *name, int *lock_fd, bool *was_loaded, struct error *err);

/* Makes the identity that the first argument names, as the options --local-part, --wait, --timeout and --json say, of a
 * key that there is already, or a fresh one for NULL. recovery: that it had before, or NULL. Returns the exit status, after its text. */
int cmd_identity_make(struct cli *cli, const struct onionkey *key, const struct recovery *recovery);

/* What can be known to be wrong before that. */
int cmd_identity_check_new(const struct cli *cli);
