/* SPDX-License-Identifier: ISC
 *
 * The control role's side of the mail roles: a channel to each, orders about queue, peers and people as messages, rows as JSON. The
 * text of rows is written here and not by jansson, since there may be a hundred thousand.
 */
#pragma once

#include "base/buffer.h"
#include "ipc/messages.h"
#include "loop/loop.h"

struct control_queue_events {
	/* A row of the request has come: to what list of elements it is to be appended. NULL: nobody waits for it. */
	struct buffer *(*on_row)(void *context, uint64_t request_id);
	/* The end of the request. code is ERROR_NONE, or text says what went wrong. */
	void (*on_done)(void *context, uint64_t request_id, const struct ipc_queue_end *end);
};

/* events is borrowed. There is one for the process. */
void control_queue_init(struct loop *loop, const struct control_queue_events *events, void *context);

/* A fresh channel to mail@identity; what the one before was asked ends with an error. */
void control_queue_set_peer(const char *identity, int fd);
void control_queue_forget_peer(const char *identity);

/* Sends the request: QUEUE_REQUEST, PIN_REQUEST or CONTACT_REQUEST, with its id. ERROR_NOT_FOUND: there is no such identity;
 * ERROR_UNREACHABLE: its process is not there now; ERROR_BUSY: it has enough to do. Else on_done follows, never from inside this call. */
int control_queue_ask(const char *identity, const struct ipc_message *request, uint64_t request_id, struct error *err);
