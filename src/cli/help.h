/* SPDX-License-Identifier: ISC
 *
 * The help of smtorp(1), made from the table of commands.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "cli/cli.h"

void help_print(const struct cli_command *command); /* NULL: everything; to standard output */
void help_print_all(FILE *out);

/* A group is the first word of commands of two: "identity". */
bool help_is_group(const char *word);
void help_print_group(FILE *out, const char *group);

/* The command whose name is nearest to a mistyped one, NULL when none is near. Borrowed for ever. */
const char *help_nearest(const char *typed);

/* Tells that there is no such command, and which one may have been meant (NULL: none); returns the exit status. */
int help_deny(const char *typed, const char *nearest);

/* The command "help". */
int help_main(struct cli *cli);
