/* SPDX-License-Identifier: ISC
 *
 * Publication to a Maildir, exactly once: staged durably, recorded by the caller as staged, renamed into new/.
 * Order and recovery: doc/durability.md.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define MAILDIR_NAME_MAX 128

struct maildir;

/* Where a message's wire bytes come from: reads exactly len bytes at offset. */
typedef int maildir_read(void *context, uint64_t offset, void *out, size_t len, struct error *err);

/* Makes what is missing of staging/ and Maildir/{tmp,new,cur} in a folder (borrowed). ERROR_INVALID when staging/ and
 * Maildir/new are not on one file system. */
int maildir_open(int dir_fd, struct maildir **out, struct error *err);
void maildir_free(struct maildir *maildir); /* takes NULL */

/* Writes staging/<sequence>: "Return-Path: <reverse_path>" and the message with LF line ends. name becomes what it
 * will be called in new/; it says nothing about this machine. Not durable before maildir_sync(). ERROR_BUSY when
 * FILEGROUP_MAX are staged. */
int maildir_stage(struct maildir *maildir, uint64_t sequence, int64_t arrival_ms, struct slice reverse_path,
    maildir_read *read, void *context, uint64_t length, char name[MAILDIR_NAME_MAX], struct error *err);
int maildir_sync(struct maildir *maildir, struct error *err);
void maildir_drop(struct maildir *maildir); /* gives up what was staged since the last sync */

/* Renames staging/<sequence> to new/<name>. A missing staged file means that it was done before. */
int maildir_publish(struct maildir *maildir, uint64_t sequence, const char *name, struct error *err);
int maildir_sync_published(struct maildir *maildir, struct error *err);
