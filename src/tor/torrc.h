/* SPDX-License-Identifier: ISC
 *
 * The configuration of the tor that a node runs as its child (torrc(5), tor(1)).
 *
 * It is started as
 *
 *   tor --defaults-torrc /dev/null -f FILE __OwningControllerFD 4
 *
 * where descriptor 4 is one end of a Unix SOCK_STREAM pair, not close-on-exec. The other end is a control connection
 * that needs no authentication, and that owns tor: tor exits when it is closed. (The parent gives it to the tor role,
 * so tor and its role end together.) No control port or socket is opened, and nothing of the system's tor
 * configuration is read. tor makes its data directory and the SOCKS socket itself, and insists that the folder
 * of the socket is 0700 and its own.
 *
 * tor's messages go to standard error, with SafeLogging: without addresses.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"

/* Appends the configuration. Both paths are absolute; they may contain any byte but NUL. The SOCKS socket takes
 * .onion destinations only, so nothing that goes wrong here can make tor look up a name or use an exit.
 * ERROR_INVALID for a relative path or a socket path over 107 bytes, or the buffer's errors. */
int torrc_write(const char *data_directory, const char *socks_path, struct buffer *out, struct error *err);

/* Appends one line of the owner's ("tor.extra = LINE"), which wins over ours where tor takes one value only.
 * ERROR_INVALID when it is more than one line: control characters, or a backslash at its end, which would make tor
 * read on in the next. */
int torrc_add_line(const char *line, struct buffer *out, struct error *err);
