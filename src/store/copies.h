/* SPDX-License-Identifier: ISC
 *
 * Copies of own messages in a Maildir++ folder beside the mailbox, for the owner to look at. The owner may do with them what
 * he likes, and nothing hangs on them, so nothing is synced: what is there is looked at anew each time.
 *
 * A copy's file name says which message it is of and what it shows; it is born seen, so that no folder ever counts it as
 * new mail. Files whose names are no copies' are left alone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define COPIES_NAME_MAX 192
#define COPIES_MOST 50000 /* more in one folder are not looked at */

struct copy {
	uint64_t body; /* names the message */
	uint64_t look; /* what it shows of it; 0: the file is damaged */
	int64_t time_s;
	char path[COPIES_NAME_MAX + 8]; /* in the folder */
};

struct copies {
	struct copy *list; /* by body */
	size_t count;
};

/* The copies in a folder (such as "Maildir/.Waiting") of mail_fd, none when it is missing. What a writer that died has left
 * in its tmp/ is removed. *out is the caller's, for copies_finish(). */
int copies_scan(int mail_fd, const char *folder, struct copies *out, struct error *err);
void copies_finish(struct copies *copies); /* fine on a zeroed one */
const struct copy *copies_find(const struct copies *copies, uint64_t body); /* the first of a message, NULL: none */

/* Writes one; the folder is made when it is missing. message has CRLF; look is not 0. */
int copies_write(int mail_fd, const char *folder, uint64_t body, uint64_t look, int64_t time_s, struct slice message,
    struct error *err);

/* Removes one; it may be gone. */
int copies_remove(int mail_fd, const char *folder, const struct copy *copy, struct error *err);
