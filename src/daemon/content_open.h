/* SPDX-License-Identifier: ISC
 *
 * content@ID opens a message that came in (seal/pgpmime.h), and finds what is in it for the node.
 */
#pragma once

#include "base/hash.h"
#include "daemon/content_own.h"
#include "ipc/body.h"
#include "seal/pgpmime.h"

struct content_opened {
	struct pgpmime_facts facts;
	struct buffer findings; /* content_findings() */
	struct body body;       /* what the mailbox is to have; empty unless it was encrypted and could be opened */
	bool is_of_file;        /* as in content_check.h */
	unsigned char digest[HASH_SHA256_BYTES];
};

/* sender: who is proved to have sent it; "": nobody is, and nothing in it is for the node. keys: theirs, packed. *out is to be finished in any case. ERROR_IO,
 * ERROR_NO_MEMORY, ERROR_PROTOCOL. */
int content_open(const struct content_own *own, struct body *message, const char *sender, struct slice keys, struct content_opened *out,
    struct error *err);
void content_opened_finish(struct content_opened *opened);

/* The same for the owner's eyes: a message of the owner's own, sealed to the own key as well, takes its place in *message; anything else stays as it is. */
void content_reveal(const struct content_own *own, struct body *message, const char *address);
