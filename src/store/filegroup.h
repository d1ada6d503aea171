/* SPDX-License-Identifier: ISC
 *
 * Files that are written one by one and made durable together, which costs one commit of the file system's own
 * journal instead of one for each.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define FILEGROUP_MAX 128
#define FILEGROUP_NAME_BYTES 17

struct filegroup {
	int dir_fd; /* borrowed */
	int fds[FILEGROUP_MAX];
	size_t count;
};

void filegroup_init(struct filegroup *group, int dir_fd);

/* The name of the file for a journal sequence: 16 hex digits. */
void filegroup_name(uint64_t sequence, char out[FILEGROUP_NAME_BYTES]);

/* Creates or truncates the sequence's file, mode 0600. *fd is borrowed until the group is synced or dropped.
 * ERROR_BUSY when the group is full. */
int filegroup_create(struct filegroup *group, uint64_t sequence, int *fd, struct error *err);

/* Makes all files and their folder entries durable, and closes them. */
int filegroup_sync(struct filegroup *group, struct error *err);
void filegroup_drop(struct filegroup *group); /* closes them; nothing is durable */
