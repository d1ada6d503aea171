/* SPDX-License-Identifier: ISC
 *
 * The way of received messages to one mail@ID: INTAKE there, INTAKE_DONE back to the waiting session. Inside daemon/ only.
 */
#pragma once

#include "ipc/channel.h"
#include "smtpd/smtpd.h"

/* Zeroed: not connected. Must stay where it is while it is connected. */
struct role_intake {
	struct smtpd *server;
	struct channel *channel; /* NULL: mail is gone; messages get 451 */
	/* The messages that are not INTAKE_DONE. May be NULL. */
	void (*on_other)(struct ipc_message *m);
	void (*on_gone)(void); /* the channel has ended. May be NULL */
	bool has_asked, has_file; /* for a file, of which there is one at a time */
	int file;                 /* an empty one, from mail */
};

/* Takes over fd, in place of the channel that was there: what waited for that one is answered 451. */
void role_intake_connect(struct role_intake *intake, struct smtpd *server, enum role own, int fd);
void role_intake_disconnect(struct role_intake *intake);

/* A file for a large message, or -1 when there is none yet: it is asked for then. */
int role_intake_open_file(struct role_intake *intake);

/* Sends the message or answers it 451. What smtpd's on_message is to return. */
const void *role_intake_take(struct role_intake *intake, const struct smtpd_message *message);
