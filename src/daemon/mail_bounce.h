/* SPDX-License-Identifier: ISC
 *
 * mail@ID tells local senders what failed, and once of each message that it is late: has the notification composed by
 * content@ID and journals it. One at a time, and none while one is in the journal (doc/durability.md).
 */
#pragma once

#include "daemon/mail_content.h"
#include "queue/mailstore.h"

struct mail_bounce;

struct mail_bounce_config {
	char onion[IPC_ONION_MAX + 1];
	int64_t delay_ms;  /* a message that waits for so long is late; 0: none ever is */
	int64_t expire_ms; /* and at this age it is given up */
};

/* on_appended: a record waits for the commit. All is borrowed but config. */
struct mail_bounce *mail_bounce_new(struct loop *loop, const struct mail_bounce_config *config, struct mailstore *mailstore,
    struct mail_content *content, void (*on_appended)(void *context), void *context);
void mail_bounce_free(struct mail_bounce *bounce); /* takes NULL; content must be gone already */

/* Perhaps a notification is owed: looks, and begins. What will be late is looked at when its time comes. */
void mail_bounce_look(struct mail_bounce *bounce);
