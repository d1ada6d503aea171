/* SPDX-License-Identifier: ISC
 *
 * Where a node's files are. Everything that a node opens lies under its data, configuration or runtime folder.
 *
 *   SMTORP_HOME=H (or --home H)   H/smtorp.conf, H, H/run
 *   H is /var/lib/smtorp          /etc/smtorp/smtorp.conf, /var/lib/smtorp, /run/smtorp: the node that the system runs
 *   else, for a user              $XDG_CONFIG_HOME/smtorp, $XDG_DATA_HOME/smtorp, $XDG_RUNTIME_DIR/smtorp (or data/run)
 *
 * Unix socket names are at most 107 bytes, and tor takes only plain ones. When the runtime folder's name leaves no
 * room for them or holds other letters than A-Z a-z 0-9 / . _ - + @, a folder /tmp/smtorp-UID-HASH (mode 0700, checked)
 * stands in for it.
 */
#pragma once

#include "base/error.h"

#define PATHS_MAX 1024
#define PATHS_RUNTIME_MAX 50 /* leaves room for /onion/<32 letters>/465 and Dovecot's longest socket names */

#define PATHS_SYSTEM_HOME "/var/lib/smtorp"

struct paths {
	char config_file[PATHS_MAX]; /* .../smtorp.conf; may not exist: then every key has its default */
	char data[PATHS_MAX];        /* identities/NAME/, node/, tor/ */
	char runtime[PATHS_MAX];     /* control.sock, sendmail.sock, onion/NAME/25 and 465, tor/, dovecot/ */
};

/* The command that starts the node, for texts: of the system's one, systemd's. */
const char *paths_start_command(const struct paths *paths);

/* home may be NULL: then SMTORP_HOME, then XDG. Makes absolute; creates nothing. */
int paths_resolve(const char *home, struct paths *out, struct error *err);
