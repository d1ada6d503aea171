/* SPDX-License-Identifier: ISC
 *
 * mail@ID tells local senders what failed: has the notification composed by content@ID and journals it. One at a
 * time, and none while one is in the journal (doc/durability.md).
 */
#pragma once

#include "daemon/mail_content.h"
#include "queue/mailstore.h"

struct mail_bounce;

/* on_appended: a record waits for the commit. All is borrowed. */
struct mail_bounce *mail_bounce_new(struct loop *loop, const char *onion, struct mailstore *mailstore,
    struct mail_content *content, void (*on_appended)(void *context), void *context);
void mail_bounce_free(struct mail_bounce *bounce); /* takes NULL; content must be gone already */

/* Perhaps one is owed: looks, and begins. */
void mail_bounce_look(struct mail_bounce *bounce);
