/* SPDX-License-Identifier: ISC
 *
 * The recovery key of an identity (doc/secrets.md, section 3): by it others know that a move is the owner's, and not of somebody who has taken the machine. So it is
 * not kept on the machine: it lies in the identity's folder until the first export or sheet has taken it, and in these alone from then on. Of its
 * public half the folder keeps what cards name. random_init() comes first.
 */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "notice/notice.h"

#define RECOVERY_FILE "recovery.key"
#define RECOVERY_PUBLIC_FILE "recovery.pub"
#define RECOVERY_BYTES 16
#define RECOVERY_LINES 2     /* on a sheet: "A" and "B" */
#define RECOVERY_LINE_LEN 19 /* "XXXX XXXX XXXX XXXX" */

/* Who holds one wipes it. */
struct recovery {
	unsigned char secret[RECOVERY_BYTES];
};

void recovery_wipe(struct recovery *recovery);
void recovery_key(const struct recovery *recovery, struct onionkey *out); /* the Ed25519 key that it stands for */
void recovery_hash(const struct recovery *recovery, char out[NOTICE_HASH_LEN + 1]);

/* ---- in the folder of an identity, which is open as dir_fd */

/* Makes one; durable. ERROR_EXISTS when there is one, or was. */
int recovery_make(int dir_fd, struct error *err);
/* ERROR_NOT_FOUND when there is none, or it was taken. */
int recovery_load(int dir_fd, struct recovery *out, struct error *err);
/* What the card names. ERROR_NOT_FOUND: there is none. ERROR_INVALID. */
int recovery_load_hash(int dir_fd, char out[NOTICE_HASH_LEN + 1], struct error *err);
/* Keeps what a card names of it, and nothing else. Durable. */
int recovery_set_hash(int dir_fd, const struct recovery *recovery, struct error *err);
/* It is safe elsewhere: the file goes. Nothing when it is not there. */
int recovery_remove(int dir_fd, struct error *err);

/* ---- on a sheet */

/* Line number, 0 or 1. */
void recovery_write_line(const struct recovery *recovery, unsigned number, char out[RECOVERY_LINE_LEN + 1]);
/* Of any text with both lines in it, each behind its letter. ERROR_NOT_FOUND: there is none; ERROR_INVALID: one is missing or wrong. */
int recovery_read_text(struct slice text, struct recovery *out, struct error *err);
