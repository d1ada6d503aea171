/* SPDX-License-Identifier: ISC
 *
 * What messages of proved senders have brought for the node (enum ipc_finding), and what the address book makes of it. The messages themselves do not wait
 * for that, and whatever is wrong with a finding is no trouble of theirs.
 */
#pragma once

#include "daemon/mail_card.h"
#include "daemon/mail_keys.h"

#define MAIL_FINDINGS_MAX 64 /* that wait for content; more are dropped */

struct mail_findings;

struct mail_findings *mail_findings_new(const struct mail_keys *book, struct mail_card *cards); /* what they hold is borrowed */
void mail_findings_free(struct mail_findings *findings); /* takes NULL; cards must be gone already */

/* sender: who is proved to have sent them; list: as OPENED has it; copied. */
void mail_findings_take(struct mail_findings *findings, const char *sender, struct slice list);
