/* SPDX-License-Identifier: ISC
 *
 * One message to the node by SMTP (RFC 5321) over its Unix socket; plain blocking code.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"
#include "config/paths.h"

#define DELIVER_REPLY_MAX 65536
#define DELIVER_TEXT_MAX 1024

struct deliver {
	int fd;
	struct buffer in;
	int code;                    /* of the last reply */
	char text[DELIVER_TEXT_MAX]; /* its lines, without codes, joined by spaces */
};

/* Connects, takes the greeting and sends EHLO. Errors as local_connect(); ERROR_DENIED and ERROR_BUSY
 * when it refuses. */
int deliver_open(struct deliver *d, const struct paths *paths, struct error *err);
void deliver_close(struct deliver *d); /* with QUIT when the connection still stands */

/* Sends a line (without CRLF) and takes the reply into d->code and d->text: 0 also for 4yz and 5yz. ERROR_CLOSED,
 * ERROR_TIMEOUT, ERROR_PROTOCOL when there is none. */
__attribute__((format(printf, 3, 4)))
int deliver_command(struct deliver *d, struct error *err, const char *format, ...);

/* Sends octets of the message as they are. A node that has hung up is no error here: its reply is still to be read. */
int deliver_data(struct deliver *d, struct slice octets, struct error *err);
int deliver_reply(struct deliver *d, struct error *err);
