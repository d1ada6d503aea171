/* SPDX-License-Identifier: ISC
 *
 * Publication to a Maildir, exactly once: staged, made durable by the caller (syncfs), and renamed into new/ once the caller has
 * recorded that it is to be published. Order and recovery: doc/durability.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

#define MAILDIR_NAME_MAX 128

struct maildir;

/* Where a message's wire bytes come from: reads exactly len bytes at offset. */
typedef int maildir_read(void *context, uint64_t offset, void *out, size_t len, struct error *err);

/* Makes what is missing of staging/ and Maildir/{tmp,new,cur} in a folder (borrowed). ERROR_INVALID when they are not all on
 * its file system. */
int maildir_open(int dir_fd, struct maildir **out, struct error *err);
void maildir_free(struct maildir *maildir); /* takes NULL */

/* Writes "Return-Path: <reverse_path>" and the message with LF line ends into staging/, under the name that it will have in new/; that
 * holds the sequence, and says nothing about this machine. Nothing is durable before the file system is synced. After an error
 * anything may be left in staging/. */
int maildir_stage(struct maildir *maildir, uint64_t sequence, int64_t arrival_ms, struct slice reverse_path,
    maildir_read *read, void *context, uint64_t length, struct error *err);

/* Removes what was staged for this sequence and later ones. */
int maildir_unstage(struct maildir *maildir, uint64_t from, struct error *err);

/* Renames all that was staged for sequences below `below` into new/. on_renamed (may be NULL) is called after each. */
int maildir_publish(struct maildir *maildir, uint64_t below, void (*on_renamed)(void), struct error *err);

/* What versions before this one have staged under the bare number: renames it, durably. A missing file was published before. */
int maildir_publish_as(struct maildir *maildir, uint64_t sequence, const char *name, struct error *err);

/* The sequence in the name of a file in staging/. false: it is no such name. */
bool maildir_sequence_of(const char *name, uint64_t *sequence);
