/* SPDX-License-Identifier: ISC
 *
 * A control connection to tor (control-spec) that is authenticated already, on the event loop: commands in a
 * queue, an answer to each in order, and events.
 *
 * tor answers nothing at all to some malformed commands, and a tor that hangs would hang us: when an answer stays
 * out for too long, the connection counts as broken.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "tor/control_reply.h"

#define CONTROL_TIMEOUT_MS 60000
#define CONTROL_QUEUE_MAX 1024      /* commands without an answer yet */
#define CONTROL_COMMAND_MAX_BYTES 20480 /* ADD_ONION with ACCESS_CLIENTS_MAX */

struct control;

struct control_events {
	/* An event (650). Borrowed until the callback returns. */
	void (*on_event)(void *context, const struct control_reply *event);
	/* The connection ended: tor is gone (ERROR_CLOSED), broke the protocol or hangs (ERROR_TIMEOUT). Fires once, after
	 * which no callback of any command fires any more. Free it here or later. */
	void (*on_end)(void *context, const struct error *err);
};

/* The answer to a command, borrowed until the callback returns. May send further commands. */
typedef void control_callback(void *context, const struct control_reply *answer);

/* Takes over fd. timeout_ms: for each answer. events is borrowed. */
struct control *control_new(struct loop *loop, int fd, int64_t timeout_ms, const struct control_events *events,
    void *context);
void control_free(struct control *control); /* takes NULL; closes; not from within on_event or an answer */

/* Sends a command: one line without its CRLF. It is copied, and the copy is wiped once it is sent, since it may hold a
 * key. callback may be NULL. ERROR_INVALID for a line break in it, ERROR_TOO_LARGE, ERROR_BUSY, ERROR_CLOSED. */
int control_send(struct control *control, struct slice command, control_callback *callback, void *context,
    struct error *err);
