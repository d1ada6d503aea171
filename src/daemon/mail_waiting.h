/* SPDX-License-Identifier: ISC
 *
 * The IMAP folders Waiting and Delivered: copies of messages that could not go at once, with a note of how they stand, and
 * of those among them that have arrived.
 *
 * The folders are made from the queue's state, never the other way round. From time to time, and soon after something
 * happened, that state is looked at, what is there is looked at, and the difference is made up: one copy after another, so that
 * nothing that is urgent waits for it. What dies in the middle is made up at the next look; nothing is synced for it.
 */
#pragma once

#include "daemon/mail_content.h"
#include "queue/dispatch.h"
#include "queue/mailstore.h"

struct mail_waiting;

struct mail_waiting_config {
	int64_t expire_ms;        /* when messages are given up */
	int64_t keep_delivered_s; /* how long Delivered keeps its copies; 0: it gets none */
};

struct mail_waiting_events {
	void (*on_settled)(void *context); /* bodies are needed no more: mailstore_settle() */
};

/* The working directory is the mail folder. Looks at once. All is borrowed but config. */
struct mail_waiting *mail_waiting_new(struct loop *loop, const struct mail_waiting_config *config,
    struct mailstore *mailstore, struct dispatch *dispatch, struct mail_content *content,
    const struct mail_waiting_events *events, void *context);
void mail_waiting_free(struct mail_waiting *waiting); /* takes NULL; content must be gone already */

/* Something happened to the queue: looks soon. */
void mail_waiting_look(struct mail_waiting *waiting);

/* The queue has something new, which may become late. */
void mail_waiting_expect(struct mail_waiting *waiting);
