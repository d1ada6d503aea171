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

struct mail_findings_config {
	char onion[IPC_ONION_MAX + 1]; /* the identity's own */
	struct mail_keys book;         /* what it holds is borrowed, as all that follows */
	struct mail_card *cards;
	void (*on_news)(void *context); /* the book has changed: perhaps the owner is to be told */
	void (*on_notice)(void *context, const char *onion); /* likewise, and what waits for this onion is to be looked at */
	void *context;
};

struct mail_findings *mail_findings_new(const struct mail_findings_config *config);
void mail_findings_free(struct mail_findings *findings); /* takes NULL; cards must be gone already */

/* sender: who is proved to have sent them; list: as OPENED has it; copied. Of strangers nothing is taken. */
void mail_findings_take(struct mail_findings *findings, const char *sender, struct slice list);
