/* SPDX-License-Identifier: ISC
 *
 * Root may run the commands for a node of somebody else; they then work as that person.
 */
#pragma once

#include "base/error.h"

/* When the process is root's: becomes the owner of the node's folder (home as for paths_resolve()) for good, with
 * that account's groups. ERROR_DENIED when the folder is root's own or is not there. Else does nothing. */
int owner_become(const char *home, struct error *err);
