/* SPDX-License-Identifier: ISC
 *
 * Connecting to the running node.
 */
#pragma once

#include "base/error.h"
#include "config/paths.h"

/* Connects to a Unix socket of the node, by its name in the runtime folder ("control.sock"). The caller closes *out_fd.
 * ERROR_UNREACHABLE when no node runs, with a text that says how to start it; ERROR_DENIED when the listener is not a
 * process of this user: the runtime folder may lie in /tmp, where others can make things, too. */
int local_connect(const struct paths *paths, const char *name, int *out_fd, struct error *err);
