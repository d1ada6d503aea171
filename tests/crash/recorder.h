/* SPDX-License-Identifier: ISC
 *
 * Records what this process, all of its threads, and the libraries that it calls do to the files below the working folder: its
 * open(), write(), fsync() and so on stand before the C library's. While nothing is recorded they do what they always do, but that
 * nothing is synced: the folders are in memory.
 */
#pragma once

#include <sys/types.h>

#include "trace.h"

/* From now on; inodes[i] is that of the node i, for the nodes that there are already. */
void recorder_start(struct trace *trace, const ino_t *inodes, uint32_t count);
void recorder_stop(void);
/* What a node that was there at the start is called in the labels of syncs; folders before what is in them. */
void recorder_label(uint32_t node, uint32_t dir, const char *name, bool is_folder);
void recorder_mark(uint32_t mark, uint32_t value); /* nothing when nothing is recorded */

/* A sync by another thread takes until this is called (or a while), so that there is something that it does not cover. */
void recorder_end_syncs(void);

/* What is told apart in the labels of syncs. Static text. */
void recorder_phase(const char *phase);

/* Names that are changed until it is called with 0 are changed by the reader, about this message. */
void recorder_reader(uint32_t mark, uint32_t value);

/* Random numbers and clocks follow from this number, so that a run can be repeated. */
void recorder_seed(uint64_t seed);
