/* SPDX-License-Identifier: ISC
 *
 * mail@ID's part when another copy of the identity is the one that is published (tor/copies.h): what is for its own address goes to that copy,
 * too, and the owner of both is told, here and there. The other one cannot notice by itself: whoever stands by publishes nothing that it could see.
 */
#pragma once

#include "daemon/mail_intake.h"

/* Writes to the identity's own address that there are two. The answer is logged. */
void mail_standby_tell(struct mail_intake *intake, const struct ipc_mail_config *mailbox);
