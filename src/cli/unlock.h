/* SPDX-License-Identifier: ISC
 *
 * The secrets of an identity, whose passphrase is asked for when it has one. The passphrase does not leave this process:
 * the key that Argon2id makes of it is what a running node is told.
 */
#pragma once

#include "cli/cli.h"
#include "identity/lock.h"

#define UNLOCK_TRIES 3 /* on a terminal */

struct unlocked {
	enum lock_state state;
	unsigned char key[LOCK_KEY_BYTES]; /* when it is LOCK_WHOLE */
	struct secrets secrets;
};

/* In locked memory; also makes this process one that cannot be looked into. */
struct unlocked *unlock_new(void);
void unlock_free(struct unlocked *unlocked);

/* Asks where passphrase_ask() does. Returns an exit status, after its text; CLI_WRONG_PASSPHRASE. */
int unlock_identity(const struct cli *cli, const struct identity *identity, int dir_fd, struct unlocked *out);

/* Asks on the terminal, until it is right; *is_left: the answer was empty, and it is to stay locked. */
int unlock_ask_or_leave(const struct identity *identity, const struct lock *lock, struct unlocked *out, bool *is_left);

/* Gives the running node the key. ERROR_UNREACHABLE when none runs. */
int unlock_tell_node(const struct paths *paths, const char *name, const unsigned char key[LOCK_KEY_BYTES],
    struct error *err);
