/* SPDX-License-Identifier: ISC
 *
 * Root may run the commands for a node of somebody else; they then work as that person. Without a home named, root
 * means the node that the system runs, where there is one.
 */
#pragma once

#include "base/error.h"

/* When the process is root's: makes *home the system's when it is NULL, SMTORP_HOME is not set and that folder is there;
 * then becomes the owner of the node's folder (*home as for paths_resolve()) for good, with
 * that account's groups. ERROR_DENIED when the folder is root's own or is not there. Else does nothing. */
int owner_become(const char **home, struct error *err);
