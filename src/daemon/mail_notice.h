/* SPDX-License-Identifier: ISC
 *
 * Tells the owner, by a message in the own mailbox, that a peer shows another TLS key than the one that its mail is held
 * to: once for each time that this begins (doc/spec/pins.md).
 */
#pragma once

#include "ipc/messages.h"
#include "loop/loop.h"
#include "queue/mailstore.h"

struct mail_notice;

/* on_appended: a message is in the journal and must be committed. mailstore is borrowed. */
struct mail_notice *mail_notice_new(struct loop *loop, const struct ipc_mail_config *mailbox, struct mailstore *mailstore,
    void (*on_appended)(void *context), void *context);
void mail_notice_free(struct mail_notice *notice); /* takes NULL */

void mail_notice_look(struct mail_notice *notice); /* perhaps there is something to tell now */
