/* SPDX-License-Identifier: ISC
 *
 * Tells the owner, by a message in the own mailbox, that a peer shows another TLS key than the one that its mail is held
 * to: once for each time that this begins (doc/spec/pins.md). And what is news in the address book (daemon/mail_news.h).
 */
#pragma once

#include "contacts/contacts.h"
#include "ipc/messages.h"
#include "loop/loop.h"
#include "queue/mailstore.h"

struct mail_notice;

/* on_appended: a message is in the journal and must be committed. mailstore and contacts are borrowed. */
struct mail_notice *mail_notice_new(struct loop *loop, const struct ipc_mail_config *mailbox, struct mailstore *mailstore, struct contacts *contacts,
    void (*on_appended)(void *context), void *context);
void mail_notice_free(struct mail_notice *notice); /* takes NULL */

void mail_notice_look(struct mail_notice *notice); /* perhaps there is something to tell now */
