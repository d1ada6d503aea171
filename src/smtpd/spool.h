/* SPDX-License-Identifier: ISC
 *
 * A message while it comes in: up to 64 KiB in memory, then in a memfd that is sealed before anybody else sees it, then in a
 * file as soon as the owner has one to give, so that large messages take no memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

#define SPOOL_INLINE_MAX_BYTES 65536
#define SPOOL_MEMFD_BYTES (256 * 1024) /* with more than that it moves to a file */

/* What all the spools of a server may hold together, in memory and in files. */
struct spool_budget {
	uint64_t max_bytes;
	uint64_t used_bytes;
	uint64_t files_max_bytes; /* one message may always have as much as it needs */
	uint64_t files_used_bytes;
	unsigned large_max;       /* with a descriptor each */
	unsigned large_used;
};

/* Of what there may not be enough. */
enum spool_room { SPOOL_MEMORY, SPOOL_FILES, SPOOL_DESCRIPTORS };

struct spool {
	struct spool_budget *budget;
	struct buffer memory;
	int fd;       /* -1 while everything is in memory */
	bool is_file; /* fd is one */
	/* Gives an empty file, or -1 when there is none now: it is asked for when the message grows large, and then again with
	 * each piece. NULL: there will be none. */
	int (*open_file)(void *context);
	/* The budget is used up: makes another spool give some back and returns true, or false. May be NULL. */
	bool (*free_some)(void *context, enum spool_room room);
	void *context;
	uint64_t len_bytes;
	uint64_t max_bytes;
};

/* budget is borrowed. max_bytes: of this message. */
void spool_init(struct spool *spool, uint64_t max_bytes, struct spool_budget *budget);

bool spool_takes(const struct spool *spool, enum spool_room room); /* whether it has some of that */

/* ERROR_TOO_LARGE over the message's maximum, ERROR_BUSY over the budget (of which the last quarter is for messages that
 * stay in memory, so that large ones cannot keep small ones out) when free_some gives no more, ERROR_NO_MEMORY, ERROR_BUSY when the kernel has no
 * descriptor or memory left, ERROR_NO_SPACE when the disk is full. The spool is of no use then. */
int spool_append(struct spool *spool, struct slice bytes, struct error *err);

/* Nothing more comes: *bytes borrows what is in memory and *fd is -1, or *fd is the sealed memfd or the file, still the
 * spool's. */
int spool_seal(struct spool *spool, struct slice *bytes, int *fd, struct error *err);

void spool_finish(struct spool *spool); /* frees; fine to call again */
