/* SPDX-License-Identifier: ISC
 *
 * `smtorp contact`: the address book of an identity (doc/spec/contacts.md), by way of the running node.
 */
#pragma once

#include <jansson.h>

#include "cli/cli.h"

extern const struct cli_option cmd_contact_options[], cmd_contact_add_options[], cmd_contact_edit_options[],
    cmd_contact_delete_options[], cmd_contact_list_options[], cmd_contact_graph_options[], cmd_contact_introduce_options[], cmd_contact_export_options[],
    cmd_contact_import_options[];

int cmd_contact_add(struct cli *cli);
int cmd_contact_list(struct cli *cli);
int cmd_contact_show(struct cli *cli);
int cmd_contact_edit(struct cli *cli);
int cmd_contact_delete(struct cli *cli);
int cmd_contact_why(struct cli *cli);
int cmd_contact_graph(struct cli *cli);

/* What every change ends with: prints the contact as it is now, as JSON if that is wanted. Returns an exit status. */
int cmd_contact_end_change(const struct cli *cli, json_t *contact, int status);

/* cmd_contact_key.c */
int cmd_contact_verify(struct cli *cli);
int cmd_contact_accept(struct cli *cli);
int cmd_contact_refuse(struct cli *cli);
int cmd_contact_introduce(struct cli *cli);
int cmd_contact_follow(struct cli *cli);

/* cmd_contact_card.c */
int cmd_contact_export(struct cli *cli);
int cmd_contact_import(struct cli *cli);
/* Takes the public key in a file for the contact's. */
int cmd_contact_take_key(struct cli *cli, json_t *contact, const char *path);
