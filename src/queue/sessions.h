/* SPDX-License-Identifier: ISC
 *
 * TLS sessions with other onions that can be resumed (doc/spec/transport.md, section 3.2): the newest one of each onion, with the
 * key that the onion showed when it was made whole. For a week, and of a thousand onions at most.
 *
 * They are in a file of their own, sessions.db, because nothing depends on them: without one, a message takes a round trip more. So
 * nothing is synced, a file that is damaged is begun anew, and what fails is said once and then done without. An exported
 * identity does not take them along (identity/export.h), since two machines must not use one ticket.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "ipc/messages.h"

#define SESSIONS_FILE "sessions.db"
#define SESSIONS_MAX 1000
#define SESSIONS_AGE_MAX_S (7 * 24 * 3600)

struct sessions;

struct session_kept {
	unsigned char bytes[IPC_RESUME_MAX];
	size_t len;
};

/* Opens the file in the working directory. Never fails: what it returns may know nothing, and keep nothing. */
struct sessions *sessions_open(void);
void sessions_free(struct sessions *sessions); /* takes NULL */

/* The session with an onion, if it is young enough and was made with this key (its fingerprint); any other of it is forgotten. */
bool sessions_find(struct sessions *sessions, const char *onion, const char *fingerprint, int64_t now_s,
    struct session_kept *out);

/* Takes the place of the one that is there. Times are of the wall clock, in seconds. */
void sessions_keep(struct sessions *sessions, const char *onion, const char *fingerprint, struct slice bytes, int64_t now_s);

void sessions_forget(struct sessions *sessions, const char *onion);
