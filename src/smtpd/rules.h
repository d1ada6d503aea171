/* SPDX-License-Identifier: ISC
 *
 * Who may send to whom. What is not named here is refused.
 */
#pragma once

#include "smtp/path.h"
#include "smtpd/smtpd.h"

/* Whom strangers may write to: the one mailbox of this onion (its local part, with or without "+anything"), and
 * postmaster, also without a domain. mailbox is replaced where the domain was missing, or has a fingerprint, which is
 * taken off: both forms are one mailbox. A fingerprint that is not the beginning of ours asks for somebody else:
 * SMTPD_NO_MAILBOX. onion: "<56 letters>.onion"; fingerprint: 52 letters, lower case. */
enum smtpd_verdict rules_inbound_recipient(const char *onion, const char *fingerprint, const char *local_part,
    const struct path *path, char mailbox[PATH_MAILBOX_MAX + 1]);

/* Whether the path is the mailbox local_part@onion (or with "+anything"). */
bool rules_is_own_sender(const char *onion, const char *local_part, const struct path *path);

/* Whom the owner may write to: onion addresses. mailbox is replaced by the normal form; text says what is wrong. */
enum smtpd_verdict rules_outbound_recipient(const struct path *path, char mailbox[PATH_MAILBOX_MAX + 1],
    char text[ERROR_TEXT_MAX]);
