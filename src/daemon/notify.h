/* SPDX-License-Identifier: ISC
 *
 * Telling the service manager how it goes: sd_notify(3)'s protocol, a datagram of NAME=VALUE lines to the Unix socket
 * that NOTIFY_SOCKET names. Written here instead of taken from libsystemd because it is these few lines, while the
 * library would bring a great deal more into the one process that may open and execute everything.
 */
#pragma once

#include "base/error.h"

struct notify {
	int fd; /* -1: nobody wants to be told */
};

/* socket_name is the value of NOTIFY_SOCKET: an absolute path, or '@' and a name that is in no folder; NULL or "": nobody
 * is told. ERROR_INVALID for another name, ERROR_* when there is no such socket; then fd is -1. */
int notify_open(struct notify *notify, const char *socket_name, struct error *err);

/* Sends one datagram ("READY=1\nSTATUS=..."). Nothing is done when nobody wants to be told; never waits, and a manager
 * that does not listen is no trouble of ours. */
void notify_send(const struct notify *notify, const char *text);

void notify_close(struct notify *notify);
